//! MQTT over TLS in the laboratory: the example as a student opens it, and the network's faults on the way.

use std::net::{IpAddr, Ipv4Addr};

use board_link::PortSpec;
use broker::Identity;
use lab::{EmbeddedBroker, Lab, LabBroker, Maker, Secure};
use serde_json::{Value, json};
use testkit::need;

use crate::client::{Page, config, micropython};

/// A laboratory with one simulated board whose broker speaks TLS, and the folder of its authority.
fn secure_lab(maker: Maker) -> (Lab, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["localhost".to_owned()];
    let (identity, trust) =
        Identity::make(folder.path(), &names, &[IpAddr::from(Ipv4Addr::LOCALHOST)])
            .expect("a certificate");
    let mut config = config(Some(maker));
    config.boards = vec![PortSpec::Sim];
    config.broker = LabBroker::Embedded(EmbeddedBroker {
        secure: Some(Secure {
            identity,
            authority: std::fs::read(trust.der).expect("a certificate"),
        }),
        ..EmbeddedBroker::default()
    });
    (Lab::start(config).expect("a laboratory"), folder)
}

/// Opens the example and runs it as it is.
fn run_example(page: &mut Page, board: u64) {
    page.send(&json!({"type": "open_example", "board": board, "name": "tls"}));
    let opened = page.wait("board", |message| {
        message["files"].is_array() && message["files"][0]["text"] != ""
    });
    page.send(&json!({
        "type": "run", "board": board, "main": opened["main"], "files": opened["files"],
    }));
}

#[test]
fn the_example_is_encrypted_from_opening_it_to_the_message_seen() {
    let maker = need!("TLS on the page", micropython());
    let (lab, _folder) = secure_lab(maker);
    let mut page = Page::open(&lab);
    let secure = lab.secure_broker().expect("TLS");
    assert_ne!(secure, lab.broker());
    let hello = page.wait("hello", |_| true);
    assert_eq!(hello["broker"]["secure"], json!(secure.to_string()));
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    run_example(&mut page, board);
    page.wait_for_text(board, "Enviado: secreto número 1");
    page.wait("mqtt", |message| {
        let events = message["events"].as_array().expect("events");
        events.iter().any(|event| {
            let publish = &event["packet"]["Publish"];
            event["direction"] == "ToBroker"
                && publish["qos"] == 1
                && publish["payload"] == json!("secreto número 1".as_bytes())
        })
    });
    // The board's network has the same faults for TLS, and the broker the same end.
    page.send(&json!({"type": "network", "board": board, "cut": true}));
    let ended = page.wait_for_end(board);
    assert_eq!(ended["how"], "error", "{ended}");
    assert!(
        ended["traceback"]["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("OSError")),
        "{ended}"
    );
    page.send(&json!({"type": "network", "board": board, "cut": false}));
    // While its radio looks for the network, connect() raises as on an ESP32.
    page.wait("board", |message| message["network"]["wifi"] == "connected");
    page.send(&json!({"type": "broker", "running": false}));
    page.wait("broker", |message| message["running"] == false);
    page.send(&json!({"type": "broker", "running": true}));
    let back = page.wait("broker", |message| message["running"] == true);
    assert_eq!(
        back["secure"],
        json!(secure.to_string()),
        "on the same port"
    );
    run_example(&mut page, board);
    page.wait_for_text(board, "Enviado: secreto número 1");
    page.send(&json!({"type": "stop", "board": board}));
    assert_eq!(page.wait_for_end(board)["how"], "stopped");
}

#[test]
fn without_the_right_certificate_the_board_does_not_connect() {
    let maker = need!("a certificate that is not there", micropython());
    let (lab, _folder) = secure_lab(maker);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    // A certificate in which one letter of the authority's name differs, so that its signature is no longer good.
    page.run(
        board,
        "with open('ca.der', 'rb') as f:\n    der = f.read()\n\
         with open('ca.der', 'wb') as f:\n    f.write(der.replace(b'umqtt authority', b'other authority'))\n",
    );
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    run_example(&mut page, board);
    page.wait_for_text(board, "No me fío del broker");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    page.run(board, "import os\nos.remove('ca.der')\n");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    run_example(&mut page, board);
    page.wait_for_text(board, "Falta ca.der");
    assert_eq!(page.wait_for_end(board)["traceback"], Value::Null);
}
