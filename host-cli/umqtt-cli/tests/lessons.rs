//! Programs of the lessons' shape, on the simulated board: their messages arrive.
//!
//! `lessons/` holds three in words of our own: installing, publishing, and subscribing with the client of the second.
//! The lessons' own programs are run by `lesson_texts.rs`, where they are on this computer.
#![cfg(unix)]

mod common;

use common::{Home, expect_no_process, micropython, repository};
use testkit::need;

const INSTALL: &str = include_str!("lessons/instalar.py");
const PUBLISH: &str = include_str!("lessons/publicar.py");
const SUBSCRIBE: &str = include_str!("lessons/suscribirse.py");

#[test]
fn the_publishing_lesson_runs_as_it_stands() {
    need!("the_publishing_lesson_runs_as_it_stands", micropython());
    let home = Home::new();
    home.script("main.py", PUBLISH);
    let done = home.run(["run", "main.py", "--seconds", "7", "--json"]);
    done.expect_status(0);
    let hello = ("aula/saludo".to_owned(), "Hola desde la placa".to_owned());
    assert_eq!(
        done.published("to_broker"),
        [hello.clone(), hello],
        "one at once and one after five seconds"
    );
    let connect = done
        .json()
        .into_iter()
        .find(|line| line["packet"] == "CONNECT")
        .expect("a CONNECT");
    assert_eq!(connect["client_id"], "placa-del-aula");
    expect_no_process();
}

/// What a student makes of the two: the functions of the first, a `cliente`, and the second after it.
#[test]
fn the_subscribing_lesson_runs_on_the_client_of_the_first() {
    need!(
        "the_subscribing_lesson_runs_on_the_client_of_the_first",
        micropython()
    );
    let home = Home::new();
    let (functions, _) = PUBLISH
        .split_once("# El bucle.\n")
        .expect("the first program has a main");
    let script = format!(
        "{functions}\ncliente = conectar()\n{SUBSCRIBE}\nfor number in range(3):\n    \
         publicar(cliente, b'Hello %d' % number)\n    cliente.wait_msg()\n"
    );
    home.script("main.py", script);
    let done = home.run(["run", "main.py", "--json"]);
    done.expect_status(0);
    let expected: String = (0..3)
        .map(|number| format!("Llega por b'aula/saludo': b'Hello {number}'\n"))
        .collect();
    assert_eq!(done.script_output(), expected);
    assert_eq!(done.published("to_client").len(), 3);
}

#[test]
fn the_whole_first_program_and_then_the_second_is_stopped_by_its_endless_loop_only() {
    need!(
        "the_whole_first_program_and_then_the_second_is_stopped_by_its_endless_loop_only",
        micropython()
    );
    let home = Home::new();
    // The first program as it stands, with what its `main` does made to end: a student's `break`.
    let first = PUBLISH.replace(
        "        time.sleep(5)\n",
        "        time.sleep(1)\n        break\n    return cliente\n",
    );
    let first = first.replace("    main()\n", "    cliente = main()\n");
    home.script(
        "main.py",
        format!("{first}{SUBSCRIBE}\npublicar(cliente, 'adiós')\ncliente.wait_msg()\n"),
    );
    let done = home.run(["run", "main.py", "--json"]);
    done.expect_status(0);
    assert_eq!(
        done.script_output(),
        "Llega por b'aula/saludo': b'adi\\xc3\\xb3s'\n"
    );
}

#[test]
fn installing_with_upip_says_that_the_module_is_there() {
    need!(
        "installing_with_upip_says_that_the_module_is_there",
        micropython()
    );
    let home = Home::new();
    home.script("main.py", format!("{INSTALL}\nprint('after')\n"));
    let done = home.run(["run", "main.py", "--json"]);
    done.expect_status(0);
    let output = done.script_output();
    assert!(
        output.contains("umqtt.simple")
            && output.contains("umqtt/simple.mpy")
            && output.ends_with("after\n"),
        "{output}"
    );
}

