//! `umqtt ports` on ports in every state: the simulated board at its prompt and with a program, and fake ports that play
//! what no board here can be.
#![cfg(unix)]

mod common;

use std::time::Duration;

use board_link::{OpenOptions, PortSpec, Transport};
use board_sim::{SimBoard, SimConfig};
use common::{Home, micropython};
use serde_json::Value;
use testkit::{FakePort, need};

/// The one line that `umqtt ports --port DEVICE --json` prints.
fn look(home: &Home, device: &str) -> Value {
    let done = home.run(["ports", "--port", device, "--json"]);
    done.expect_status(0);
    let mut lines = done.json();
    lines.retain(|line| line["event"] == "port");
    assert_eq!(lines.len(), 1, "{done:#?}");
    lines.remove(0)
}

fn open(device: &str) -> Box<dyn Transport> {
    let spec: PortSpec = device.parse().expect("a port");
    board_link::open_with(&spec, &OpenOptions::default()).expect("it opens")
}

/// Writes as a person types, and gives what came within a second.
fn type_in(device: &str, text: &[u8]) -> String {
    let mut port = open(device);
    port.write(text, Duration::from_secs(1))
        .expect("it takes it");
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    for _ in 0..10 {
        let count = port
            .read(&mut buffer, Duration::from_millis(100))
            .expect("it is there");
        heard.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn the_list_ends_with_the_simulated_board() {
    let home = Home::new();
    let done = home.run(["ports", "--no-open"]);
    done.expect_status(0);
    let last = done.stdout.lines().last().expect("a line");
    assert!(
        last.starts_with("sim ") && last.contains("Simulated board"),
        "{done:#?}"
    );
    let done = home.run(["ports", "--json", "--no-open"]);
    let last = done.said("port");
    assert_eq!(
        (&last["port"], &last["boards"][0]),
        (&"sim".into(), &"sim".into())
    );
}

#[test]
fn a_prompt_names_the_firmware_and_a_program_goes_on() {
    let name = "a_prompt_names_the_firmware_and_a_program_goes_on";
    let micropython = need!(name, micropython());
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();

    let idle = look(&home, &device);
    assert_eq!(
        (&idle["state"], &idle["boards"][0]),
        (&"prompt".into(), &"sim".into()),
        "{idle}"
    );
    assert!(
        idle["firmware"]
            .as_str()
            .is_some_and(|text| text.starts_with("MicroPython v1.")),
        "{idle}"
    );
    let text = home.run(["ports", "--port", &device, "--lang", "es"]);
    assert!(
        text.stdout.contains("ESTADO") && text.stdout.contains("MicroPython v1."),
        "{text:#?}"
    );

    type_in(&device, b"import time\r");
    type_in(&device, b"n = 0\r");
    type_in(
        &device,
        b"while True: n += 1; print('vuelta', n); time.sleep(0.1)\r\r",
    );
    let first = look(&home, &device);
    let second = look(&home, &device);
    let turn = |state: &Value| -> u32 {
        assert_eq!(state["state"], "running", "{state}");
        let heard = state["heard"].as_str().unwrap_or_default();
        heard
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("{state}"))
    };
    assert!(
        turn(&second) > turn(&first),
        "the program was disturbed: {first} {second}"
    );

    // A raw REPL that another tool left behind is left, too.
    type_in(&device, b"\x03\x03\r\x01");
    assert_eq!(look(&home, &device)["state"], "prompt");
}

#[test]
fn ports_without_micropython_say_what_comes() {
    let home = Home::new();
    // What the ROMs of ESP32 and ESP8266 print at 115,200 baud.
    let cases: [(&[u8], &str); 5] = [
        (b"", "silent"),
        (b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n", "bootloader"),
        (b"invalid header: 0xffffffff\r\n", "no firmware"),
        (b"\x80\xfe\x00\x98\xe0\x00\xfe\x80", "garbage"),
        (b"hola\r\n", "running"),
    ];
    for (says, state) in cases {
        let says = says.to_vec();
        let port = FakePort::start(move |_| says.clone()).expect("a pseudo-terminal");
        let found = look(&home, &port.device().display().to_string());
        assert_eq!(found["state"], state, "{found}");
        assert!(
            found["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
}

#[test]
fn a_port_in_use_names_the_program() {
    let home = Home::new();
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    let held = open(&device);
    let found = look(&home, &device);
    assert_eq!(found["state"], "busy", "{found}");
    if cfg!(target_os = "linux") {
        let me = std::process::id().to_string();
        assert!(
            found["holder"]
                .as_str()
                .is_some_and(|holder| holder.contains(&me)),
            "{found}"
        );
    }
    drop(held);
    // A program that does not ask for the port alone is seen as well.
    let shared = std::fs::File::open(&device).expect("it opens");
    let found = look(&home, &device);
    if cfg!(target_os = "linux") {
        assert_eq!(found["state"], "busy", "{found}");
    }
    drop(shared);
    assert_eq!(look(&home, &device)["state"], "silent");
}

#[test]
fn a_port_that_is_not_there_is_said_to_be_so() {
    let home = Home::new();
    let found = look(&home, "/dev/ttyUSB99");
    assert_eq!(found["state"], "failed", "{found}");
    assert!(
        found["message"]
            .as_str()
            .is_some_and(|text| text.contains("ttyUSB99")),
        "{found}"
    );
    home.run(["ports", "--port", "socket://nowhere"])
        .expect_status(2);
}
