//! What a board says about itself at its raw REPL: its version, the modules that lie on it, room, clock, and the Wi-Fi
//! networks that it sees.

use std::process::Command;

use board_link::{Board, BoardInfo, Lang, LinkError};

use super::{Check, Finding};
use crate::fit::{self, Verdict};
use crate::module;

/// Less than this many bytes free and a lesson with its module may not find room.
const LITTLE_ROOM: u64 = 32 * 1024;

/// No certificate is valid before this year: boards without a set clock believe it to be 2000 (or 1970, or 2021).
const CLOCK_SET: u32 = 2024;

/// What a board was asked at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bytes of the filesystem, all and free; `None` without a filesystem.
    pub room: Option<(u64, u64)>,
    pub year: Option<u32>,
    /// Path and first bytes of every .mpy file where Python looks for modules.
    pub modules: Vec<(String, Vec<u8>)>,
    /// Names of the networks that it sees; `None` where nobody asked or it has no Wi-Fi.
    pub networks: Option<Vec<String>>,
}

/// Prints one line per fact. `%w` is whether to look for networks: that takes seconds, and switches Wi-Fi on for them.
const QUESTION: &str = "
def _u(w):
 import os,sys
 def p(*a):
  print('\\x1f',*a)
 try:
  s=os.statvfs('/')
  p('room',s[0]*s[2] if s[1]==0 else s[1]*s[2],s[0]*s[3])
 except Exception:
  pass
 try:
  import machine
  p('year',machine.RTC().datetime()[0])
 except Exception:
  try:
   import time
   p('year',time.localtime()[0])
  except Exception:
   pass
 def walk(d,n):
  try:
   for e in os.ilistdir(d or '/'):
    f=d+'/'+e[0]
    if e[1]==0x4000:
     if n:walk(f,n-1)
    elif f.endswith('.mpy'):
     with open(f,'rb') as h:
      p('mpy',''.join('%02x'%b for b in h.read(16)),f)
  except OSError:
   pass
 walk('',3)
 if w:
  try:
   import network
   s=network.WLAN(network.STA_IF)
   a=s.active()
   s.active(True)
   try:
    for r in s.scan():
     p('net',r[0].decode())
    p('scanned')
   finally:
    s.active(a)
  except Exception:
   pass
_u(%w)
del _u
";

/// The most modules that are looked at.
const MANY: usize = 500;

/// Asks the board.
///
/// # Errors
/// Where the board is lost.
pub fn ask(board: &mut Board, wifi: bool) -> Result<Facts, LinkError> {
    let question = QUESTION.replace("%w", if wifi { "1" } else { "0" });
    let text = board.exec(&question)?.into_stdout()?;
    Ok(read(&text))
}

fn read(text: &str) -> Facts {
    let mut facts = Facts::default();
    let mut networks = Vec::new();
    let mut scanned = false;
    for line in text.lines().filter_map(|line| line.strip_prefix("\x1f ")) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "room" => {
                let mut numbers = value.split(' ').map(str::parse);
                if let (Some(Ok(all)), Some(Ok(free))) = (numbers.next(), numbers.next()) {
                    facts.room = Some((all, free));
                }
            }
            "year" => facts.year = value.parse().ok(),
            "mpy" if facts.modules.len() < MANY => {
                let Some((hex, path)) = value.split_once(' ') else {
                    continue;
                };
                let bytes = hex.as_bytes().chunks(2).filter_map(|pair| {
                    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
                });
                facts.modules.push((path.to_owned(), bytes.collect()));
            }
            "net" => networks.push(value.to_owned()),
            "scanned" => scanned = true,
            _ => {}
        }
    }
    facts.networks = scanned.then_some(networks);
    facts
}

/// Whether our modules run on this MicroPython.
pub fn version(info: &BoardInfo, lang: Lang) -> Finding {
    let (major, minor, micro) = info.version;
    let name = format!(
        "{} {major}.{minor}.{micro}, {}",
        info.implementation,
        fit::board_name(info)
    );
    let page = board_data::of_machine(&info.machine)
        .and_then(|board| Some((board.name.clone(), board.page()?)));
    let flash = match &page {
        Some((board, page)) => format!("umqtt flash --board {board} ({page})"),
        None => "umqtt boards".to_owned(),
    };
    if info.implementation != "micropython" {
        let message = match lang {
            Lang::En => format!("this is not MicroPython: {name}"),
            Lang::Es => format!("esto no es MicroPython: {name}"),
        };
        return Finding::problem(Check::Version, message, flash);
    }
    let unfit = match module::umqtt(info, lang) {
        Ok(items) => items
            .first()
            .and_then(|module| fit::File::read(&module.content).ok())
            .and_then(|file| {
                let findings = fit::compare(&file, info, lang);
                findings
                    .into_iter()
                    .find(|finding| finding.verdict == Verdict::Unfit)
            }),
        Err(finding) => Some(finding),
    };
    match unfit {
        None => Finding::well(Check::Version, name),
        Some(finding) if finding.aspect == fit::Aspect::Version => {
            let message = match lang {
                Lang::En => format!("MicroPython is too old: {}", finding.message),
                Lang::Es => format!("MicroPython es demasiado antiguo: {}", finding.message),
            };
            let newer = lang.pick("1.23 or newer", "1.23 o posterior");
            Finding::problem(Check::Version, message, format!("{flash}: {newer}"))
        }
        Some(finding) => Finding::problem(
            Check::Version,
            finding.message,
            finding.help.unwrap_or_default(),
        ),
    }
}

