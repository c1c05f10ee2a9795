//! A network that is cut, slow or losing packets, as clients meet it.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use broker::network::{Conditions, Network};
use common::{connect_packet, publish_packet, start, start_with};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

const LONG: Duration = Duration::from_secs(60);

/// Connects by hand; the CONNACK, or how the connection ended before it.
fn try_connect(address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    stream.write_all(&connect_packet("a-mano", 2, 0, b""))?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer, [0x20, 2, 0, 0]);
    Ok(stream)
}

#[test]
fn a_network_that_is_cut_breaks_connections_and_takes_none_until_it_is_joined() {
    let broker = start();
    let network = Network::start(broker.addr()).expect("a network");
    let mut stream = try_connect(network.address()).expect("a clear network");
    network.set_cut(true);
    let mut byte = [0];
    assert!(
        !matches!(stream.read(&mut byte), Ok(1..)),
        "the connection is over"
    );
    for _ in 0..3 {
        try_connect(network.address()).expect_err("a network that is cut");
    }
    network.set_cut(false);
    try_connect(network.address()).expect("it is joined again");
}

#[test]
fn a_broker_that_stops_and_starts_again_is_found_through_the_same_network() {
    let broker = start();
    let address = broker.addr();
    let network = Network::start(address).expect("a network");
    try_connect(network.address()).expect("a broker");
    drop(broker);
    try_connect(network.address()).expect_err("no broker");
    let _broker = start_with(|config| config.listen = address);
    try_connect(network.address()).expect("the broker is back");
}

#[test]
fn a_slow_network_takes_its_time_in_both_directions() {
    let broker = start();
    let network = Network::start(broker.addr()).expect("a network");
    let mut stream = try_connect(network.address()).expect("a clear network");
    let delay = Duration::from_millis(150);
    network.set_delay(delay);
    let begun = Instant::now();
    stream.write_all(&[0xc0, 0]).expect("PINGREQ");
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).expect("PINGRESP");
    assert_eq!(answer, [0xd0, 0]);
    assert!(begun.elapsed() >= 2 * delay, "{:?}", begun.elapsed());
    // Slow, and still whole: 300 messages in order.
    let (client, mut connection) = subscriber(network.address(), "lento");
    for number in 0..300u32 {
        client
            .publish("t", QoS::AtLeastOnce, false, number.to_be_bytes())
            .expect("room");
    }
    for number in 0..300u32 {
        assert_eq!(next(&mut connection), number.to_be_bytes());
    }
}

fn subscriber(address: std::net::SocketAddr, name: &str) -> (Client, rumqttc::Connection) {
    let mut options = MqttOptions::new(name, "127.0.0.1", address.port());
    options.set_keep_alive(LONG).set_clean_session(false);
    let (client, connection) = Client::new(options, 1000);
    client.subscribe("t", QoS::AtLeastOnce).expect("room");
    (client, connection)
}

/// The next message; connections that break are made again.
fn next(connection: &mut rumqttc::Connection) -> Vec<u8> {
    let deadline = Instant::now() + LONG;
    while Instant::now() < deadline {
        if let Ok(Ok(Event::Incoming(Packet::Publish(message)))) = connection.recv_timeout(LONG) {
            return message.payload.to_vec();
        }
    }
    panic!("no message came");
}

#[test]
fn what_is_lost_is_lost_with_qos_0_and_comes_with_qos_1() {
    for inside in [false, true] {
        let loss = 0.1;
        let broker = start_with(|config| {
            if inside {
                config.network = Conditions {
                    loss,
                    ..Conditions::default()
                };
            }
        });
        let network = Network::start(broker.addr()).expect("a network");
        network.set_loss(if inside { 0.0 } else { loss });
        // Who listens has a good line to the broker in one case, and as bad a one in the other.
        let (_client, mut received) = subscriber(broker.addr(), "oye");
        let listening = std::thread::spawn(move || {
            let mut numbers = std::collections::BTreeSet::new();
            loop {
                let message = next(&mut received);
                if message == b"fin" {
                    return numbers;
                }
                numbers.insert(message);
            }
        });
        // QoS 0 is sent and forgotten, so whoever publishes by hand only has to connect again.
        let mut stream = connect_somehow(network.address());
        for number in 0..400u32 {
            let packet = publish_packet(0, "t", None, &number.to_be_bytes());
            // A network that broke is seen at the first write after the one that it swallowed.
            std::thread::sleep(Duration::from_millis(1));
            if stream.write_all(&packet).is_err() {
                stream = connect_somehow(network.address());
            }
        }
        let mut options = MqttOptions::new("publica", "127.0.0.1", network.address().port());
        options.set_keep_alive(LONG).set_clean_session(false);
        let (client, mut connection) = Client::new(options, 1000);
        for number in 1000..1100u32 {
            client
                .publish("t", QoS::AtLeastOnce, false, number.to_be_bytes())
                .expect("room");
            acknowledged(&mut connection);
        }
        client
            .publish("t", QoS::AtLeastOnce, false, "fin")
            .expect("room");
        acknowledged(&mut connection);
        let numbers = listening.join().expect("a listener");
        let arrived = |range: std::ops::Range<u32>| {
            range
                .filter(|number| numbers.contains(number.to_be_bytes().as_slice()))
                .count()
        };
        assert_eq!(arrived(1000..1100), 100, "QoS 1 brings all");
        let forgotten = 400 - arrived(0..400);
        assert!(
            forgotten > 0,
            "QoS 0 loses with a tenth of the packets lost"
        );
        if !inside {
            assert!(network.lost() > 0);
        }
    }
}

/// Waits for a PUBACK; connections that break are made again, with what was not acknowledged.
fn acknowledged(connection: &mut rumqttc::Connection) {
    let deadline = Instant::now() + LONG;
    loop {
        assert!(Instant::now() < deadline, "no PUBACK came");
        match connection.recv_timeout(LONG) {
            Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => return,
            Ok(_) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Connects until the network lets it.
fn connect_somehow(address: std::net::SocketAddr) -> TcpStream {
    let deadline = Instant::now() + LONG;
    loop {
        match try_connect(address) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}
