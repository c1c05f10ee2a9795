//! Holds the broker to its certificate, and to WebSockets whose requests and frames are written by hand.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use broker::{Broker, Trust};
use common::ways::secure;
use common::{connect_packet, publish_packet, start, start_with};
use testkit::{mosquitto_clients, need};

#[test]
fn mosquitto_clients_trust_the_certificate_and_no_other() {
    let name = "mosquitto_clients_trust_the_certificate_and_no_other";
    need!(name, mosquitto_clients());
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
