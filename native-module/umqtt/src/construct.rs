//! Making a client, and what can be set before it connects.

use micropython::{Args, Obj, Qstr, Result, qstr};

use crate::assertion;
use crate::state::State;

/// What a client's attributes are called, in the order in which `init` sets them.
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

/// `MQTTClient(client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None, ssl_params={})`
pub fn init(args: Args) -> Result<Obj> {
    let none = Obj::none();
    let zero = Obj::from_int(0);
    let [
        this,
        client_id,
        server,
        port,
        user,
        password,
        keepalive,
        ssl,
        ssl_params,
    ] = args.take(
        3,
        [none, none, none, zero, none, none, zero, none, none],
        &[
            qstr!("self"),
            qstr!("client_id"),
            qstr!("server"),
            qstr!("port"),
            qstr!("user"),
            qstr!("password"),
            qstr!("keepalive"),
            qstr!("ssl"),
            qstr!("ssl_params"),
        ],
    );
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
    Ok(none)
}

/// `set_callback(f)`: `f(topic, msg)` is called with two bytes objects for every message.
pub fn set_callback(args: Args) -> Result<Obj> {
    let none = Obj::none();
    let [this, f] = args.take(2, [none; 2], &[qstr!("self"), qstr!("f")]);
    this.set(qstr!("cb"), f);
    Ok(none)
}

/// `set_last_will(topic, msg, retain=False, qos=0)`
pub fn set_last_will(args: Args) -> Result<Obj> {
    let none = Obj::none();
    let [this, topic, msg, retain, qos] = args.take(
        3,
        [none, none, none, Obj::from_bool(false), Obj::from_int(0)],
        &[
            qstr!("self"),
            qstr!("topic"),
            qstr!("msg"),
            qstr!("retain"),
            qstr!("qos"),
        ],
    );
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
    Ok(none)
}
