//! `umqtt broker`: decides how the broker runs alone, and shows every packet until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use board_link::Lang;
use broker::{
    Broker, BrokerConfig, BrokerError, DEFAULT_PORT, Identity, Limits, PortOwner, StoreError, Tap,
    TapOptions, TlsError, Trust, Users, WEBSOCKET_PATH,
};

use crate::commands::passwd;
use crate::data_folder;
use crate::display::{Display, Form, Message, Sender};
use crate::failure::{self, Failure, Status};
use crate::lan;
use crate::lines;
use crate::options::mqtt::{BrokerCommand, BrokerOptions};
use crate::stop::Stop;

/// How often it is looked whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub fn run(options: &BrokerOptions, lang: Lang) -> Result<(), Failure> {
    if let Some(BrokerCommand::Passwd(options)) = &options.command {
        return passwd::run(options, lang);
    }
    let listen = where_to(options, lang)?;
    let users = options
        .password_file
        .as_deref()
        .map(Users::load)
        .transpose();
    let users = users
        .map_err(|error| passwd::explain(&error, lang))?
        .map(Arc::new);
    let (tls, trust) = match options.tls {
        None => (None, None),
        Some(port) => {
            let (identity, trust) = identity(options, listen.ip(), lang)?;
            (Some((SocketAddr::new(listen.ip(), port), identity)), trust)
        }
    };
    let stop = Stop::on_signals(lang)?;
    let has_users = users.is_some();
    let broker = Broker::start(BrokerConfig {
        listen,
        tls,
        users,
        anonymous: options.anonymous,
        origins: options.origins.clone(),
        limits: limits(options),
        network: options.network.conditions(),
        persist: options.persist.clone(),
    })
    .map_err(|error| explain(&error, lang))?;
    let display = Display::start(
        Form {
            json: lines::wanted(),
            all_packets: true,
            lang,
        },
        &stop,
    );
    let sender = display.sender();
    sender.note(match lang {
        Lang::En => format!("the broker listens on {}, Ctrl-C ends it", broker.addr()),
        Lang::Es => format!("el broker escucha en {}, Ctrl-C lo termina", broker.addr()),
    });
    say_where(&broker, trust.as_ref(), &sender, lang);
    if !has_users {
        warn_if_open(broker.addr(), &sender, lang);
    }
    let announcement = match options.lan {
        Some(_) => lan::announce(broker.addr(), &sender, lang),
        None => None,
    };
    let forwarding = forward(broker.tap(TapOptions::default()), sender, lang);
    let mut failure = None;
    while !stop.is_requested() && failure.is_none() {
        std::thread::sleep(LOOK_EVERY);
        failure = broker.failure();
    }
    drop(announcement);
    // The tap ends with the broker, and its thread with the tap.
    drop(broker);
    let _ = forwarding.join();
    display.finish();
    match failure {
        None => Ok(()),
        Some(error) => Err(explain_store(&error, lang)),
    }
}

fn limits(options: &BrokerOptions) -> Limits {
    let size = |number: Option<u32>, default| number.map_or(default, |number| number as usize);
    let limits = Limits::default();
    Limits {
        clients: size(options.max_clients, limits.clients),
        packet: size(options.max_packet, limits.packet),
        rate: options.max_rate,
        waiting: size(options.max_queued, limits.waiting),
        ..limits
    }
}

/// The address of `--listen` or `--lan`.
fn where_to(options: &BrokerOptions, lang: Lang) -> Result<SocketAddr, Failure> {
    let Some(named) = &options.lan else {
        return address(options.listen.as_deref(), lang);
    };
    let ip = lan::address(named, lang)?;
    let port = match options.listen.as_deref().map(str::parse) {
        None => DEFAULT_PORT,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            return Err(Failure::new(
                Status::Usage,
                lang.pick(
                    "--lan says which address to listen on, and --listen says another",
                    "--lan dice en qué dirección se escucha, y --listen dice otra",
                ),
                lang.pick(
                    "leave one of the two out, or give --listen the port only",
                    "quita una de las dos, o pon en --listen solo el puerto",
                ),
            ));
        }
    };
    Ok(SocketAddr::from((ip, port)))
}

/// The certificate that was named, or one that is made for the names by which this computer is reached.
fn identity(
    options: &BrokerOptions,
    listen: IpAddr,
    lang: Lang,
) -> Result<(Identity, Option<Trust>), Failure> {
    if let (Some(certificate), Some(key)) = (&options.cert, &options.key) {
        let identity = Identity::from_files(certificate, key);
        return Ok((identity.map_err(|error| explain_tls(&error, lang))?, None));
    }
    let (identity, trust) = make_identity(listen, lang)?;
    Ok((identity, Some(trust)))
}

