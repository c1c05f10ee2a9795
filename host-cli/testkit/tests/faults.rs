//! Decides what happens where the peer breaks off, stalls or dribbles at any position of any packet: the exception
//! that umqtt.simple 1.3.4 raises, or the work done; never a hang beyond the set timeout and never a lost byte.
//!
//! What upstream does is measured in the same run. Where ours means to differ, `[[fault]]` in
//! `python/tests/differences.toml` says so with a reason.

use std::time::Duration;

use serde::Deserialize;
use testkit::{Implementation, Interpreter, Module, Peer, Program, Step, Version, need};

/// The client's timeout where the peer stalls, so that it runs out.
const SHORT: Duration = Duration::from_millis(200);
/// The client's timeout where it is not to run out, however busy the computer is.
const AMPLE: Duration = Duration::from_secs(200);
/// How long a stalling peer says nothing: until the client has given up.
const STALL: Duration = Duration::from_secs(3600);

/// An exchange: its name in `python/tests/faults.py`, how many bytes of requests come before the answer at which the
/// peer misbehaves, and that answer.
struct Exchange {
    name: &'static str,
    request: usize,
    answer: &'static [u8],
}

/// The size of the CONNECT that `faults.py` sends: 2 of fixed header, 10 of variable header, 2 + 6 of client id.
const CONNECT_SIZE: usize = 20;

const EXCHANGES: [Exchange; 9] = [
    Exchange {
        name: "connect",
        request: 0,
        answer: b"\x20\x02\x00\x00",
    },
    Exchange {
        name: "publish-1",
        request: 12,
        answer: b"\x40\x02\x00\x01",
    },
    Exchange {
        name: "publish-1",
        request: 12,
        answer: b"\x30\x05\x00\x01nab\x40\x02\x00\x01",
    },
    Exchange {
        name: "subscribe",
        request: 8,
        answer: b"\x90\x03\x00\x01\x00",
    },
    Exchange {
        name: "wait",
        request: 0,
        answer: b"\x30\x09\x00\x03a/bhola",
    },
    Exchange {
        name: "wait",
        request: 0,
        answer: b"\x32\x0b\x00\x03a/b\x12\x34hola",
    },
    Exchange {
        name: "wait-twice",
        request: 0,
        answer: b"\x30\x05\x00\x01nab\x30\x05\x00\x01ncd",
    },
    Exchange {
        name: "check",
        request: 0,
        answer: b"\x30\x09\x00\x03a/bhola",
    },
    Exchange {
        name: "ping",
        request: 2,
        answer: b"\xd0\x00",
    },
];

/// A packet that grows past a one-byte length, for the dribbling peer.
fn long_publish() -> Vec<u8> {
    let mut packet = b"\x30\xd0\x02\x00\x01t".to_vec();
    packet.extend((0..333).map(|i| i as u8));
    packet
}

/// One line of `faults.py`.
#[derive(Debug, Deserialize)]
struct Line {
    case: String,
    outcome: String,
    ms: u64,
    calls: Vec<[String; 2]>,
}

/// An intended difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    reason: String,
    /// How the case's name begins: exchange and kind of fault, as `wait eof`.
    cases: Vec<String>,
    upstream: String,
    ours: String,
}

/// The whole list; the other kind is `differential.rs`'s.
#[derive(Debug, Deserialize)]
struct Rules {
    #[serde(default)]
    fault: Vec<Rule>,
}

fn rules() -> Vec<Rule> {
    let path = testkit::repository().join("python/tests/differences.toml");
    let text = std::fs::read_to_string(&path).expect("python/tests/differences.toml");
    let rules: Rules =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for rule in &rules.fault {
        assert!(
            !rule.reason.is_empty(),
            "the difference {} gives no reason",
            rule.name
        );
    }
    rules.fault
}

/// What is played: a name, the exchange, the client's timeout and the script of its peer.
struct Case {
    name: String,
    exchange: &'static str,
    timeout: Duration,
    script: Vec<Step>,
}

