//! How data gets smaller on its way: raw deflate, in blocks that the board inflates one by one.
//!
//! A board with memory for the whole distance that deflate can refer back (32 KiB) keeps one stream
//! for all files of a connection; on others a new stream begins before the distance is exceeded.

use flate2::{Compress, Compression, FlushCompress, Status};

/// As far as deflate refers back, bytes.
const FARTHEST: usize = 1 << 15;

/// Room for what a block grows by at worst: its header and the end of a flush.
const GROWTH: usize = 1024;

/// Less data than this is not worth trying, bytes.
const SMALLEST: usize = 32;

/// The data that the board's inflating stream has seen.
#[derive(Debug)]
pub(crate) struct Stream {
    compress: Compress,
    taken: usize,
    /// How far the board can refer back, bytes.
    distance: usize,
}

impl Stream {
    fn new(distance: usize) -> Stream {
        Stream {
            compress: Compress::new(Compression::best(), false),
            taken: 0,
            distance,
        }
    }

    fn has_room(&self, length: usize) -> bool {
        self.distance >= FARTHEST || self.taken + length <= self.distance
    }

    /// The next block, whose data is whole when its last byte has come. `None` if it fails, which it has no reason to.
    fn block(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let length = u16::try_from(data.len()).ok()?;
        let mut out = Vec::with_capacity(data.len() + GROWTH);
        out.extend(length.to_be_bytes());
        let before = self.compress.total_in();
        let status = self
            .compress
            .compress_vec(data, &mut out, FlushCompress::Sync);
        self.taken += data.len();
        let whole = self.compress.total_in() - before == data.len() as u64;
        (matches!(status, Ok(Status::Ok)) && whole && out.len() < out.capacity()).then_some(out)
    }
}

/// A block of data as the frame that carries it: its kind and payload. `stream` is what the board has seen so far.
pub(crate) fn pack(stream: &mut Option<Stream>, distance: usize, data: &[u8]) -> (u8, Vec<u8>) {
    // What gets no smaller is not worth the board's time, and does not enter the stream.
    if distance == 0 || data.len() < SMALLEST || deflated(data).is_none() {
        return (b'D', data.to_vec());
    }
    let going_on = stream.take_if(|stream| stream.has_room(data.len()));
    let kind = if going_on.is_some() { b'z' } else { b'Z' };
    let mut now = going_on.unwrap_or_else(|| Stream::new(distance));
    let Some(block) = now.block(data) else {
        return (b'D', data.to_vec());
    };
    *stream = Some(now);
    (kind, block)
}

/// `data` as raw deflate of its own, if that is smaller.
pub(crate) fn deflated(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    let mut compress = Compress::new(Compression::best(), false);
    // What does not fit into as much as the data takes is of no use.
    match compress.compress_vec(data, &mut out, FlushCompress::Finish) {
        Ok(Status::StreamEnd) if out.len() < data.len() => Some(out),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    #[test]
    fn only_what_gets_smaller_is_deflated() {
        let text = b"print('hola')\n".repeat(100);
        assert!(deflated(&text).is_some_and(|small| small.len() < text.len() / 10));
        assert_eq!(deflated(&[7]), None);
        assert_eq!(deflated(b""), None);
    }

    /// As the board does: exactly as many bytes as a block says, from no more than the blocks so far.
    #[test]
    fn every_block_is_whole_when_it_has_come() {
        let text: Vec<u8> = (0..60_000u32)
            .flat_map(|n| format!("{} ", n * n % 977).into_bytes())
            .take(60_000)
            .collect();
        for distance in [1 << 10, 1 << 13, 1 << 14, FARTHEST] {
            let mut stream = None;
            let mut inflate = Decompress::new(false);
            let mut restarts = 0;
            for data in text.chunks(distance.min(8000)) {
                let (kind, payload) = pack(&mut stream, distance, data);
                if kind == b'Z' {
                    inflate = Decompress::new(false);
                    restarts += 1;
                }
                assert_ne!(kind, b'D');
                assert_eq!(payload[..2], (data.len() as u16).to_be_bytes());
                let mut back = Vec::with_capacity(data.len());
                inflate
                    .decompress_vec(&payload[2..], &mut back, FlushDecompress::Sync)
                    .expect("raw deflate");
                assert_eq!(back, data, "{distance}");
            }
            let wanted = match distance {
                FARTHEST => 1,
                _ => text
                    .len()
                    .div_ceil(distance / distance.min(8000) * distance.min(8000)),
            };
            assert_eq!(restarts, wanted, "{distance}");
        }
    }

    #[test]
    fn what_does_not_get_smaller_goes_as_it_is_and_leaves_the_stream_alone() {
        let mut stream = None;
        assert_eq!(pack(&mut stream, 0, &[b'a'; 99]), (b'D', vec![b'a'; 99]));
        assert_eq!(pack(&mut stream, FARTHEST, &[b'a'; 99]).0, b'Z');
        assert_eq!(pack(&mut stream, FARTHEST, b"xyz"), (b'D', b"xyz".to_vec()));
        assert_eq!(pack(&mut stream, FARTHEST, &[b'a'; 99]).0, b'z');
    }
}
