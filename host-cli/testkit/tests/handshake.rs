//! Decides whether `connect(timeout=…)` bounds the TLS handshake: the broker's records come byte by byte, or in pieces, or
//! stop coming, and the certificate may be a wrong one; and whether `select.poll` is true on a TLS socket, too. The client's
//! part is `python/tests/handshake.py`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};
use testkit::{Certificates, Implementation, Interpreter, Program, Version, need};

/// Fixed header, variable header and client identifier of the CONNECT that `handshake.py` sends.
const CONNECT_SIZE: usize = 19;

/// How long the client may take where it is not to run out of time, in seconds: as good as for ever, however busy the
/// computer is.
const AMPLE: u32 = 300;

/// How the broker's bytes come.
#[derive(Clone, Copy)]
struct Pace {
    /// So many at once.
    piece: usize,
    /// Before each piece.
    pause: Duration,
    /// So many in all; then nothing more comes.
    most: usize,
}

const AT_ONCE: Pace = Pace {
    piece: usize::MAX,
    pause: Duration::ZERO,
    most: usize::MAX,
};

/// A handshake has more than a thousand bytes of the broker's: this takes more than a hundred seconds, which nothing
/// bounds but the client, since something comes all the time.
const DRIBBLING: Pace = Pace {
    piece: 1,
    pause: Duration::from_millis(100),
    most: usize::MAX,
};

/// Writes at this pace what TLS has to say.
fn say(tls: &mut ServerConnection, stream: &mut TcpStream, pace: &mut Pace) -> std::io::Result<()> {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records)?;
    }
    for piece in records.chunks(pace.piece.min(records.len()).max(1)) {
        thread::sleep(pace.pause);
        let piece = &piece[..piece.len().min(pace.most)];
        stream.write_all(piece)?;
        pace.most -= piece.len();
    }
    Ok(())
}

/// A PUBLISH at QoS 0.
const MESSAGE: &[u8] = b"\x30\x07\x00\x01tslow";

/// Takes a CONNECT and answers it in one record. True if it came to that.
fn serve(
    listener: &TcpListener,
    configuration: Arc<ServerConfig>,
    answer: &[u8],
    mut pace: Pace,
) -> std::io::Result<bool> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut tls = ServerConnection::new(configuration).expect("a connection");
    let mut connect = Vec::new();
    while connect.len() < CONNECT_SIZE {
        say(&mut tls, &mut stream, &mut pace)?;
        if tls.read_tls(&mut stream)? == 0 {
            return Ok(false);
        }
        let state = tls.process_new_packets().map_err(std::io::Error::other)?;
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        tls.reader().read_exact(&mut plain)?;
        connect.extend(plain);
    }
    tls.writer().write_all(answer)?;
    say(&mut tls, &mut stream, &mut pace)?;
    // Until the client hangs up: whatever it publishes, it gets one more.
    while tls.read_tls(&mut stream).is_ok_and(|count| count > 0) {
        let state = tls.process_new_packets().map_err(std::io::Error::other)?;
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        tls.reader().read_exact(&mut plain)?;
        if plain.first() == Some(&0x30) {
            tls.writer().write_all(MESSAGE)?;
            say(&mut tls, &mut stream, &mut pace)?;
        }
    }
    Ok(true)
}

/// The client prints this where the broker's bytes come so.
fn comes_to(test: &str, case: &str, pace: Pace, seconds: u32, connected: bool, expected: &[&str]) {
    let certificates = need!(test, Certificates::generate());
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("ca.pem");
    let pem = if case == "stranger" {
        &certificates.other_authority_pem
    } else {
        &certificates.authority_pem
    };
    std::fs::write(&authority, pem).expect("the folder is ours");
    let module = need!(test, Implementation::Ours.module());
    for version in [Version::V1_25, Version::V1_26] {
        let interpreter = need!(test, Interpreter::find(version));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let configuration = certificates.server();
        let mut answer = [b"\x20\x02\x00\x00", MESSAGE].concat();
        if case == "poll" {
            answer.extend(MESSAGE);
        }
        let peer = thread::spawn(move || serve(&listener, configuration, &answer, pace));
        let printed = Program::new(&interpreter, &module, "handshake")
            .argument(case)
            .argument(port)
            .argument(authority.display())
            .argument(seconds)
            .run()
            .expect_success("handshake.py");
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines, expected, "MicroPython {}", version.name());
        // A client that gave up has closed the connection, which the broker may notice as an error.
        let came_to_connect = matches!(peer.join().expect("the broker's thread"), Ok(true));
        assert_eq!(came_to_connect, connected, "MicroPython {}", version.name());
    }
}

#[test]
fn a_handshake_that_dribbles_is_given_up() {
    let test = "a_handshake_that_dribbles_is_given_up";
    comes_to(test, "context", DRIBBLING, 2, false, &["ETIMEDOUT"]);
}

#[test]
fn a_handshake_that_stops_is_given_up() {
    let test = "a_handshake_that_stops_is_given_up";
    let stopping = Pace {
        most: 500,
        ..AT_ONCE
    };
    comes_to(test, "context", stopping, 2, false, &["ETIMEDOUT"]);
}

/// What comes after the handshake comes in pieces, too.
#[test]
fn a_handshake_in_pieces_is_one() {
    let test = "a_handshake_in_pieces_is_one";
    let pace = Pace {
        piece: 100,
        pause: Duration::from_millis(10),
        ..AT_ONCE
    };
    let expected = ["b't' b'slow'", "ETIMEDOUT"];
    comes_to(test, "context", pace, AMPLE, true, &expected);
}

/// It is not connected to, as without a limit.
#[test]
fn a_stranger_is_refused() {
    comes_to(
        "a_stranger_is_refused",
        "stranger",
        AT_ONCE,
        AMPLE,
        false,
        &["ValueError"],
    );
}

/// A context that knows the arguments only that umqtt.simple gives it.
#[test]
fn a_context_of_the_programs_own() {
    let expected = ["b't' b'slow'", "ETIMEDOUT"];
    let test = "a_context_of_the_programs_own";
    comes_to(test, "wrapper", AT_ONCE, AMPLE, true, &expected);
}

/// `ssl=True` with `ssl_params`, which the program keeps as they are.
#[test]
fn the_module_ssl() {
    let expected = [
        "b't' b'slow'",
        "ETIMEDOUT",
        "[False] {'server_hostname': 'localhost'}",
    ];
    comes_to("the_module_ssl", "module", AT_ONCE, AMPLE, true, &expected);
}

/// Two messages and the CONNACK come in one record, which TLS takes off the socket at once; the third comes by itself.
#[test]
fn poll_is_true_over_tls() {
    let expected = [
        "b't' b'slow'",
        "more is there: True",
        "b't' b'slow'",
        "nothing is there: True",
        "more is there: True",
        "b't' b'slow'",
        "nothing is there: True",
        "ETIMEDOUT",
    ];
    let test = "poll_is_true_over_tls";
    comes_to(test, "poll", AT_ONCE, AMPLE, true, &expected);
}
