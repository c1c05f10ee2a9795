//! The page's form for messages, as an MQTT client: its CONNECT and its handshakes are seen as any client's are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, Connection, ConnectionError, MqttOptions, QoS};

use crate::view::View;
use crate::words::Words;

/// Its client identifier, by which pages tell its packets from those of boards.
pub const CLIENT_ID: &str = "umqtt-lab";

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

/// A client that stays connected until it is dropped.
pub struct Publisher {
    client: Option<Client>,
    view: Arc<View>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub fn start(broker: SocketAddr, view: Arc<View>) -> Self {
        let mut options = MqttOptions::new(CLIENT_ID, broker.ip().to_string(), broker.port());
        options.set_keep_alive(Duration::from_secs(30));
        options.set_max_packet_size(2 << 20, 2 << 20);
        let (client, connection) = Client::new(options, WAITING);
        let ended = Arc::<AtomicBool>::default();
        let thread = std::thread::spawn({
            let (ended, view) = (Arc::clone(&ended), Arc::clone(&view));
            move || work(connection, &ended, &view)
        });
        Self {
            client: Some(client),
            view,
            ended,
            thread: Some(thread),
        }
    }

    pub fn publish(&self, message: Message) {
        let Message {
            topic,
            payload,
            qos,
            retain,
        } = message;
        let sent = self
            .client
            .as_ref()
            .is_some_and(|client| client.try_publish(topic, qos, retain, payload).is_ok());
        if !sent {
            self.view.error(
                None,
                Words::new(
                    "the message was not sent: too many are waiting",
                    "el mensaje no se envió: hay demasiados esperando",
                ),
            );
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // With the client gone the thread ends in any case; where nothing waits to be sent, with a goodbye.
        if let Some(client) = self.client.take() {
            let _ = client.try_disconnect();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut connection: Connection, ended: &AtomicBool, view: &View) {
    let mut told = false;
    // Waits without a limit: one would give a connection up that takes longer to be made. Its end is an event too.
    for event in connection.iter() {
        let Err(error) = event else {
            told = false;
            continue;
        };
        if ended.load(Ordering::SeqCst) {
            return;
        }
        if !told && !matches!(error, ConnectionError::RequestsDone) {
            view.error(
                None,
                Words::new(
                    format!("the page's own connection to the broker failed: {error}"),
                    format!("falló la conexión de la página con el broker: {error}"),
                ),
            );
            told = true;
        }
        std::thread::sleep(AGAIN_AFTER);
    }
}
