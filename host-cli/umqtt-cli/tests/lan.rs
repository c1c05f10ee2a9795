//! `umqtt run --lan`: the embedded broker on an address of this computer, announced by mDNS and told to the script. The
//! board is a simulated one that the test attached, so that the command takes it for a real one; the network is the
//! loopback, which every computer has.
#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use board_sim::{SimBoard, SimConfig};
use common::{Home, finish, micropython};
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent};
use testkit::need;

#[test]
fn the_script_and_the_network_are_told_where_the_broker_is() {
    let name = "the_script_and_the_network_are_told_where_the_broker_is";
    let micropython = need!(name, micropython());
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    let script = home.script(
        "main.py",
        "import time\n\
         from settings import BROKER, BROKER_PORT\n\
         from umqtt.simple import MQTTClient\n\
         client = MQTTClient('lan', BROKER, port=BROKER_PORT)\n\
         client.connect()\n\
         client.publish('aula', 'hola')\n\
         print('told', BROKER, BROKER_PORT)\n\
         time.sleep(60)\n",
    );
    let arguments = [
        "run",
        script.to_str().expect("UTF-8"),
        "--port",
        &device,
        "--lan=127.0.0.1",
        "--seconds",
        "8",
        "--json",
    ];
    let run = home.umqtt(arguments).spawn().expect("umqtt starts");

    let daemon = ServiceDaemon::new().expect("mDNS");
    daemon
        .enable_interface(IfKind::LoopbackV4)
        .expect("the loopback");
    let found = daemon.browse("_mqtt._tcp.local.").expect("a search");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut announced = None;
    while announced.is_none() && Instant::now() < deadline {
        if let Ok(ServiceEvent::ServiceResolved(service)) =
            found.recv_timeout(Duration::from_millis(200))
            && service.get_fullname().starts_with("umqtt")
        {
            announced = Some(service.get_port());
        }
    }
    let done = finish(run);
    done.expect_status(0);
    let told = done.script_output();
    let port = told
        .trim()
        .strip_prefix("told 127.0.0.1 ")
        .and_then(|port| port.parse::<u16>().ok());
    assert!(
        port.is_some() && port == announced,
        "{announced:?}: {done:#?}"
    );
    assert_eq!(
        done.published("to_broker"),
        [("aula".to_owned(), "hola".to_owned())]
    );
    // A search that has ended needs no answer.
    let _ = daemon.shutdown();
}

#[test]
fn wrong_addresses_and_other_brokers_are_refused() {
    let home = Home::new();
    let script = home.script("main.py", "");
    let script = script.to_str().expect("UTF-8");
    for (arguments, words) in [
        (&["--lan=nowhere"][..], "no es una dirección"),
        (
            &["--lan", "--broker", "test.mosquitto.org"][..],
            "--lan es para el broker incluido",
        ),
    ] {
        let done = home.run(["run", script, "--lang", "es"].iter().chain(arguments));
        done.expect_status(2);
        assert!(done.stderr.contains(words), "{done:#?}");
    }
}

#[test]
fn a_firewall_is_named() {
    let name = "a_firewall_is_named";
    need!(name, micropython());
    let home = Home::new();
    let folder = home.path().join("bin");
    std::fs::create_dir(&folder).expect("a folder");
    let program = folder.join("firewall-cmd");
    // A fake of firewalld's program, which lets nobody in.
    std::fs::write(&program, "#!/bin/sh\necho no\n").expect("a script");
    std::fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("it may run");
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = home.script("main.py", "print('hola')\n");
    let mut command = home.umqtt([
        "run",
        script.to_str().expect("UTF-8"),
        "--port",
        "sim",
        "--lan=127.0.0.1",
    ]);
    let done = finish(command.env("PATH", path).spawn().expect("umqtt starts"));
    done.expect_status(0);
    if cfg!(target_os = "linux") {
        assert!(
            done.stdout.contains("firewalld")
                && done.stdout.contains("sudo firewall-cmd --add-port="),
            "{done:#?}"
        );
    }
}
