//! Decides how one TCP connection is read and written: packets in, bytes out, and when it has been
//! silent for too long.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time;

use crate::frame;
use crate::hub::Hub;
use crate::link::Link;
use crate::tap::CloseReason;

/// How long a connection may take to send CONNECT.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a publisher waits for a subscriber that does not read, before messages of QoS 0 to it
/// are dropped.
const WAIT_FOR_READERS: Duration = Duration::from_secs(2);

/// How long the last answer to a client may take to leave.
const LAST_WRITE_WITHIN: Duration = Duration::from_secs(1);

/// Bytes read at a time.
const READ_SIZE: usize = 16 << 10;

/// Serves one connection until it ends.
pub(crate) async fn serve(mut stream: TcpStream, hub: Rc<RefCell<Hub>>, packet_limit: usize) {
    let (Ok(()), Ok(peer)) = (stream.set_nodelay(true), stream.peer_addr()) else {
        // The peer is gone already.
        return;
    };
    let link = Rc::new(Link::default());
    let id = hub.borrow_mut().opened(Rc::clone(&link), peer);
    let (mut reader, mut writer) = stream.split();
    let reason = tokio::select! {
        reason = read(&mut reader, id, &hub, packet_limit) => reason,
        reason = write(&mut writer, &link) => reason,
        reason = link.ended() => reason,
    };
    hub.borrow_mut().closed(id, &reason);
    // What was put in front of the end, a CONNACK that refuses for one, still leaves.
    let rest = link.take_rest();
    if !rest.is_empty() && !matches!(reason, CloseReason::Lost | CloseReason::KeepAlive(_)) {
        let _ = time::timeout(LAST_WRITE_WITHIN, writer.write_all(&rest)).await;
    }
    let _ = writer.shutdown().await;
}

async fn write(writer: &mut WriteHalf<'_>, link: &Link) -> CloseReason {
    loop {
        let bytes = link.take().await;
        if writer.write_all(&bytes).await.is_err() {
            return CloseReason::Lost;
        }
        link.written(bytes.len());
    }
}

async fn read(
    reader: &mut ReadHalf<'_>,
    id: u64,
    hub: &RefCell<Hub>,
    packet_limit: usize,
) -> CloseReason {
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let opened = time::Instant::now();
    loop {
        loop {
            let packet = match frame::next_packet(&mut buffer, packet_limit) {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) => return hub.borrow_mut().malformed(id, &error, &buffer),
            };
            let is_publish = matches!(packet, Packet::Publish(_));
            let done = hub.borrow_mut().received(id, packet);
            if let Err(reason) = done {
                return reason;
            }
            if is_publish {
                wait_for_readers(id, hub).await;
            }
        }
        let keep_alive = hub.borrow().keep_alive(id);
        let (limit, silent) = match keep_alive {
            None => (
                Some(CONNECT_WITHIN.saturating_sub(opened.elapsed())),
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
            Some(Ok(0) | Err(_)) => return CloseReason::Lost,
            Some(Ok(_)) => {}
        }
    }
}

/// Reads what is there; `None` when nothing came in time.
async fn read_within(
    reader: &mut ReadHalf<'_>,
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
