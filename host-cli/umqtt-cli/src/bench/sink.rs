//! A peer that takes what a client publishes and counts the TCP segments that brought it, as this computer's kernel counts
//! them, on a connection of its own beside the broker's.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bench_report::Who;

/// Longer than any message is on its way; a client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Listens until the command ends.
pub struct Sink {
    address: SocketAddr,
    /// What ended connections brought.
    ended: Receiver<io::Result<(Who, u64)>>,
}

impl Sink {
    pub fn start(ip: IpAddr) -> io::Result<Sink> {
        let listener = TcpListener::bind((ip, 0))?;
        let address = listener.local_addr()?;
        let (sender, ended) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // Nobody may be waiting for it any more.
                std::thread::spawn(move || _ = sender.send(serve(stream)));
            }
        });
        Ok(Sink { address, ended })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Segments with data behind everybody's CONNECT, up to and with the one that brought DISCONNECT; of so many
    /// connections, which have been closed at their other end. Whose segments cannot be counted is left out.
    pub fn counted(&self, connections: usize) -> BTreeMap<Who, u64> {
        let ended = (0..connections).map_while(|_| self.ended.recv_timeout(SILENCE).ok());
        ended.flatten().collect()
    }
}

fn serve(mut stream: TcpStream) -> io::Result<(Who, u64)> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let (_, connect) = packet(&mut stream)?;
    // The client identifier ends with the name; no other name is in it.
    let who = Who::ALL.into_iter().find(|who| {
        let name = who.name().as_bytes();
        connect.windows(name.len()).any(|window| window == name)
    });
    let who = who.ok_or(io::ErrorKind::InvalidData)?;
    let before = segments(&stream)?;
    // A connection accepted, no session (section 3.2).
    stream.write_all(b"\x20\x02\x00\x00")?;
    loop {
        let (first, body) = packet(&mut stream)?;
        let answer = match (first >> 4, first >> 1 & 3) {
            // PUBLISH, whose identifier is behind its topic: PUBACK or PUBREC (sections 3.4 and 3.5).
            (3, qos @ (1 | 2)) => Some((if qos == 1 { 0x40 } else { 0x50 }, topic_end(&body))),
            // PUBREL: PUBCOMP (section 3.7).
            (6, _) => Some((0x70, 0)),
            (14, _) => break,
            _ => None,
        };
        if let Some((first, at)) = answer {
            let identifier = body.get(at..at + 2).ok_or(io::ErrorKind::InvalidData)?;
            stream.write_all(&[first, 2, identifier[0], identifier[1]])?;
        }
    }
    Ok((who, segments(&stream)? - before))
}

fn topic_end(body: &[u8]) -> usize {
    let length = body.first_chunk().copied().map_or(0, u16::from_be_bytes);
    2 + usize::from(length)
}

/// The next packet whole: its first byte and what is behind its length.
fn packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let (mut length, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 || shift > 14 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

/// Segments with data that have come so far.
#[cfg(target_os = "linux")]
fn segments(stream: &TcpStream) -> io::Result<u64> {
    use std::os::fd::AsRawFd;

    /// Where `tcpi_data_segs_in` lies in `struct tcp_info` (linux/tcp.h), which only grows at its end; Linux 4.6 has it.
    const DATA_SEGMENTS_IN: usize = 152;
    let mut info = [0_u8; 256];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, and how many it wrote to `length`.
    let done = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let field = info[..length as usize]
        .get(DATA_SEGMENTS_IN..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(io::ErrorKind::Unsupported)?;
    Ok(u64::from(u32::from_ne_bytes(*field)))
}

/// Only Linux tells.
#[cfg(not(target_os = "linux"))]
fn segments(_: &TcpStream) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn segments_are_those_of_the_kernel() {
        let sink = Sink::start([127, 0, 0, 1].into()).expect("a sink");
        let mut stream = TcpStream::connect(("127.0.0.1", sink.port())).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream
            .write_all(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x00\x00\x06native")
            .expect("a CONNECT");
        stream.read_exact(&mut [0; 4]).expect("a CONNACK");
        for _ in 0..5 {
            stream.write_all(b"\x30\x04\x00\x01a1").expect("a message");
            // What is written at once may travel at once.
            std::thread::sleep(Duration::from_millis(50));
        }
        for (message, answer) in [
            (&b"\x32\x06\x00\x01a\x12\x341"[..], b"\x40\x02\x12\x34"),
            (b"\x34\x06\x00\x01a\x56\x781", b"\x50\x02\x56\x78"),
            (b"\x62\x02\x56\x78", b"\x70\x02\x56\x78"),
        ] {
            stream.write_all(message).expect("a message");
            let mut came = [0; 4];
            stream.read_exact(&mut came).expect("its answer");
            assert_eq!(came, *answer);
        }
        stream.write_all(b"\xe0\x00").expect("a DISCONNECT");
        stream.read_exact(&mut [0]).expect_err("it closes");
        assert_eq!(sink.counted(1), BTreeMap::from([(Who::Native, 9)]));
    }
}
