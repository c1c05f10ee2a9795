//! Decides how MQTT travels in a WebSocket (MQTT 3.1.1, section 6): which requests are let in, and how a stream of bytes
//! becomes frames and back.
//!
//! A browser sends along which page opened the WebSocket, and lets any page on the web try. So a page of another computer
//! is refused unless it was named; programs that are no browsers send no origin and are let in.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Where the broker is found.
pub const PATH: &str = "/mqtt";

/// The subprotocol that client and broker agree on (MQTT 3.1.1, 6: it must be "mqtt").
const SUBPROTOCOL: &str = "mqtt";

/// Bytes that go into one frame at most.
const FRAME: usize = 64 << 10;

/// Bytes around a packet in the largest message that is taken: its fixed header.
const FIXED_HEADER: usize = 5;

/// The bytes that travel in a WebSocket's binary messages.
pub(crate) struct MqttInWebSocket<S> {
    socket: WebSocketStream<S>,
    /// What of the last message was not read yet.
    rest: Bytes,
}

/// Answers the request that `stream` begins with. `origins` names the pages that may connect besides those of this
/// computer; `packet_limit` is the largest MQTT packet in bytes.
///
/// # Errors
/// Where the request is refused, after the answer has said why.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origins: &[String],
    packet_limit: usize,
) -> Result<MqttInWebSocket<S>, String> {
    let limit = Some(packet_limit.saturating_add(FIXED_HEADER));
    let config = WebSocketConfig::default()
        .max_message_size(limit)
        .max_frame_size(limit);
    #[expect(
        clippy::result_large_err,
        reason = "the library's callback returns its answer"
    )]
    let check = |request: &Request, response: Response| answer(request, response, origins);
    match tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(config)).await {
        Ok(socket) => Ok(MqttInWebSocket {
            socket,
            rest: Bytes::new(),
        }),
        Err(Error::Http(response)) => Err(response.into_body().map_or_else(
            || "a WebSocket that was refused".to_owned(),
            |body| String::from_utf8_lossy(&body).into_owned(),
        )),
        Err(error) => Err(format!("no WebSocket: {error}")),
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the library's callback returns its answer"
)]
fn answer(
    request: &Request,
    mut response: Response,
    origins: &[String],
) -> Result<Response, ErrorResponse> {
    let refuse = |status, why: String| {
        let mut response = ErrorResponse::new(Some(why));
        *response.status_mut() = status;
        Err(response)
    };
    let path = request.uri().path();
    if path.trim_end_matches('/') != PATH {
        let why = format!("a WebSocket at {path}; the broker's is at {PATH}");
        return refuse(StatusCode::NOT_FOUND, why);
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !is_allowed(&origin, host, origins) {
            let why =
                format!("a WebSocket of the page {origin}; --origin {origin} would let it in");
            return refuse(StatusCode::FORBIDDEN, why);
        }
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let speaks_mqtt = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| offer.trim() == SUBPROTOCOL);
    if !speaks_mqtt {
        let why = format!("a WebSocket without the subprotocol {SUBPROTOCOL}");
        return refuse(StatusCode::BAD_REQUEST, why);
    }
    response.headers_mut().insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(response)
}

/// Whether a page with this origin (`http://localhost:8000`) may open a WebSocket to `host`.
///
/// A page of this computer may; one that came from the very address that the WebSocket leads to, if that is an address
/// and no name: a name can be made to lead anywhere by whom it belongs to.
fn is_allowed(origin: &str, host: &str, origins: &[String]) -> bool {
    if origins
        .iter()
        .any(|allowed| allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
    {
        return true;
    }
    let Some((_, page)) = origin.split_once("://") else {
        return false;
    };
    let page = without_port(page);
    if page.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    match address(page) {
        Some(ip) => ip.is_loopback() || address(without_port(host)) == Some(ip),
        None => false,
    }
}

/// The host of `HOST:PORT`, `[IPV6]:PORT` and the like.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MqttInWebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Text is forbidden (MQTT 3.1.1, 6).
                Some(Ok(Message::Text(_))) => {
                    let why = "a WebSocket message of text";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MqttInWebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(broken)?;
        let count = bytes.len().min(FRAME);
        let message = Message::Binary(Bytes::copy_from_slice(&bytes[..count]));
        Pin::new(&mut self.socket)
            .start_send(message)
            .map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket)
            .poll_flush(context)
            .map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(context)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_computer_and_named_ones_may_connect() {
        let named = ["https://www.hivemq.com/".to_owned()];
        let cases = [
            ("http://localhost:8000", "127.0.0.1:1883", true),
            ("https://LOCALHOST", "127.0.0.1:1883", true),
            ("http://127.0.0.1:5500", "localhost:1883", true),
            ("http://[::1]:5500", "localhost:1883", true),
            ("http://192.168.1.7:8000", "192.168.1.7:1883", true),
            ("http://192.168.1.8:8000", "192.168.1.7:1883", false),
            ("https://www.hivemq.com", "127.0.0.1:1883", true),
            (
                "https://www.hivemq.com.evil.example",
                "127.0.0.1:1883",
                false,
            ),
            ("http://evil.example", "127.0.0.1:1883", false),
            // A name that was made to lead here.
            ("http://evil.example:1883", "evil.example:1883", false),
            ("http://localhost.evil.example", "127.0.0.1:1883", false),
            ("http://localhost@evil.example", "127.0.0.1:1883", false),
            ("null", "127.0.0.1:1883", false),
            ("", "127.0.0.1:1883", false),
        ];
        for (origin, host, expected) in cases {
            assert_eq!(
                is_allowed(origin, host, &named),
                expected,
                "{origin} to {host}"
            );
        }
        assert!(is_allowed("http://evil.example", "h", &["*".to_owned()]));
        assert!(is_allowed("null", "h", &["null".to_owned()]));
    }
}
