//! Names and sockets: public brokers lead to the address given, and streams stay the computer's own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use board_sim::{BrokerHosts, HostMap};

use crate::bench::Bench;

/// A board whose public brokers are this listener.
fn bench_with_broker() -> Option<(Bench, TcpListener)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = listener.local_addr().unwrap();
    let mut bench = Bench::with(|config| {
        config.hosts = HostMap {
            broker: Some(BrokerHosts { tcp, tls: None }),
            ..HostMap::default()
        };
        config.hosts.names.insert("mi-servidor".to_string(), tcp);
    })?;
    bench.client.enter_raw();
    Some((bench, listener))
}

#[test]
fn public_brokers_are_the_one_given() {
    let Some((mut bench, listener)) = bench_with_broker() else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = [0; 4];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(&line).unwrap();
        }
    });
    for host in ["test.mosquitto.org", "broker.hivemq.com", "mi-servidor"] {
        let out = bench.run(&format!(
            "import socket\na = socket.getaddrinfo('{host}', 1883)\ns = socket.socket()\ns.connect(a[0][-1])\n\
             s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\ns.write(b'hola')\nprint(s.read(4), s.read(1), type(s))\ns.close()"
        ));
        assert_eq!(out, "b'hola' b'' <class 'socket'>\n", "{host} {port}");
    }
    server.join().unwrap();
}

#[test]
fn numeric_addresses_and_own_names_are_themselves() {
    let Some((mut bench, listener)) = bench_with_broker() else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        bench.run(&format!(
            "import socket\ns = socket.socket()\ns.connect(socket.getaddrinfo('{host}', {port})[0][-1])\ns.close()"
        ));
    }
}

#[test]
fn addresses_are_host_and_port_as_on_an_esp32() {
    let Some((mut bench, listener)) = bench_with_broker() else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let out = bench.run(&format!(
        "import socket\nprint(socket.getaddrinfo('test.mosquitto.org', 1883)[0][-1] == ('127.0.0.1', {port}))\n\
         c = socket.socket()\nc.connect(('broker.hivemq.com', 1883))\nc.close()\n\
         s = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\ns.bind(('', 0))\ns.listen(1)\ns.close()\n\
         u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nu.bind(('127.0.0.1', {port}))\n\
         v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nv.sendto(b'hola', ('127.0.0.1', {port}))\n\
         d, a = u.recvfrom(10)\nprint(d, a[0], type(a[1]))\nprint(type(u))"
    ));
    assert_eq!(
        out,
        "True\nb'hola' 127.0.0.1 <class 'int'>\n<class 'socket'>\n"
    );
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let out = bench.run(&format!(
        "s = socket.socket()\ns.bind(('127.0.0.1', {free}))\ns.listen(1)\nc = socket.socket()\n\
         c.connect(('127.0.0.1', {free}))\nd, a = s.accept()\nprint(a[0], d)\nd.close()\ns.close()"
    ));
    assert!(out.starts_with("127.0.0.1 <"), "{out}");
    let (_, err) = bench
        .client
        .exec("socket.socket().connect(('no-existe.invalid', 1883))");
    assert!(err.ends_with("OSError: -202\n"), "{err}");
}

/// Timers interrupt system calls all the time; a connection must come about nevertheless.
#[test]
fn connecting_and_reading_survive_interrupts() {
    let Some((mut bench, listener)) = bench_with_broker() else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = vec![0; 200_000];
        for _ in 0..20 {
            stream.read_exact(&mut seen).unwrap();
            // Time in which the script waits and its timer goes on.
            std::thread::sleep(Duration::from_millis(5));
            stream.write_all(&seen).unwrap();
        }
    });
    let out = bench.run(&format!(
        "import socket\nfrom machine import Timer\nn = 0\ndef f(t):\n    global n\n    n += 1\n\
         Timer(0).init(period=1, callback=f)\ns = socket.socket()\ns.connect(('127.0.0.1', {port}))\n\
         data = bytes(range(250)) * 800\nright = 0\nfor i in range(20):\n\
         \x20   left = memoryview(data)\n    while left:\n        left = left[s.write(left):]\n\
         \x20   right += s.read(len(data)) == data\nTimer(0).deinit()\nprint(right, n > 0)"
    ));
    assert_eq!(out, "20 True\n");
    server.join().unwrap();
}

#[test]
fn unknown_names_fail_as_on_an_esp32() {
    let Some((mut bench, _listener)) = bench_with_broker() else {
        return;
    };
    for module in ["socket", "usocket"] {
        let (_, err) = bench.client.exec(&format!(
            "import {module} as s\ns.getaddrinfo('no-existe.invalid', 1883)"
        ));
        assert!(err.ends_with("OSError: -202\n"), "{err}");
        assert!(!err.contains('\u{1}'), "{err}");
    }
    // TLS has no listener here: refused, even where some program of this computer listens on that port.
    let _other = TcpListener::bind("127.0.0.1:8883");
    let (_, err) = bench.client.exec(
        "import socket\ns = socket.socket()\ns.connect(socket.getaddrinfo('test.mosquitto.org', 8883)[0][-1])",
    );
    assert!(err.contains("ECONNREFUSED"), "{err}");
}

#[test]
fn tls_modules_are_there() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    let out = bench.run(
        "import ssl, tls\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\nprint(c.verify_mode == ssl.CERT_NONE)\n\
         c.verify_mode = ssl.CERT_REQUIRED\nprint(c.verify_mode == ssl.CERT_REQUIRED, callable(ssl.wrap_socket))",
    );
    assert_eq!(out, "True\nTrue True\n");
    let (_, err) = bench.client.exec("c.load_verify_locations(cadata=b'nada')");
    assert!(err.contains("ValueError"), "{err}");
}
