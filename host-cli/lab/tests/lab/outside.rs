//! A laboratory on a broker that somebody else runs: Debian's Mosquitto.

use std::net::SocketAddr;

use board_link::PortSpec;
use lab::{Lab, LabBroker, OutsideBroker};
use rumqttc::MqttOptions;
use serde_json::{Value, json};
use testkit::{Access, Mosquitto, need};

use crate::client::{Page, config, micropython};

fn outside(broker: SocketAddr) -> LabBroker {
    let client = MqttOptions::new("lab-test", broker.ip().to_string(), broker.port());
    LabBroker::Outside(Box::new(OutsideBroker {
        name: format!("mqtt://{broker}"),
        tcp: broker,
        tls: None,
        client,
    }))
}

/// Whether a message with this topic and payload is among what the broker handed out.
fn has(message: &Value, topic: &str, payload: &str) -> bool {
    let events = message["events"].as_array().expect("events");
    events.iter().any(|event| {
        let publish = &event["packet"]["Publish"];
        event["direction"] == "ToClient"
            && publish["topic"] == topic
            && publish["payload"] == json!(payload.as_bytes())
            && publish["qos"] == 1
    })
}

const PROGRAM: &str = "from umqtt.simple import MQTTClient
cliente = MQTTClient('placa-1', 'test.mosquitto.org', keepalive=60)
cliente.set_callback(lambda tema, mensaje: print('recibido', mensaje))
cliente.connect()
cliente.subscribe('lab/entrada', 1)
cliente.publish('lab/salida', 'ida', qos=1)
print('lista')
try:
    while True:
        cliente.wait_msg()
except OSError as error:
    print('se cortó', error)
";

#[test]
fn boards_are_led_to_it_and_its_messages_are_seen() {
    let test = "boards_are_led_to_it_and_its_messages_are_seen";
    let maker = need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
    let mut config = config(Some(maker));
    config.broker = outside(mosquitto.address());
    config.boards = vec![PortSpec::Sim];
    let lab = Lab::start(config).expect("a laboratory");
    let mut page = Page::open(&lab);
    let hello = page.wait("hello", |_| true);
    assert_eq!(hello["embedded"], false);
    let broker = &hello["broker"];
    assert_eq!(broker["external"], true);
    assert_eq!(
        broker["address"],
        json!(format!("mqtt://{}", mosquitto.address()))
    );
    if broker["running"] != true {
        page.wait("broker", |broker| broker["running"] == true);
    }
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(board, PROGRAM);
    page.wait("mqtt", |message| has(message, "lab/salida", "ida"));
    // The board goes by Mosquitto, which tells nobody else's clients.
    assert!(mosquitto.log().contains("placa-1"), "{}", mosquitto.log());
    page.wait_for_text(board, "lista");
    page.send(&json!({
        "type": "publish", "topic": "lab/entrada", "payload": "vuelta", "qos": 1,
    }));
    page.wait_for_text(board, "recibido b'vuelta'");
    page.wait("mqtt", |message| has(message, "lab/entrada", "vuelta"));
    // It is not this laboratory's to stop, and the way to it is.
    page.send(&json!({"type": "broker", "running": false}));
    let refused = page.wait("notice", |notice| notice["level"] == "error");
    assert!(
        refused["text"]
            .as_str()
            .is_some_and(|text| text.contains("de otro")),
        "{refused}"
    );
    page.send(&json!({"type": "network", "board": board, "cut": true}));
    page.wait_for_text(board, "se cortó");
    page.wait_for_end(board);
    // When it goes, that is said, and what cannot be sent is not pretended to be.
    drop(mosquitto);
    page.wait("broker", |broker| broker["running"] == false);
    page.wait("notice", |notice| notice["level"] == "error");
    page.send(&json!({"type": "publish", "topic": "t", "payload": "x"}));
    let refused = page.wait("notice", |notice| notice["level"] == "error");
    assert!(
        refused["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("no hay conexión con mqtt://")),
        "{refused}"
    );
}

#[test]
fn a_broker_that_comes_later_is_found() {
    // A port that is free again: nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let mut config = config(None);
    config.broker = outside(address);
    let lab = Lab::start(config).expect("a laboratory");
    let mut page = Page::open(&lab);
    let hello = page.wait("hello", |_| true);
    assert_eq!(hello["broker"]["running"], false);
    let broker = broker::Broker::start(broker::BrokerConfig {
        listen: address,
        ..broker::BrokerConfig::default()
    })
    .expect("a broker");
    page.wait("broker", |broker| broker["running"] == true);
    page.send(&json!({"type": "publish", "topic": "t", "payload": "x", "qos": 1}));
    page.wait("mqtt", |message| has(message, "t", "x"));
    drop(broker);
    page.wait("broker", |broker| broker["running"] == false);
}
