//! Decides how one connection is read and written: packets in, bytes out, and when it has been
//! silent for too long.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{self, Instant};
use tokio_rustls::TlsAcceptor;

use crate::frame;
use crate::hub::Hub;
use crate::link::Link;
use crate::network;
use crate::opening::{self, READ_SIZE, Transport};
use crate::pace::Pace;
use crate::server::Service;
use crate::tap::CloseReason;

/// How long a publisher waits for a subscriber that does not read, before messages of QoS 0 to it
/// are dropped.
const WAIT_FOR_READERS: Duration = Duration::from_secs(2);

/// How long the last answer to a client may take to leave.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(1);

/// The largest packet taken before CONNECT was accepted, in bytes: five texts of the greatest length there is, and the
/// few bytes around them.
const CONNECT_LIMIT: usize = 5 * (2 + 65_535) + 10;

type Stream = Box<dyn Transport>;

/// Serves one connection until it ends.
pub(crate) async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, service: Rc<Service>) {
    let (Ok(()), Ok(peer)) = (stream.set_nodelay(true), stream.peer_addr()) else {
        // The peer is gone already.
        return;
    };
    let deadline = Instant::now() + service.limits.connect_within;
    let (id, link) = service.hub.borrow_mut().opened(peer);
    let stream = through_network(stream, &service);
    let opening = opening::open(stream, tls, &service.origins, service.limits.packet);
    let opened = tokio::select! {
        opened = time::timeout_at(deadline, opening) => {
            opened.unwrap_or(Err(CloseReason::NoConnect))
        }
        reason = link.ended() => Err(reason),
    };
    let stream = match opened {
        Ok(stream) => stream,
        Err(reason) => {
            service.hub.borrow_mut().closed(id, &reason);
            return;
        }
    };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let reason = tokio::select! {
        reason = read(&mut reader, id, &service, deadline) => reason,
        reason = write(&mut writer, &link) => reason,
        reason = link.ended() => reason,
    };
    service.hub.borrow_mut().closed(id, &reason);
    // What was put in front of the end, a CONNACK that refuses for one, still leaves.
    let rest = link.take_rest();
    if !matches!(reason, CloseReason::Lost | CloseReason::KeepAlive(_)) {
        let last = async {
            writer.write_all(&rest).await?;
            writer.shutdown().await
        };
        let _ = time::timeout(LAST_WRITE_WITHIN, last).await;
    }
}

/// Bytes that may be between the network and this connection.
const IN_BETWEEN: usize = 64 << 10;

/// The connection as the broker has it: as it came, or with a bad network in between.
fn through_network(stream: TcpStream, service: &Service) -> Stream {
    let Some(carrier) = &service.network else {
        return Box::new(stream);
    };
    let (ours, theirs) = tokio::io::duplex(IN_BETWEEN);
    let carrier = Rc::clone(carrier);
    tokio::task::spawn_local(async move { network::carry(stream, theirs, &carrier).await });
    Box::new(ours)
}

/// Bytes of an empty buffer that a connection keeps for what it sends next.
const KEPT_BUFFER: usize = 64 << 10;

async fn write(writer: &mut WriteHalf<Stream>, link: &Link) -> CloseReason {
    let mut bytes = BytesMut::new();
    loop {
        link.take(&mut bytes).await;
        let written = async {
            writer.write_all(&bytes).await?;
            // TLS and WebSockets keep what they have not put into a record or frame yet.
            writer.flush().await
        };
        if written.await.is_err() {
            return CloseReason::Lost;
        }
        link.written(bytes.len());
        if bytes.capacity() > KEPT_BUFFER {
            bytes = BytesMut::new();
        }
        bytes.clear();
    }
}

async fn read(
    reader: &mut ReadHalf<Stream>,
    id: u64,
    service: &Service,
    deadline: Instant,
) -> CloseReason {
    let hub = &service.hub;
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let mut pace = Pace::new(service.limits.rate);
    loop {
        loop {
            let limit = match hub.borrow().keep_alive(id) {
                None => service.limits.packet.min(CONNECT_LIMIT),
                Some(_) => service.limits.packet,
            };
            let packet = match frame::next_packet(&mut buffer, limit) {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) => return hub.borrow_mut().malformed(id, &error, &buffer),
            };
            let is_publish = matches!(packet, Packet::Publish(_));
            let is_admitted = match &packet {
                Packet::Connect(connect) => service.admission.admits(connect.login.as_ref()).await,
                _ => true,
            };
            let done = if is_admitted {
                hub.borrow_mut().received(id, packet)
            } else {
                let code = ConnectReturnCode::NotAuthorized;
                Err(hub.borrow_mut().refuse(id, &packet, code))
            };
            if let Err(reason) = done {
                return reason;
            }
            if is_publish {
                pace.wait().await;
                wait_for_readers(id, hub).await;
            }
        }
        let keep_alive = hub.borrow().keep_alive(id);
        let (limit, silent) = match keep_alive {
            None => (
                Some(deadline.saturating_duration_since(Instant::now())),
                CloseReason::NoConnect,
            ),
            Some(0) => (None, CloseReason::Lost),
            Some(seconds) => (
                Some(Duration::from_millis(1500 * u64::from(seconds))),
                CloseReason::KeepAlive(seconds),
            ),
        };
        buffer.reserve(READ_SIZE);
        match read_within(reader, &mut buffer, limit).await {
            None => return silent,
            Some(Ok(0)) => return CloseReason::Lost,
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return CloseReason::Protocol(error.to_string());
            }
            Some(Err(_)) => return CloseReason::Lost,
            Some(Ok(_)) => {}
        }
    }
}

/// Reads what is there; `None` when nothing came in time.
async fn read_within(
    reader: &mut ReadHalf<Stream>,
    buffer: &mut BytesMut,
    limit: Option<Duration>,
) -> Option<io::Result<usize>> {
    match limit {
        None => Some(reader.read_buf(buffer).await),
        Some(limit) => time::timeout(limit, reader.read_buf(buffer)).await.ok(),
    }
}

/// Lets a fast publisher wait for the clients that get its messages, so that they need not be dropped.
async fn wait_for_readers(id: u64, hub: &RefCell<Hub>) {
    let crowded = hub.borrow().crowded(id);
    for link in crowded {
        if time::timeout(WAIT_FOR_READERS, link.drained())
            .await
            .is_err()
        {
            link.set_stalled();
        }
    }
}
