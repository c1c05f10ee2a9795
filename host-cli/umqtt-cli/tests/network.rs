//! A bad network on purpose: what `--loss` and `--delay` do to a script, and where they cannot be had.
#![cfg(unix)]

mod common;

use common::{Home, micropython};
use testkit::{FakePort, need};

const SCRIPT: &str = "import time
from umqtt.simple import MQTTClient
cliente = MQTTClient('placa', 'test.mosquitto.org')
antes = time.ticks_ms()
cliente.connect()
print(time.ticks_diff(time.ticks_ms(), antes) >= 200)
";

#[test]
fn a_script_meets_the_network_that_was_asked_for() {
    need!(
        "a_script_meets_the_network_that_was_asked_for",
        micropython()
    );
    let home = Home::new();
    home.script("main.py", SCRIPT);
    let run = |options: &[&str]| {
        let fixed = ["run", "main.py", "--port", "sim", "--json"];
        home.run(fixed.iter().chain(options))
    };
    // CONNECT one way, CONNACK the other.
    let slow = run(&["--delay", "100"]);
    slow.expect_status(0);
    assert_eq!(slow.script_output(), "True\n", "{slow:#?}");
    let lost = run(&["--loss", "100"]);
    lost.expect_status(1);
    assert!(lost.stdout.contains("OSError"), "{lost:#?}");
}

#[test]
fn a_network_that_is_not_this_computers_is_refused() {
    let port = FakePort::start(|_| Vec::new()).expect("a port");
    let home = Home::new();
    home.script("main.py", SCRIPT);
    let device = port.device().to_str().expect("a path");
    let refused = home.run(["run", "main.py", "--loss", "5", "--port", device]);
    refused.expect_status(2);
    assert!(refused.stderr.contains("--lan"), "{refused:#?}");
}
