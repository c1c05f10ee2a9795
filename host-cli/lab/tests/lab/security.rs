//! Who is kept out, what cannot be read, and what a page may send without doing harm.

use serde_json::json;

use crate::client::{Page, config, connect, get, raw_request};
use lab::{Lab, LabError};

fn lab() -> Lab {
    Lab::start(config(None)).expect("a laboratory")
}

#[test]
fn only_the_pages_own_origin_gets_the_websocket() {
    let lab = lab();
    let address = lab.address();
    let own = format!("http://{address}");
    let port = address.port();
    connect(address, &[("Origin", &own)]).expect("its own page");
    let localhost = format!("http://localhost:{port}");
    connect(address, &[("Origin", &localhost)]).expect("its own page by the other name");
    for origin in [
        "http://example.org".to_owned(),
        format!("https://{address}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("http://{address}.example.org"),
        format!("http://example.org#{own}"),
        "null".to_owned(),
    ] {
        let refused = connect(address, &[("Origin", &origin)]).expect_err(&origin);
        assert!(refused.contains("403"), "{origin}: {refused}");
    }
    let refused = connect(address, &[]).expect_err("no origin");
    assert!(refused.contains("403"), "{refused}");
    let rebound = connect(address, &[("Origin", &own), ("Host", "example.org")]);
    assert!(rebound.expect_err("another host").contains("403"));
}

#[test]
fn a_name_that_leads_here_is_not_this_server() {
    let lab = lab();
    let address = lab.address();
    for host in ["example.org", "example.org:80", "127.0.0.1", "localhost"] {
        let answer = raw_request(
            address,
            &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 403"), "{host}: {answer}");
    }
    let answer = get(address, "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let headers = answer.to_lowercase();
    assert!(headers.contains("content-security-policy: default-src 'none'"));
    assert!(!headers.contains("access-control-allow"), "{answer}");
}

#[test]
fn no_file_of_the_computer_can_be_read() {
    let lab = lab();
    for path in [
        "/etc/passwd",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/.gitignore",
        "/Cargo.toml",
        "/page/../Cargo.toml",
        "/examples/publicar/main.py",
        "/file:///etc/passwd",
        "/ws/../etc/passwd",
        "/\\..\\etc\\passwd",
    ] {
        let answer = get(lab.address(), path);
        let status = answer.get(..12).unwrap_or(&answer);
        assert!(
            ["HTTP/1.1 404", "HTTP/1.1 400"].contains(&status),
            "{path}: {answer}"
        );
        assert!(!answer.contains("root:"), "{path}");
    }
}

#[test]
fn what_is_no_message_is_refused_and_the_page_goes_on() {
    let lab = lab();
    let mut page = Page::open(&lab);
    let nonsense = [
        "",
        "null",
        "[]",
        "{}",
        "{\"type\":1}",
        "{\"type\":\"hello\"}",
        "{\"type\":\"run\"}",
        "{\"type\":\"run\",\"board\":1,\"files\":[],\"main\":\"main.py\"}",
        "{\"type\":\"pin\",\"board\":-1,\"pin\":2,\"level\":1}",
        "{\"type\":\"pin\",\"board\":1,\"pin\":300,\"level\":1}",
        "{\"type\":\"publish\",\"topic\":\"a/+\",\"payload\":\"\"}",
        "{\"type\":\"publish\",\"topic\":\"a\",\"payload_base64\":\"!\"}",
        "{\"type\":\"publish\",\"topic\":\"a\",\"qos\":3}",
        "{\"type\":\"lang\",\"lang\":\"klingon\"}",
        "{\"type\":\"add_board\",\"kind\":\"sim\",\"port\":7}",
        "{\"type\":\"save\",\"board\":1,\"name\":\"../x\",\"text\":\"\"}",
        &"[".repeat(200_000),
    ];
    for text in nonsense {
        page.send_text(text);
        let notice = page.wait("notice", |_| true);
        assert_eq!(notice["level"], "error", "{text}: {notice}");
    }
    page.send(&json!({"type": "lang", "lang": "en"}));
    page.send_text("nonsense");
    let notice = page.wait("notice", |_| true);
    let text = notice["text"].as_str().expect("a text");
    assert!(text.starts_with("the page sent"), "{text}");
}

#[test]
fn a_message_beyond_the_limit_ends_that_page_only() {
    let lab = lab();
    let mut other = Page::open(&lab);
    assert_eq!(other.next()["type"], "hello");
    let origin = format!("http://{}", lab.address());
    let mut large = connect(lab.address(), &[("Origin", &origin)]).expect("a page");
    let text = format!(
        "{{\"type\":\"input\",\"board\":1,\"text\":\"{}\"}}",
        "x".repeat(2 << 20)
    );
    // The server may hang up before it has all.
    let _ = large.send(tokio_tungstenite::tungstenite::Message::text(text));
    let ended = loop {
        match large.read() {
            Ok(message) if message.is_close() => break true,
            Ok(_) => {}
            Err(_) => break true,
        }
    };
    assert!(ended);
    other.send_text("nonsense");
    other.wait("notice", |_| true);
}

#[test]
fn pages_are_limited_and_one_that_closes_makes_room() {
    let lab = lab();
    let mut pages: Vec<Page> = (0..16).map(|_| Page::open(&lab)).collect();
    let origin = format!("http://{}", lab.address());
    let refused = connect(lab.address(), &[("Origin", &origin)]).expect_err("the 17th");
    assert!(refused.contains("503"), "{refused}");
    pages.truncate(15);
    let deadline = std::time::Instant::now() + crate::client::LONG;
    while connect(lab.address(), &[("Origin", &origin)]).is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "the place stays taken"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn the_page_is_for_this_computer_only() {
    let mut open = config(None);
    open.listen = "0.0.0.0:0".parse().expect("an address");
    assert!(matches!(Lab::start(open), Err(LabError::Open { .. })));
}
