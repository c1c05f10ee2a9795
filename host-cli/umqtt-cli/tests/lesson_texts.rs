//! The lessons' own texts, where they are on this computer: every Python program in them runs as it is written, and
//! docs/LECCIONES.md leaves none of their blocks and exercises out.
//!
//! The texts are not part of this repository; `testkit::lessons` says where they are looked for. Programs of the same
//! shape in words of our own run everywhere: `lessons.rs` here, and `examples/paho` among testkit's tests.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, Direction, Tap, TapOptions, TapPacket, Users};
use common::{Home, feed, finish, free_port, micropython, repository};
use testkit::lessons::{Lesson, lessons};
use testkit::{Access, Mosquitto, need, paho};

/// Far more than anything here takes on a busy computer.
const LIMIT: Duration = Duration::from_secs(60);

fn lesson<'a>(lessons: &'a [Lesson], name: &str) -> &'a Lesson {
    let found = lessons.iter().find(|lesson| lesson.name == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// A Python block of a lesson, as it stands.
fn python<'a>(lessons: &'a [Lesson], name: &str, number: usize) -> &'a str {
    let block = lesson(lessons, name).block(number);
    assert_eq!(block.language, "python", "{name}, block {number}");
    &block.text
}

#[test]
fn every_block_and_exercise_has_a_row_in_the_table() {
    let Some(lessons) = lessons("every_block_and_exercise_has_a_row_in_the_table") else {
        return;
    };
    let table = fs::read_to_string(repository().join("docs/LECCIONES.md")).expect("the table");
    // | lesson-000 | bloque 1 | … | … |
    let rows: Vec<String> = table
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 6 && cells[1].starts_with("lesson-"))
        .inspect(|cells| assert!(cells[3..5].iter().all(|cell| !cell.is_empty())))
        .map(|cells| format!("{} {}", cells[1], cells[2]))
        .collect();
    let mut expected = Vec::new();
    for lesson in &lessons {
        for number in 1..=lesson.blocks.len() {
            expected.push(format!("{} bloque {number}", lesson.name));
        }
        for line in lesson.prose.lines() {
            let Some((_, rest)) = line.split_once("**Ejercicio ") else {
                continue;
            };
            let number = rest
                .split("**")
                .next()
                .and_then(|title| title.split_whitespace().last());
            expected.push(format!(
                "{} ejercicio {}",
                lesson.name,
                number.expect("a number")
            ));
        }
    }
    for row in &expected {
        assert_eq!(
            rows.iter().filter(|found| *found == row).count(),
            1,
            "{row}"
        );
    }
    for row in &rows {
        let named = row.contains(" bloque ") || row.contains(" ejercicio ");
        assert!(!named || expected.contains(row), "{row} is in no lesson");
    }
}

#[test]
fn installing_by_upip() {
    need!("installing_by_upip", micropython());
    let Some(lessons) = lessons("installing_by_upip") else {
        return;
    };
    for name in ["lesson-000", "lesson-001"] {
        let home = Home::new();
        home.script("main.py", python(&lessons, name, 1));
        let done = home.run(["run", "main.py", "--port", "sim", "--json"]);
        done.expect_status(0);
        let output = done.script_output();
        assert!(
            output.contains("umqtt.simple") && output.contains("umqtt/simple.mpy"),
            "{name}: {output}"
        );
    }
}

#[test]
fn publishing_from_a_board() {
    need!("publishing_from_a_board", micropython());
    let Some(lessons) = lessons("publishing_from_a_board") else {
        return;
    };
    let home = Home::new();
    home.script("main.py", python(&lessons, "lesson-000", 2));
    let done = home.run([
        "run",
        "main.py",
        "--port",
        "sim",
        "--seconds",
        "8",
        "--json",
    ]);
    done.expect_status(0);
    let published = done.published("to_broker");
    assert!(!published.is_empty(), "{done:#?}");
    for (topic, text) in published {
        assert_eq!(
            (topic.as_str(), text.as_str()),
            ("test/topic", "Hello from MicroPython!")
        );
    }
}

/// The second program goes on where the first leaves off: it takes the client that the first one's function makes.
#[test]
fn subscribing_from_a_board() {
    need!("subscribing_from_a_board", micropython());
    let Some(lessons) = lessons("subscribing_from_a_board") else {
        return;
    };
    let home = Home::new();
    fs::write(
        home.flash().join("primero.py"),
        python(&lessons, "lesson-000", 2),
    )
    .expect("the first program, as a module");
    let second = python(&lessons, "lesson-000", 3);
    home.script(
        "main.py",
        format!(
            "from primero import *\nclient = connect_mqtt()\n{second}\n\
             publish_message(client, b'uno')\nclient.wait_msg()\n"
        ),
    );
    let done = home.run(["run", "main.py", "--port", "sim", "--json"]);
    done.expect_status(0);
    assert_eq!(
        done.script_output(),
        "Mensaje recibido en el tema b'test/topic': b'uno'\n"
    );
}

