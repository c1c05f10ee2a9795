//! Decides whether a packet costs one write and a QoS 0 message no heap; a second write is for what is too large for one
//! block.

use testkit::{Implementation, Interpreter, Program, Version, need};

fn one_write_and_no_heap(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let printed = Program::new(&interpreter, &module, "cost")
        .run()
        .expect_success("cost.py");
    // The sizes are those of MQTT 3.1.1, counted by hand: fixed header, variable header, payload.
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "connect 63 bytes 1 writes",
            // IPPROTO_TCP, TCP_NODELAY.
            "options [(6, 1, 1)]",
            "publish 0 9 bytes 1 writes",
            "publish 4 13 bytes 1 writes",
            "publish 200 210 bytes 1 writes",
            "publish 240 250 bytes 1 writes",
            "publish 300 310 bytes 1 writes",
            "publish 1000 1010 bytes 1 writes",
            "publish 4000 4010 bytes 1 writes",
            "publish 100000 100011 bytes 2 writes",
            "publish qos 1 18 bytes 1 writes",
            "subscribe 12 bytes 1 writes",
            "unsubscribe 11 bytes 1 writes",
            "acknowledge 4 bytes 1 writes",
            "ping 2 bytes 1 writes",
            "disconnect 2 bytes 1 writes",
            "heap for 1000 messages 0",
        ]
    );
}

#[test]
fn one_write_and_no_heap_on_1_25() {
    one_write_and_no_heap("one_write_and_no_heap_on_1_25", Version::V1_25);
}

#[test]
fn one_write_and_no_heap_on_1_26() {
    one_write_and_no_heap("one_write_and_no_heap_on_1_26", Version::V1_26);
}
