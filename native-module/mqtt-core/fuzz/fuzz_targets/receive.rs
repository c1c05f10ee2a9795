//! Any bytes in any pieces: the packets that come out are those that a decoder with all bytes at hand sees, no byte
//! behind the packet at hand is read, and what the standard does not allow is refused. (The core has no allocator and
//! forbids unsafe code.)
//!
//! ```text
//! number of sizes (1)  sizes of pieces, 0 for as much as is asked for  the stream
//! ```
#![no_main]

mod reference;
mod stream;

use libfuzzer_sys::fuzz_target;
use mqtt_core::Receiver;

use stream::{Event, Storage, Stream};

/// All packets of a stream, how many bytes they took, and whether an error ended it.
fn all(bytes: &[u8], pieces: &[u8]) -> (Vec<Event>, usize, bool) {
    let mut receiver = Receiver::default();
    let mut storage = Storage::default();
    let mut stream = Stream::new(bytes, pieces);
    let mut events = Vec::new();
    let mut complete = 0;
    loop {
        match stream::receive(&mut receiver, &mut storage, &mut stream) {
            Ok(Some(event)) => {
                events.push(event);
                complete = stream.consumed();
            }
            Ok(None) => {
                assert_eq!(stream.consumed(), bytes.len(), "the end is seen before it");
                return (events, complete, false);
            }
            Err(_) => return (events, complete, true),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let (pieces, bytes) = rest.split_at(usize::from(*count).min(rest.len()));
    let (mut expected, mut complete) = (Vec::new(), 0);
    let refused = loop {
        match reference::decode(&bytes[complete..]) {
            Ok(Some((event, size))) => {
                expected.push(event);
                complete += size;
            }
            Ok(None) => break false,
            Err(()) => break true,
        }
    };
    for pieces in [pieces, &[], &[1]] {
        let (events, consumed, error) = all(bytes, pieces);
        assert_eq!(events, expected);
        assert_eq!(consumed, complete);
        // What is wrong may show before the packet is complete, but must when it is.
        assert!(error || !refused, "a malformed packet is taken");
    }
});
