//! Decides which rustc of this computer compiles a module: the one on PATH, as rustup has it active, else Debian's.
//!
//! For most architectures no toolchain brings a compiled `core`; it is compiled along from its sources, which is what
//! the component rust-src or Debian's package rust-web-src is. That is an unstable feature of cargo, which a stable one
//! offers under `RUSTC_BOOTSTRAP=1`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{BuildError, Unfit};
use crate::targets::Target;

/// Where Debian's package rustc-web puts its compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// The oldest release that compiles these sources.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// A compiler that was asked what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    pub rustc: PathBuf,
    pub cargo: PathBuf,
    /// The first line of `rustc --version`.
    pub version: String,
    pub llvm: u32,
    /// `rustc --print sysroot`.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Where the standard library's sources are, if they are installed.
    pub fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    fn suits(&self, target: &Target) -> Result<(), Unfit> {
        let (rustc, version) = (self.rustc.clone(), self.version.clone());
        if release(&version) < release(&format!("rustc {OLDEST}")) {
            return Err(Unfit::Old {
                rustc,
                version,
                wanted: OLDEST,
            });
        }
        if target.build_std {
            if !self.library().join("core/src/lib.rs").is_file() {
                let rustup = self.rustc != Path::new(DEBIAN_RUSTC);
                return Err(Unfit::NoSource {
                    rustc,
                    version,
                    rustup,
                });
            }
        } else if !self
            .sysroot
            .join("lib/rustlib")
            .join(&target.rustc)
            .join("lib")
            .is_dir()
        {
            return Err(Unfit::NoCore {
                rustc,
                version,
                target: target.rustc.clone(),
            });
        }
        if self.llvm < target.llvm {
            return Err(Unfit::Llvm {
                rustc,
                version,
                llvm: self.llvm,
                wanted: target.llvm,
            });
        }
        Ok(())
    }
}

/// The compiler for a target, asked for in `folder`, because rustup may have another one active there. One whose
/// version is `wanted` goes before all others.
///
/// # Errors
/// [`BuildError::NoToolchain`] where none will do; the text says what to install.
pub fn find(target: &Target, folder: &Path, wanted: Option<&str>) -> Result<Toolchain, BuildError> {
    let on_path = std::env::var_os("RUSTC")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "rustc".into());
    let candidates = [PathBuf::from(on_path), PathBuf::from(DEBIAN_RUSTC)];
    let mut suitable: Vec<Toolchain> = Vec::new();
    let mut reasons = Vec::new();
    for rustc in candidates {
        let asked =
            ask(&rustc, folder).and_then(|toolchain| toolchain.suits(target).map(|()| toolchain));
        match asked {
            Ok(toolchain) => suitable.push(toolchain),
            Err(reason) if reasons.contains(&reason) => {}
            Err(reason) => reasons.push(reason),
        }
    }
    let place = suitable
        .iter()
        .position(|toolchain| wanted == Some(&toolchain.version))
        .unwrap_or(0);
    if suitable.is_empty() {
        return Err(BuildError::NoToolchain {
            arch: target.arch,
            reasons,
        });
    }
    Ok(suitable.swap_remove(place))
}

fn ask(rustc: &Path, folder: &Path) -> Result<Toolchain, Unfit> {
    let missing = || Unfit::Missing {
        rustc: rustc.to_owned(),
    };
    let output = |arguments: &[&str]| {
        let run = Command::new(rustc)
            .args(arguments)
            .current_dir(folder)
            .output();
        match run {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            _ => Err(missing()),
        }
    };
    let verbose = output(&["-vV"])?;
    let llvm = verbose
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next()?.parse().ok())
        .unwrap_or(0);
    Ok(Toolchain {
        rustc: rustc.to_owned(),
        cargo: cargo(rustc)?,
        version: verbose.lines().next().unwrap_or_default().to_owned(),
        llvm,
        sysroot: output(&["--print", "sysroot"])?.trim_end().into(),
    })
}

/// The cargo that runs this program, else the one on PATH, else Debian's. Any of them drives any rustc.
fn cargo(rustc: &Path) -> Result<PathBuf, Unfit> {
    let own = std::env::var_os("CARGO")
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    own.into_iter()
        .chain([PathBuf::from("cargo"), PathBuf::from(DEBIAN_CARGO)])
        .find(|cargo| {
            Command::new(cargo)
                .arg("--version")
                .output()
                .is_ok_and(|output| output.status.success())
        })
        .ok_or_else(|| Unfit::NoCargo {
            rustc: rustc.to_owned(),
        })
}

/// Major and minor number of `rustc 1.96.0 (…)`.
fn release(version: &str) -> (u32, u32) {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toolchain(version: &str, llvm: u32, sysroot: &Path) -> Toolchain {
        Toolchain {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            version: version.into(),
            llvm,
            sysroot: sysroot.into(),
        }
    }

    #[test]
    fn what_a_compiler_lacks_is_named() {
        let sysroot = tempfile::tempdir().expect("a folder");
        let [x64, xtensa] = ["x64", "xtensa"].map(|name| Target::named(name).expect(name));
        let new = toolchain("rustc 1.96.0 (abc)", 22, sysroot.path());
        assert!(matches!(
            new.suits(xtensa),
            Err(Unfit::NoSource { rustup: true, .. })
        ));
        assert!(matches!(new.suits(x64), Err(Unfit::NoCore { .. })));
        let old = toolchain("rustc 1.63.0", 14, sysroot.path());
        assert!(matches!(old.suits(x64), Err(Unfit::Old { .. })));

        let core = new.library().join("core/src");
        std::fs::create_dir_all(&core).expect("a folder");
        std::fs::write(core.join("lib.rs"), "").expect("a file");
        assert_eq!(new.suits(xtensa), Ok(()));
        let other = toolchain("rustc 1.95.0", 21, sysroot.path());
        assert!(matches!(
            other.suits(xtensa),
            Err(Unfit::Llvm { wanted: 22, .. })
        ));
        assert_eq!(
            other.suits(Target::named("armv6m").expect("armv6m")),
            Ok(())
        );
    }

    #[test]
    fn what_to_install_is_said() {
        let reasons = vec![
            Unfit::NoSource {
                rustc: "rustc".into(),
                version: "rustc 1.95.0".into(),
                rustup: true,
            },
            Unfit::Missing {
                rustc: DEBIAN_RUSTC.into(),
            },
        ];
        let error = BuildError::NoToolchain {
            arch: mpy_link::Arch::Armv6m,
            reasons,
        };
        for text in [error.to_string(), error.to_spanish()] {
            for part in [
                "armv6m",
                "rust-src",
                "rustc-web rust-web-src",
                "rustup component add rust-src",
            ] {
                assert!(text.contains(part), "{part} is missing: {text}");
            }
        }
    }
}