#[test]
fn the_module_is_the_native_one() {
    need!("the_module_is_the_native_one", micropython());
    let home = Home::new();
    home.script(
        "main.py",
        "import umqtt.simple\nprint(umqtt.simple.__file__)\n",
    );
    let done = home.run(["run", "main.py", "--json"]);
    done.expect_status(0);
    assert!(
        done.script_output().ends_with("umqtt/simple.mpy\n"),
        "{done:#?}"
    );
    // The board has it for good only if somebody installs it.
    assert!(done.stdout.contains("umqtt install"), "{done:#?}");
    let left = std::fs::read_dir(home.flash()).expect("the flash").count();
    assert_eq!(left, 0);
    home.run(["install"]).expect_status(0);
    let installed =
        std::fs::read(home.flash().join("umqtt/simple.mpy")).expect("the module on the flash");
    let prebuilt = std::fs::read(repository().join("native-module/prebuilt/x64/umqtt/simple.mpy"));
    assert!(installed == prebuilt.expect("the prebuilt module"));
    let done = home.run(["run", "main.py", "--json"]);
    done.expect_status(0);
    assert!(!done.stdout.contains("umqtt install"), "{done:#?}");
}

#[test]
fn a_python_file_that_would_hide_the_module_stays_in_a_run_and_is_moved_aside_by_install() {
    need!(
        "a_python_file_that_would_hide_the_module_stays_in_a_run_and_is_moved_aside_by_install",
        micropython()
    );
    let home = Home::new();
    let file = home.flash().join("umqtt/simple.py");
    std::fs::create_dir(home.flash().join("umqtt")).expect("a folder");
    std::fs::write(&file, "MQTTClient = None\n").expect("a file");
    home.script(
        "main.py",
        "import umqtt.simple\nprint(umqtt.simple.__file__)\n",
    );
    let run = || {
        let done = home.run(["run", "main.py", "--json"]);
        done.expect_status(0);
        assert!(
            done.script_output().ends_with("umqtt/simple.mpy\n"),
            "{done:#?}"
        );
    };
    run();
    let kept = std::fs::read_to_string(&file).expect("the file as it was");
    assert_eq!(kept, "MQTTClient = None\n");
    let done = home.run(["install"]);
    done.expect_status(0);
    assert!(done.stdout.contains("would hide"), "{done:#?}");
    let kept = std::fs::read_to_string(home.flash().join("umqtt/simple.py.old"));
    assert_eq!(
        kept.expect("the file under its new name"),
        "MQTTClient = None\n"
    );
    run();
}

#[test]
fn what_a_broken_run_left_is_taken_back_by_the_next() {
    need!(
        "what_a_broken_run_left_is_taken_back_by_the_next",
        micropython()
    );
    let home = Home::new();
    std::fs::create_dir_all(home.flash().join(".umqtt-run/umqtt")).expect("folders");
    std::fs::write(home.flash().join(".umqtt-run/umqtt/simple.mpy"), "half").expect("a file");
    home.script("main.py", "import umqtt.simple\n");
    home.run(["run", "main.py"]).expect_status(0);
    assert!(!home.flash().join(".umqtt-run").exists());
    home.run(["install"]).expect_status(0);
    std::fs::create_dir_all(home.flash().join(".umqtt-run/umqtt")).expect("folders");
    home.run(["run", "main.py"]).expect_status(0);
    assert!(!home.flash().join(".umqtt-run").exists());
}

#[test]
fn the_examples_do_what_their_texts_say() {
    need!("the_examples_do_what_their_texts_say", micropython());
    examples("publicar", "suscribirse");
}

/// Runs an example that publishes and one that subscribes; both are stopped as by Ctrl-C.
fn examples(publishes: &str, subscribes: &str) {
    let home = Home::new();
    let example = |name: &str| repository().join("examples").join(name).join("main.py");

    let done = home.run([
        "run".as_ref(),
        example(publishes).as_os_str(),
        "--seconds".as_ref(),
        "5".as_ref(),
        "--json".as_ref(),
    ]);
    done.expect_status(0);
    let published = done.published("to_broker");
    assert!(published.len() >= 2, "{done:#?}");
    for (topic, payload) in &published {
        assert!(
            topic.starts_with("umqtt/") && topic.ends_with("/temperatura"),
            "{topic}"
        );
        assert!(payload.parse::<f64>().is_ok(), "{payload}");
        assert!(
            done.script_output()
                .contains(&format!("Enviado: {payload}\n"))
        );
    }
    assert!(
        done.json()
            .iter()
            .any(|line| line["packet"] == "DISCONNECT"),
        "Ctrl-C lets it say goodbye"
    );

    let done = home.run([
        "run".as_ref(),
        example(subscribes).as_os_str(),
        "--seconds".as_ref(),
        "8".as_ref(),
        "--json".as_ref(),
    ]);
    done.expect_status(0);
    let delivered = done.published("to_client");
    assert!(!delivered.is_empty(), "{done:#?}");
    for (topic, payload) in &delivered {
        assert!(
            done.script_output()
                .contains(&format!("Recibido en {topic} -> {payload}\n")),
            "{done:#?}"
        );
    }
}