/// A certificate for the names and addresses by which this computer is reached, `listen` among them.
///
/// # Errors
/// Where there is no folder for its authority, or that cannot be used.
pub fn make_identity(listen: IpAddr, lang: Lang) -> Result<(Identity, Trust), Failure> {
    let folder = data_folder::find().ok_or_else(|| {
        Failure::new(
            Status::Failed,
            lang.pick(
                "there is no folder for the certificate: HOME is not set",
                "no hay carpeta para el certificado: HOME no está definida",
            ),
            lang.pick(
                "name a certificate of your own: --cert FILE --key FILE",
                "indica un certificado propio: --cert FICHERO --key FICHERO",
            ),
        )
    })?;
    let mut addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses.extend(lan::own_address());
    if !listen.is_unspecified() {
        addresses.push(listen);
    }
    addresses.sort_unstable();
    addresses.dedup();
    let names = ["localhost".to_owned(), "umqtt.local".to_owned()];
    Identity::make(&folder.join("umqtt/tls"), &names, &addresses)
        .map_err(|error| explain_tls(&error, lang))
}

/// Says where else it is reached than by MQTT over TCP, and what clients need for that.
fn say_where(broker: &Broker, trust: Option<&Trust>, sender: &Sender, lang: Lang) {
    let address = broker.addr();
    sender.note(match lang {
        Lang::En => format!("in a WebSocket: ws://{address}{WEBSOCKET_PATH}"),
        Lang::Es => format!("en un WebSocket: ws://{address}{WEBSOCKET_PATH}"),
    });
    if let Some(secure) = broker.tls_addr() {
        say_secure(secure, trust, sender, lang);
    }
}

/// The same of TLS.
pub fn say_secure(secure: SocketAddr, trust: Option<&Trust>, sender: &Sender, lang: Lang) {
    sender.note(match lang {
        Lang::En => format!("over TLS: mqtts://{secure} and wss://{secure}{WEBSOCKET_PATH}"),
        Lang::Es => format!("por TLS: mqtts://{secure} y wss://{secure}{WEBSOCKET_PATH}"),
    });
    if let Some(Trust { pem, der }) = trust {
        let (pem, der) = (pem.display(), der.display());
        sender.note(match lang {
            Lang::En => format!(
                "clients trust it with --cafile {pem}; boards with {der}: umqtt fs cp {der} :ca.der"
            ),
            Lang::Es => format!(
                "los clientes confían en él con --cafile {pem}; las placas, con {der}: umqtt fs cp {der} :ca.der"
            ),
        });
    }
}

fn explain_store(error: &StoreError, lang: Lang) -> Failure {
    let message = match (lang, error) {
        (Lang::En, _) => error.to_string(),
        (Lang::Es, StoreError::Read { path, source }) => {
            failure::cannot_read(path.display(), source, lang)
        }
        (Lang::Es, StoreError::Write { path, source }) => {
            failure::cannot_write(path.display(), source, lang)
        }
        (Lang::Es, StoreError::InUse { folder }) => {
            format!("otro broker guarda sus sesiones en {}", folder.display())
        }
        (Lang::Es, StoreError::Unknown { path }) => format!(
            "{} no contiene sesiones que esta versión sepa leer",
            path.display()
        ),
        (Lang::Es, StoreError::Damaged { path, at }) => {
            format!("{} está dañado en el byte {at}", path.display())
        }
    };
    let help = match error {
        StoreError::Read { .. } | StoreError::Write { .. } => lang.pick(
            "check the folder's permissions and the room on the disk; what was acknowledged is kept",
            "revisa los permisos de la carpeta y el espacio en el disco; lo confirmado está guardado",
        ),
        StoreError::InUse { .. } => lang.pick(
            "stop it, or choose another folder with --persist",
            "termínalo o elige otra carpeta con --persist",
        ),
        StoreError::Unknown { .. } | StoreError::Damaged { .. } => lang.pick(
            "restore the file from a copy, or move it away to begin with nothing",
            "recupera el fichero de una copia, o quítalo de ahí para empezar sin nada",
        ),
    };
    Failure::new(Status::Failed, message, help)
}

/// The errors of certificates in the language of the user.
pub fn explain_tls(error: &TlsError, lang: Lang) -> Failure {
    let message = match (lang, error) {
        (Lang::En, _) => error.to_string(),
        (Lang::Es, TlsError::Read { path, source }) => {
            failure::cannot_read(path.display(), source, lang)
        }
        (Lang::Es, TlsError::Write { path, source }) => {
            failure::cannot_write(path.display(), source, lang)
        }
        (Lang::Es, TlsError::NotPem { path, wanted }) => {
            let wanted = match *wanted {
                "certificate" => "ningún certificado",
                _ => "ninguna clave privada sin contraseña",
            };
            format!("{} no contiene {wanted} en forma PEM", path.display())
        }
        (Lang::Es, TlsError::Unusable(why)) => format!("el certificado no se puede usar: {why}"),
    };
    let help = lang.pick(
        "--cert names the certificate and --key its own key, both in PEM; without them a certificate is made",
        "--cert nombra el certificado y --key su propia clave, ambos en PEM; sin ellos se hace un certificado",
    );
    Failure::new(Status::Failed, message, help)
}

