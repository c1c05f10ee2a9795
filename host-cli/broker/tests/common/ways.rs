//! The four ways to the same broker, for clients that others wrote: TCP, TLS, and WebSockets over both.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Broker, Identity, Trust};
use rumqttc::{Connection, Event, MqttOptions, Packet, TlsConfiguration, Transport};

use super::start_with;

pub const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A broker that also speaks TLS, with a certificate that it made itself.
pub fn secure() -> (Broker, Trust, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["localhost".to_owned()];
    let (identity, trust) =
        Identity::make(folder.path(), &names, &[LOCALHOST.into()]).expect("a certificate");
    let broker = start_with(|config| {
        config.tls = Some((SocketAddr::from((LOCALHOST, 0)), identity));
    });
    (broker, trust, folder)
}

/// What a client trusts that trusts this broker.
pub fn trusting_config(trust: &Trust) -> rustls::ClientConfig {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(&trust.pem).expect("a certificate");
    roots.add(certificate).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn trusting(trust: &Trust) -> TlsConfiguration {
    TlsConfiguration::Rustls(Arc::new(trusting_config(trust)))
}

/// The four ways to the same broker: name, options for a client.
pub fn ways(broker: &Broker, trust: &Trust) -> Vec<(&'static str, MqttOptions)> {
    let port = broker.addr().port();
    let tls_port = broker.tls_addr().expect("TLS").port();
    let websocket = |scheme: &str, port| format!("{scheme}://127.0.0.1:{port}/mqtt");
    let mut ways = vec![
        ("TCP", MqttOptions::new("x", "127.0.0.1", port)),
        ("TLS", MqttOptions::new("x", "127.0.0.1", tls_port)),
        (
            "WebSocket",
            MqttOptions::new("x", websocket("ws", port), port),
        ),
        (
            "WebSocket over TLS",
            MqttOptions::new("x", websocket("wss", tls_port), tls_port),
        ),
    ];
    ways[1]
        .1
        .set_transport(Transport::tls_with_config(trusting(trust)));
    ways[2].1.set_transport(Transport::ws());
    ways[3]
        .1
        .set_transport(Transport::wss_with_config(trusting(trust)));
    for (_, options) in &mut ways {
        options
            .set_keep_alive(Duration::from_secs(30))
            .set_max_packet_size(1 << 20, 1 << 20);
    }
    ways
}

pub fn named(options: &MqttOptions, client_id: &str) -> MqttOptions {
    let mut options = options.clone();
    options.set_client_id(client_id.to_owned());
    options
}

/// Reads until `wanted` says yes.
pub fn read_until(way: &str, connection: &mut Connection, mut wanted: impl FnMut(&Packet) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        match connection.recv_timeout(Duration::from_secs(60)) {
            Ok(Ok(Event::Incoming(packet))) if wanted(&packet) => return,
            Ok(Ok(_)) => {}
            other => panic!("{way}: the connection ended: {other:?}"),
        }
    }
    panic!("{way}: it did not come within a minute");
}