/// The shell commands of a section of docs/LECCIONES.md, block by block.
fn commands_of(section: &str) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/LECCIONES.md")).expect("the page");
    let (_, rest) = page
        .split_once(&format!("\n## {section}\n"))
        .expect("the section");
    let section = rest.split("\n## ").next().expect("its text");
    section
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().expect("its end").to_owned())
        .collect()
}

/// What docs/LECCIONES.md has the student type to give Mosquitto a password file, as it stands there, but in a folder of
/// this test's own and without what is for a whole computer: packages, owners, services.
#[test]
fn the_steps_for_mosquitto_on_debian_do_what_the_page_says() {
    let name = "the_steps_for_mosquitto_on_debian_do_what_the_page_says";
    drop(need!(
        name,
        testkit::Mosquitto::start(&testkit::Access::Anonymous)
    ));
    let [install, try_it, _] = commands_of("Mosquitto en Debian")
        .try_into()
        .expect("installing, trying, and the same with umqtt");
    let home = Home::new();
    let port = common::free_port();
    let folder = home.path().join("mosquitto");
    std::fs::create_dir_all(folder.join("conf.d")).expect("a folder");
    let here = |text: &str| {
        text.replace("sudo ", "")
            .replace("/etc/mosquitto", &folder.display().to_string())
            .replace("listener 1883", &format!("listener {port} 127.0.0.1"))
    };
    let (systems, own): (Vec<&str>, Vec<&str>) = install.lines().partition(|line| {
        ["apt ", "systemctl ", "chown "]
            .iter()
            .any(|word| line.contains(&format!("sudo {word}")))
    });
    assert_eq!((systems.len(), own.len()), (4, 3), "{install}");
    let shell = |text: &str, input: &str| {
        let mut command = std::process::Command::new("sh");
        command
            .args(["-e", "-c", text])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        common::feed(&mut command, input)
    };
    // mosquitto_passwd asks twice.
    shell(&here(&own.join("\n")), "secreta\nsecreta\n").expect_status(0);
    let passwords = std::fs::read_to_string(folder.join("passwd")).expect("the password file");
    assert!(passwords.starts_with("ana:$") && !passwords.contains("secreta"));
    let me = std::process::Command::new("id").arg("-un").output();
    let me = String::from_utf8(me.expect("id").stdout).expect("a name");
    let config = std::fs::read_to_string(folder.join("conf.d/default.conf")).expect("it is there");
    let config = home.script("mosquitto.conf", format!("{config}user {me}"));
    let mut mosquitto = std::process::Command::new("/usr/sbin/mosquitto")
        .arg("-c")
        .arg(config)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("mosquitto starts");
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed().as_secs() < 60, "mosquitto never listened");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Whoever listens ends with the first message. It may come before the subscription stands, so it is sent until then.
    let lines: Vec<&str> = try_it.lines().collect();
    assert_eq!(lines.len(), 3, "{try_it}");
    let with_port = |line: &str| {
        let line = line.replace("mosquitto_pub", &format!("mosquitto_pub -p {port}"));
        line.replace(
            "mosquitto_sub",
            &format!("mosquitto_sub -p {port} -C 1 -W 60"),
        )
    };
    let text = format!(
        "{}\nwhile kill -0 $! 2>/dev/null; do {}; sleep 0.2; done\nwait\n",
        with_port(lines[0]),
        with_port(lines[1]),
    );
    let heard = shell(&text, "");
    heard.expect_status(0);
    assert_eq!(heard.stdout, "aula hola\n", "{heard:#?}");
    let refused = shell(&with_port(lines[2]), "");
    assert!(
        refused
            .stderr
            .contains("Connection Refused: not authorised"),
        "{refused:#?}"
    );
    assert_ne!(refused.status, Some(0));
    let _ = mosquitto.kill();
    let _ = mosquitto.wait();
}
