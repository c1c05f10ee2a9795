//! `MQTTClient`'s members as Python sees them; making a client, and what can be set before it connects.

use micropython::Qstr;
use micropython::prelude::*;

use crate::state::State;
use crate::{again, connect, outgoing, pieces, requests, serve};

/// A connection to an MQTT broker.
///
/// What umqtt.simple keeps in attributes is kept in attributes here, under the same names, so that scripts and
/// subclasses may read and set them. Ours are `timeout`, `policy`, `max_size` and `window`, which scripts may set too; `_raw`,
/// the socket below `sock` where that is a TLS one; and `_state` ([`State`]).
#[class(name = "MQTTClient")]
pub struct Client;

/// What the broker refused, or sent wrong; with the broker's code where it gave one.
#[class(name = "MQTTException", base = "Exception")]
pub struct MqttException;

/// What a client's attributes are called, in the order in which `__init__` sets them.
const ATTRIBUTES: [Qstr; 21] = [
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
    // umqtt.robust has a method `reconnect`, so the attribute has another name.
    qstr!("policy"),
    qstr!("timeout"),
    qstr!("max_size"),
    qstr!("window"),
    qstr!("_raw"),
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
        reconnect: "bool | tuple[float, float] | None" = None,
        timeout: "float | None" = None,
        max_size: "int" = 0,
        window: "int" = 16,
        -> "None"
    )]
    #[allow(clippy::too_many_arguments, reason = "umqtt.simple's, and four more")]
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
        reconnect: Obj,
        timeout: Obj,
        max_size: Obj,
        window: Obj,
    ) -> Result<()> {
        let none = Obj::none();
        let zero = Obj::small(0);
        let port = if port.equals(zero) {
            Obj::small(if ssl.is_true() { 8883 } else { 1883 })
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
            none, none, zero, no, reconnect, timeout, max_size, window, none, state,
        ];
        for (name, value) in ATTRIBUTES.iter().zip(values) {
            this.set(*name, value);
        }
        Ok(())
    }

    /// `f(topic, msg)` is called with two bytes objects for every message. With a buffer, `f(topic, piece, offset, total)` is
    /// called with two memoryviews of it, which are valid during the call: for every piece that fits.
    #[signature(f: "Callable[..., object]", buffer: "bytearray | None" = None, -> "None")]
    fn set_callback(this: Obj, f: Obj, buffer: Obj) -> Result<()> {
        pieces::set_buffer(State::of(this)?, buffer)?;
        this.set(qstr!("cb"), f);
        Ok(())
    }

    /// The message that the broker publishes should this client vanish. To be set before `connect`.
    #[signature(topic: "str | bytes", msg: "str | bytes", retain: "bool" = false, qos: "int" = 0, -> "None")]
    fn set_last_will(this: Obj, topic: Obj, msg: Obj, retain: Obj, qos: Obj) -> Result<()> {
        if !(0..=2).contains(&qos.to_int()?) {
            return Err(error!("AssertionError", "will: qos must be 0, 1 or 2"));
        }
        if !topic.is_true() {
            return Err(error!("AssertionError", "will: topic is empty"));
        }
        this.set(qstr!("lw_topic"), topic);
        this.set(qstr!("lw_msg"), msg);
        this.set(qstr!("lw_qos"), qos);
        this.set(qstr!("lw_retain"), retain);
        Ok(())
    }

    /// Connects; returns 1 if the broker kept a session, else 0. `timeout`, in seconds, is kept for later calls.
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
        requests::ping(this)
    }

    /// Publishes a message. At QoS 1 and 2 returns when the broker has taken it; with `wait=False` at once, with the packet
    /// identifier. With a `size`, `msg` is a stream to read as many bytes from.
    #[signature(
        topic: "str | bytes",
        msg: "str | bytes | object",
        retain: "bool" = false,
        qos: "int" = 0,
        wait: "bool" = true,
        size: "int | None" = None,
        -> "int | None"
    )]
    fn publish(
        this: Obj,
        topic: Obj,
        msg: Obj,
        retain: Obj,
        qos: Obj,
        wait: Obj,
        size: Obj,
    ) -> Result<Obj> {
        outgoing::publish(this, topic, msg, retain, qos, wait, size)
    }

    /// Returns when the broker has taken every message of QoS 1 and 2.
    fn flush(this: Obj) -> Result<()> {
        outgoing::flush(this)
    }

    /// How many messages the broker has not taken yet; with a packet identifier, whether what was sent with it is
    /// unanswered.
    #[signature(pid: "int | None" = None, -> "int | bool")]
    fn pending(this: Obj, pid: Obj) -> Result<Obj> {
        requests::pending(this, pid)
    }

    /// Subscribes; returns when the broker has answered, or with `wait=False` at once, with the packet identifier.
    #[signature(topic: "str | bytes", qos: "int" = 0, wait: "bool" = true, -> "int | None")]
    fn subscribe(this: Obj, topic: Obj, qos: Obj, wait: Obj) -> Result<Obj> {
        requests::subscribe(this, topic, qos, wait)
    }

    /// Ends a subscription; returns when the broker has answered, or with `wait=False` at once, with the packet identifier.
    #[signature(topic: "str | bytes", wait: "bool" = true, -> "int | None")]
    fn unsubscribe(this: Obj, topic: Obj, wait: Obj) -> Result<Obj> {
        requests::unsubscribe(this, topic, wait)
    }

    /// Waits for a packet and serves it. Returns its first byte; None for the answer to a `ping()`, if `timeout` seconds have
    /// passed, or if the socket does not block and nothing is there.
    #[signature(timeout: "float | None" = None, -> "int | None")]
    fn wait_msg(this: Obj, timeout: Obj) -> Result<Obj> {
        serve::wait_msg(this, timeout)
    }

    /// Serves the packets that have arrived, and never waits. Returns the first byte of the last, None if there is none.
    #[signature(-> "int | None")]
    fn check_msg(this: Obj) -> Result<Obj> {
        serve::check_msg(this)
    }

    /// Connects once, as the last time, and subscribes again where the broker has kept no session; returns whether it has.
    #[signature(-> "int")]
    fn _again(this: Obj) -> Result<Obj> {
        again::connect(this, State::of(this)?)
    }

    /// For umqtt.aio: takes a connected stream, which does not block, and sends the CONNECT.
    #[signature(sock: "object", clean_session: "bool" = true, resuming: "bool" = false, -> "None")]
    fn _begin(this: Obj, sock: Obj, clean_session: Obj, resuming: Obj) -> Result<()> {
        connect::begin(this, sock, clean_session, resuming)
    }

    /// For umqtt.aio: what `connect` returns, None if the answer to the CONNECT is not there yet.
    #[signature(-> "int | None")]
    fn _connack(this: Obj) -> Result<Obj> {
        connect::connack(this)
    }

    /// For umqtt.aio: in how many milliseconds `check_msg` is to be called for the keep alive's sake; -1 for never.
    fn _due(this: Obj) -> Result<isize> {
        connect::due(this)
    }

    /// Writes a length-prefixed field, as umqtt.simple's helper of that name.
    #[signature(s: "str | bytes", -> "None")]
    fn _send_str(this: Obj, s: Obj) -> Result<()> {
        requests::send_str(this, s)
    }

    /// Reads a remaining length from the socket, as umqtt.simple's helper of that name.
    fn _recv_len(this: Obj) -> Result<usize> {
        serve::recv_len(this)
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
        requests::send_subunsub(this, topic, typ, qos).map(|_| ())
    }
}