/// Every case; the first of each exchange is the undisturbed one. Those in which the peer stalls are for ours only: 1.3.4
/// forgets a timeout with its first read, and waits for ever.
fn cases(stalls: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, exchange) in EXCHANGES.iter().enumerate() {
        let mut before = vec![Step::Read(CONNECT_SIZE)];
        if exchange.name != "connect" {
            before.push(Step::Send(b"\x20\x02\x00\x00".to_vec()));
        }
        before.push(Step::Read(exchange.request));
        let mut add = |fault: &str, steps: Vec<Step>| {
            let stalling = fault.starts_with("stall-");
            if stalling && !stalls {
                return;
            }
            cases.push(Case {
                name: format!("{}#{number} {fault}", exchange.name),
                exchange: exchange.name,
                timeout: if stalling { SHORT } else { AMPLE },
                script: before.iter().cloned().chain(steps).collect(),
            });
        };
        add(
            "whole",
            vec![Step::Send(exchange.answer.to_vec()), Step::ReadToEnd],
        );
        let pause = Duration::from_millis(3);
        add(
            "dribble",
            vec![
                Step::Dribble(exchange.answer.to_vec(), pause),
                Step::ReadToEnd,
            ],
        );
        for position in 0..exchange.answer.len() {
            let part = Step::Send(exchange.answer[..position].to_vec());
            let rest = Step::Send(exchange.answer[position..].to_vec());
            add(
                &format!("eof-{position}"),
                vec![part.clone(), Step::Close, Step::ReadToEnd],
            );
            add(
                &format!("stall-{position}"),
                vec![part.clone(), Step::Stall(STALL), Step::ReadToEnd],
            );
            add(
                &format!("pause-{position}"),
                vec![part, Step::Stall(pause * 5), rest, Step::ReadToEnd],
            );
        }
    }
    let long = vec![
        Step::Read(CONNECT_SIZE),
        Step::Send(b"\x20\x02\x00\x00".to_vec()),
        Step::Dribble(long_publish(), Duration::ZERO),
        Step::ReadToEnd,
    ];
    cases.push(Case {
        name: "wait#long dribble".into(),
        exchange: "wait",
        timeout: AMPLE,
        script: long,
    });
    cases
}

/// What one implementation did: the lines of the program, and the bytes that each connection received.
fn run(interpreter: &Interpreter, module: &Module, ours: bool) -> Vec<(Line, Vec<u8>)> {
    let cases = cases(ours);
    let peer = Peer::start(cases.iter().map(|case| case.script.clone()).collect());
    let mut program = Program::new(interpreter, module, "faults")
        .argument("127.0.0.1")
        .argument(peer.address().port())
        .limit(Duration::from_secs(300));
    if ours {
        program = program.argument("--timeout-argument");
    }
    for case in &cases {
        let ms = case.timeout.as_millis();
        program = program.argument(format!("{}={}={ms}", case.name, case.exchange));
    }
    let text = program.run().expect_success("faults.py");
    let received = peer.finish();
    let lines: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect();
    assert_eq!(lines.len(), cases.len(), "every case must have run");
    lines.into_iter().zip(received).collect()
}