/// The names that the lines use without saying what they are, and nothing else, are set before them.
#[test]
fn the_steps_of_a_client_with_suscribe() {
    need!("the_steps_of_a_client_with_suscribe", micropython());
    let Some(lessons) = lessons("the_steps_of_a_client_with_suscribe") else {
        return;
    };
    let home = Home::new();
    let steps = python(&lessons, "lesson-001", 2);
    assert!(steps.contains("client.suscribe("), "{steps}");
    home.script(
        "main.py",
        format!(
            "from umqtt.simple import MQTTClient\n\
             id_cliente, mqtt_server, mensaje = 'aula', 'broker.hivemq.com', b'hola'\n\
             def mqtt_callback(topic, msg):\n    print(topic, msg)\n\
             {steps}\nclient.wait_msg()\n"
        ),
    );
    let done = home.run(["run", "main.py", "--port", "sim", "--json"]);
    done.expect_status(0);
    assert_eq!(done.script_output(), "b'clase_eoi' b'hola'\n");
}

fn start_broker(users: Option<Users>) -> (Broker, Tap) {
    let mut config = BrokerConfig::default();
    config.listen.set_port(0);
    config.users = users.map(Arc::new);
    let broker = Broker::start(config).expect("a broker on a free port");
    let tap = broker.tap(TapOptions::default());
    (broker, tap)
}

/// Waits until the broker sees such a packet.
#[track_caller]
fn sees(tap: &Tap, what: &str, is: impl Fn(Direction, &TapPacket) -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if tap
            .next(Duration::from_millis(100))
            .is_some_and(|event| is(event.direction, &event.packet))
        {
            return;
        }
    }
    panic!("the broker never saw {what}");
}

/// Starts a program of the PC in `folder`, with the paho-mqtt of the lesson's time and the names of its brokers led to
/// ours.
fn start_program(folder: &Path, program: &str, broker: SocketAddr) -> Result<Child, String> {
    let names = ["broker.emqx.io", "broker.hivemq.com"];
    Ok(paho::pointed(paho::VERSIONS[0], folder, &names, broker)?
        .arg("-u")
        .arg(program)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 starts"))
}

/// The lines that a program prints until there are so many; then it is ended, as by a student who has seen enough.
fn lines(mut child: Child, count: usize) -> Vec<String> {
    let output = child.stdout.take().expect("its output");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut lines = Vec::new();
    while lines.len() < count {
        match receiver.recv_timeout(LIMIT) {
            Ok(line) => lines.push(line),
            Err(_) => break,
        }
    }
    child.kill().expect("it runs until it is ended");
    let done = finish(child);
    assert_eq!(lines.len(), count, "{lines:?} {}", done.stderr);
    lines
}

#[test]
fn consumer_and_publisher_on_the_pc() {
    need!(
        "consumer_and_publisher_on_the_pc",
        paho::python(paho::VERSIONS[0])
    );
    let Some(lessons) = lessons("consumer_and_publisher_on_the_pc") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    // Each block says in its first line which file it is.
    let mut names = Vec::new();
    for number in 1..=4 {
        let text = python(&lessons, "lesson-002", number);
        let name = text
            .lines()
            .next()
            .expect("a first line")
            .trim_matches('\'');
        fs::write(folder.path().join(name), text).expect("the file");
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "config.py",
            "requirements.txt",
            "consumer.py",
            "publisher.py"
        ]
    );
    let wanted = &lesson(&lessons, "lesson-002").block(2).text;
    let wanted = wanted
        .lines()
        .find_map(|line| line.strip_prefix("paho-mqtt=="));
    assert_eq!(
        wanted,
        Some(paho::VERSIONS[0]),
        "the version that runs here"
    );

    let (broker, tap) = start_broker(None);
    let start = |program: &str| start_program(folder.path(), program, broker.addr());
    let consumer = start("consumer.py").expect("paho-mqtt is here");
    sees(&tap, "the consumer's subscription", |_, packet| {
        matches!(packet, TapPacket::SubAck { .. })
    });
    let done = finish(start("publisher.py").expect("paho-mqtt is here"));
    done.expect_status(0);
    let topic = "iabdEduardoPrimoMINOMBRE/mqtt";
    let mut expected = vec!["Connected to MQTT Broker!".to_owned()];
    let sent = |n| format!("Send `messages: {n}` to topic `{topic}`");
    expected.extend((1..=5).map(sent));
    let mut printed: Vec<&str> = done.stdout.lines().collect();
    // A thread of paho's says that it is connected, while the program counts seconds.
    printed.sort();
    assert_eq!(printed, expected, "{done:#?}");
    let received = lines(consumer, 6);
    expected.truncate(1);
    expected.extend((1..=5).map(|n| format!("Received `messages: {n}` from `{topic}` topic")));
    assert_eq!(received, expected);
}

