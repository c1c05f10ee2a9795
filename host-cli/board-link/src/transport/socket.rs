//! A board behind a plain TCP connection: `socket://HOST:PORT`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Transport, is_pause};
use crate::error::LinkError;

/// A TCP connection that carries the board's bytes as they are.
pub struct SocketTransport {
    stream: TcpStream,
    name: String,
}

impl SocketTransport {
    /// Connects to `host`:`port`, trying each of the host's addresses, within `timeout` in all.
    ///
    /// # Errors
    /// [`LinkError::Unreachable`] with the last address's reason.
    pub fn connect(host: &str, port: u16, timeout: Duration) -> Result<Self, LinkError> {
        let name = format!("socket://{}", join(host, port));
        let stream = connect(host, port, timeout).map_err(|source| LinkError::Unreachable {
            port: name.clone(),
            source,
        })?;
        Ok(SocketTransport { stream, name })
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
pub(crate) fn join(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

pub(crate) fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + timeout;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// One read of at most `timeout`, in the terms of [`Transport::read`].
pub(crate) fn read(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    timeout: Duration,
) -> io::Result<usize> {
    // The standard library refuses a time-out of zero.
    stream.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
    match stream.read(buffer) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(count),
        Err(error) if is_pause(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Writes all of `data` within `timeout`, in the terms of [`Transport::write`].
pub(crate) fn write(stream: &mut TcpStream, mut data: &[u8], timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    while !data.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(data) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => data = &data[count..],
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Transport for SocketTransport {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        read(&mut self.stream, buffer, timeout)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        write(&mut self.stream, data, timeout)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
