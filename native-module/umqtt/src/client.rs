//! `MQTTClient`'s members as Python sees them; making a client, and what can be set before it connects.

use micropython::Qstr;
use micropython::prelude::*;

use crate::state::State;
use crate::{assertion, connect, incoming, outgoing};

/// A connection to an MQTT broker.
///
/// What umqtt.simple keeps in attributes is kept in attributes here, under the same names, so that scripts and
/// subclasses may read and set them; three more are ours: `_timeout`, what `connect` was told, `_raw`, the socket below
/// `sock` where that is a TLS one, and `_state` ([`State`]).
#[class(name = "MQTTClient")]
pub struct Client;

/// What the broker refused, or sent wrong; with the broker's code where it gave one.
#[class(name = "MQTTException", base = "Exception")]
pub struct MqttException;

/// What a client's attributes are called, in the order in which `__init__` sets them.
const ATTRIBUTES: [Qstr; 18] = [
    qstr!("client_id"),
    qstr!("sock"),
    qstr!("server"),
    qstr!("port"),
    qstr!("ssl"),
    qstr!("ssl_params"),
    qstr!("pid"),
    qstr!("cb"),
    qstr!("user"),
    qstr!("pswd"),
    qstr!("keepalive"),
    qstr!("lw_topic"),
    qstr!("lw_msg"),
    qstr!("lw_qos"),
    qstr!("lw_retain"),
    qstr!("_raw"),
    qstr!("_timeout"),
    qstr!("_state"),
];

#[class]
impl Client {
    #[signature(
        client_id: "str | bytes",
        server: "str",
        port: "int" = 0,
        user: "str | bytes | None" = None,
        password: "str | bytes | None" = None,
        keepalive: "int" = 0,
        ssl: "object" = None,
        ssl_params: "dict | None" = None,
        -> "None"
    )]
    #[allow(clippy::too_many_arguments, reason = "as many as umqtt.simple has")]
    fn __init__(
        this: Obj,
        client_id: Obj,
        server: Obj,
        port: Obj,
        user: Obj,
        password: Obj,
        keepalive: Obj,
        ssl: Obj,
        ssl_params: Obj,
    ) -> Result<()> {
        let none = Obj::none();
        let zero = Obj::from_int(0);
        let port = if port.equals(zero) {
            Obj::from_int(if ssl.is_true() { 8883 } else { 1883 })
        } else {
            port
        };
        let ssl_params = if ssl_params.is_none() {
            Obj::new_dict()
        } else {
            ssl_params
        };
        let no = Obj::from_bool(false);
        let state = State::create()?;
        let values = [
            client_id, none, server, port, ssl, ssl_params, zero, none, user, password, keepalive,
            none, none, zero, no, none, none, state,
        ];
        for (name, value) in ATTRIBUTES.iter().zip(values) {
            this.set(*name, value);
        }
        Ok(())
    }

    /// `f(topic, msg)` is called with two bytes objects for every message.
    #[signature(f: "Callable[[bytes, bytes], object]")]
    fn set_callback(this: Obj, f: Obj) {
        this.set(qstr!("cb"), f);
    }

    /// The message that the broker publishes should this client vanish. To be set before `connect`.
    #[signature(topic: "str | bytes", msg: "str | bytes", retain: "bool" = false, qos: "int" = 0, -> "None")]
    fn set_last_will(this: Obj, topic: Obj, msg: Obj, retain: Obj, qos: Obj) -> Result<()> {
        if !(0..=2).contains(&qos.to_int()?) {
            return Err(assertion(c"will: qos must be 0, 1 or 2"));
        }
        if !topic.is_true() {
            return Err(assertion(c"will: topic is empty"));
        }
        this.set(qstr!("lw_topic"), topic);
        this.set(qstr!("lw_msg"), msg);
        this.set(qstr!("lw_qos"), qos);
        this.set(qstr!("lw_retain"), retain);
        Ok(())
    }

    /// Connects; returns 1 if the broker kept a session, else 0.
    #[signature(clean_session: "bool" = true, timeout: "float | None" = None, -> "int")]
    fn connect(this: Obj, clean_session: Obj, timeout: Obj) -> Result<isize> {
        connect::connect(this, clean_session, timeout)
    }

    /// Tells the broker and closes the socket; `sock` stays set.
    fn disconnect(this: Obj) -> Result<()> {
        connect::disconnect(this)
    }

    /// Asks the broker for a sign of life; its answer is read by a later `wait_msg` or `check_msg`.
    fn ping(this: Obj) -> Result<()> {
        outgoing::ping(this)
    }

    /// Publishes a message; at QoS 1 returns when the broker has acknowledged it.
    #[signature(topic: "str | bytes", msg: "str | bytes", retain: "bool" = false, qos: "int" = 0, -> "None")]
    fn publish(this: Obj, topic: Obj, msg: Obj, retain: Obj, qos: Obj) -> Result<()> {
        outgoing::publish(this, topic, msg, retain, qos)
    }

    /// Subscribes; returns when the broker has answered.
    #[signature(topic: "str | bytes", qos: "int" = 0, -> "None")]
    fn subscribe(this: Obj, topic: Obj, qos: Obj) -> Result<()> {
        outgoing::subscribe(this, topic, qos)
    }

    /// Ends a subscription; returns when the broker has answered.
    #[signature(topic: "str | bytes", -> "None")]
    fn unsubscribe(this: Obj, topic: Obj) -> Result<()> {
        outgoing::unsubscribe(this, topic)
    }

    /// Waits for a packet and serves it. Returns None for a PINGRESP, or if the socket does not block and nothing is
    /// there; else the packet's first byte.
    #[signature(-> "int | None")]
    fn wait_msg(this: Obj) -> Result<Obj> {
        incoming::wait_msg(this)
    }

    /// Serves a packet if one has arrived, else returns None at once.
    #[signature(-> "int | None")]
    fn check_msg(this: Obj) -> Result<Obj> {
        incoming::check_msg(this)
    }

    /// Writes a length-prefixed field, as umqtt.simple's helper of that name.
    #[signature(s: "str | bytes", -> "None")]
    fn _send_str(this: Obj, s: Obj) -> Result<()> {
        outgoing::send_str(this, s)
    }

    /// Reads a remaining length from the socket, as umqtt.simple's helper of that name.
    fn _recv_len(this: Obj) -> Result<usize> {
        incoming::recv_len(this)
    }

    /// Sends a SUBSCRIBE or an UNSUBSCRIBE, which of them `typ` says, and waits for its answer, as umqtt.simple's helper
    /// of that name.
    #[signature(topic: "str | bytes", typ: "int", _ack_op: "int", _ack_n: "int", qos: "int" = 0, -> "None")]
    fn _send_subunsub(
        this: Obj,
        topic: Obj,
        typ: Obj,
        _ack_op: Obj,
        _ack_n: Obj,
        qos: Obj,
    ) -> Result<()> {
        outgoing::send_subunsub(this, topic, typ, qos)
    }
}