/// Whether the modules on the board are for it.
pub fn modules(facts: &Facts, info: &BoardInfo, lang: Lang) -> Finding {
    for (path, head) in &facts.modules {
        let Some(file) = fit::File::of_head(head) else {
            let message = match lang {
                Lang::En => format!("{path} is no .mpy file, or half of one"),
                Lang::Es => format!("{path} no es un fichero .mpy, o está a medias"),
            };
            return Finding::problem(Check::Modules, message, repair(path, lang));
        };
        let unfit = fit::compare(&file, info, lang)
            .into_iter()
            .find(|finding| finding.verdict == Verdict::Unfit);
        if let Some(finding) = unfit {
            return Finding::problem(
                Check::Modules,
                format!("{path}: {}", finding.message),
                repair(path, lang),
            );
        }
    }
    let names: Vec<&str> = facts
        .modules
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    Finding::well(
        Check::Modules,
        if names.is_empty() {
            lang.pick(
                "there are none yet; umqtt run and umqtt install put umqtt there",
                "aún no hay; umqtt run y umqtt install ponen umqtt",
            )
            .to_owned()
        } else {
            names.join(", ")
        },
    )
}

fn repair(path: &str, lang: Lang) -> String {
    if path.ends_with("umqtt/simple.mpy") {
        return match lang {
            Lang::En => "umqtt install puts the right one there".to_owned(),
            Lang::Es => "umqtt install pone el que le corresponde".to_owned(),
        };
    }
    match lang {
        Lang::En => format!(
            "build it for this board (umqtt build --port PORT) and install it anew, or take {path} away"
        ),
        Lang::Es => format!(
            "compílalo para esta placa (umqtt build --port PUERTO) e instálalo de nuevo, o quita {path}"
        ),
    }
}

pub fn filesystem(facts: &Facts, lang: Lang) -> Finding {
    let Some((all, free)) = facts.room else {
        return Finding::problem(
            Check::Filesystem,
            lang.pick(
                "the board has no filesystem",
                "la placa no tiene sistema de ficheros",
            ),
            lang.pick(
                "flash it with --erase: umqtt flash --board NAME --erase",
                "grábala con --erase: umqtt flash --board NOMBRE --erase",
            ),
        );
    };
    let (all, kilobytes) = (all / 1024, free / 1024);
    let message = match lang {
        Lang::En => format!("{kilobytes} of {all} KiB are free"),
        Lang::Es => format!("quedan libres {kilobytes} de {all} KiB"),
    };
    if free >= LITTLE_ROOM {
        return Finding::well(Check::Filesystem, message);
    }
    Finding::problem(
        Check::Filesystem,
        message,
        lang.pick(
            "umqtt fs tree shows what is there, umqtt fs rm PATH takes it away",
            "umqtt fs tree muestra lo que hay, umqtt fs rm RUTA lo quita",
        ),
    )
}

pub fn clock(facts: &Facts, lang: Lang) -> Finding {
    let Some(year) = facts.year else {
        return Finding::unknown(
            Check::Clock,
            lang.pick(
                "the board does not tell the time",
                "la placa no dice la hora",
            ),
        );
    };
    if year >= CLOCK_SET {
        return Finding::well(Check::Clock, year.to_string());
    }
    Finding::problem(
        Check::Clock,
        match lang {
            Lang::En => format!(
                "the board believes it to be {year}: TLS refuses every certificate as not yet valid"
            ),
            Lang::Es => format!(
                "la placa cree que es {year}: TLS rechaza todo certificado por no ser válido aún"
            ),
        },
        lang.pick(
            "after Wi-Fi is connected, in the program: import ntptime; ntptime.settime()",
            "tras conectar el wifi, en el programa: import ntptime; ntptime.settime()",
        ),
    )
}