/// Shows what a tap gives until its broker is gone.
pub fn forward(tap: Tap, display: Sender, lang: Lang) -> std::thread::JoinHandle<()> {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    std::thread::spawn(move || {
        let mut reported = 0;
        loop {
            match tap.try_next(Duration::from_millis(500)) {
                Ok(event) => display.show(Message::Mqtt(event)),
                Err(Timeout) => {
                    let dropped = tap.dropped();
                    if dropped > reported {
                        let lost = dropped - reported;
                        display.note(match lang {
                            Lang::En => format!("{lost} packets were too fast to be shown; the broker handled them"),
                            Lang::Es => format!("{lost} paquetes iban demasiado rápido para mostrarlos; el broker los atendió"),
                        });
                        reported = dropped;
                    }
                }
                Err(Disconnected) => return,
            }
        }
    })
}

/// Says of a broker without passwords that others can reach how they do, and that nothing keeps them from it.
pub fn warn_if_open(address: SocketAddr, display: &Sender, lang: Lang) {
    if address.ip().is_loopback() {
        return;
    }
    let seen = if address.ip().is_unspecified() {
        lan::own_address()
    } else {
        Some(address.ip())
    };
    let at = seen.map_or_else(
        || address.to_string(),
        |ip| SocketAddr::new(ip, address.port()).to_string(),
    );
    display.note(match lang {
        Lang::En => {
            format!("boards and computers of this network reach it at {at}; there is no password")
        }
        Lang::Es => {
            format!("placas y equipos de esta red lo encuentran en {at}; no hay contraseña")
        }
    });
}

/// `IP:PORT`, `localhost:PORT` or `PORT`.
pub fn address(text: Option<&str>, lang: Lang) -> Result<SocketAddr, Failure> {
    let Some(text) = text else {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)));
    };
    let spelled = match text.rsplit_once(':') {
        None => format!("127.0.0.1:{text}"),
        Some(("localhost" | "", port)) => format!("127.0.0.1:{port}"),
        Some(_) => text.to_owned(),
    };
    spelled.parse().map_err(|_| {
        let message = match lang {
            Lang::En => format!("\"{text}\" is no address to listen on"),
            Lang::Es => format!("\"{text}\" no es una dirección en la que escuchar"),
        };
        let help = lang.pick(
            "127.0.0.1:1883 or 0.0.0.0:1883, for example",
            "por ejemplo 127.0.0.1:1883 o 0.0.0.0:1883",
        );
        Failure::new(Status::Usage, message, help)
    })
}

/// The broker's errors in the language of the user.
pub fn explain(error: &BrokerError, lang: Lang) -> Failure {
    if let BrokerError::Open { address } = error {
        let message = match lang {
            Lang::En => format!("others can reach {address}, and anybody could connect there"),
            Lang::Es => format!("otros llegan a {address}, y cualquiera podría conectar ahí"),
        };
        let help = lang.pick(
            "--password-file FILE (umqtt broker passwd makes it), or --anonymous to allow it",
            "--password-file FICHERO (lo hace umqtt broker passwd), o --anonymous para permitirlo",
        );
        return Failure::new(Status::Usage, message, help);
    }
    if let BrokerError::Store(error) = error {
        return explain_store(error, lang);
    }
    if lang == Lang::En {
        return Failure::complete(Status::Failed, error.to_string());
    }
    Failure::complete(
        Status::Failed,
        match error {
            BrokerError::Taken { address, owner } => {
                let owner = owner
                    .as_ref()
                    .map_or("otro programa".to_owned(), PortOwner::to_spanish);
                format!(
                    "no se puede escuchar en {address}: {owner} ya usa ese puerto; termínalo o elige otro puerto con --listen"
                )
            }
            BrokerError::NotPermitted { address } => {
                format!(
                    "no se puede escuchar en {address}: sin permiso; elige un puerto a partir de 1024"
                )
            }
            BrokerError::NoSuchAddress { address } => format!(
                "no se puede escuchar en {address}: este equipo no tiene esa dirección; 127.0.0.1 y 0.0.0.0 siempre valen"
            ),
            BrokerError::Open { .. } | BrokerError::Store(_) => error.to_string(),
            BrokerError::Other { address, source } => {
                format!("no se puede escuchar en {address}: {}", lang.reason(source))
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listen_may_say() {
        let cases = [
            ("0.0.0.0:1883", "0.0.0.0:1883"),
            ("localhost:1884", "127.0.0.1:1884"),
            (":1885", "127.0.0.1:1885"),
            ("1886", "127.0.0.1:1886"),
            ("[::1]:1887", "[::1]:1887"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                address(Some(text), Lang::En).expect(text).to_string(),
                expected
            );
        }
        assert_eq!(
            address(None, Lang::En).expect("the default").to_string(),
            "127.0.0.1:1883"
        );
        for text in ["", "x", "1883x", "host:1883", "1.2.3.4", "99999"] {
            let failure = address(Some(text), Lang::Es).expect_err(text);
            assert_eq!(failure.status(), 2, "{text}");
        }
    }
}
