//! Which command installs MicroPython on a system where it cannot be fetched for the user.

/// One command line for this system, and which system was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallHint {
    /// Such as `fedora`, `ubuntu`, `macos`, `windows`.
    pub system: String,
    /// What to type there.
    pub command: String,
}

/// Builds the unix port from MicroPython's own sources; needs git, make, a C compiler and libffi.
const BUILD: &str = "git clone --depth 1 --branch v1.26.1 https://github.com/micropython/micropython \
     && make -C micropython/mpy-cross \
     && make -C micropython/ports/unix submodules all \
     && export UMQTT_MICROPYTHON=$PWD/micropython/ports/unix/build-standard/micropython";

impl InstallHint {
    /// The hint for the machine this runs on.
    pub(super) fn here() -> InstallHint {
        match std::env::consts::OS {
            "linux" => {
                Self::for_linux(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
            }
            other => Self::for_system(other),
        }
    }

    fn for_system(system: &str) -> InstallHint {
        let command = match system {
            "macos" => "brew install micropython".to_string(),
            "windows" => "wsl --install -d Debian, then run this command inside Debian".to_string(),
            "freebsd" => "sudo pkg install micropython".to_string(),
            _ => BUILD.to_string(),
        };
        InstallHint {
            system: system.to_string(),
            command,
        }
    }

    /// `os_release` is the text of /etc/os-release.
    fn for_linux(os_release: &str) -> InstallHint {
        let field = |name: &str| os_release_field(os_release, name).unwrap_or_default();
        let ids = format!("{} {}", field("ID"), field("ID_LIKE"));
        let known = ids.split_whitespace().find_map(|id| {
            let tools = match id {
                "ubuntu" => {
                    // Ubuntu 25.04 is the first whose package is new enough for .mpy 6.3.
                    let year = field("VERSION_ID")
                        .split('.')
                        .next()
                        .and_then(|y| y.parse().ok());
                    if year.is_some_and(|y: u32| y >= 25) && field("ID") == "ubuntu" {
                        return Some((id, "sudo apt-get install micropython".to_string()));
                    }
                    "sudo apt-get install -y build-essential git libffi-dev pkg-config python3"
                }
                "debian" => {
                    "sudo apt-get install -y build-essential git libffi-dev pkg-config python3"
                }
                "fedora" | "rhel" | "centos" => {
                    "sudo dnf install -y gcc make git libffi-devel pkgconf python3"
                }
                "arch" => "sudo pacman -S --needed base-devel git libffi python",
                "opensuse" | "suse" => {
                    "sudo zypper install -y gcc make git libffi-devel pkg-config python3"
                }
                "alpine" => "sudo apk add build-base git libffi-dev pkgconf python3",
                _ => return None,
            };
            Some((id, format!("{tools} && {BUILD}")))
        });
        match known {
            Some((id, command)) => InstallHint {
                system: id.to_string(),
                command,
            },
            None => Self::for_system("linux"),
        }
    }
}

/// The value of one field of an os-release file, without its quotes.
pub(super) fn os_release_field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.trim().trim_matches(['"', '\'']).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_gets_its_own_command() {
        for (os_release, system, word) in [
            ("ID=fedora\n", "fedora", "dnf install"),
            (
                "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n",
                "rhel",
                "dnf install",
            ),
            ("ID=manjaro\nID_LIKE=arch\n", "arch", "pacman -S"),
            (
                "ID=ubuntu\nVERSION_ID=\"24.04\"\nID_LIKE=debian\n",
                "ubuntu",
                "git clone",
            ),
            (
                "ID=ubuntu\nVERSION_ID=\"25.10\"\nID_LIKE=debian\n",
                "ubuntu",
                "apt-get install micropython",
            ),
            (
                "ID=linuxmint\nVERSION_ID=\"22\"\nID_LIKE=\"ubuntu debian\"\n",
                "ubuntu",
                "git clone",
            ),
            ("", "linux", "git clone"),
        ] {
            let hint = InstallHint::for_linux(os_release);
            assert_eq!(hint.system, system, "{os_release}");
            assert!(
                hint.command.contains(word),
                "{os_release}: {}",
                hint.command
            );
        }
        assert!(InstallHint::for_system("macos").command.contains("brew"));
        assert!(InstallHint::for_system("windows").command.contains("wsl"));
    }
}
