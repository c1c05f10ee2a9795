//! A board's network on the page: cut, slow, losing packets; and a broker that stops.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::need;

use crate::client::{LONG, Page, lab_with, micropython};

const CONNECT: &str = "import network, time
from umqtt.simple import MQTTClient
wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect('Wokwi-GUEST', '')
while not wifi.isconnected():
    time.sleep_ms(20)
def conectar(nombre, clean=True):
    cliente = MQTTClient(nombre, 'test.mosquitto.org', keepalive=30)
    while True:
        try:
            cliente.connect(clean)
            return cliente
        except OSError:
            time.sleep_ms(20)
";

#[test]
fn a_board_sees_that_its_wifi_is_cut_and_finds_it_again() {
    let maker = need!("a Wi-Fi that is cut", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        &format!(
            "{CONNECT}
import socket
cliente = conectar('cortada')
print('listo')
while wifi.isconnected():
    time.sleep_ms(20)
print('cortado', wifi.status())
try:
    while True:
        cliente.publish('t', 'x', qos=1)
except OSError as error:
    print('publicar:', error)
try:
    socket.getaddrinfo('test.mosquitto.org', 1883)
except OSError as error:
    print('nombre:', error)
while not wifi.isconnected():
    time.sleep_ms(20)
conectar('cortada').publish('t', 'otra vez')
print('vuelto')
"
        ),
    );
    page.wait_for_text(board, "listo");
    page.send(&json!({"type": "network", "board": board, "cut": true}));
    let told = page.wait("board", |message| {
        message["network"]["wifi"] == "connecting" && message["network"]["cut"] == true
    });
    assert_eq!(told.get("files"), None, "files are told when they are new");
    let printed = page.wait_for_text(board, "nombre:");
    assert!(
        printed.contains("cortado 20") && printed.contains("publicar: "),
        "{printed}"
    );
    page.send(&json!({"type": "network", "board": board, "cut": false}));
    page.wait_for_text(board, "vuelto");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
}

#[test]
fn loss_loses_qos_0_and_not_qos_1_where_the_program_connects_again() {
    let maker = need!("packets that are lost", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.send(&json!({"type": "network", "board": board, "loss": 20}));
    let program = |qos: u8, topic: &str| {
        format!(
            "{CONNECT}
cliente = conectar('pierde', clean=False)
for n in range(60):
    while True:
        try:
            cliente.publish('{topic}', str(n), qos={qos})
            break
        except OSError:
            cliente = conectar('pierde', clean=False)
            if {qos} == 0:
                break
print('fin')
"
        )
    };
    let mut arrived = |qos: u8, topic: &str| {
        page.run(board, &program(qos, topic));
        let mut numbers = std::collections::BTreeSet::new();
        let deadline = Instant::now() + LONG;
        loop {
            assert!(Instant::now() < deadline, "the program does not end");
            let message = page.next();
            if message["type"] == "ended" {
                assert_eq!(message["how"], "finished", "{message}");
                break;
            }
            numbers.extend(published(&message, topic));
        }
        // What the broker had before the program ended may be told after it.
        let later = Instant::now() + Duration::from_millis(500);
        while Instant::now() < later {
            page.read();
        }
        while let Some(message) = page.take() {
            numbers.extend(published(&message, topic));
        }
        numbers.len()
    };
    assert_eq!(arrived(1, "uno"), 60, "QoS 1 brings all");
    let zero = arrived(0, "cero");
    assert!(zero < 60, "with a fifth lost, QoS 0 loses some: {zero}");
}

/// The payloads of what reached the broker on a topic.
fn published(message: &Value, topic: &str) -> Vec<String> {
    if message["type"] != "mqtt" {
        return Vec::new();
    }
    let events = message["events"].as_array().expect("events");
    (events.iter())
        .filter(|event| event["direction"] == "ToBroker")
        .map(|event| &event["packet"]["Publish"])
        .filter(|publish| publish["topic"] == topic)
        .map(|publish| publish["payload"].to_string())
        .collect()
}

#[test]
fn a_broker_that_stops_is_seen_and_found_again() {
    let maker = need!("a broker that stops", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        &format!(
            "{CONNECT}
cliente = conectar('fiel')
print('listo')
try:
    while True:
        cliente.publish('t', 'x', qos=1)
        time.sleep_ms(20)
except OSError as error:
    print('perdido')
conectar('fiel')
print('vuelto')
"
        ),
    );
    page.wait_for_text(board, "listo");
    page.send(&json!({"type": "broker", "running": false}));
    page.wait("broker", |message| message["running"] == false);
    page.wait_for_text(board, "perdido");
    page.send(&json!({"type": "publish", "topic": "t", "payload": "x"}));
    page.wait("notice", |notice| notice["level"] == "error");
    page.send(&json!({"type": "broker", "running": true}));
    page.wait("broker", |message| message["running"] == true);
    page.wait_for_text(board, "vuelto");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
}

#[test]
fn what_no_network_can_be_is_refused() {
    let maker = need!("a network that cannot be", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    for loss in [-1.0, 100.5] {
        page.send(&json!({"type": "network", "board": board, "loss": loss}));
        page.wait("notice", |notice| notice["level"] == "error");
    }
    page.send(&json!({"type": "network", "board": board, "delay_ms": 250, "loss": 2.5}));
    page.wait("board", |message| {
        message["network"]["delay_ms"] == 250 && message["network"]["loss"] == 2.5
    });
}
