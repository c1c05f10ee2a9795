//! Frames to the agent: bytes that may not hold 0x03 (Ctrl-C, which always stops the board) nor
//! 0x0d (which a board's text input changes), cut into units that the board acknowledges.
//!
//! ```text
//! kind  length/128|80  length%128|80  p  q  r  check     payload…
//! ```
//! `check` is the exclusive or of the six bytes before it, with its top bit set. Where `p` is not
//! 0, the pair `p q` in the payload stands for 0x03 and `p r` for 0x0d; else it has neither. The
//! payload of every kind but data (`D`, `Z`) is text, separated by 0x00, and ends with six
//! hexadecimal digits of [`check_sum`].

const CTRL_C: u8 = 0x03;
const RETURN: u8 = 0x0d;

/// Bytes in front of the payload.
pub(super) const HEADER: usize = 7;

/// Largest payload on the line: two digits of seven bits.
pub(super) const LARGEST: usize = 128 * 128 - 1;

/// A frame as it goes over the line; `payload` must be at most three quarters of [`LARGEST`], so
/// that its substitutions fit.
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let (escapes, body) = substitute(payload);
    assert!(body.len() <= LARGEST, "the caller cuts payloads");
    let [p, q, r] = escapes;
    let (high, low) = ((body.len() >> 7) as u8 | 0x80, body.len() as u8 | 0x80);
    let check = kind ^ high ^ low ^ p ^ q ^ r | 0x80;
    let mut out = vec![kind, high, low, p, q, r, check];
    out.extend(body);
    out
}

/// The three bytes of the header, and `payload` without the two forbidden bytes.
fn substitute(payload: &[u8]) -> ([u8; 3], Vec<u8>) {
    let forbidden = |byte: &u8| [CTRL_C, RETURN].contains(byte);
    if !payload.iter().any(forbidden) {
        return ([0; 3], payload.to_vec());
    }
    let mut counts = [0usize; 256];
    for &byte in payload {
        counts[usize::from(byte)] += 1;
    }
    // From '!' on: no byte that a terminal on the way may take for a command.
    let usable = (0x21..=0xfe).filter(|byte| *byte != 0x7f);
    let p = (usable.clone().min_by_key(|byte| counts[usize::from(*byte)])).unwrap_or(b'~');
    let mut follows = [false; 256];
    for pair in payload.windows(2).filter(|pair| pair[0] == p) {
        follows[usize::from(pair[1])] = true;
    }
    // The rarest of 220 bytes is followed by fewer than 75 others in the largest payload.
    let mut free = usable.filter(|byte| *byte != p && !follows[usize::from(*byte)]);
    let (q, r) = (free.next().unwrap_or(b'"'), free.next().unwrap_or(b'#'));
    let mut body = Vec::with_capacity(payload.len() + payload.len() / 64);
    for &byte in payload {
        match byte {
            CTRL_C => body.extend([p, q]),
            RETURN => body.extend([p, r]),
            other => body.push(other),
        }
    }
    ([p, q, r], body)
}

/// The payload of a frame that is not data: texts and their check sum.
pub(super) fn texts(texts: &[&str]) -> Vec<u8> {
    let mut payload = texts.join("\0").into_bytes();
    let sum = format!("{:06x}", check_sum(&payload));
    payload.extend(sum.bytes());
    payload
}

/// Small enough for MicroPython's small integers: `c = (c * 31 + x) & 0xffffff`, from 7 on.
fn check_sum(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(7, |sum, byte| (sum * 31 + u32::from(*byte)) & 0xff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The board's side: two replacements.
    fn replaced(escapes: [u8; 3], body: &[u8]) -> Vec<u8> {
        let [p, q, r] = escapes;
        let replace = |from: &[u8], pair: [u8; 2], to: u8| {
            let mut out = Vec::new();
            let mut at = 0;
            while at < from.len() {
                if from[at..].starts_with(&pair) {
                    out.push(to);
                    at += 2;
                } else {
                    out.push(from[at]);
                    at += 1;
                }
            }
            out
        };
        if p == 0 {
            return body.to_vec();
        }
        replace(&replace(body, [p, q], CTRL_C), [p, r], RETURN)
    }

    #[test]
    fn every_payload_comes_back_and_holds_no_control_c() {
        let mut state = 1u64;
        let mut random = move || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize
        };
        for round in 0..600 {
            let length = random() % [10, 300, 3000, 12_000][round % 4];
            let values = [3, 16, 40, 256][random() % 4];
            let payload: Vec<u8> = (0..length).map(|_| (random() % values) as u8).collect();
            let (escapes, body) = substitute(&payload);
            assert!(!body.contains(&CTRL_C) && !body.contains(&RETURN));
            assert!(!escapes.contains(&CTRL_C) && !escapes.contains(&RETURN));
            assert_eq!(replaced(escapes, &body), payload, "round {round}");
        }
        let every: Vec<u8> = (0..=255).cycle().take(8192).collect();
        let (escapes, body) = substitute(&every);
        assert_eq!(replaced(escapes, &body), every);
        assert!(body.len() <= every.len() + every.len() / 100);
    }

    #[test]
    fn a_frame_is_drawn_as_above() {
        assert_eq!(
            frame(b'D', b"ab"),
            [b'D', 0x80, 0x82, 0, 0, 0, b'D' ^ 0x02 | 0x80, b'a', b'b']
        );
        assert_eq!(texts(&["a", "b"]).len(), 3 + 6);
        for byte in frame(b'N', &[3; 200]) {
            assert!(byte != 3 && byte != 13);
        }
    }
}
