//! Any fields in buffers of any size: a packet is written whole or refused, has the size that was promised, and holds
//! the fields where the standard puts them.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mqtt_core::encode::{self, Connect, PUBLISH_OVERHEAD, PublishHead, Will};
use mqtt_core::{Error, topic};

#[derive(Arbitrary, Debug)]
struct Fields<'a> {
    strings: [&'a [u8]; 5],
    /// One of the strings is this long instead.
    long: Option<(u8, u32)>,
    clean_session: bool,
    keep_alive: u16,
    will: Option<(u8, bool)>,
    login: bool,
    delivery: Option<(bool, u16)>,
    retain: bool,
    payload_len: u32,
    room: u16,
}

/// Reads what was written, from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u16 {
        let bytes = self.take(2);
        u16::from(bytes[0]) << 8 | u16::from(bytes[1])
    }

    fn string(&mut self) -> &'a [u8] {
        let length = self.number();
        self.take(usize::from(length))
    }

    /// Section 2.2.3.
    fn remaining(&mut self) -> usize {
        let mut length = 0;
        for position in 0..4 {
            let byte = self.take(1)[0];
            length |= usize::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                return length;
            }
        }
        panic!("a remaining length of more than four bytes");
    }
}

/// Writes to exact and to smaller buffers. The packet, if it can be written at all.
fn written(
    room: usize,
    size: usize,
    write: impl Fn(&mut [u8]) -> Result<usize, Error>,
) -> Option<Vec<u8>> {
    let mut buffer = vec![0xaa; size];
    match write(&mut buffer) {
        Ok(count) => {
            assert_eq!(count, size);
            let mut small = vec![0xaa; room % size];
            assert_eq!(write(&mut small), Err(Error::BufferTooSmall));
            Some(buffer)
        }
        Err(error) => {
            assert_ne!(error, Error::BufferTooSmall);
            None
        }
    }
}

fuzz_target!(|fields: Fields<'_>| {
    let long;
    let mut strings = fields.strings;
    if let Some((index, length)) = fields.long {
        long = vec![b'l'; length as usize % 70_000];
        strings[usize::from(index) % 5] = &long;
    }
    let [client_id, name, message, user, password] = strings;
    let room = usize::from(fields.room);
    let fits = |strings: &[&[u8]]| strings.iter().all(|string| string.len() <= 0xffff);

    // Section 3.1.
    let connect = Connect {
        client_id,
        clean_session: fields.clean_session,
        keep_alive: fields.keep_alive,
        will: fields.will.map(|(qos, retain)| Will {
            topic: name,
            message,
            qos: qos % 3,
            retain,
        }),
        login: fields.login.then_some((user, password)),
    };
    let packet = written(room, connect.size(), |buffer| connect.encode(buffer));
    let mut used = vec![client_id];
    used.extend(
        connect
            .will
            .iter()
            .flat_map(|will| [will.topic, will.message]),
    );
    used.extend(
        connect
            .login
            .iter()
            .flat_map(|(user, password)| [*user, *password]),
    );
    assert_eq!(packet.is_some(), fits(&used));
    if let Some(packet) = packet {
        let mut reader = Reader(&packet);
        assert_eq!(reader.take(1), [0x10]);
        assert_eq!(reader.remaining(), reader.0.len());
        assert_eq!(reader.take(7), b"\0\x04MQTT\x04");
        let flags = reader.take(1)[0];
        assert_eq!(flags & 1, 0, "reserved");
        assert_eq!(flags & 2 != 0, fields.clean_session);
        assert_eq!(flags & 4 != 0, connect.will.is_some());
        let (qos, retain) = connect
            .will
            .map_or((0, false), |will| (will.qos, will.retain));
        assert_eq!((flags >> 3 & 3, flags & 0x20 != 0), (qos, retain));
        assert_eq!(
            (flags & 0x40 != 0, flags & 0x80 != 0),
            (fields.login, fields.login)
        );
        assert_eq!(reader.number(), fields.keep_alive);
        for string in used {
            assert_eq!(reader.string(), string);
        }
        assert!(reader.0.is_empty());
    }

    // Section 3.3.
    let delivery = fields
        .delivery
        .map(|(exactly_once, id)| (1 + u8::from(exactly_once), id.max(1)));
    let head = PublishHead {
        topic: name,
        payload_len: fields.payload_len as usize,
        retain: fields.retain,
        dup: delivery.is_some() && fields.login,
        delivery,
    };
    let size = encode::packet_size(head.remaining()) - head.payload_len;
    let too_large = head.remaining() > 268_435_455;
    if too_large {
        let mut buffer = vec![0; name.len() + PUBLISH_OVERHEAD];
        assert_eq!(head.encode(&mut buffer[..]), Err(Error::PacketTooLarge));
    } else {
        assert!(size <= name.len() + PUBLISH_OVERHEAD);
        let packet = written(room, size, |buffer| head.encode(buffer));
        assert_eq!(packet.is_some(), fits(&[name]));
        if let Some(packet) = packet {
            let mut reader = Reader(&packet);
            let first = reader.take(1)[0];
            assert_eq!(first >> 4, 3);
            assert_eq!(first & 1 != 0, head.retain);
            assert_eq!(first & 8 != 0, head.dup);
            assert_eq!(first >> 1 & 3, delivery.map_or(0, |(qos, _)| qos));
            assert_eq!(reader.remaining(), reader.0.len() + head.payload_len);
            assert_eq!(reader.string(), name);
            if let Some((_, id)) = delivery {
                assert_eq!(reader.number(), id);
            }
            assert!(reader.0.is_empty());
        }
    }

    // Sections 3.8 and 3.10.
    let id = fields.keep_alive.max(1);
    for (first, qos) in [(0x82, Some(1)), (0xa2, None)] {
        let remaining = 4 + name.len() + usize::from(qos.is_some());
        let size = encode::packet_size(remaining);
        let packet = written(room, size, |buffer| match qos {
            Some(qos) => encode::subscribe(buffer, id, name, qos),
            None => encode::unsubscribe(buffer, id, name),
        });
        assert_eq!(packet.is_some(), fits(&[name]));
        if let Some(packet) = packet {
            let mut reader = Reader(&packet);
            assert_eq!(reader.take(1), [first]);
            assert_eq!(reader.remaining(), remaining);
            assert_eq!(reader.number(), id);
            assert_eq!(reader.string(), name);
            assert_eq!(reader.0, qos.as_slice());
        }
    }

    // Sections 1.5.3 and 4.7.
    let text = std::str::from_utf8(name).ok();
    let string = text.filter(|text| !text.contains('\0') && text.len() <= 0xffff);
    assert_eq!(topic::check_string(name).is_ok(), string.is_some());
    let named = string.filter(|text| !text.is_empty() && !text.contains(['+', '#']));
    assert_eq!(topic::check_name(name).is_ok(), named.is_some());
    let filter = string.filter(|text| {
        let levels: Vec<&str> = text.split('/').collect();
        let whole = |(index, level): (usize, &&str)| match *level {
            "+" => true,
            "#" => index + 1 == levels.len(),
            other => !other.contains(['+', '#']),
        };
        !text.is_empty() && levels.iter().enumerate().all(whole)
    });
    assert_eq!(topic::check_filter(name).is_ok(), filter.is_some());
});
