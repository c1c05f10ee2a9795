//! `umqtt lab` as it is started: with a broker of its own that boards of the network reach, and on Debian's Mosquitto. The
//! page is a WebSocket client of the test; how it looks in a browser is tested in `lab/page/tests`.
#![cfg(unix)]

mod common;

use common::laboratory::Laboratory;
use common::{Home, expect_no_process, finish, micropython};
use serde_json::{Value, json};
use testkit::{Access, Certificates, Mosquitto, need};

/// Publishes from the page and waits until the broker hands it out.
fn publish_and_see(lab: &mut Laboratory) {
    lab.send(&json!({"type": "publish", "topic": "aula/ñ", "payload": "21,5 °C", "qos": 1}));
    lab.wait(|message| {
        has_message(message, "ToClient", |publish| {
            publish["topic"] == "aula/ñ" && publish["payload"] == json!("21,5 °C".as_bytes())
        })
    });
}

/// Whether one of the events is a PUBLISH like this.
fn has_message(message: &Value, direction: &str, wanted: impl Fn(&Value) -> bool) -> bool {
    let events = message["events"].as_array();
    message["type"] == "mqtt"
        && events.into_iter().flatten().any(|event| {
            let publish = &event["packet"]["Publish"];
            event["direction"] == direction && publish.is_object() && wanted(publish)
        })
}

fn is_connected(message: &Value) -> bool {
    let broker = match message["type"].as_str() {
        Some("hello") => &message["broker"],
        Some("broker") => message,
        _ => return false,
    };
    broker["external"] == true && broker["running"] == true
}

/// The board is a simulated one that the test attached, so that the command takes it for a real one.
#[test]
fn a_real_board_is_told_where_the_broker_is() {
    let test = "a_real_board_is_told_where_the_broker_is";
    let micropython = need!(test, micropython());
    let home = Home::new();
    let attached = home.board(1, &micropython);
    let device = attached.device().display().to_string();
    let mut lab = Laboratory::start(&home, &["--port", &device, "--lan=127.0.0.1"], None);
    let hello = lab.wait(|message| message["type"] == "hello");
    assert_eq!(hello["broker"]["lan"], true);
    assert_eq!(hello["broker"]["address"], lab.said["broker"]);
    let program = "from settings import BROKER, BROKER_PORT
from umqtt.simple import MQTTClient
client = MQTTClient('de-verdad', BROKER, port=BROKER_PORT)
client.connect()
client.publish('aula', '{}:{}'.format(BROKER, BROKER_PORT))
client.disconnect()
";
    lab.send(&json!({
        "type": "run", "board": 1, "main": "main.py",
        "files": [{"name": "main.py", "text": program}],
    }));
    let told = lab.said["broker"].as_str().expect("an address").as_bytes();
    let told = json!(told);
    let seen = lab.wait(|message| {
        message["how"] == "error"
            || has_message(message, "ToBroker", |publish| {
                publish["topic"] == "aula" && publish["payload"] == told
            })
    });
    assert_eq!(seen["type"], "mqtt", "{seen}");
    lab.end().expect_status(0);
}

#[test]
fn an_outside_broker_is_watched_with_user_and_password() {
    let test = "an_outside_broker_is_watched_with_user_and_password";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::User("ana", "se@cre:ta")));
    let home = Home::new();
    let name = |login: &str| format!("mqtt://{login}@{}", mosquitto.address());
    let mut lab = Laboratory::start(
        &home,
        &["--boards", "0", "--broker", &name("ana:se@cre:ta")],
        None,
    );
    let told = lab.wait(is_connected);
    assert!(!told.to_string().contains("cre:ta"), "{told}");
    publish_and_see(&mut lab);
    lab.end().expect_status(0);
    let refused = home.run(["lab", "--no-open", "--broker", &name("ana:wrong")]);
    refused.expect_status(1);
    assert!(
        refused.stderr.contains("refused") && !refused.stderr.contains("wrong"),
        "{refused:#?}"
    );
    expect_no_process();
}

#[test]
fn an_outside_broker_is_watched_over_tls_if_it_is_trusted() {
    let test = "an_outside_broker_is_watched_over_tls_if_it_is_trusted";
    need!(test, micropython());
    let certificates = need!(test, Certificates::generate());
    let mosquitto = need!(test, Mosquitto::start(&Access::Tls(&certificates)));
    let home = Home::new();
    let broker = format!("mqtts://localhost:{}", mosquitto.address().port());
    let arguments = ["--boards", "0", "--broker", &broker];
    let mut lab = Laboratory::start(&home, &arguments, Some(&certificates.authority_pem));
    lab.wait(is_connected);
    publish_and_see(&mut lab);
    lab.end().expect_status(0);
    let other = home.script("other.pem", &certificates.other_authority_pem);
    let mut command = home.umqtt(["lab", "--no-open", "--broker", &broker]);
    let distrusted = finish(
        command
            .env("SSL_CERT_FILE", other)
            .spawn()
            .expect("umqtt starts"),
    );
    distrusted.expect_status(1);
    assert!(distrusted.stderr.contains("TLS"), "{distrusted:#?}");
}

#[test]
fn what_is_no_broker_is_refused_before_anything_starts() {
    let test = "what_is_no_broker_is_refused_before_anything_starts";
    need!(test, micropython());
    let home = Home::new();
    for (arguments, status, words) in [
        (&["--broker", "http://h"][..], 2, "no es un broker"),
        (&["--broker", "127.0.0.1:1"], 1, "nadie escucha ahí"),
        (
            &["--lan", "--broker", "test.mosquitto.org"],
            2,
            "--lan es para el broker incluido",
        ),
        (&["--lan=nowhere"], 2, "no es una dirección"),
    ] {
        let usual = ["lab", "--no-open", "--lang", "es"];
        let done = home.run(usual.iter().chain(arguments));
        done.expect_status(status);
        assert!(done.stderr.contains(words), "{done:#?}");
    }
}
