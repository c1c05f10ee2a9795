//! Boards behind the network: plain TCP, and RFC 2217 through Debian's ser2net.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use board_link::{
    Board, Fault, LinkError, OpenOptions, PortSpec, Rfc2217Transport, Timeouts, Transport, open,
    open_with,
};

use crate::support::patient;
use crate::support::qemu::{QemuBoard, free_port, installed, wait_until_listening};

struct Ser2net(Child);

impl Drop for Ser2net {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An independent RFC 2217 server in front of the emulated board's pseudo-terminal: every byte
/// value passes, and the serial settings are answered.
#[test]
fn rfc2217_through_ser2net() {
    const NAME: &str = "rfc2217_through_ser2net";
    if !installed("ser2net") {
        return testkit::skip(NAME, "ser2net is not installed");
    }
    let Some(qemu) = QemuBoard::on_pty(NAME) else {
        return;
    };
    let port = free_port();
    let server = Command::new("ser2net")
        .args(["-n", "-d", "-u", "-c", "/dev/null", "-Y"])
        .arg(format!(
            "connection: &board\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n  \
             connector: serialdev,{},115200n81,local\n",
            qemu.device()
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Without mDNS on the machine it complains and goes on.
        .stderr(Stdio::null())
        .spawn()
        .expect("ser2net starts");
    let _server = Ser2net(server);
    wait_until_listening(port);

    let spec: PortSpec = format!("rfc2217://127.0.0.1:{port}").parse().unwrap();
    let mut board = Board::connect(open(&spec).unwrap(), patient()).unwrap();
    // 0xFF is telnet's escape; characters up to U+00FF hold it in no UTF-8, so raw bytes go too.
    let every =
        "import sys\nsys.stdout.write(bytes(b for b in range(256) if b not in (4,10,13)))\n";
    let code = format!("{every}print('ÿ\u{7f}€')\n# {}\n", "ÿ".repeat(3000));
    let outcome = board.exec(&code).unwrap();
    assert!(
        outcome.stdout.ends_with("ÿ\u{7f}€\n"),
        "{:?}",
        outcome.stdout
    );
    board.transport_mut().set_baud(57_600).unwrap();
    board
        .transport_mut()
        .set_lines(Some(true), Some(false))
        .unwrap();
    assert_eq!(board.exec("print(1)").unwrap().stdout, "1\n");
    assert_eq!(board.port(), spec.to_string());
}

/// The bytes that cannot be seen through the REPL: 0xFF in the data, both ways, and a server that
/// answers each command. Written after the RFC's text, with its numbers.
#[test]
fn rfc2217_escapes_every_byte() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let every: Vec<u8> = (0..=255).collect();
    let escaped: Vec<u8> = (every.iter())
        .flat_map(|&byte| std::iter::repeat_n(byte, if byte == 255 { 2 } else { 1 }))
        .collect();
    let (sent, expected) = (escaped.clone(), escaped);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        // DO BINARY, WILL BINARY, DO COM-PORT-OPTION.
        stream
            .write_all(&[255, 253, 0, 255, 251, 0, 255, 253, 44])
            .unwrap();
        let mut seen = Vec::new();
        let mut answered = 0;
        while !seen.ends_with(&expected) {
            let mut buffer = [0; 512];
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "closed early after {seen:?}");
            seen.extend_from_slice(&buffer[..count]);
            // IAC SB COM-PORT-OPTION command value IAC SE: the answer is the same plus 100.
            while let Some(at) = seen[answered..]
                .windows(3)
                .position(|w| w == [255, 250, 44])
            {
                let start = answered + at;
                let Some(length) = seen[start..].windows(2).position(|w| w == [255, 240]) else {
                    break;
                };
                let mut answer = seen[start..start + length + 2].to_vec();
                answer[3] += 100;
                stream.write_all(&answer).unwrap();
                answered = start + length + 2;
            }
        }
        stream.write_all(&sent).unwrap();
        let mut rest = Vec::new();
        // The client closes when it has what it wants.
        let _ = stream.read_to_end(&mut rest);
    });
    let mut transport =
        Rfc2217Transport::connect("127.0.0.1", port, 115_200, Duration::from_secs(5)).unwrap();
    transport.write(&every, Duration::from_secs(2)).unwrap();
    let mut back = Vec::new();
    while back.len() < 256 {
        let mut buffer = [0; 100];
        let count = transport.read(&mut buffer, Duration::from_secs(5)).unwrap();
        assert_ne!(count, 0, "nothing more after {back:?}");
        back.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(back, every);
    drop(transport);
    server.join().unwrap();
}

/// Nobody there; somebody who is no RFC 2217 server; one that hangs up.
#[test]
fn servers_that_are_none() {
    let quick = OpenOptions {
        connect: Duration::from_millis(300),
        ..OpenOptions::default()
    };
    let failure = |spec: String| {
        let start = Instant::now();
        let error = open_with(&spec.parse().unwrap(), &quick).err().unwrap();
        assert!(start.elapsed() < Duration::from_secs(3));
        assert_eq!(error.fault(), Fault::Port);
        assert!(error.to_string().contains(&spec), "{error}");
        error.to_string()
    };
    let closed = free_port();
    failure(format!("socket://127.0.0.1:{closed}"));
    failure(format!("rfc2217://127.0.0.1:{closed}"));
    failure("socket://no-such-host.invalid:1".to_owned());

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = failure(format!("rfc2217://127.0.0.1:{port}"));
    assert!(silent.contains("socket://"), "{silent}");

    let server = std::thread::spawn(move || {
        // The connection of the silent case above comes first.
        let (_first, _) = listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        // WONT BINARY.
        stream.write_all(&[255, 252, 0]).unwrap();
        let _ = stream.read(&mut [0; 64]);
        let (stream, _) = listener.accept().unwrap();
        drop(stream);
    });
    let refused = failure(format!("rfc2217://127.0.0.1:{port}"));
    assert!(refused.contains("refuses binary"), "{refused}");
    let plain = open_with(
        &format!("socket://127.0.0.1:{port}").parse().unwrap(),
        &quick,
    )
    .unwrap();
    let error = Board::connect(plain, Timeouts::default()).err().unwrap();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
    server.join().unwrap();
}