fn broken_off_stalled_or_dribbling(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let upstream = need!(test, Implementation::Upstream.module());
    let ours = need!(test, Implementation::Ours.module());
    let rules = rules();
    let mut used = vec![false; rules.len()];
    let (upstream, ours) = std::thread::scope(|scope| {
        let upstream = scope.spawn(|| run(&interpreter, &upstream, false));
        let ours = run(&interpreter, &ours, true);
        (upstream.join().expect("upstream's run"), ours)
    });
    let mut wrong = Vec::new();
    let mut whole = 0;
    for (index, (mine, received)) in ours.iter().enumerate() {
        if mine.case.ends_with(" whole") {
            whole = index;
            assert!(
                mine.outcome.starts_with("returned"),
                "undisturbed, it must work: {mine:?}"
            );
        }
        if mine.case.contains(" stall-") {
            if let Err(error) = given_up(mine) {
                wrong.push(format!("{}: {error}", mine.case));
            }
            continue;
        }
        let theirs = upstream.iter().find(|(line, _)| line.case == mine.case);
        let (theirs, _) = theirs.expect("what ours does without a stall, upstream does too");
        let (undisturbed, sent_undisturbed) = &ours[whole];
        let work_done = (&mine.outcome, &mine.calls) == (&undisturbed.outcome, &undisturbed.calls)
            && received == sent_undisturbed;
        // `check` may look once before the message comes; only what it delivers counts.
        let work_done =
            work_done || mine.case.starts_with("check") && mine.calls == undisturbed.calls;
        let allowed = rules.iter().position(|rule| {
            rule.cases
                .iter()
                .any(|case| mine.case.starts_with(case.as_str()))
                && theirs.outcome.starts_with(&rule.upstream)
                && mine.outcome.starts_with(&rule.ours)
        });
        let fine = if mine.case == "wait#long dribble" {
            let packet = long_publish();
            let hex = |bytes: &[u8]| {
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
            };
            mine.calls == [[hex(&packet[5..6]), hex(&packet[6..])]]
        } else if mine.case.contains(" eof-") {
            mine.outcome == theirs.outcome && mine.calls == theirs.calls
        } else {
            work_done
        };
        if !fine {
            match allowed {
                Some(rule) => used[rule] = true,
                None => wrong.push(format!(
                    "{}: ours {} {:?}, upstream {} {:?} after {} ms",
                    mine.case, mine.outcome, mine.calls, theirs.outcome, theirs.calls, theirs.ms
                )),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        ours.len(),
        wrong.join("\n")
    );
    let idle: Vec<_> = rules
        .iter()
        .zip(&used)
        .filter(|(_, used)| !**used)
        .map(|(rule, _)| &rule.name)
        .collect();
    assert!(
        idle.is_empty(),
        "rules that allow nothing; remove them: {idle:?}"
    );
    println!("{} cases", ours.len());
}

/// What a call has to come to where the peer stalls: it gives up when its timeout is over and not before. How much later
/// is the computer's affair; that it does is shown by its coming back at all, since the peer has no end.
fn given_up(mine: &Line) -> Result<(), String> {
    let expected = if mine.case.starts_with("check") {
        "returned None"
    } else {
        "raised OSError(110,)"
    };
    if mine.outcome != expected {
        return Err(format!("{}, expected {expected}", mine.outcome));
    }
    if Duration::from_millis(mine.ms) + CLOCKS < SHORT {
        return Err(format!("gave up after {} of {SHORT:?}", mine.ms));
    }
    Ok(())
}

/// By how much the kernel's clock and the interpreter's may differ.
const CLOCKS: Duration = Duration::from_millis(10);

#[test]
fn broken_off_stalled_or_dribbling_on_1_25() {
    broken_off_stalled_or_dribbling("broken_off_stalled_or_dribbling_on_1_25", Version::V1_25);
}

#[test]
fn broken_off_stalled_or_dribbling_on_1_26() {
    broken_off_stalled_or_dribbling("broken_off_stalled_or_dribbling_on_1_26", Version::V1_26);
}

/// A peer that reads no more: once the buffers on the way are full, publishing fails rather than hang.
fn stuck_writing(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let peer = Peer::start(vec![vec![
        Step::Read(CONNECT_SIZE),
        Step::Send(b"\x20\x02\x00\x00".to_vec()),
        Step::Stall(STALL),
    ]]);
    let text = Program::new(&interpreter, &module, "faults")
        .argument("127.0.0.1")
        .argument(peer.address().port())
        .argument(format!("stuck=publish-stuck={}", SHORT.as_millis()))
        .run()
        .expect_success("faults.py");
    peer.finish();
    let line: Line =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    given_up(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
}

#[test]
fn stuck_writing_on_1_25() {
    stuck_writing("stuck_writing_on_1_25", Version::V1_25);
}

#[test]
fn stuck_writing_on_1_26() {
    stuck_writing("stuck_writing_on_1_26", Version::V1_26);
}

/// One line of `faults_python_socket.py`.
#[derive(Debug, Deserialize)]
struct PythonLine {
    case: String,
    outcome: String,
    calls: Vec<[String; 2]>,
    written: String,
    unread: usize,
}

fn run_python(interpreter: &Interpreter, module: &Module) -> Vec<PythonLine> {
    let text = Program::new(interpreter, module, "faults_python_socket")
        .argument("--short-writes")
        .run()
        .expect_success("faults_python_socket.py");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect()
}

/// Sockets written in Python: those that take and give a few bytes at a time change nothing, and those that fail lead
/// to the exception that upstream raises, or to the socket's own.
fn python_sockets(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let upstream = need!(test, Implementation::Upstream.module());
    let ours = need!(test, Implementation::Ours.module());
    let upstream = run_python(&interpreter, &upstream);
    let ours = run_python(&interpreter, &ours);
    assert_eq!(upstream.len(), ours.len(), "both must run the same cases");
    let rules = rules();
    let mut wrong = Vec::new();
    let mut whole = 0;
    for (index, (theirs, mine)) in upstream.iter().zip(&ours).enumerate() {
        let (exchange, fault) = mine.case.split_once(' ').expect("exchange and fault");
        if fault == "whole" {
            whole = index;
        }
        let undisturbed = &ours[whole];
        assert!(
            undisturbed.outcome.starts_with("returned"),
            "{exchange} does not work undisturbed: {undisturbed:?}"
        );
        let same_as_undisturbed = (&mine.outcome, &mine.calls, &mine.written, mine.unread)
            == (
                &undisturbed.outcome,
                &undisturbed.calls,
                &undisturbed.written,
                undisturbed.unread,
            );
        let fine = if fault.starts_with("eof-") {
            mine.outcome == theirs.outcome && mine.calls == theirs.calls
        } else if fault.contains("error-") {
            // What was written before is the beginning of what would have been written.
            mine.outcome == "raised OSError(104,)" && undisturbed.written.starts_with(&mine.written)
        } else {
            same_as_undisturbed
        };
        let allowed = rules.iter().any(|rule| {
            rule.cases
                .iter()
                .any(|case| mine.case.starts_with(case.as_str()))
                && theirs.outcome.starts_with(&rule.upstream)
                && mine.outcome.starts_with(&rule.ours)
        });
        if !fine && !allowed {
            wrong.push(format!(
                "{}:\n    ours     {mine:?}\n    upstream {theirs:?}",
                mine.case
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        ours.len(),
        wrong.join("\n")
    );
    println!("{} cases", ours.len());
}

#[test]
fn python_sockets_on_1_25() {
    python_sockets("python_sockets_on_1_25", Version::V1_25);
}

#[test]
fn python_sockets_on_1_26() {
    python_sockets("python_sockets_on_1_26", Version::V1_26);
}
