//! Holds the broker to clients that others wrote over TLS and in WebSockets: rumqttc, Mosquitto's where they are
//! installed, and requests written by hand.

mod common;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Broker, Identity, Trust};
use common::{connect_packet, publish_packet, start, start_with};
use rumqttc::{
    Client, Connection, Event, LastWill, MqttOptions, Packet, Publish, QoS, TlsConfiguration,
    Transport,
};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A broker that also speaks TLS, with a certificate that it made itself.
fn secure() -> (Broker, Trust, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["localhost".to_owned()];
    let (identity, trust) =
        Identity::make(folder.path(), &names, &[LOCALHOST.into()]).expect("a certificate");
    let broker = start_with(|config| {
        config.tls = Some((SocketAddr::from((LOCALHOST, 0)), identity));
    });
    (broker, trust, folder)
}

fn trusting(trust: &Trust) -> TlsConfiguration {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(&trust.pem).expect("a certificate");
    roots.add(certificate).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConfiguration::Rustls(Arc::new(config))
}

/// The four ways to the same broker: name, options for a client.
fn ways(broker: &Broker, trust: &Trust) -> Vec<(&'static str, MqttOptions)> {
    let port = broker.addr().port();
    let tls_port = broker.tls_addr().expect("TLS").port();
    let websocket = |scheme: &str, port| format!("{scheme}://127.0.0.1:{port}/mqtt");
    let mut ways = vec![
        ("TCP", MqttOptions::new("x", "127.0.0.1", port)),
        ("TLS", MqttOptions::new("x", "127.0.0.1", tls_port)),
        (
            "WebSocket",
            MqttOptions::new("x", websocket("ws", port), port),
        ),
        (
            "WebSocket over TLS",
            MqttOptions::new("x", websocket("wss", tls_port), tls_port),
        ),
    ];
    ways[1]
        .1
        .set_transport(Transport::tls_with_config(trusting(trust)));
    ways[2].1.set_transport(Transport::ws());
    ways[3]
        .1
        .set_transport(Transport::wss_with_config(trusting(trust)));
    for (_, options) in &mut ways {
        options
            .set_keep_alive(Duration::from_secs(30))
            .set_max_packet_size(1 << 20, 1 << 20);
    }
    ways
}

fn named(options: &MqttOptions, client_id: &str) -> MqttOptions {
    let mut options = options.clone();
    options.set_client_id(client_id.to_owned());
    options
}

