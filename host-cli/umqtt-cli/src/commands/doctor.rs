//! `umqtt doctor`: decides in which order what may stop a student is looked at, and when looking further makes no sense.

use std::time::Duration;

use board_link::{Lang, PortSpec, PortState};
use serde_json::json;

use crate::cli::DoctorOptions;
use crate::commands::shown;
use crate::display::{Message, Sender};
use crate::doctor::computer::{self, System};
use crate::doctor::{Check, Finding, Verdict, board, port};
use crate::failure::{Failure, Status};
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::target;

/// How long a board may take to say something of its own accord.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn run(options: &DoctorOptions, lang: Lang) -> Result<(), Failure> {
    shown(lang, |display, stop| {
        let mut visit = Visit {
            display,
            lang,
            seen: Vec::new(),
        };
        visit.examine(options, stop)?;
        visit.sum_up()
    })
}

struct Visit<'a> {
    display: &'a Sender,
    lang: Lang,
    seen: Vec<Finding>,
}

impl Visit<'_> {
    fn tell(&mut self, finding: Finding) {
        self.display.show(Message::Result {
            text: finding.text(self.lang),
            fields: finding.object(),
        });
        self.seen.push(finding);
    }

    fn has_problem(&self) -> bool {
        self.seen
            .iter()
            .any(|finding| finding.verdict == Verdict::Problem)
    }

    fn examine(&mut self, options: &DoctorOptions, stop: &Stop) -> Result<(), Failure> {
        let lang = self.lang;
        let link = |error| Failure::from_link(&error, lang);
        let system = System::default();
        let asked: PortSpec = options
            .port
            .port
            .as_deref()
            .unwrap_or("auto")
            .parse()
            .map_err(link)?;
        if asked == PortSpec::Auto {
            let ports = board_link::list().map_err(link)?;
            let usb = ports.iter().filter(|port| port.usb.is_some()).count();
            let devices = computer::devices(&system);
            self.tell(computer::cable(usb, devices.as_deref(), lang));
            self.tell(computer::driver(devices.as_deref(), &system, lang));
            if usb == 0 {
                return Ok(());
            }
        }
        let meant = board_link::resolve(&asked).map_err(link)?;
        let (transport, _simulated) = if meant == PortSpec::Sim {
            let simulated = Simulated::start(None, self.display, stop, lang)?;
            (simulated.open(lang)?, Some(simulated))
        } else {
            let state = board_link::look(&meant, PATIENCE);
            for finding in port::findings(&meant.to_string(), &state, &system, lang) {
                self.tell(finding);
            }
            if self.has_problem() && !matches!(state, PortState::Garbage) {
                return Ok(());
            }
            (board_link::open(&meant).map_err(link)?, None)
        };
        stop.interrupted(lang)?;
        // From here on a program that runs on the board is stopped.
        let mut reached = match board_link::Board::connect(transport, target::timeouts()) {
            Ok(board) => board,
            Err(error) => {
                self.tell(port::unreachable(&error, lang));
                return Ok(());
            }
        };
        let info = reached.info().map_err(link)?;
        let version = board::version(&info, lang);
        // A MicroPython that takes no module of ours says nothing about those on the board.
        let runs_modules = version.verdict == Verdict::Well;
        self.tell(version);
        let facts = board::ask(&mut reached, options.wifi.is_some()).map_err(link)?;
        if runs_modules {
            self.tell(board::modules(&facts, &info, lang));
        }
        self.tell(board::filesystem(&facts, lang));
        self.tell(board::clock(&facts, lang));
        if let Some(wanted) = &options.wifi {
            let bands = board::bands(wanted);
            self.tell(board::wifi(wanted, &facts, bands.as_deref(), lang));
        }
        target::leave(&mut reached, lang)
    }

    /// Says what was not looked at, and fails if there is a problem.
    fn sum_up(&self) -> Result<(), Failure> {
        let lang = self.lang;
        let problems = self
            .seen
            .iter()
            .filter(|finding| finding.verdict == Verdict::Problem)
            .count();
        let skipped: Vec<&str> = Check::ALL
            .into_iter()
            .filter(|check| !self.seen.iter().any(|finding| finding.check == *check))
            .map(|check| check.name(lang))
            .collect();
        let mut text = match (problems, lang) {
            (0, Lang::En) => "nothing stands in the way".to_owned(),
            (0, Lang::Es) => "nada lo impide".to_owned(),
            (_, Lang::En) => format!("problems: {problems}"),
            (_, Lang::Es) => format!("problemas: {problems}"),
        };
        if !skipped.is_empty() {
            let label = lang.pick("not looked at", "sin mirar");
            text.push_str(&format!("; {label}: {}", skipped.join(", ")));
        }
        self.display.show(Message::Result {
            text,
            fields: json!({ "event": "summary", "problems": problems, "not_looked_at": skipped }),
        });
        match problems {
            0 => Ok(()),
            _ => Err(Failure::shown(Status::Failed)),
        }
    }
}
