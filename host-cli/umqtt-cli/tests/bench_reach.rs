//! `umqtt bench` where the way to a broker is another than usual: over TLS, refused, or not there at all, as on a board
//! without a network or a clock.
#![cfg(unix)]

mod common;

use std::time::Duration;

use common::{Done, Home, finish, finish_within, micropython};
use serde_json::Value;
use testkit::emulator::{Arch, Emulator, Line};
use testkit::{Access, Certificates, Implementation, Mosquitto, need};

/// A run that is as short as can be.
const SHORT: [&str; 8] = [
    "--sizes",
    "16",
    "--rounds",
    "2",
    "--messages",
    "20",
    "--qos",
    "0,1",
];

fn bench(home: &Home, arguments: &[&str]) -> Done {
    home.run([&["bench", "--port", "sim"], &SHORT[..], arguments].concat())
}

fn tasks(lines: &[Value]) -> Vec<&str> {
    let measured = lines.iter().filter(|line| line["event"] == "measured");
    measured.filter_map(|line| line["task"].as_str()).collect()
}

/// What is said beside the numbers: meanwhile, and at the end.
fn notes(lines: &[Value]) -> impl Iterator<Item = &str> {
    let notes = lines.iter().filter(|line| line["event"] == "note");
    notes.filter_map(|line| line["message"].as_str())
}

fn counted(lines: &[Value], quantity: &str) -> Value {
    let found = lines.iter().find(|line| line["quantity"] == quantity);
    found.map_or(Value::Null, |line| line["values"].clone())
}

#[test]
fn all_can_go_over_tls() {
    let test = "all_can_go_over_tls";
    need!(test, micropython());
    let upstream = need!(test, Implementation::Upstream.file());
    let certificates = need!(test, Certificates::generate());
    let mosquitto = need!(test, Mosquitto::start(&Access::Tls(&certificates)));
    let home = Home::new();
    let port = mosquitto.address().port();
    let upstream = upstream.to_str().expect("UTF-8");
    let secure = format!("mqtts://localhost:{port}");
    let done = bench(
        &home,
        &["--broker", &secure, "--baseline", upstream, "--json"],
    );
    done.expect_status(0);
    let lines = done.json();
    assert_eq!(
        tasks(&lines),
        [
            "publish",
            "publish",
            "delivered",
            "round_trip",
            "receive",
            "connect_tls",
            "import"
        ],
    );
    for line in lines
        .iter()
        .filter(|line| line["event"] == "measured" && line["task"] != "import")
    {
        for who in ["floor", "baseline", "native"] {
            let run = &line["runs"][who];
            assert_eq!(
                (&run["rounds"], &run["cannot"]),
                (&2.into(), &Value::Null),
                "{line}"
            );
            assert_eq!(run["failed"].as_array().map(Vec::len), Some(0), "{line}");
        }
    }
    assert_eq!(counted(&lines, "writes_per_message")["native"], 1.0);
    assert_eq!(counted(&lines, "writes_per_message")["baseline"], 4.0);
    assert_eq!(done.said("setting")["broker"], secure, "{done:#?}");
    let note = "checks no certificate";
    assert!(notes(&lines).any(|says| says.contains(note)), "{done:#?}");
    // This broker has no other port.
    for who in ["floor", "baseline", "native"] {
        let connected = format!("{who} (p2");
        assert!(mosquitto.log().contains(&connected), "{}", mosquitto.log());
    }

    // The same broker without TLS, and a broker without TLS with it.
    let plain = bench(&home, &["--broker", &format!("localhost:{port}")]);
    plain.expect_status(1);
    assert!(
        plain.stderr.contains("cannot connect to the broker"),
        "{plain:#?}"
    );
    let open = need!(test, Mosquitto::start(&Access::Anonymous));
    let open = format!("mqtts://{}", open.address());
    let wrong = bench(&home, &["--broker", &open]);
    wrong.expect_status(1);
    assert!(wrong.stderr.contains("speaks TLS there"), "{wrong:#?}");
    assert!(wrong.stdout.is_empty(), "{wrong:#?}");
}

