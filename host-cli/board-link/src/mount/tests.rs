//! The transport's side of the conversation, against a board that is played.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::request::request;
use super::*;

/// Both directions of a line.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<(VecDeque<u8>, Vec<u8>)>>);

impl Line {
    fn prints(&self, bytes: &[u8]) {
        self.0.lock().expect("no panic").0.extend(bytes);
    }

    /// What was written since the last time.
    fn heard(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("no panic").1)
    }
}

impl Transport for Line {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let mut both = self.0.lock().expect("no panic");
        if both.0.is_empty() {
            drop(both);
            std::thread::sleep(timeout.min(Duration::from_millis(1)));
            return Ok(0);
        }
        let count = buffer.len().min(both.0.len());
        for (slot, byte) in buffer.iter_mut().zip(both.0.drain(..count)) {
            *slot = byte;
        }
        Ok(count)
    }

    fn write(&mut self, data: &[u8], _: Duration) -> io::Result<()> {
        self.0.lock().expect("no panic").1.extend(data);
        Ok(())
    }

    fn describe(&self) -> String {
        "a played board".to_owned()
    }
}

struct Stage {
    line: Line,
    serving: Box<dyn Transport>,
    session: [u8; 3],
    folder: tempfile::TempDir,
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), vec![b'x'; 1000]).expect("a file");
    let line = Line::default();
    let shared = Folder::open(folder.path(), false).expect("it opens");
    let (serving, key) = share(Box::new(line.clone()), shared);
    let session = key.renew(128).session;
    Stage {
        line,
        serving,
        session,
        folder,
    }
}

impl Stage {
    fn read(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let count = (self.serving)
            .read(&mut buffer, Duration::from_millis(5))
            .expect("the line holds");
        buffer[..count].to_vec()
    }

    fn ask(&self, number: u8, kind: u8, arguments: &[u8]) {
        (self.line).prints(&request(self.session, number, kind, arguments));
    }

    fn read_file(&self, number: u8) {
        self.ask(number, b'r', b"/a\0\0\0\0\0\0\0\0\0\xff\x03");
    }
}

/// The errno and the data of a whole answer.
fn opened(answer: &[u8]) -> (u8, Vec<u8>) {
    assert_eq!(answer[0], 0x1e);
    let body = BASE64.decode(&answer[5..]).expect("base64");
    (body[1], body[2..body.len() - 4].to_vec())
}

#[test]
fn an_answer_is_sent_as_it_is_acknowledged() {
    let mut stage = stage();
    stage.line.prints(b"before");
    stage.read_file(1);
    stage.line.prints(b"after");
    assert_eq!(stage.read(), b"beforeafter");
    let mut whole = stage.line.heard();
    assert_eq!(whole.len(), 256, "two units");
    loop {
        stage.line.prints(b"\x06");
        assert_eq!(stage.read(), b"");
        match stage.line.heard() {
            unit if unit.is_empty() => break,
            unit => whole.extend(unit),
        }
        assert!(whole.len() < 3000);
    }
    assert_eq!(opened(&whole), (0, vec![b'x'; 1000]));
}

#[test]
fn what_is_typed_meanwhile_waits_and_what_the_board_took_comes_again() {
    let mut stage = stage();
    stage.ask(1, b's', b"/no\0");
    stage.read();
    assert_eq!(opened(&stage.line.heard()), (2, vec![]));
    stage
        .serving
        .write(b"later", Duration::ZERO)
        .expect("it is kept");
    assert_eq!(stage.read(), b"");
    assert_eq!(stage.line.heard(), b"", "the answer is not acknowledged");
    stage.line.prints(b"\x06");
    stage.ask(1, b'T', b"sooner\n");
    let started = Instant::now();
    let mut heard = Vec::new();
    while heard.is_empty() && started.elapsed() < Duration::from_secs(60) {
        assert_eq!(stage.read(), b"");
        heard = stage.line.heard();
    }
    assert_eq!(heard, b"sooner\rlater");
}

#[test]
fn control_c_goes_through_and_an_abort_ends_the_answer() {
    let mut stage = stage();
    stage.read_file(1);
    stage.read();
    stage.line.heard();
    stage
        .serving
        .write(b"\x03", Duration::ZERO)
        .expect("it goes through");
    assert_eq!(stage.line.heard(), b"\x03");
    stage.ask(1, b'A', b"");
    stage.line.prints(b"\x06\x06");
    // What would be an acknowledgement is now the program's own.
    assert_eq!(stage.read(), b"\x06\x06");
    assert_eq!(stage.line.heard(), [AGAIN]);
}

#[test]
fn a_request_asked_again_is_not_done_again() {
    let mut stage = stage();
    for _ in 0..2 {
        stage.ask(7, b'x', b"/a\0");
        stage.read();
        assert_eq!(opened(&stage.line.heard()), (0, vec![]));
        stage.ask(7, b'A', b"");
        stage.read();
        stage.line.heard();
    }
    assert!(!stage.folder.path().join("a").exists());
    stage.ask(8, b'x', b"/a\0");
    stage.read();
    assert_eq!(opened(&stage.line.heard()).0, 2);
}

#[test]
fn another_mount_and_a_board_without_one_are_told_that_nobody_answers() {
    let mut stage = stage();
    stage.line.prints(&request([0; 3], 1, b's', b"/a\0"));
    assert_eq!(stage.read(), b"");
    assert_eq!(stage.line.heard(), [NOBODY]);
    let mut alone = share_nothing(Box::new(stage.line.clone()));
    stage.read_file(1);
    stage.line.prints(b"text");
    let mut buffer = [0; 64];
    let count = alone.read(&mut buffer, Duration::from_millis(5));
    assert_eq!(&buffer[..count.expect("the line holds")], b"text");
    assert_eq!(stage.line.heard(), [NOBODY]);
}

#[test]
fn a_garbled_request_is_asked_for_again() {
    let mut stage = stage();
    let mut bytes = request(stage.session, 1, b's', b"/a\0");
    bytes.remove(20);
    stage.line.prints(&bytes);
    assert_eq!(stage.read(), b"");
    assert_eq!(stage.line.heard(), [AGAIN]);
}

#[test]
fn no_board_makes_it_grow_or_wait() {
    let mut stage = stage();
    let mut random = testkit::Random(3);
    let mut largest = 0;
    for round in 0..4000u32 {
        match round % 5 {
            0 => stage.read_file(round as u8),
            1 => stage.ask(round as u8, b'T', &[b'z'; 3000]),
            2 => stage.line.prints(b"\x06\x06\x06\x1eumqtt AAAA\x1f"),
            3 => stage.line.prints(&[b'\x1e', random.number() as u8]),
            _ => {
                let noise: Vec<u8> = (0..300).map(|_| random.number() as u8).collect();
                stage.line.prints(&noise);
            }
        }
        let started = Instant::now();
        stage.read();
        assert!(started.elapsed() < Duration::from_secs(60));
        largest = largest.max(stage.line.heard().len());
    }
    // Held bytes are bounded, and an answer is sent by units.
    assert!(largest < 20_000, "{largest}");
}
