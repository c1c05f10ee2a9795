//! Decides which broker a script talks to: what `--broker` may say, and where boards are led then.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use board_link::Lang;
use broker::DEFAULT_PORT;

use crate::failure::{Failure, Status};

/// The value of `--broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerChoice {
    /// The broker inside this command.
    Embedded,
    /// One that runs elsewhere.
    Outside(OutsideBroker),
}

/// `[mqtt[s]://][user[:password]@]host[:port]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideBroker {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub user: Option<String>,
    pub password: Option<String>,
}

/// Where the names of public brokers lead on the simulated board.
#[derive(Debug, Clone, Copy)]
pub struct StandIn {
    /// MQTT over TCP.
    pub tcp: SocketAddr,
    /// MQTT over TLS, where there is any.
    pub tls: Option<SocketAddr>,
}

/// Why a text names no broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBroker {
    Scheme,
    Host,
    Port,
}

/// What `--broker` and `monitor` name.
///
/// # Errors
/// Where that is no broker.
pub fn named(text: &str, lang: Lang) -> Result<BrokerChoice, Failure> {
    text.parse().map_err(|error| {
        let why = match error {
            BadBroker::Scheme => lang.pick("only mqtt:// and mqtts:// are known", "solo valen mqtt:// y mqtts://"),
            BadBroker::Host => lang.pick("it has no host name", "no tiene nombre de host"),
            BadBroker::Port => lang.pick("its port is no number from 1 to 65535", "su puerto no es un número de 1 a 65535"),
        };
        let message = match lang {
            Lang::En => format!("\"{text}\" is no broker: {why}"),
            Lang::Es => format!("\"{text}\" no es un broker: {why}"),
        };
        let help = lang.pick(
            "embedded, test.mosquitto.org, 192.168.1.7:1884, mqtts://user:password@host, for example",
            "por ejemplo embedded, test.mosquitto.org, 192.168.1.7:1884, mqtts://usuario:contraseña@host",
        );
        Failure::new(Status::Usage, message, help)
    })
}

/// Where the names of public brokers lead on the simulated board: to the outside broker.
///
/// # Errors
/// Where nobody knows its host name.
pub fn stand_in(broker: &OutsideBroker, lang: Lang) -> Result<StandIn, Failure> {
    let addresses = (broker.host.as_str(), broker.port).to_socket_addrs();
    // Boards speak IPv4; an address of version 6 is the second choice.
    let mut addresses: Vec<SocketAddr> = addresses.map(Iterator::collect).unwrap_or_default();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let Some(address) = addresses.first().copied() else {
        let message = match lang {
            Lang::En => format!("the broker {broker} has a host name that nobody knows"),
            Lang::Es => format!("nadie conoce el nombre de host del broker {broker}"),
        };
        let help = lang.pick(
            "check the name and this computer's network",
            "revisa el nombre y la red de este equipo",
        );
        return Err(Failure::new(Status::Failed, message, help));
    };
    // A broker listens for one of the two on this port; scripts that want the other use its usual one.
    Ok(if broker.tls {
        StandIn {
            tcp: SocketAddr::new(address.ip(), DEFAULT_PORT),
            tls: Some(address),
        }
    } else {
        StandIn {
            tcp: address,
            tls: None,
        }
    })
}

impl FromStr for BrokerChoice {
    type Err = BadBroker;

    fn from_str(text: &str) -> Result<Self, BadBroker> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            Some(_) => return Err(BadBroker::Scheme),
            None => (false, text),
        };
        // A password may hold an @, a host may not.
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            Some((user, "")) => (Some(user.to_owned()), None),
            Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
            None => (None, None),
        };
        let (host, port) = host_and_port(address.strip_suffix('/').unwrap_or(address))?;
        // The ports that MQTT and MQTT over TLS have with IANA.
        let port = port.unwrap_or(if tls { 8883 } else { 1883 });
        Ok(Self::Outside(OutsideBroker {
            host,
            port,
            tls,
            user,
            password,
        }))
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn host_and_port(address: &str) -> Result<(String, Option<u16>), BadBroker> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(BadBroker::Host)?;
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return Err(BadBroker::Host),
        }
    } else {
        match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    if host.is_empty() || host.contains(|letter: char| letter.is_whitespace() || letter == '/') {
        return Err(BadBroker::Host);
    }
    let port = match port.map(str::parse) {
        Some(Ok(0) | Err(_)) => return Err(BadBroker::Port),
        Some(Ok(port)) => Some(port),
        None => None,
    };
    Ok((host.to_owned(), port))
}

impl fmt::Display for OutsideBroker {
    /// Without the password, so that it can be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "mqtts://" } else { "mqtt://" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(
        host: &str,
        port: u16,
        tls: bool,
        user: Option<&str>,
        password: Option<&str>,
    ) -> BrokerChoice {
        let (user, password) = (user.map(str::to_owned), password.map(str::to_owned));
        BrokerChoice::Outside(OutsideBroker {
            host: host.to_owned(),
            port,
            tls,
            user,
            password,
        })
    }

    #[test]
    fn what_broker_may_say() {
        let cases = [
            ("embedded", BrokerChoice::Embedded),
            ("localhost", outside("localhost", 1883, false, None, None)),
            (
                "127.0.0.1:1884",
                outside("127.0.0.1", 1884, false, None, None),
            ),
            ("mqtt://h", outside("h", 1883, false, None, None)),
            ("mqtts://h", outside("h", 8883, true, None, None)),
            ("mqtts://h:1/", outside("h", 1, true, None, None)),
            ("ana@h", outside("h", 1883, false, Some("ana"), None)),
            (
                "mqtt://ana:a@b:c@h:7",
                outside("h", 7, false, Some("ana"), Some("a@b:c")),
            ),
            ("[::1]:1884", outside("::1", 1884, false, None, None)),
            ("[::1]", outside("::1", 1883, false, None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_broker_may_not_say() {
        let cases = [
            ("", BadBroker::Host),
            ("http://h", BadBroker::Scheme),
            ("ws://h", BadBroker::Scheme),
            (":1883", BadBroker::Host),
            ("h:0", BadBroker::Port),
            ("h:70000", BadBroker::Port),
            ("h:x", BadBroker::Port),
            ("a b", BadBroker::Host),
            ("h/topic", BadBroker::Host),
            ("[::1", BadBroker::Host),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<BrokerChoice>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let Ok(BrokerChoice::Outside(broker)) = "mqtts://ana:secreta@h".parse() else {
            panic!("a valid broker");
        };
        assert_eq!(broker.to_string(), "mqtts://ana@h:8883");
    }
}
