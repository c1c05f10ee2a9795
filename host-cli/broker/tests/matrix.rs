//! Holds the broker to clients that others wrote, each over every way it has:
//!
//! | client | TCP | TLS | WebSocket | WebSocket over TLS |
//! |---|---|---|---|---|
//! | mosquitto_pub, mosquitto_sub 2.0 | all | all | has none | has none |
//! | paho-mqtt 1.6.1 | all | all | all | all |
//! | paho-mqtt 2.1 | all | all | all | all |
//! | rumqttc 0.25 | all | all | all | all |
//!
//! *All* is: messages of QoS 0, 1 and 2, small and large; retained ones; a will of a client that vanishes; a session that
//! keeps messages of QoS 1 and 2 while its client is away.

mod common;

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use broker::{TapOptions, TapPacket};
use common::ways::{named, read_until, secure, ways};
use rumqttc::{Client, LastWill, Packet, Publish, QoS};
use testkit::{mosquitto_clients, need};

#[test]
fn rumqttc_gets_every_message_at_every_qos_each_way() {
    const COUNT: usize = 40;
    let (broker, trust, _folder) = secure();
    for (way, options) in ways(&broker, &trust) {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (subscriber, mut messages) = Client::new(named(&options, "s"), 1000);
            subscriber.subscribe("n/+", qos).expect("it is queued");
            read_until(way, &mut messages, |packet| {
                matches!(packet, Packet::SubAck(_))
            });
            let (publisher, mut connection) = Client::new(named(&options, "p"), 1000);
            for number in 0..COUNT {
                let payload = vec![number as u8; number * 2500];
                publisher
                    .publish(format!("n/{number}"), qos, false, payload)
                    .expect("it is queued");
            }
            publisher.disconnect().expect("it is queued");
            let publishing =
                std::thread::spawn(move || while let Some(Ok(_)) = connection.iter().next() {});
            let mut seen = HashSet::new();
            read_until(way, &mut messages, |packet| {
                if let Packet::Publish(Publish { topic, payload, .. }) = packet {
                    let number: usize = topic[2..].parse().expect("a number");
                    assert_eq!(payload.len(), number * 2500);
                    assert!(payload.iter().all(|byte| *byte == number as u8));
                    assert!(seen.insert(number), "{way}: {number} came twice at {qos:?}");
                }
                seen.len() == COUNT
            });
            publishing.join().expect("publishing");
        }
    }
}

#[test]
fn retained_messages_wills_and_sessions_work_each_way() {
    let (broker, trust, _folder) = secure();
    for (way, options) in ways(&broker, &trust) {
        let topic = |name: &str| format!("{way}/{name}");
        // A session that outlives its connection.
        let mut lasting = named(&options, &format!("lasting {way}"));
        lasting.set_clean_session(false);
        let (client, mut connection) = Client::new(lasting.clone(), 10);
        client
            .subscribe(topic("#"), QoS::AtLeastOnce)
            .expect("it is queued");
        read_until(way, &mut connection, |packet| {
            matches!(packet, Packet::SubAck(_))
        });
        client.disconnect().expect("it is queued");
        while let Some(Ok(_)) = connection.iter().next() {}

        let mut leaving = named(&options, &format!("leaving {way}"));
        leaving.set_last_will(LastWill::new(topic("will"), "gone", QoS::AtLeastOnce, true));
        let (client, mut connection) = Client::new(leaving, 10);
        client
            .publish(topic("retained"), QoS::ExactlyOnce, true, "kept")
            .expect("it is queued");
        read_until(way, &mut connection, |packet| {
            matches!(packet, Packet::PubComp(_))
        });
        drop((client, connection));

        let (_client, mut connection) = Client::new(lasting, 10);
        let mut seen = Vec::new();
        read_until(way, &mut connection, |packet| {
            match packet {
                Packet::ConnAck(ack) => assert!(ack.session_present, "{way}"),
                Packet::Publish(publish) => seen.push(publish.payload.clone()),
                _ => {}
            }
            seen.len() == 2
        });
        assert_eq!(seen, ["kept", "gone"], "{way}");

        let (client, mut connection) = Client::new(named(&options, &format!("new {way}")), 10);
        client
            .subscribe(topic("#"), QoS::AtMostOnce)
            .expect("it is queued");
        let mut seen = Vec::new();
        read_until(way, &mut connection, |packet| {
            if let Packet::Publish(publish) = packet {
                assert!(publish.retain);
                seen.push(publish.payload.clone());
            }
            seen.len() == 2
        });
        seen.sort();
        assert_eq!(seen, ["gone", "kept"], "{way}");
    }
}

