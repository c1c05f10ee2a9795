//! Holds the broker to what a monitor in another process gets to see.

mod common;

use std::time::Duration;

use broker::{BrokerState, Direction, MONITOR_TOPIC, MonitorMessage, TapEvent, TapPacket};
use common::{RawClient, publish_packet, start, text};

/// The next message to the monitor; the broker sends it by itself.
fn message(monitor: &mut RawClient) -> MonitorMessage {
    let packet = monitor.next().expect("a message");
    let topic = text(MONITOR_TOPIC);
    let place = packet
        .windows(topic.len())
        .position(|bytes| bytes == topic)
        .expect("the topic");
    MonitorMessage::decode(&packet[place + topic.len()..]).expect("a monitor's message")
}

fn begin(monitor: &mut RawClient) -> BrokerState {
    monitor.subscribe(MONITOR_TOPIC, 0);
    match message(monitor) {
        MonitorMessage::State(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_gets_the_state_and_then_every_packet() {
    let broker = start();
    let mut reader = RawClient::persistent(&broker, "reader", false);
    reader.subscribe("casa/#", 2);
    let mut writer = RawClient::connected(&broker, "writer");
    writer.send(&publish_packet(1, "casa/kept", None, &[b'x'; 1000]));
    reader.expect(&publish_packet(0, "casa/kept", None, &[b'x'; 1000]));
    let mut monitor = RawClient::connected(&broker, "monitor");
    let state = begin(&mut monitor);
    let names: Vec<_> = state
        .clients
        .iter()
        .map(|client| (client.client_id.as_str(), client.connection.is_some()))
        .collect();
    assert_eq!(names, [("reader", true), ("writer", true)]);
    assert_eq!(state.clients[0].subscriptions, [("casa/#".to_owned(), 2)]);
    assert_eq!(
        (state.retained[0].topic.as_str(), state.retained[0].length),
        ("casa/kept", 1000)
    );
    assert_eq!(state.retained[0].payload.len(), 256);

    writer.send(&publish_packet(4, "casa/luz", Some(7), b"ON"));
    writer.expect(&[0x50, 2, 0, 7]);
    writer.send(&[0x62, 2, 0, 7]);
    writer.expect(&[0x70, 2, 0, 7]);
    writer.send(&[0xe0, 0]);
    let mut events: Vec<TapEvent> = Vec::new();
    while !events
        .iter()
        .any(|event| matches!(event.packet, TapPacket::Closed { .. }))
    {
        match message(&mut monitor) {
            MonitorMessage::Events {
                events: more,
                dropped,
            } => {
                assert_eq!(dropped, 0);
                events.extend(more);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(events.iter().all(|event| &*event.client_id != "monitor"));
    let of_writer: Vec<_> = events
        .iter()
        .filter(|event| &*event.client_id == "writer")
        .map(|event| (event.direction, format!("{:?}", event.packet)))
        .map(|(direction, packet)| {
            let name = packet
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_owned();
            (direction, name)
        })
        .collect();
    let names: Vec<_> = of_writer.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Publish",
            "PubRec",
            "PubRel",
            "PubComp",
            "Disconnect",
            "Closed"
        ]
    );
    assert_eq!(of_writer[1].0, Direction::ToClient);
}

#[test]
fn nobody_can_tell_a_monitor_lies_and_others_get_nothing_of_it() {
    let broker = start();
    let mut monitor = RawClient::connected(&broker, "monitor");
    begin(&mut monitor);
    let mut all = RawClient::connected(&broker, "all");
    all.subscribe("$SYS/#", 0);
    let mut liar = RawClient::connected(&broker, "liar");
    liar.send(&publish_packet(0, MONITOR_TOPIC, None, b"{\"State\":{}}"));
    liar.expect_quiet();
    // Who subscribes to all of $SYS gets what clients publish there, and no events.
    all.expect(&publish_packet(0, MONITOR_TOPIC, None, b"{\"State\":{}}"));
    all.expect_quiet();
    loop {
        let MonitorMessage::Events { events, .. } = message(&mut monitor) else {
            panic!("a lie");
        };
        let pinged =
            |event: &TapEvent| &*event.client_id == "all" && event.packet == TapPacket::PingResp;
        if events.iter().any(pinged) {
            break;
        }
    }
    // A monitor that goes leaves nothing behind that would hold the broker up.
    drop(monitor);
    std::thread::sleep(Duration::from_millis(120));
    all.expect_quiet();
}
