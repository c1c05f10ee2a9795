//! A peer that takes what a client publishes and counts the TCP segments that brought it, as this computer's kernel counts
//! them, on a connection of its own beside the broker's.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bench_report::Who;

/// Longer than any message is on its way; a client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Listens until the command ends.
pub struct Sink {
    address: SocketAddr,
    counted: Arc<Mutex<BTreeMap<Who, u64>>>,
}

impl Sink {
    pub fn start(ip: IpAddr) -> io::Result<Sink> {
        let listener = TcpListener::bind((ip, 0))?;
        let address = listener.local_addr()?;
        let counted: Arc<Mutex<BTreeMap<Who, u64>>> = Arc::default();
        let for_thread = Arc::clone(&counted);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&for_thread);
                std::thread::spawn(move || {
                    if let Ok((Some(who), segments)) = serve(stream) {
                        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
                        counted.insert(who, segments);
                    }
                });
            }
        });
        Ok(Sink { address, counted })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Segments with data behind everybody's CONNECT, up to and with the one that brought DISCONNECT.
    pub fn counted(&self) -> BTreeMap<Who, u64> {
        let counted = self.counted.lock();
        counted.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream) -> io::Result<(Option<Who>, u64)> {
    stream.set_read_timeout(Some(SILENCE))?;
    let connect = packet(&mut stream)?;
    // The client identifier ends with the name; no other name is in it.
    let who = Who::ALL.into_iter().find(|who| {
        let name = who.name().as_bytes();
        connect.windows(name.len()).any(|window| window == name)
    });
    let before = segments(&stream)?;
    // A connection accepted, no session (section 3.2).
    stream.write_all(b"\x20\x02\x00\x00")?;
    let mut last = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        last.extend_from_slice(&buffer[..read]);
        last.drain(..last.len().saturating_sub(2));
        if last == b"\xe0\x00" {
            break;
        }
    }
    Ok((who, segments(&stream)? - before))
}

/// The next packet whole.
fn packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
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
    Ok(body)
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
        stream.write_all(b"\xe0\x00").expect("a DISCONNECT");
        stream.read_exact(&mut [0]).expect_err("it closes");
        let deadline = std::time::Instant::now() + SILENCE;
        while sink.counted().is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(sink.counted(), BTreeMap::from([(Who::Native, 6)]));
    }
}
