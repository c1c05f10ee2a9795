//! Decides what a new connection speaks: MQTT or a WebSocket, which one port can tell apart by the first byte, and both
//! over TLS on a port of its own.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio_rustls::TlsAcceptor;

use crate::tap::CloseReason;
use crate::websocket;

/// Bytes read at a time.
pub(crate) const READ_SIZE: usize = 16 << 10;

/// The first byte of a TLS handshake: the content type of its record (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// A stream of MQTT packets, whatever is around it.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for S {}

/// Gets through what is around the packets.
pub(crate) async fn open(
    stream: Box<dyn Transport>,
    tls: Option<TlsAcceptor>,
    origins: &[String],
    packet_limit: usize,
) -> Result<Box<dyn Transport>, CloseReason> {
    let expects_tls = tls.is_some();
    let stream: Box<dyn Transport> = match tls {
        None => stream,
        Some(acceptor) => Box::new(acceptor.accept(stream).await.map_err(refused_tls)?),
    };
    let mut stream = BufReader::with_capacity(READ_SIZE, stream);
    match stream.fill_buf().await {
        Err(_) | Ok([]) => Err(CloseReason::Lost),
        Ok([b'G', ..]) => match websocket::accept(stream, origins, packet_limit).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(why) => Err(CloseReason::Protocol(why)),
        },
        Ok([TLS_HANDSHAKE, ..]) if !expects_tls => Err(CloseReason::Protocol(
            "a client that speaks TLS; that has a port of its own, 8883 mostly".to_owned(),
        )),
        Ok(_) => Ok(Box::new(stream)),
    }
}

fn refused_tls(error: io::Error) -> CloseReason {
    if matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    ) {
        return CloseReason::Lost;
    }
    CloseReason::Protocol(format!("TLS: {error}"))
}
