//! `umqtt broker`: decides how the broker runs alone, and shows every packet until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use board_link::Lang;
use broker::{Broker, BrokerConfig, BrokerError, DEFAULT_PORT, Tap, TapOptions};

use crate::cli::BrokerOptions;
use crate::display::{Display, Form, Message, Sender};
use crate::failure::{Failure, Status};
use crate::lan;
use crate::lines;
use crate::stop::Stop;

pub fn run(options: &BrokerOptions, lang: Lang) -> Result<(), Failure> {
    let listen = address(options.listen.as_deref(), lang)?;
    let stop = Stop::on_signals(lang)?;
    let broker = Broker::start(BrokerConfig {
        listen,
        ..BrokerConfig::default()
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
    warn_if_open(broker.addr(), &sender, lang);
    let forwarding = forward(broker.tap(TapOptions::default()), sender, lang);
    stop.wait();
    // The tap ends with the broker, and its thread with the tap.
    drop(broker);
    let _ = forwarding.join();
    display.finish();
    Ok(())
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

/// Says of a broker that others can reach how they do, and that nothing keeps them from it.
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
fn address(text: Option<&str>, lang: Lang) -> Result<SocketAddr, Failure> {
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
    if lang == Lang::En {
        return Failure::complete(Status::Failed, error.to_string());
    }
    Failure::complete(
        Status::Failed,
        match error {
            BrokerError::Taken { address, owner } => {
                let owner = owner.as_deref().unwrap_or("otro programa");
                let owner = owner.replace("(process ", "(proceso ");
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
            BrokerError::Other { address, source } => {
                format!("no se puede escuchar en {address}: {source}")
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