#[test]
fn mosquitto_clients_do_all_of_it_over_tcp_and_tls() {
    let name = "mosquitto_clients_do_all_of_it_over_tcp_and_tls";
    need!(name, mosquitto_clients());
    let (broker, trust, _folder) = secure();
    let port = broker.addr().port().to_string();
    let tls_port = broker.tls_addr().expect("TLS").port().to_string();
    let authority = trust.pem.display().to_string();
    for (way, reach) in [
        ("TCP", vec!["-h", "localhost", "-p", &port]),
        (
            "TLS",
            vec!["-h", "localhost", "-p", &tls_port, "--cafile", &authority],
        ),
    ] {
        let command = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(&reach).args(arguments);
            command
        };
        let publish = |arguments: &[&str]| {
            let done = command("mosquitto_pub", arguments).output();
            let done = done.expect("mosquitto_pub runs");
            assert!(done.status.success(), "{way}: {done:?}");
        };
        let read = |arguments: &[&str]| {
            let done = command("mosquitto_sub", &[arguments, &["-W", "60"]].concat()).output();
            let done = done.expect("mosquitto_sub runs");
            String::from_utf8_lossy(&done.stdout).into_owned()
        };
        // A session for each QoS, which waits while its client is away.
        for qos in ["0", "1", "2"] {
            let topic = format!("{way}/later/{qos}");
            let id = format!("lasting {way} {qos}");
            let session = ["-t", &topic, "-q", "2", "-c", "-i", &id];
            read(&[&session[..], &["-E"]].concat());
            for message in ["uno", "dos"] {
                publish(&["-t", &topic, "-m", message, "-q", qos]);
            }
            if qos != "0" {
                let got = read(&[&session[..], &["-C", "2", "-F", "%q %p"]].concat());
                assert_eq!(got, format!("{qos} uno\n{qos} dos\n"), "{way}");
            }
            // Retained, with its flag.
            let topic = format!("{way}/kept/{qos}");
            publish(&["-t", &topic, "-m", "21 °C", "-q", qos, "-r"]);
            let got = read(&["-t", &topic, "-q", qos, "-C", "1", "-F", "%q %r %p"]);
            assert_eq!(got, format!("{qos} 1 21 °C\n"), "{way}");
        }
        // A will, of a client that is killed.
        let tap = broker.tap(TapOptions::default());
        let topic = format!("{way}/will");
        let will = [
            "-t",
            "x",
            "--will-topic",
            &topic,
            "--will-payload",
            "adiós",
            "--will-qos",
            "2",
            "--will-retain",
        ];
        let mut leaving = command("mosquitto_sub", &will);
        let mut leaving = leaving.spawn().expect("mosquitto_sub starts");
        let subscribed = std::iter::from_fn(|| tap.next(Duration::from_secs(60)))
            .any(|event| matches!(event.packet, TapPacket::SubAck { .. }));
        leaving.kill().expect("it is ended");
        leaving.wait().expect("its end");
        assert!(subscribed, "{way}");
        assert_eq!(read(&["-t", &topic, "-C", "1"]), "adiós\n", "{way}");
    }
}

#[test]
fn paho_of_both_lines_works_each_way() {
    let (broker, trust, _folder) = secure();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/paho_client.py");
    let port = broker.addr().port().to_string();
    let tls_port = broker.tls_addr().expect("TLS").port().to_string();
    let authority = trust.pem.display().to_string();
    for version in testkit::paho::VERSIONS {
        for (transport, port, authority) in [
            ("tcp", &port, "-"),
            ("tcp", &tls_port, authority.as_str()),
            ("websockets", &port, "-"),
            ("websockets", &tls_port, authority.as_str()),
        ] {
            let mut python = testkit::need!(
                "paho_of_both_lines_works_each_way",
                testkit::paho::python(version)
            );
            let done = python
                .arg(&script)
                .args([transport, port.as_str(), authority])
                .output()
                .expect("Python runs");
            let (output, errors) = (
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr),
            );
            assert!(
                done.status.success() && output.contains("all of it"),
                "paho {version} over {transport} {authority}: {output}{errors}"
            );
        }
    }
}
