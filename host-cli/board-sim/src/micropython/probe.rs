//! What a MicroPython program says about itself, and whether that is good enough.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The .mpy version this project builds for (`MPY_VERSION` and `MPY_SUB_VERSION` in py/persistentcode.h).
const MPY_VERSION: u32 = 6;
const MPY_SUB_VERSION: u32 = 3;

/// Longest time a program may take to print its version before it is given up.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// `sys.implementation` of a MicroPython.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation {
    /// Such as `1.25.0`.
    pub version: String,
    /// `sys.implementation._mpy`: version, sub-version << 8, architecture << 10 (py/persistentcode.h).
    pub mpy: u32,
    /// `sys.platform`: `linux` or `darwin`.
    pub platform: String,
}

const PROGRAM: &str = "import sys
i=sys.implementation
print('umqtt-probe',i.name,'.'.join(str(n) for n in i.version[:3]),getattr(i,'_mpy',0),sys.platform)";

impl Implementation {
    /// Runs the program to ask it. `Err` says in one sentence why it is of no use.
    pub(super) fn probe(mut command: Command) -> Result<Implementation, String> {
        command.args(["-c", PROGRAM]).env_remove("MICROPYPATH");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|e| format!("it cannot be started: {e}"))?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if start.elapsed() < PROBE_LIMIT => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) => {
                    // It may have ended meanwhile; then there is nothing left to end.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("it does not answer when asked for its version".to_string());
                }
                Err(e) => return Err(format!("it cannot be waited for: {e}")),
            }
        };
        let mut text = String::new();
        if let Some(mut out) = child.stdout.take()
            && let Err(e) = out.read_to_string(&mut text)
        {
            return Err(format!("its answer cannot be read: {e}"));
        }
        Self::parse(&text)
            .ok_or_else(|| format!("it is not MicroPython, or not the unix port of it ({status})"))
    }

    fn parse(text: &str) -> Option<Implementation> {
        let line = text.lines().find(|l| l.starts_with("umqtt-probe "))?;
        let mut words = line.split(' ').skip(1);
        if words.next()? != "micropython" {
            return None;
        }
        Some(Implementation {
            version: words.next()?.to_string(),
            mpy: words.next()?.parse().ok()?,
            platform: words.next()?.to_string(),
        })
    }

    /// `(version, sub-version)` of the .mpy files it loads.
    pub fn mpy_version(&self) -> (u32, u32) {
        (self.mpy & 0xff, (self.mpy >> 8) & 3)
    }

    /// Native architecture number (`MP_NATIVE_ARCH_*` in py/persistentcode.h): 2 is x64; 0 is none.
    pub fn native_arch(&self) -> u32 {
        (self.mpy >> 10) & 0xf
    }

    /// Why this MicroPython will not do, if so.
    pub(super) fn unfit(&self, version: Option<&str>) -> Option<String> {
        let (major, sub) = self.mpy_version();
        if (major, sub) != (MPY_VERSION, MPY_SUB_VERSION) {
            return Some(format!(
                "it is MicroPython {}, whose .mpy version is {major}.{sub}; {MPY_VERSION}.{MPY_SUB_VERSION} \
                 (MicroPython 1.23 or newer) is needed",
                self.version
            ));
        }
        match version {
            Some(prefix) if !super::version_matches(&self.version, prefix) => Some(format!(
                "it is MicroPython {}, and version {prefix} was asked for",
                self.version
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_answer() {
        let got =
            Implementation::parse("noise\numqtt-probe micropython 1.25.0 2822 linux\n").unwrap();
        assert_eq!(got.version, "1.25.0");
        assert_eq!(got.mpy_version(), (6, 3));
        assert_eq!(got.native_arch(), 2);
        assert_eq!(got.unfit(None), None);
        assert_eq!(got.unfit(Some("1.25")), None);
        assert!(got.unfit(Some("1.26")).unwrap().contains("1.26"));
    }

    #[test]
    fn other_pythons_and_old_ones_do_not_fit() {
        assert_eq!(
            Implementation::parse("umqtt-probe cpython 3.11.2 0 linux\n"),
            None
        );
        assert_eq!(Implementation::parse(""), None);
        let old = Implementation::parse("umqtt-probe micropython 1.22.1 2566 linux\n").unwrap();
        assert_eq!(old.mpy_version(), (6, 2));
        assert!(old.unfit(None).unwrap().contains("6.2"));
    }
}
