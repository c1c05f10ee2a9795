//! Holds the broker to clients that others wrote: rumqttc, and Mosquitto's where it is installed.

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use broker::{Broker, TapOptions, TapPacket};
use common::start;
use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Packet, Publish, QoS};
use testkit::{mosquitto_clients, need};

fn options(broker: &Broker, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(
        client_id,
        broker.addr().ip().to_string(),
        broker.addr().port(),
    );
    options
        .set_keep_alive(Duration::from_secs(5))
        .set_max_packet_size(1 << 22, 1 << 22);
    options
}

/// Reads until `wanted` says yes, or fails after 20 seconds.
fn read_until(connection: &mut Connection, mut wanted: impl FnMut(&Packet) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        match connection.recv_timeout(Duration::from_secs(20)) {
            Ok(Ok(Event::Incoming(packet))) if wanted(&packet) => return,
            Ok(Ok(_)) => {}
            other => panic!("the connection ended: {other:?}"),
        }
    }
    panic!("it did not come within 20 seconds");
}

fn subscribed(broker: &Broker, client_id: &str, filter: &str, qos: QoS) -> (Client, Connection) {
    let (client, mut connection) = Client::new(options(broker, client_id), 1000);
    client
        .subscribe(filter, qos)
        .expect("the request is queued");
    read_until(&mut connection, |packet| {
        matches!(packet, Packet::SubAck(_))
    });
    (client, connection)
}

#[test]
fn rumqttc_gets_every_message_at_every_qos() {
    const COUNT: usize = 300;
    let broker = start();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (_subscriber, mut messages) = subscribed(&broker, "s", "n/+", qos);
        let (publisher, mut connection) = Client::new(options(&broker, "p"), 1000);
        let publishing = std::thread::spawn(move || {
            for number in 0..COUNT {
                let payload = vec![number as u8; number * 700];
                publisher
                    .publish(format!("n/{number}"), qos, false, payload)
                    .expect("the request is queued");
            }
            publisher
        });
        let acknowledging =
            std::thread::spawn(move || while let Some(Ok(_)) = connection.iter().next() {});
        let mut seen = HashSet::new();
        read_until(&mut messages, |packet| {
            if let Packet::Publish(Publish { topic, payload, .. }) = packet {
                let number: usize = topic[2..].parse().expect("a number");
                assert_eq!(payload.len(), number * 700);
                assert!(payload.iter().all(|byte| *byte == number as u8));
                assert!(
                    seen.insert(number),
                    "message {number} came twice at {qos:?}"
                );
            }
            seen.len() == COUNT
        });
        publishing
            .join()
            .expect("publishing")
            .disconnect()
            .expect("the request is queued");
        acknowledging.join().expect("acknowledging");
    }
}

#[test]
fn rumqttc_leaves_its_will() {
    let broker = start();
    let (_subscriber, mut messages) = subscribed(&broker, "s", "will", QoS::AtLeastOnce);
    let mut options = options(&broker, "p");
    options.set_last_will(LastWill::new("will", "gone", QoS::AtLeastOnce, false));
    let (client, mut connection) = Client::new(options, 10);
    read_until(&mut connection, |packet| {
        matches!(packet, Packet::ConnAck(_))
    });
    drop(connection);
    drop(client);
    read_until(
        &mut messages,
        |packet| matches!(packet, Packet::Publish(publish) if publish.payload == "gone"),
    );
}

fn mosquitto(program: &str, broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-h", "127.0.0.1", "-p", &broker.addr().port().to_string()])
        .args(arguments);
    command
}

/// A subscriber whose subscription was acknowledged, as the tap shows: what it prints is not flushed
/// before its first message.
fn mosquitto_sub(
    broker: &Broker,
    arguments: &[&str],
) -> (Child, impl Iterator<Item = String> + use<>) {
    let tap = broker.tap(TapOptions::default());
    // -W: it ends by itself after 20 seconds, whatever happens.
    let mut child = mosquitto("mosquitto_sub", broker, arguments)
        .args(["-W", "20"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("mosquitto_sub starts");
    loop {
        let event = tap
            .next(Duration::from_secs(20))
            .expect("mosquitto_sub subscribes");
        if matches!(event.packet, TapPacket::SubAck { .. }) {
            break;
        }
    }
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    (child, lines.map_while(Result::ok))
}

#[test]
fn mosquitto_clients_talk_through_it_at_every_qos() {
    need!(
        "mosquitto_clients_talk_through_it_at_every_qos",
        mosquitto_clients()
    );
    let broker = start();
    for qos in ["0", "1", "2"] {
        let (mut child, mut lines) = mosquitto_sub(
            &broker,
            &["-t", "casa/#", "-q", qos, "-F", "%q %t %p", "-C", "2"],
        );
        for message in ["21,5 °C", "22 °C"] {
            let status = mosquitto(
                "mosquitto_pub",
                &broker,
                &["-t", "casa/salón", "-q", qos, "-m", message],
            )
            .status();
            assert!(status.expect("mosquitto_pub runs").success());
            assert_eq!(lines.next(), Some(format!("{qos} casa/salón {message}")));
        }
        assert!(
            child
                .wait()
                .expect("mosquitto_sub ends by itself")
                .success()
        );
    }
}

#[test]
fn mosquitto_clients_get_retained_messages_and_large_ones() {
    need!(
        "mosquitto_clients_get_retained_messages_and_large_ones",
        mosquitto_clients()
    );
    let broker = start();
    let large = "x".repeat(120_000);
    let status = mosquitto(
        "mosquitto_pub",
        &broker,
        &["-t", "large", "-q", "1", "-r", "-m", &large],
    )
    .status();
    assert!(status.expect("mosquitto_pub runs").success());
    let (mut child, mut lines) = mosquitto_sub(
        &broker,
        &["-t", "large", "-q", "1", "-F", "%r %p", "-C", "1"],
    );
    assert!(lines.next() == Some(format!("1 {large}")));
    assert!(
        child
            .wait()
            .expect("mosquitto_sub ends by itself")
            .success()
    );
}

#[test]
fn mosquitto_clients_of_mqtt_5_are_told_that_the_version_is_wrong() {
    need!(
        "mosquitto_clients_of_mqtt_5_are_told_that_the_version_is_wrong",
        mosquitto_clients()
    );
    let broker = start();
    let output = mosquitto("mosquitto_pub", &broker, &["-V", "5", "-t", "t", "-m", "x"]).output();
    let output = output.expect("mosquitto_pub runs");
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(message.contains("protocol version"), "{message}");
}