#[test]
fn a_broker_that_refuses_is_said_at_once() {
    let test = "a_broker_that_refuses_is_said_at_once";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::User("ana", "se@cre:ta")));
    let home = Home::new();
    let run = |login: &str| {
        let broker = format!("mqtt://{login}@{}", mosquitto.address());
        bench(&home, &["--broker", &broker, "--baseline", "none"])
    };
    let refused = run("ana:wrong");
    refused.expect_status(1);
    assert!(
        refused.stderr.contains("wants another user or password"),
        "{refused:#?}"
    );
    assert!(!refused.stderr.contains("wrong"), "{refused:#?}");
    assert!(refused.stdout.is_empty(), "{refused:#?}");
    let done = run("ana:se@cre:ta");
    done.expect_status(0);
    assert!(!done.stdout.contains("se@cre:ta"), "{done:#?}");
    let left = std::fs::read_dir(home.flash()).expect("the flash").count();
    assert_eq!(left, 0);
}

/// MicroPython in QEMU has neither `socket` nor `time`; a Raspberry Pi Pico has no `socket`.
#[test]
fn a_board_without_network_and_clock_has_its_memory_measured() {
    let test = "a_board_without_network_and_clock_has_its_memory_measured";
    let upstream = need!(test, Implementation::Upstream.file());
    let upstream = upstream.to_str().expect("UTF-8");
    // The line that costs an emulator least.
    let emulator = need!(test, Emulator::start(Arch::Rv32imc, Line::Packets));
    let home = Home::new();
    let port = emulator.port().to_string();
    let run = |arguments: &[&str]| {
        let mut command = home.umqtt([&["bench", "--port", &port], arguments].concat());
        let started = command.env("UMQTT_PATIENCE", "10").spawn();
        finish_within(started.expect("umqtt starts"), Duration::from_secs(600))
    };
    let frozen = run(&["--baseline", "frozen"]);
    frozen.expect_status(1);
    assert!(
        frozen.stderr.contains("no umqtt.simple of its own"),
        "{frozen:#?}"
    );
    assert!(frozen.stderr.contains("--baseline pypi"), "{frozen:#?}");

    let arguments = ["--baseline", upstream, "--json", "--html", "r.html"];
    let done = run(&[&SHORT[..], &arguments].concat());
    done.expect_status(0);
    let lines = done.json();
    assert_eq!(tasks(&lines), [""; 0], "{done:#?}");
    for says in ["has no network", "has no clock"] {
        let said = notes(&lines).filter(|note| note.contains(says)).count();
        assert_eq!(said, 2, "at the beginning and in the report: {done:#?}");
    }
    assert_eq!(
        counted(&lines, "heap_per_message")["native"],
        0.0,
        "{done:#?}"
    );
    assert_eq!(
        counted(&lines, "writes_per_message")["native"],
        1.0,
        "{done:#?}"
    );
    assert_eq!(
        counted(&lines, "writes_per_message")["baseline"],
        4.0,
        "{done:#?}"
    );
    for quantity in ["file_size", "ram_after_import", "largest_block_lost"] {
        for who in ["baseline", "native"] {
            assert!(
                counted(&lines, quantity)[who].is_number(),
                "{quantity} of {who}: {done:#?}"
            );
        }
    }
    let page = std::fs::read_to_string(home.path().join("r.html")).expect("a page");
    assert!(page.contains("has no clock"), "{page}");
    let mut listed = home.umqtt(["fs", "ls", "/", "--port", &port]);
    let listed = finish(listed.env("UMQTT_PATIENCE", "10").spawn().expect("umqtt"));
    listed.expect_status(0);
    assert!(!listed.stdout.contains("umqtt-bench"), "{listed:#?}");
}