/// Reads until `wanted` says yes.
fn read_until(way: &str, connection: &mut Connection, mut wanted: impl FnMut(&Packet) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        match connection.recv_timeout(Duration::from_secs(60)) {
            Ok(Ok(Event::Incoming(packet))) if wanted(&packet) => return,
            Ok(Ok(_)) => {}
            other => panic!("{way}: the connection ended: {other:?}"),
        }
    }
    panic!("{way}: it did not come within a minute");
}

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
fn mosquitto_clients_trust_the_certificate_and_no_other() {
    let name = "mosquitto_clients_trust_the_certificate_and_no_other";
    if Command::new("mosquitto_pub")
        .arg("--help")
        .output()
        .is_err()
    {
        let why =
            "Mosquitto's clients are not installed; on Debian: apt-get install mosquitto-clients";
        return testkit::skip(name, why);
    }
    let (broker, trust, _folder) = secure();
    let (_other, other_trust, _other_folder) = secure();
    let port = broker.tls_addr().expect("TLS").port().to_string();
    let publish = |host: &str, trust: &Trust| {
        Command::new("mosquitto_pub")
            .args(["-h", host, "-p", &port, "-t", "t", "-m", "x", "-q", "1"])
            .arg("--cafile")
            .arg(&trust.pem)
            .output()
            .expect("mosquitto_pub runs")
    };
    for host in ["localhost", "127.0.0.1"] {
        let done = publish(host, &trust);
        assert!(done.status.success(), "{done:?}");
    }
    assert!(!publish("localhost", &other_trust).status.success());
    // TLS on the port without TLS is refused, and the broker goes on.
    let plain = broker.addr().port().to_string();
    let done = Command::new("mosquitto_pub")
        .args(["-h", "localhost", "-p", &plain, "-t", "t", "-m", "x"])
        .arg("--cafile")
        .arg(&trust.pem)
        .output()
        .expect("mosquitto_pub runs");
    assert!(!done.status.success());
    assert!(publish("localhost", &trust).status.success());
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

/// Sends a request for a WebSocket and returns the connection with the first line of the answer.
fn request(broker: &Broker, path: &str, headers: &[&str]) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(broker.addr()).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let mut text = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).expect("it takes it");
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        answer.push(byte[0]);
    }
    (stream, String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn only_mqtt_of_known_pages_gets_a_websocket() {
    const MQTT: &str = "Sec-WebSocket-Protocol: mqtt";
    let broker = start_with(|config| config.origins = vec!["https://www.hivemq.com".to_owned()]);
    let cases: [(&str, &[&str], &str); 9] = [
        ("/mqtt", &[MQTT], "101"),
        ("/mqtt", &["Sec-WebSocket-Protocol: mqttv3.1, mqtt"], "101"),
        ("/mqtt", &[MQTT, "Origin: http://localhost:8000"], "101"),
        ("/mqtt", &[MQTT, "Origin: https://www.hivemq.com"], "101"),
        ("/mqtt", &[MQTT, "Origin: https://evil.example"], "403"),
        ("/mqtt", &[MQTT, "Origin: null"], "403"),
        ("/mqtt", &[], "400"),
        ("/mqtt", &["Sec-WebSocket-Protocol: soap"], "400"),
        ("/etc/passwd", &[MQTT], "404"),
    ];
    for (path, headers, status) in cases {
        let (_stream, answer) = request(&broker, path, headers);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {headers:?}: {answer}"
        );
        if status == "101" {
            let answer = answer.to_lowercase();
            assert!(
                answer.contains("sec-websocket-protocol: mqtt\r\n"),
                "{answer}"
            );
            // The accept key of the example in RFC 6455, 1.3.
            assert!(answer.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
        }
    }
}

/// A frame as a client sends it (RFC 6455, 5.2), masked with zeros.
fn frame(opcode: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 126, "a short frame");
    let mut frame = vec![0x80 | opcode, 0x80 | bytes.len() as u8, 0, 0, 0, 0];
    frame.extend(bytes);
    frame
}

#[test]
fn packets_need_not_keep_to_frames_and_text_is_refused() {
    let broker = start();
    let headers = ["Sec-WebSocket-Protocol: mqtt"];
    let (mut stream, answer) = request(&broker, "/mqtt", &headers);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // CONNECT over two frames, the second of which holds two packets more (MQTT 3.1.1, 6).
    let mut bytes = connect_packet("w", 0x02, 0, b"");
    bytes.extend(publish_packet(2, "t", Some(5), b"x"));
    bytes.extend([0xc0, 0]);
    let (front, back) = bytes.split_at(6);
    stream.write_all(&frame(2, front)).expect("it takes it");
    stream.write_all(&frame(2, back)).expect("it takes it");
    let mut packets = Vec::new();
    while packets.len() < 4 + 4 + 2 {
        let mut head = [0; 2];
        stream.read_exact(&mut head).expect("a frame");
        assert_eq!(head[0], 0x82, "one binary frame, whole");
        let mut body = vec![0; usize::from(head[1])];
        stream.read_exact(&mut body).expect("its bytes");
        packets.extend(body);
    }
    assert_eq!(packets, [0x20, 2, 0, 0, 0x40, 2, 0, 5, 0xd0, 0]);
    stream
        .write_all(&frame(1, b"\xc0\x00"))
        .expect("it takes it");
    let mut rest = Vec::new();
    // It ends, with a close frame or without.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.first().is_none_or(|byte| *byte == 0x88), "{rest:?}");
}
