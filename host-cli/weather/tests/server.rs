//! The stand-in over the wire: plain, in TLS, and with clients that are not what they should be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testkit::{Interpreter, Version, need};
use weather::{HOST, SIMULATED, Weather};

fn started() -> (Weather, Arc<AtomicUsize>) {
    let told = Arc::<AtomicUsize>::default();
    let own = told.clone();
    let weather = Weather::start(move || {
        own.fetch_add(1, Ordering::SeqCst);
    });
    (weather.expect("a free port"), told)
}

fn ask(weather: &Weather, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(weather.address()).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a limit");
    stream.write_all(request).expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn every_answer_is_marked_and_the_first_request_is_told_once() {
    let (weather, told) = started();
    assert_eq!(told.load(Ordering::SeqCst), 0);
    for (target, status) in [
        ("/v1/forecast?latitude=1&longitude=2&current=rain", "200 OK"),
        ("/v1/forecast?latitude=91&longitude=2", "400 Bad Request"),
        ("/v1/elevation?latitude=1&longitude=2", "404 Not Found"),
        ("/../../etc/passwd", "404 Not Found"),
    ] {
        let request = format!("GET {target} HTTP/1.0\r\nHost: {HOST}\r\n\r\n");
        let answer = ask(&weather, request.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
        assert!(answer.contains(&format!("\r\n{SIMULATED}\r\n")), "{answer}");
        assert_eq!(status != "200 OK", answer.contains(r#""error":true"#));
    }
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_no_request_is_refused_and_disturbs_nobody() {
    let (weather, _) = started();
    // Clients that say nothing and stay.
    let silent: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(weather.address()).expect("it listens"))
        .collect();
    let long = [b"GET /".as_slice(), &[b'x'; 9000]].concat();
    for request in [
        b"\x00\xff hello\r\n\r\n".as_slice(),
        b"HELLO\r\n\r\n",
        &long,
    ] {
        let answer = ask(&weather, request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // TLS in its first byte only.
    let mut broken = TcpStream::connect(weather.address()).expect("it listens");
    broken.write_all(b"\x16\x03\x01\x00\x02xx").expect("bytes");
    drop(broken);
    let request =
        format!("GET /v1/forecast?latitude=1&longitude=2 HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    assert!(ask(&weather, request.as_bytes()).contains(" 200 OK\r\n"));
    drop(silent);
}

/// MicroPython's own `requests`, by HTTP and HTTPS.
#[test]
fn micropythons_requests_gets_the_temperature() {
    for version in Version::ALL {
        let interpreter = need!(
            "micropythons_requests_gets_the_temperature",
            Interpreter::find(version)
        );
        let (weather, _) = started();
        weather.set_temperature(Some(-7.5));
        for scheme in ["http", "https"] {
            let program = format!(
                "import requests\nr = requests.get('{scheme}://127.0.0.1:{}/v1/forecast?latitude=40.4&longitude=-3.7&current=temperature_2m')\n\
                 print(r.status_code, r.json()['current']['temperature_2m'], r.json()['current_units']['temperature_2m'])\nr.close()",
                weather.address().port()
            );
            let mut command: Command = interpreter.command();
            let output = command.args(["-c", &program]).output().expect("it runs");
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                "200 -7.5 °C\n",
                "{scheme}: {output:?}"
            );
        }
    }
}
