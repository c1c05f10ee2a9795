//! Requests among what a board prints: found, checked, and taken out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use std::time::{Duration, Instant};

/// What every request begins with.
const BEGINS: &[u8] = b"\x1eumqtt ";
const ENDS: u8 = 0x1f;

/// Longest request, bytes on the line: 3072 bytes of a file, a path, base64.
const LONGEST: usize = 6 * 1024;

/// The beginning of a request whose rest does not come within this time is none.
const REST: Duration = Duration::from_secs(2);

/// One thing found in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Not a request: whoever listens to the board gets these.
    Passed(Vec<u8>),
    Request(Request),
    /// A request that lost something on the way.
    Garbled,
}

/// What a board asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Which mount asks.
    pub(super) session: [u8; 3],
    /// Counts requests, modulo 256; one that is asked again has the number it had.
    pub(super) number: u8,
    pub(super) kind: u8,
    pub(super) arguments: Vec<u8>,
    /// The check is the sum of the bytes, not a CRC-32.
    pub(super) summed: bool,
}

/// Splits a board's output.
#[derive(Debug)]
pub(super) struct Scanner {
    /// What may be the beginning of a request.
    kept: Vec<u8>,
    touched: Instant,
}

impl Scanner {
    pub(super) fn new() -> Scanner {
        Scanner {
            kept: Vec::new(),
            touched: Instant::now(),
        }
    }

    /// A request has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        !self.kept.is_empty()
    }

    /// What comes before anything that might be a request, and the rest.
    pub(super) fn split_plain(bytes: &[u8]) -> (&[u8], &[u8]) {
        let at = bytes.iter().position(|byte| *byte == BEGINS[0]);
        bytes.split_at(at.unwrap_or(bytes.len()))
    }

    pub(super) fn take(&mut self, byte: u8) -> Option<Found> {
        self.touched = Instant::now();
        let at = self.kept.len();
        if byte == BEGINS[0] || at == 0 {
            let before = std::mem::take(&mut self.kept);
            if byte == BEGINS[0] {
                self.kept.push(byte);
                // A request that an exception cut off is followed by another one.
                return (!before.is_empty()).then_some(Found::Passed(before));
            }
            return Some(Found::Passed(vec![byte]));
        }
        self.kept.push(byte);
        let fits = match BEGINS.get(at) {
            Some(wanted) => byte == *wanted,
            None => byte == ENDS || byte.is_ascii_alphanumeric() || b"+/=".contains(&byte),
        };
        if !fits || self.kept.len() > LONGEST {
            return Some(Found::Passed(std::mem::take(&mut self.kept)));
        }
        if byte == ENDS {
            let body = &self.kept[BEGINS.len()..at];
            let request = BASE64.decode(body).ok().and_then(|body| parsed(&body));
            self.kept.clear();
            return Some(request.map_or(Found::Garbled, Found::Request));
        }
        None
    }

    /// Gives up on a request whose rest does not come.
    pub(super) fn overdue(&mut self) -> Option<Vec<u8>> {
        let over = !self.kept.is_empty() && self.touched.elapsed() > REST;
        over.then(|| std::mem::take(&mut self.kept))
    }
}

fn parsed(body: &[u8]) -> Option<Request> {
    let (content, check) = body.split_last_chunk::<4>()?;
    let check = u32::from_le_bytes(*check);
    let summed = check != crc32fast::hash(content);
    if summed && check != sum(content) {
        return None;
    }
    let ([a, b, c, number, kind], arguments) = content.split_first_chunk::<5>()?;
    Some(Request {
        session: [*a, *b, *c],
        number: *number,
        kind: *kind,
        arguments: arguments.to_vec(),
        summed,
    })
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(*byte)).sum()
}

/// An answer as it goes over the line: 0x1e, four hexadecimal digits of length, base64 of number, errno, what was asked
/// for, check. Nothing in it means anything to a prompt that it may come upon.
pub(super) fn answer(request: &Request, result: Result<Vec<u8>, u8>) -> Vec<u8> {
    let (errno, data) = match result {
        Ok(data) => (0, data),
        Err(errno) => (errno, Vec::new()),
    };
    let mut body = vec![request.number, errno];
    body.extend(data);
    let check = if request.summed {
        sum(&body)
    } else {
        crc32fast::hash(&body)
    };
    body.extend(check.to_le_bytes());
    let text = BASE64.encode(body);
    format!("\x1e{:04x}{text}", text.len()).into_bytes()
}

#[cfg(test)]
pub(super) fn request(session: [u8; 3], number: u8, kind: u8, arguments: &[u8]) -> Vec<u8> {
    let mut body = [&session[..], &[number, kind], arguments].concat();
    body.extend(crc32fast::hash(&body).to_le_bytes());
    [BEGINS, BASE64.encode(body).as_bytes(), &[ENDS]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> (Vec<u8>, Vec<Found>) {
        let mut scanner = Scanner::new();
        let (mut passed, mut others) = (Vec::new(), Vec::new());
        for found in bytes.iter().filter_map(|byte| scanner.take(*byte)) {
            match found {
                Found::Passed(bytes) => passed.extend(bytes),
                other => others.push(other),
            }
        }
        passed.extend(scanner.kept);
        (passed, others)
    }

    #[test]
    fn what_a_program_prints_comes_through_and_requests_do_not() {
        let asked = request([1, 2, 3], 4, b's', b"/main.py\0");
        let printed = b"a\x1eb\x1f\x1e\x1eumqtt\x1eumqtt x,\xff\x00\x1eumqtt QUJD ";
        let stream = [printed, &asked[..], b"after\x1eumqt"].concat();
        let (passed, found) = split(&stream);
        assert_eq!(passed, [&printed[..], b"after\x1eumqt"].concat());
        let [Found::Request(request)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((request.session, request.number), ([1, 2, 3], 4));
        assert_eq!(
            (request.kind, &request.arguments[..]),
            (b's', &b"/main.py\0"[..])
        );
    }

    #[test]
    fn a_request_is_whole_or_garbled() {
        let asked = request([9; 3], 0, b'w', &[7; 100]);
        for at in BEGINS.len()..asked.len() - 1 {
            let mut other = asked.clone();
            other[at] = if other[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(split(&other), (vec![], vec![Found::Garbled]), "{at}");
            other.remove(at);
            assert_eq!(split(&other), (vec![], vec![Found::Garbled]), "{at}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_request_and_is_not_kept() {
        let mut scanner = Scanner::new();
        let endless = BEGINS.iter().chain(std::iter::repeat(&b'A')).take(1 << 20);
        let mut passed = 0;
        for byte in endless {
            if let Some(Found::Passed(bytes)) = scanner.take(*byte) {
                passed += bytes.len();
            }
            assert!(scanner.kept.len() <= LONGEST);
        }
        assert_eq!(passed + scanner.kept.len(), 1 << 20);
    }
}