/// The third text's client with a user, against a broker whose password file `umqtt broker passwd` makes.
#[test]
fn a_client_with_user_and_password_on_the_pc() {
    need!(
        "a_client_with_user_and_password_on_the_pc",
        paho::python(paho::VERSIONS[0])
    );
    let Some(lessons) = lessons("a_client_with_user_and_password_on_the_pc") else {
        return;
    };
    let home = Home::new();
    let mut passwd = home.umqtt(["broker", "passwd", "usuarios", "ana"]);
    feed(&mut passwd, "secreta\n").expect_status(0);
    let users = Users::load(&home.path().join("usuarios")).expect("the password file");
    let (broker, tap) = start_broker(Some(users));
    // What the blocks take for granted: their imports, and a configuration.
    let program = |password: &str, rest: String| {
        format!(
            "import json, random\nfrom paho.mqtt import client as mqtt_client\n\
             config = {{'HOST': 'broker.hivemq.com', 'PORT': '1883', 'USER': 'ana', 'PSSWD': '{password}'}}\n\
             {}{rest}",
            python(&lessons, "lesson-003", 3)
        )
    };
    let callbacks = python(&lessons, "lesson-003", 5);
    let receive = |password| {
        program(
            password,
            format!(
                "{callbacks}client.on_connect, client.on_message = on_connect, on_message\n\
                 client.connect(config['HOST'], int(config['PORT']))\nclient.loop_forever()\n"
            ),
        )
    };
    home.script("recibir.py", receive("secreta"));
    home.script("extrano.py", receive("otra"));
    home.script(
        "enviar.py",
        program("secreta", python(&lessons, "lesson-003", 4).to_owned()),
    );
    let start = |name: &str| start_program(home.path(), name, broker.addr());
    let receiver = start("recibir.py").expect("paho-mqtt is here");
    sees(&tap, "the subscription", |_, packet| {
        matches!(packet, TapPacket::SubAck { .. })
    });
    finish(start("enviar.py").expect("paho-mqtt is here")).expect_status(0);
    assert_eq!(
        lines(receiver, 2),
        [
            "Connected with result code 0",
            r#"<topic> b'{"voltage": 120}'"#
        ]
    );
    // MQTT 3.1.1, table 3.1: 4 is a bad user name or password, 5 not authorized.
    let refused = lines(start("extrano.py").expect("paho-mqtt is here"), 1).remove(0);
    assert!(
        ["4", "5"].contains(&refused.rsplit(' ').next().expect("a number")),
        "{refused}"
    );
}

/// The lines that the third text has the student put into Mosquitto's configuration, with a port and a folder of this
/// test's own in the place of those of a whole computer.
#[test]
fn mosquitto_with_a_password_file() {
    let name = "mosquitto_with_a_password_file";
    // Nothing else knows whether Mosquitto is installed.
    drop(need!(name, Mosquitto::start(&Access::Anonymous)));
    let Some(lessons) = lessons(name) else {
        return;
    };
    let home = Home::new();
    let commands = &lesson(&lessons, "lesson-003").block(1).text;
    let settings: Vec<&str> = commands
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("listener ") || line.starts_with("password_file "))
        .collect();
    let port = free_port();
    let file = home.path().join("passwd");
    let config: String = settings
        .iter()
        .map(|line| match line.split_once(' ').expect("a value") {
            ("listener", "1883") => format!("listener {port} 127.0.0.1\n"),
            ("password_file", "/etc/mosquitto/passwd") => {
                format!("password_file {}\n", file.display())
            }
            _ => panic!("{line} is new"),
        })
        .collect();
    assert_eq!(settings.len(), 2, "{commands}");
    let me = Command::new("id").arg("-un").output().expect("id").stdout;
    let me = String::from_utf8(me).expect("a name");
    let config = home.script("mosquitto.conf", format!("{config}user {me}"));
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&file)
        .args(["ana", "secreta"])
        .status();
    assert!(made.expect("mosquitto_passwd runs").success());
    let mut mosquitto = Command::new("/usr/sbin/mosquitto")
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto starts");
    let port = port.to_string();
    let publish = |login: &[&str]| {
        let arguments = [
            "pub",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            "a",
            "-m",
            "x",
            "-q",
            "1",
        ];
        home.run(arguments.iter().chain(login)).status
    };
    let begun = Instant::now();
    while publish(&["-u", "ana", "-P", "secreta"]) != Some(0) {
        assert!(begun.elapsed() < LIMIT, "mosquitto never let ana in");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_ne!(publish(&[]), Some(0));
    assert_ne!(publish(&["-u", "ana", "-P", "otra"]), Some(0));
    let _ = mosquitto.kill();
    let _ = mosquitto.wait();
}
