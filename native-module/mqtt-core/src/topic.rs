//! Which strings, topic names and topic filters are allowed (sections 1.5.3 and 4.7).

use crate::Error;

/// Checks a topic name, as a PUBLISH or a will carries it: UTF-8 without NUL, 1 to 65,535 bytes, no wildcard
/// ([MQTT-3.3.2-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3]).
pub fn check_name(topic: &[u8]) -> Result<(), Error> {
    check_not_empty(topic, b'+')
}

/// Checks a topic filter, as a SUBSCRIBE carries it: as a name, but `+` may stand for a whole level and `#` for a
/// whole last one ([MQTT-4.7.1-2], [MQTT-4.7.1-3]).
pub fn check_filter(filter: &[u8]) -> Result<(), Error> {
    check_not_empty(filter, 0)?;
    let mut before = b'/';
    let mut bytes = filter.iter().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().map_or(b'/', |next| **next);
        let last = bytes.peek().is_none();
        let alone = before == b'/' && next == b'/';
        if is_wildcard(byte) && !(alone && (last || *byte == b'+')) {
            return Err(Error::MisplacedWildcard);
        }
        before = *byte;
    }
    Ok(())
}

fn is_wildcard(byte: &u8) -> bool {
    // `+` and `#` differ in one bit.
    byte | 8 == b'+'
}

fn check_not_empty(string: &[u8], wildcard: u8) -> Result<(), Error> {
    if string.is_empty() {
        return Err(Error::EmptyTopic);
    }
    check(string, wildcard)
}

/// Checks a string field: UTF-8 of at most 65,535 bytes without the null character ([MQTT-1.5.3-1],
/// [MQTT-1.5.3-2]). Surrogates and overlong forms are no UTF-8.
///
/// Written here because it is much smaller than the one of `core`, which reports where it failed.
pub fn check_string(string: &[u8]) -> Result<(), Error> {
    check(string, 0)
}

/// The same; besides, no byte may be `wildcard` but for the bit in which `+` and `#` differ. 0 for none.
fn check(string: &[u8], wildcard: u8) -> Result<(), Error> {
    if string.len() > usize::from(u16::MAX) {
        return Err(Error::StringTooLong);
    }
    let mut rest = string.iter();
    while let Some(byte) = rest.next() {
        if byte.wrapping_sub(1) < 0x7f {
            if byte | 8 == wildcard {
                return Err(Error::WildcardInTopic);
            }
            continue;
        }
        // How many bytes of the character are to come, and the range of the next one (Unicode, table 3-7).
        let (more, low, high) = match byte {
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return Err(Error::BadUtf8),
        };
        let (character, tail) = rest
            .as_slice()
            .split_at_checked(more)
            .ok_or(Error::BadUtf8)?;
        let [next, others @ ..] = character else {
            return Err(Error::BadUtf8);
        };
        if !(low..=high).contains(next) || others.iter().any(|byte| byte >> 6 != 2) {
            return Err(Error::BadUtf8);
        }
        rest = tail.iter();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn names_of_section_4_7() {
        for good in [
            "/",
            "a",
            "sport/tennis/player1",
            "/finance",
            "$SYS/x",
            "a//b",
            "año/ñ",
            " ",
            "\u{feff}a",
        ] {
            assert_eq!(check_name(good.as_bytes()), Ok(()), "{good}");
        }
        for (bad, error) in [
            ("", Error::EmptyTopic),
            ("a/+", Error::WildcardInTopic),
            ("#", Error::WildcardInTopic),
            ("a\0b", Error::BadUtf8),
        ] {
            assert_eq!(check_name(bad.as_bytes()), Err(error), "{bad:?}");
        }
        assert_eq!(check_name(&[b'a'; 65_536]), Err(Error::StringTooLong));
        assert_eq!(check_name(&[b'a'; 65_535]), Ok(()));
    }

    #[test]
    fn filters_of_section_4_7_1() {
        for good in [
            "#",
            "+",
            "sport/#",
            "sport/tennis/#",
            "+/tennis/#",
            "sport/+/player1",
            "/+",
            "+/+",
            "a",
            "/#",
            "+/",
        ] {
            assert_eq!(check_filter(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "sport+",
            "+sport",
            "a/b+/c",
            "##",
            "#/",
            "++",
            "+#",
        ] {
            assert_eq!(
                check_filter(bad.as_bytes()),
                Err(Error::MisplacedWildcard),
                "{bad}"
            );
        }
        assert_eq!(check_filter(b""), Err(Error::EmptyTopic));
    }

    #[test]
    fn utf8_is_what_core_takes_for_it_less_nul() {
        // Every string of up to four bytes over the bytes where something changes.
        let bytes = [
            0, 1, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
            0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        let mut strings = std::vec![Vec::new()];
        for _ in 0..4 {
            strings = strings
                .iter()
                .flat_map(|s: &Vec<u8>| bytes.iter().map(|b| [s.as_slice(), &[*b]].concat()))
                .collect();
            for string in &strings {
                let expected = core::str::from_utf8(string).is_ok_and(|text| !text.contains('\0'));
                assert_eq!(check_string(string).is_ok(), expected, "{string:x?}");
            }
        }
    }
}
