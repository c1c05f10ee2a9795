//! Names and sockets: public brokers lead to the address given, and streams stay the computer's own.

use std::io::{Read, Write};
use std::net::TcpListener;

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
    // TLS has no listener here: refused, not led astray.
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
