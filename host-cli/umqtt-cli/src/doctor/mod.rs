//! What may stop a student, each as a check with a name: what was found, and the exact command against it.
//!
//! | file | looks at |
//! |---|---|
//! | `computer` | what the system says about USB: cable, driver, permission |
//! | `port` | what a port gives away when it is opened: another program, the bootloader, silence |
//! | `board` | what the board says about itself: version, modules, filesystem, clock, Wi-Fi |

pub mod board;
pub mod computer;
pub mod port;

use board_link::Lang;
use serde_json::{Value, json};

/// What is looked at, in the order in which one thing stands in the way of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Cable,
    Driver,
    Permission,
    InUse,
    Firmware,
    Version,
    Modules,
    Filesystem,
    Clock,
    Wifi,
}

impl Check {
    pub const ALL: [Self; 10] = [
        Self::Cable,
        Self::Driver,
        Self::Permission,
        Self::InUse,
        Self::Firmware,
        Self::Version,
        Self::Modules,
        Self::Filesystem,
        Self::Clock,
        Self::Wifi,
    ];

    pub fn name(self, lang: Lang) -> &'static str {
        let [english, spanish] = match self {
            Self::Cable => ["cable", "cable"],
            Self::Driver => ["driver", "controlador"],
            Self::Permission => ["permission", "permiso"],
            Self::InUse => ["other programs", "otros programas"],
            Self::Firmware => ["firmware", "firmware"],
            Self::Version => ["version", "versión"],
            Self::Modules => ["modules", "módulos"],
            Self::Filesystem => ["filesystem", "ficheros"],
            Self::Clock => ["clock", "reloj"],
            Self::Wifi => ["wifi", "wifi"],
        };
        lang.pick(english, spanish)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Well,
    Problem,
    /// Nobody could tell, or something before it stands in the way.
    Unknown,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    pub verdict: Verdict,
    pub message: String,
    /// What to do, where there is a problem.
    pub help: Option<String>,
}

impl Finding {
    pub fn well(check: Check, message: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Well,
            message: message.into(),
            help: None,
        }
    }

    pub fn problem(check: Check, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Problem,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    pub fn unknown(check: Check, message: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Unknown,
            message: message.into(),
            help: None,
        }
    }

    /// For people: `driver: PROBLEM: …` and what to try below it.
    pub fn text(&self, lang: Lang) -> String {
        let mark = match self.verdict {
            Verdict::Well => lang.pick("well", "bien"),
            Verdict::Problem => lang.pick("PROBLEM", "PROBLEMA"),
            Verdict::Unknown => lang.pick("not known", "no se sabe"),
        };
        let mut text = format!("{}: {mark}: {}", self.check.name(lang), self.message);
        if let Some(help) = &self.help {
            let label = lang.pick("try", "prueba");
            text.push_str(&format!("\n  {label}: {}", help.replace('\n', "\n  ")));
        }
        text
    }

    /// For `--json`: names in English whatever the language of the message.
    pub fn object(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Well => "well",
            Verdict::Problem => "problem",
            Verdict::Unknown => "unknown",
        };
        json!({
            "event": "check", "check": self.check.name(Lang::En), "verdict": verdict,
            "message": self.message, "help": self.help,
        })
    }
}