/// Whether the board sees this network. Boards know the 2.4 GHz band alone, phones and computers both.
pub fn wifi(wanted: &str, facts: &Facts, bands: Option<&[u32]>, lang: Lang) -> Finding {
    let Some(networks) = &facts.networks else {
        return Finding::unknown(
            Check::Wifi,
            lang.pick(
                "the board has no Wi-Fi, or does not look for networks",
                "la placa no tiene wifi, o no busca redes",
            ),
        );
    };
    if networks.iter().any(|name| name == wanted) {
        return Finding::well(
            Check::Wifi,
            match lang {
                Lang::En => format!("the board sees {wanted}"),
                Lang::Es => format!("la placa ve {wanted}"),
            },
        );
    }
    let mut seen: Vec<&str> = networks
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let seen = if seen.is_empty() {
        lang.pick("none", "ninguna").to_owned()
    } else {
        seen.join(", ")
    };
    // Channels of the 2.4 GHz band lie below 2,500 MHz (IEEE 802.11).
    let only_high = bands
        .is_some_and(|bands| !bands.is_empty() && bands.iter().all(|megahertz| *megahertz > 2500));
    let message = match (only_high, lang) {
        (true, Lang::En) => {
            format!("{wanted} is on 5 GHz alone, which boards do not know; the board sees: {seen}")
        }
        (true, Lang::Es) => {
            format!("{wanted} solo está en 5 GHz, que las placas no conocen; la placa ve: {seen}")
        }
        (false, Lang::En) => format!("the board does not see {wanted}; it sees: {seen}"),
        (false, Lang::Es) => format!("la placa no ve {wanted}; ve: {seen}"),
    };
    let help = lang.pick(
        "switch the router's (or phone's) 2.4 GHz band on, or use another network; letters count, capital or small",
        "activa la banda de 2,4 GHz del router (o del móvil), o usa otra red; cuentan mayúsculas y minúsculas",
    );
    Finding::problem(Check::Wifi, message, help)
}

/// On which frequencies, in MHz, this computer sees the network; `None` where it cannot tell.
pub fn bands(wanted: &str) -> Option<Vec<u32>> {
    let output = Command::new("nmcli")
        .args([
            "--terse",
            "--escape",
            "no",
            "--fields",
            "FREQ,SSID",
            "device",
            "wifi",
            "list",
        ])
        .output()
        .ok()?;
    // "5180 MHz:Aula"
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let frequencies = text.lines().filter_map(|line| {
        let (frequency, name) = line.split_once(':')?;
        (name == wanted).then(|| frequency.split(' ').next()?.parse().ok())?
    });
    Some(frequencies.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boards_answer_is_read_and_nonsense_passed_over() {
        let text = "boot\n\x1f room 2097152 4096\n\x1f year 2000\n\x1f mpy 4d061f1e /umqtt/simple.mpy\n\
                    \x1f net Aula 3\n\x1f scanned\n\x1f room many none\n\x1f mpy 4d\n\x1f\n\x1f year x\n";
        let facts = read(text);
        assert_eq!(facts.room, Some((2_097_152, 4096)));
        assert_eq!(facts.year, None);
        assert_eq!(
            facts.modules,
            [("/umqtt/simple.mpy".to_owned(), vec![0x4d, 6, 0x1f, 0x1e])]
        );
        assert_eq!(facts.networks, Some(vec!["Aula 3".to_owned()]));
        assert_eq!(read("\x1f net x\n").networks, None);
        let endless: String = (0..10_000)
            .map(|n| format!("\x1f mpy 4d06 /{n}.mpy\n"))
            .collect();
        assert_eq!(read(&endless).modules.len(), MANY);
    }

    #[test]
    fn a_network_on_5_ghz_alone_is_told_from_one_that_is_not_there() {
        let facts = Facts {
            networks: Some(vec!["Casa".to_owned(), String::new(), "Casa".to_owned()]),
            ..Facts::default()
        };
        let message =
            |wanted, bands: Option<&[u32]>, lang| wifi(wanted, &facts, bands, lang).message;
        assert_eq!(message("Casa", None, Lang::En), "the board sees Casa");
        assert!(message("Aula", Some(&[5180, 5500]), Lang::En).contains("on 5 GHz alone"));
        assert!(message("Aula", Some(&[5180, 5500]), Lang::Es).contains("solo está en 5 GHz"));
        for bands in [None, Some(&[][..]), Some(&[5180, 2412][..])] {
            assert_eq!(
                message("Aula", bands, Lang::En),
                "the board does not see Aula; it sees: Casa"
            );
        }
        assert_eq!(
            wifi("Aula", &Facts::default(), None, Lang::En).verdict,
            super::super::Verdict::Unknown
        );
    }
}
