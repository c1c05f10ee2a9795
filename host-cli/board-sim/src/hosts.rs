//! Which address a host name of a script leads to: public brokers to the one given, the rest as it is.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::config::HostMap;

/// Brokers that anybody may use, as lessons and examples name them.
const PUBLIC_BROKERS: &[&str] = &[
    "broker.emqx.io",
    "broker.hivemq.com",
    "broker.mqtt.cool",
    "broker.mqtt-dashboard.com",
    "broker.mqttdashboard.com",
    "broker-cn.emqx.io",
    "iot.eclipse.org",
    "m2m.eclipse.org",
    "mqtt.eclipse.org",
    "mqtt.eclipseprojects.io",
    "mqtt.flespi.io",
    "mqtt.fluux.io",
    "mqtt-dashboard.com",
    "public.cloud.shiftr.io",
    "public.mqtthq.com",
    "test.mosquitto.org",
    "www.mqtt-dashboard.com",
];

/// Ports on which public brokers speak TLS (test.mosquitto.org alone has five of them).
const TLS_PORTS: &[u16] = &[8883, 8884, 8885, 8886, 8887];

/// Ports on which they speak plain MQTT.
const TCP_PORTS: &[u16] = &[1883, 1884];

/// Where a connection to a port that our broker does not serve leads: tcpmux, which no system has served for decades.
const REFUSING_PORT: u16 = 1;

/// The address for `host` and `port`, if this name is not to be looked up.
pub(crate) fn mapped(map: &HostMap, host: &str, port: u16) -> Option<SocketAddr> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Some(address) = map.names.get(&host) {
        let port = if address.port() == 0 {
            port
        } else {
            address.port()
        };
        return Some(SocketAddr::new(address.ip(), port));
    }
    let broker = map.broker?;
    let is_mqtt = TCP_PORTS.contains(&port) || broker.tls.is_some() && TLS_PORTS.contains(&port);
    let to_broker = map.localhost && is_mqtt;
    let is_computer = ["localhost", "127.0.0.1"].contains(&host.as_str());
    let is_public = PUBLIC_BROKERS.contains(&host.as_str());
    if !(is_public || to_broker && is_computer) {
        return None;
    }
    let listener = if TCP_PORTS.contains(&port) {
        Some(broker.tcp)
    } else {
        broker.tls.filter(|_| TLS_PORTS.contains(&port))
    };
    // The same port of this computer may be some other program's: a lesson must not talk to that.
    Some(listener.unwrap_or(SocketAddr::new(broker.tcp.ip(), REFUSING_PORT)))
}

/// Looks a name up as this computer does; blocks for as long as that takes. IPv4 comes first, since an
/// ESP32 asks for nothing else.
pub(crate) fn resolve(host: &str, port: u16) -> Option<SocketAddr> {
    let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs().ok()?.collect();
    found.sort_by_key(|address| !address.is_ipv4());
    found.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerHosts;

    #[test]
    fn public_brokers_lead_to_ours_on_its_own_port() {
        let ours: SocketAddr = "127.0.0.1:40123".parse().unwrap();
        let mut map = HostMap::to_broker(ours);
        for host in ["test.mosquitto.org", "Broker.HiveMQ.com", "broker.emqx.io."] {
            assert_eq!(mapped(&map, host, 1883), Some(ours), "{host}");
        }
        for unserved in [8883, 8080] {
            assert_eq!(
                mapped(&map, "test.mosquitto.org", unserved).map(|a| a.port()),
                Some(REFUSING_PORT)
            );
        }
        assert_eq!(mapped(&map, "example.org", 1883), None);
        map.names
            .insert("mi-broker".to_string(), "10.0.0.7:0".parse().unwrap());
        assert_eq!(
            mapped(&map, "mi-broker", 99),
            Some("10.0.0.7:99".parse().unwrap())
        );
        assert_eq!(mapped(&map, "localhost", 1883), None);
        map.localhost = true;
        assert_eq!(mapped(&map, "localhost", 1883), Some(ours));
        assert_eq!(mapped(&map, "127.0.0.1", 1883), Some(ours));
        assert_eq!(mapped(&map, "localhost", 8080), None);
        assert_eq!(mapped(&map, "localhost", 8883), None);
        let secure = "127.0.0.1:40124".parse().ok();
        map.broker = map.broker.map(|hosts| BrokerHosts {
            tls: secure,
            ..hosts
        });
        assert_eq!(mapped(&map, "localhost", 8883), secure);
        assert_eq!(mapped(&map, "test.mosquitto.org", 8886), secure);
        map.broker = None;
        assert_eq!(mapped(&map, "test.mosquitto.org", 1883), None);
    }

    #[test]
    fn the_list_is_lower_case_and_has_no_doubles() {
        for (i, name) in PUBLIC_BROKERS.iter().enumerate() {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(!PUBLIC_BROKERS[..i].contains(name), "{name} twice");
        }
    }
}
