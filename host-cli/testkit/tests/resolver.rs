//! Decides whether the time that a name takes to resolve counts for `connect(timeout=…)`. MicroPython's `getaddrinfo` itself
//! cannot be interrupted. The client's part is `python/tests/resolver.py`.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};

use testkit::{Implementation, Interpreter, Program, Version, need};

/// Of `connect` in `resolver.py`, in milliseconds.
const LIMIT: u64 = 8000;

/// `connect` runs out of time where resolving takes so many seconds; how many milliseconds that took, and whether a
/// connection was made.
fn connect(interpreter: &Interpreter, seconds: u64) -> Result<(u64, bool), String> {
    let module = Implementation::Ours.module()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let printed = Program::new(interpreter, &module, "resolver")
        .argument(listener.local_addr().expect("its address").port())
        .argument(seconds)
        .run()
        .expect_success("resolver.py");
    let (outcome, milliseconds) = printed.trim().split_once('\n').expect("two lines");
    assert_eq!(outcome.trim(), "ETIMEDOUT");
    // The program has ended: whatever it made waits in the queue.
    listener.set_nonblocking(true).expect("a listener");
    let connected = match listener.accept() {
        Ok((mut stream, _)) => {
            let mut connect = Vec::new();
            stream.set_nonblocking(false).expect("a connection");
            stream.read_to_end(&mut connect).expect("what it was sent");
            assert_eq!(connect.first(), Some(&0x10), "a CONNECT");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    };
    let milliseconds = milliseconds.trim().parse().expect("a number");
    Ok((milliseconds, connected))
}

/// There are six seconds between the limit and what it would take if resolving did not count.
#[test]
fn the_time_to_resolve_a_name_counts() {
    let test = "the_time_to_resolve_a_name_counts";
    let interpreter = need!(test, Interpreter::find(Version::V1_26));
    let (took, connected) = need!(test, connect(&interpreter, 6));
    assert!(connected);
    assert!((LIMIT..LIMIT + 6000).contains(&took), "{took} ms");
}

#[test]
fn a_name_that_takes_all_of_the_time_is_not_connected_to() {
    let test = "a_name_that_takes_all_of_the_time_is_not_connected_to";
    for version in [Version::V1_25, Version::V1_26] {
        let interpreter = need!(test, Interpreter::find(version));
        let (took, connected) = need!(test, connect(&interpreter, 9));
        assert!(!connected, "MicroPython {}", version.name());
        assert!(took >= 9000, "{took} ms");
    }
}
