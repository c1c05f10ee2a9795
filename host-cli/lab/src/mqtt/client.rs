//! The laboratory's own MQTT client: what pages publish goes by it, and from an outside broker it hears what can be heard.
//! Its CONNECT and its handshakes are seen as any client's are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{
    Connection, ConnectionError, Event, MqttOptions, Packet, Publish, QoS, SubscribeReasonCode,
};

use crate::words::Words;

/// Messages that may wait to be sent.
const WAITING: usize = 100;

/// How long it waits before it connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What is to be published.
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: QoS,
    pub retain: bool,
}

/// What the client tells of itself.
pub enum Heard {
    /// The broker let it in, and what it watches is on its way.
    Connected,
    /// The broker does not let it read what it asked for.
    Refused,
    Message(Publish),
    /// The connection ended, or could not be made; it is tried again.
    Lost(ConnectionError),
}

/// A client that stays connected until it is dropped.
pub struct Client {
    client: Option<rumqttc::Client>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects, again and again, and subscribes to `watch`; what happens is told to `hear`, on a thread of its own.
    pub fn start(
        options: MqttOptions,
        watch: Option<String>,
        hear: impl FnMut(Heard) + Send + 'static,
    ) -> Self {
        let (client, connection) = rumqttc::Client::new(options, WAITING);
        let ended = Arc::<AtomicBool>::default();
        let work = Work {
            watch: watch.map(|filter| (client.clone(), filter)),
            ended: Arc::clone(&ended),
            hear,
        };
        Self {
            client: Some(client),
            ended,
            thread: Some(std::thread::spawn(move || work.run(connection))),
        }
    }

    /// Hands a message over to be sent.
    ///
    /// # Errors
    /// In words, where too many wait.
    pub fn publish(&self, message: Message) -> Result<(), Words> {
        let Message {
            topic,
            payload,
            qos,
            retain,
        } = message;
        let client = self.client.as_ref();
        let sent =
            client.is_some_and(|client| client.try_publish(topic, qos, retain, payload).is_ok());
        sent.then_some(()).ok_or_else(|| {
            Words::new(
                "the message was not sent: too many are waiting",
                "el mensaje no se envió: hay demasiados esperando",
            )
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // The thread looks whether it is to end after whatever happens next: the goodbye, or an attempt to connect.
        if let Some(client) = self.client.take() {
            let _ = client.try_disconnect();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Work<H> {
    watch: Option<(rumqttc::Client, String)>,
    ended: Arc<AtomicBool>,
    hear: H,
}

impl<H: FnMut(Heard)> Work<H> {
    fn run(mut self, mut connection: Connection) {
        // Waits without a limit: one would give a connection up that takes longer to be made. Its end is an event too.
        for event in connection.iter() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => match &self.watch {
                    Some((client, filter)) => {
                        // The highest QoS, so that each message comes with its own. Nothing is handed over to be sent
                        // before the answer, so there is room.
                        let _ = client.try_subscribe(filter, QoS::ExactlyOnce);
                    }
                    None => (self.hear)(Heard::Connected),
                },
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    let refused = |code: &_| matches!(code, SubscribeReasonCode::Failure);
                    if answer.return_codes.iter().any(refused) {
                        (self.hear)(Heard::Refused);
                    }
                    (self.hear)(Heard::Connected);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    (self.hear)(Heard::Message(publish));
                }
                Ok(_) => {}
                Err(error) => {
                    (self.hear)(Heard::Lost(error));
                    std::thread::sleep(AGAIN_AFTER);
                }
            }
        }
    }
}
