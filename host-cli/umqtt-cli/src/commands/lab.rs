//! `umqtt lab`: decides how the laboratory is started, and what it knows of umqtt that only this command knows.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use board_link::{Board, Lang, LinkError, PortSpec};
use broker::TlsError;
use lab::{
    EmbeddedBroker, Folder, FolderError, Lab, LabBroker, LabConfig, LabError, Outfit, Secure, Words,
};
use serde_json::json;

use crate::broker_choice::{self, BrokerChoice, OutsideBroker, StandIn};
use crate::commands::broker as broker_command;
use crate::display::{Message, Sender};
use crate::failure::{Failure, Status};
use crate::lan::{self, Announcement};
use crate::loan::Loan;
use crate::module::{self, InstallError};
use crate::mqtt_client;
use crate::options::lab::LabOptions;
use crate::simulated;
use crate::stop::Stop;
use crate::target;
use crate::tls_client::Trust;

/// The port of the page, unless another is named: MQTT's, turned round.
const PORT: u16 = 8183;

/// How often it is looked whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub fn run(options: &LabOptions, lang: Lang) -> Result<(), Failure> {
    let listen = listen(options.listen.as_deref(), lang)?;
    let boards = boards(options, lang)?;
    let folder = options
        .program
        .as_deref()
        .map(|path| Folder::open(path).map(Arc::new))
        .transpose()
        .map_err(|error| explain_folder(&error, lang))?;
    let choice = (options.broker.as_deref())
        .map(|text| broker_choice::named(text, lang))
        .transpose()?;
    let lan = lan::wanted(options.lan.as_deref(), choice.as_ref(), lang)?;
    super::shown(lang, |display, stop| {
        let simulated = simulated::maker(stop, lang)?;
        let (broker, trust) = match &choice {
            Some(BrokerChoice::Outside(broker)) => (outside(broker, stop, lang)?, None),
            None | Some(BrokerChoice::Embedded) => embedded(lan, display, lang),
        };
        let config = |listen| LabConfig {
            listen,
            lang,
            broker: broker.clone(),
            outfit: Arc::new(Lender { lang }),
            simulated: simulated.clone(),
            boards: boards.clone(),
            folder: folder.clone(),
            online: options.online,
            timeouts: target::timeouts(),
        };
        let lab = match listen {
            Some(address) => Lab::start(config(address)),
            None => {
                let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
                match Lab::start(config(usual)) {
                    Err(LabError::Listen { .. }) => {
                        Lab::start(config(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
                    }
                    started => started,
                }
            }
        };
        let lab = lab.map_err(|error| explain(&error, lang))?;
        welcome(&lab, options, display, lang);
        let _announcement = match &choice {
            Some(BrokerChoice::Outside(broker)) => {
                let label = lang.pick("watching the broker", "observando el broker");
                display.note(format!("{label} {broker}"));
                None
            }
            None | Some(BrokerChoice::Embedded) => {
                say_broker(&lab, trust.as_ref(), display, lang);
                lan.and_then(|_| announce(lab.broker(), display, lang))
            }
        };
        while !stop.is_requested() {
            std::thread::sleep(LOOK_EVERY);
        }
        not_as_before(&lab.end(), lang)
    })
}

/// The failure, if there are boards that could not be left as they were found: why, of each.
fn not_as_before(regrets: &[LinkError], lang: Lang) -> Result<(), Failure> {
    let Some(first) = regrets.first() else {
        return Ok(());
    };
    let label = lang.pick(
        "a board is not as it was before",
        "una placa no queda como estaba",
    );
    let each = regrets
        .iter()
        .map(|error| format!("{label}: {}", error.message(lang)));
    let message = each.collect::<Vec<_>>().join("\n");
    let kind = Failure::from_link(first, lang).kind();
    Err(Failure::new(kind, message, first.help(lang)))
}

/// A broker that somebody else runs; it must be there to begin with.
fn outside(broker: &OutsideBroker, stop: &Stop, lang: Lang) -> Result<LabBroker, Failure> {
    let StandIn { tcp, tls } = broker_choice::stand_in(broker, lang)?;
    let options = mqtt_client::options(broker, &Trust::default(), lang)?;
    mqtt_client::try_out(broker, options.clone(), stop, lang)?;
    Ok(LabBroker::Outside(Box::new(lab::OutsideBroker {
        name: broker.to_string(),
        tcp,
        tls,
        client: options,
    })))
}

/// The laboratory's own broker, and by which files others trust it. It does without TLS where its certificate cannot be
/// made, which is said.
fn embedded(
    lan: Option<Ipv4Addr>,
    display: &Sender,
    lang: Lang,
) -> (LabBroker, Option<broker::Trust>) {
    let ip = lan.unwrap_or(Ipv4Addr::LOCALHOST);
    let made = broker_command::make_identity(ip.into(), lang);
    let read = made.and_then(|(identity, trust)| {
        let authority = std::fs::read(&trust.der).map_err(|source| {
            let path = trust.der.clone();
            broker_command::explain_tls(&TlsError::Read { path, source }, lang)
        })?;
        let secure = Secure {
            identity,
            authority,
        };
        Ok((secure, trust))
    });
    let (secure, trust) = match read {
        Ok((secure, trust)) => (Some(secure), Some(trust)),
        Err(failure) => {
            let label = lang.pick("the broker does without TLS", "el broker se queda sin TLS");
            display.note(format!("{label}: {failure}"));
            (None, None)
        }
    };
    let broker = EmbeddedBroker {
        ip,
        open: lan.is_some(),
        secure,
    };
    (LabBroker::Embedded(broker), trust)
}

/// Says where the page is, and shows it.
fn welcome(lab: &Lab, options: &LabOptions, display: &Sender, lang: Lang) {
    let page = format!("http://{}/", lab.address());
    display.show(Message::Result {
        text: match lang {
            Lang::En => format!("Ctrl-C ends the laboratory, which is at {page}"),
            Lang::Es => format!("Ctrl-C termina el laboratorio, que está en {page}"),
        },
        fields: json!({
            "event": "laboratory",
            "page": page,
            "broker": lab.broker().to_string(),
            "secure_broker": lab.secure_broker().map(|address| address.to_string()),
            "page_is_built": lab::page_is_built(),
        }),
    });
    if !lab::page_is_built() {
        display.note(lang.pick(
            "its page is not built into this umqtt: cargo xtask page, then build and start again",
            "su página no está compilada en este umqtt: cargo xtask page, y después compila y arranca otra vez",
        ));
    } else if !options.no_open {
        open_browser(&page);
    }
}

/// Says where the laboratory's own broker is.
fn say_broker(lab: &Lab, trust: Option<&broker::Trust>, display: &Sender, lang: Lang) {
    let broker = lab.broker();
    display.note(match lang {
        Lang::En => format!("its broker listens on {broker}"),
        Lang::Es => format!("su broker escucha en {broker}"),
    });
    if let Some(secure) = lab.secure_broker() {
        broker_command::say_secure(secure, trust, display, lang);
    }
}

/// Lets the boards of the local network find the broker.
fn announce(broker: SocketAddr, display: &Sender, lang: Lang) -> Option<Announcement> {
    broker_command::warn_if_open(broker, display, lang);
    lan::say_settings(broker, display, lang);
    lan::announce(broker, display, lang)
}

/// Asks the desktop to show the page; where there is none, the printed address serves.
fn open_browser(page: &str) {
    let (program, arguments): (_, &[&str]) = if cfg!(windows) {
        ("cmd", &["/c", "start", ""])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else if ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        ("xdg-open", &[])
    } else {
        return;
    };
    let started = Command::new(program)
        .args(arguments)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = started {
        // It ends soon, and is not to be left behind as a zombie.
        std::thread::spawn(move || child.wait());
    }
}

/// The address of `--listen`; none without it.
fn listen(text: Option<&str>, lang: Lang) -> Result<Option<SocketAddr>, Failure> {
    let address = text
        .map(|text| broker_command::address(Some(text), lang))
        .transpose()?;
    match address.filter(|address| !address.ip().is_loopback()) {
        Some(address) => Err(explain(&LabError::Open { address }, lang)),
        None => Ok(address),
    }
}

/// The boards to begin with.
fn boards(options: &LabOptions, lang: Lang) -> Result<Vec<PortSpec>, Failure> {
    let ports = options.ports.iter().map(|port| port.parse());
    let ports: Vec<PortSpec> = ports
        .collect::<Result<_, LinkError>>()
        .map_err(|error| Failure::from_link(&error, lang))?;
    let simulated = options.boards.unwrap_or(u8::from(ports.is_empty()));
    let simulated = std::iter::repeat_n(PortSpec::Sim, simulated.into());
    Ok(ports.into_iter().chain(simulated).collect())
}

fn explain_folder(error: &FolderError, lang: Lang) -> Failure {
    let help = match error {
        FolderError::Read { .. } => lang.pick(
            "name a script, or a folder with a main.py",
            "indica un programa, o una carpeta con un main.py",
        ),
        FolderError::NoMain { .. } => lang.pick(
            "name the script itself, or call it main.py",
            "indica el propio programa, o llámalo main.py",
        ),
        FolderError::NoText { .. } => lang.pick(
            "save it as UTF-8 in your editor",
            "guárdalo como UTF-8 en el editor",
        ),
        FolderError::NoDiagram { .. } => lang.pick(
            "copy diagram.json again from the Wokwi project, or remove it",
            "vuelve a copiar diagram.json del proyecto de Wokwi, o quítalo",
        ),
    };
    let message = lang.pick(error.to_string(), error.to_spanish());
    Failure::new(Status::Failed, message, help)
}

fn explain(error: &LabError, lang: Lang) -> Failure {
    match error {
        LabError::Broker(error) => broker_command::explain(error, lang),
        LabError::Open { address } => Failure::new(
            Status::Usage,
            match lang {
                Lang::En => format!(
                    "others can reach {address}, and whoever reaches the page runs programs on this computer's boards"
                ),
                Lang::Es => format!(
                    "otros llegan a {address}, y quien llega a la página ejecuta programas en las placas de este equipo"
                ),
            },
            lang.pick(
                "--listen 127.0.0.1:PORT, which is this computer only",
                "--listen 127.0.0.1:PUERTO, que es solo este equipo",
            ),
        ),
        LabError::Listen { address, source } => Failure::new(
            Status::Failed,
            match lang {
                Lang::En => format!("the page cannot listen on {address}: {source}"),
                Lang::Es => format!(
                    "la página no puede escuchar en {address}: {}",
                    lang.reason(source)
                ),
            },
            lang.pick(
                "leave --listen out, or name another port",
                "quita --listen, o indica otro puerto",
            ),
        ),
        LabError::System(error) => Failure::complete(
            Status::Failed,
            match lang {
                Lang::En => format!("the laboratory cannot start: {error}"),
                Lang::Es => format!("el laboratorio no puede arrancar: {error}"),
            },
        ),
    }
}

/// Lends boards what a run lends them.
struct Lender {
    lang: Lang,
}

impl Outfit for Lender {
    fn loan(&self, broker: Option<SocketAddr>) -> Box<dyn lab::Loan> {
        Box::new(Lent {
            loan: Loan::default(),
            broker,
            lang: self.lang,
        })
    }
}

struct Lent {
    loan: Loan,
    /// Where programs are told that the broker is.
    broker: Option<SocketAddr>,
    lang: Lang,
}

impl lab::Loan for Lent {
    fn give(
        &mut self,
        board: &mut Board,
        with_files: bool,
        note: &mut dyn FnMut(Words),
    ) -> Result<(), LinkError> {
        let info = board.info()?;
        let (sender, notes) = Sender::to_receiver();
        let given = self.loan.give(board, &info, &sender, self.lang);
        drop(sender);
        for message in notes {
            if let Message::Note(text) = message {
                note(Words::same(text));
            }
        }
        match given {
            // On the page that is how it should be, and nothing to speak of.
            Ok(_) => {}
            // The program may do well with what the firmware brings.
            Err(InstallError::Unfit(finding)) => {
                // Pages have languages of their own.
                let said = |lang| module::umqtt(&info, lang).err().map(|unfit| unfit.message);
                let words = said(Lang::En).zip(said(Lang::Es));
                note(words.map_or_else(
                    || Words::same(finding.message),
                    |(en, es)| Words::new(en, es),
                ));
            }
            Err(InstallError::Link(error)) => return Err(error),
        }
        if with_files {
            self.loan.extend();
        }
        Ok(())
    }

    fn show(&self, board: &mut Board) -> Result<(), LinkError> {
        self.loan.show(board)?;
        if let Some(broker) = self.broker {
            board
                .exec(&lan::settings(broker))
                .and_then(board_link::Execution::into_stdout)?;
        }
        Ok(())
    }

    fn take_back(&mut self, board: &mut Board) -> Result<(), LinkError> {
        self.loan.take_back(board)
    }
}
