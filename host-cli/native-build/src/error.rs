//! Decides what can go wrong when a module is built, and how it is said in English and Spanish.

use std::fmt;
use std::path::PathBuf;

use mpy_link::{Arch, LinkError};

/// Why there is no module. Every text says what failed, why, and what to try.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// Modules are not built for this architecture.
    NoTarget { arch: Arch },
    /// No compiler of this computer will do: each with its reason.
    NoToolchain { arch: Arch, reasons: Vec<Unfit> },
    /// A program could not be started.
    NotStarted {
        program: PathBuf,
        error: std::io::Error,
    },
    /// The folder is no project that a module can be made of.
    NoProject { folder: PathBuf, reason: NoProject },
    /// A file or folder could not be used.
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    /// cargo's own words.
    DoesNotCompile {
        package: String,
        arch: Arch,
        output: String,
    },
    DoesNotLink {
        package: String,
        arch: Arch,
        error: Box<LinkError>,
    },
}

/// Why a rustc will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// There is none of this name.
    Missing { rustc: PathBuf },
    /// It is too old.
    Old {
        rustc: PathBuf,
        version: String,
        wanted: &'static str,
    },
    /// It does not bring `core`'s sources.
    NoSource {
        rustc: PathBuf,
        version: String,
        rustup: bool,
    },
    /// It does not bring a compiled `core` for the target.
    NoCore {
        rustc: PathBuf,
        version: String,
        target: String,
    },
    /// Its LLVM is too old for the target.
    Llvm {
        rustc: PathBuf,
        version: String,
        llvm: u32,
        wanted: u32,
    },
    /// There is no cargo for it.
    NoCargo { rustc: PathBuf },
}

/// Why a folder is no project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoProject {
    /// There is no Cargo.toml.
    NoManifest,
    /// cargo cannot read it; in its words.
    Unreadable(String),
    /// The workspace has no such package.
    NoPackage(String),
    /// None of the workspace's packages says that it is a module.
    NoModule,
    /// Several do.
    Several(Vec<String>),
    /// What the project calls its module is no name that Python can import.
    BadName(String),
}

/// What to install on Debian, for all architectures.
const APT: &str = "sudo apt-get install --no-install-recommends rustc-web rust-web-src cargo-web";
/// The same with rustup.
const RUSTUP: &str = "rustup update stable && rustup component add rust-src";

impl BuildError {
    /// The text in Spanish; `Display` is the English one.
    pub fn to_spanish(&self) -> String {
        self.text(true)
    }

    fn text(&self, es: bool) -> String {
        match self {
            Self::NoTarget { arch } => {
                let names: Vec<_> = crate::Target::all()
                    .iter()
                    .map(|target| target.arch.name())
                    .collect();
                let names = names.join(", ");
                if es {
                    format!(
                        "no se compilan módulos para {}; se puede para: {names}",
                        arch.name()
                    )
                } else {
                    format!(
                        "modules are not built for {}; they are for: {names}",
                        arch.name()
                    )
                }
            }
            Self::NoToolchain { arch, reasons } => no_toolchain(*arch, reasons, es),
            Self::NotStarted { program, error } if es => {
                format!(
                    "no se puede ejecutar {}: {error}; instala Rust: https://rustup.rs",
                    program.display()
                )
            }
            Self::NotStarted { program, error } => {
                format!(
                    "{} cannot be run: {error}; install Rust: https://rustup.rs",
                    program.display()
                )
            }
            Self::NoProject { folder, reason } => {
                let folder = folder.display();
                no_project(&folder.to_string(), reason, es)
            }
            Self::File { path, error } if es => {
                format!("no se puede usar {}: {error}", path.display())
            }
            Self::File { path, error } => format!("{} cannot be used: {error}", path.display()),
            Self::DoesNotCompile {
                package,
                arch,
                output,
            } => {
                let says = if es {
                    "no compila para"
                } else {
                    "does not compile for"
                };
                format!("{package} {says} {}:\n{}", arch.name(), output.trim_end())
            }
            Self::DoesNotLink {
                package,
                arch,
                error,
            } => {
                let says = if es {
                    "no se puede enlazar para"
                } else {
                    "does not link for"
                };
                format!("{package} {says} {}: {error}", arch.name())
            }
        }
    }
}

fn no_toolchain(arch: Arch, reasons: &[Unfit], es: bool) -> String {
    let mut text = if es {
        format!(
            "ningún compilador de Rust de este ordenador puede compilar para {}:\n",
            arch.name()
        )
    } else {
        format!(
            "no Rust compiler of this computer can compile for {}:\n",
            arch.name()
        )
    };
    for reason in reasons {
        text.push_str(&format!("  {}\n", unfit(reason, es)));
    }
    let (debian, other) = if es {
        ("en Debian", "con rustup")
    } else {
        ("on Debian", "with rustup")
    };
    // Where the compiler would do but for the target's `core`, that is less to fetch.
    if let Some(Unfit::NoCore { target, .. }) = reasons.first() {
        text.push_str(&format!("{other}: rustup target add {target}"));
        return text;
    }
    let install = if es {
        "instala una de las dos"
    } else {
        "install one of the two"
    };
    text.push_str(&format!(
        "{install}\n  {debian}: {APT}\n  {other}: {RUSTUP}"
    ));
    text
}

fn unfit(reason: &Unfit, es: bool) -> String {
    match reason {
        Unfit::Missing { rustc } if es => format!("{}: no existe", rustc.display()),
        Unfit::Missing { rustc } => format!("{}: there is none", rustc.display()),
        Unfit::Old {
            rustc,
            version,
            wanted,
        } if es => {
            format!(
                "{} ({version}): hace falta Rust {wanted} o posterior",
                rustc.display()
            )
        }
        Unfit::Old {
            rustc,
            version,
            wanted,
        } => {
            format!(
                "{} ({version}): Rust {wanted} or newer is needed",
                rustc.display()
            )
        }
        Unfit::NoSource {
            rustc,
            version,
            rustup,
        } => {
            let package = if *rustup { "rust-src" } else { "rust-web-src" };
            if es {
                format!(
                    "{} ({version}): le falta el código fuente de `core` ({package})",
                    rustc.display()
                )
            } else {
                format!(
                    "{} ({version}): it lacks the source of `core` ({package})",
                    rustc.display()
                )
            }
        }
        Unfit::NoCore {
            rustc,
            version,
            target,
        } if es => {
            format!(
                "{} ({version}): le falta `core` para {target}",
                rustc.display()
            )
        }
        Unfit::NoCore {
            rustc,
            version,
            target,
        } => {
            format!(
                "{} ({version}): it lacks `core` for {target}",
                rustc.display()
            )
        }
        Unfit::Llvm {
            rustc,
            version,
            llvm,
            wanted,
        } if es => {
            format!(
                "{} ({version}): tiene LLVM {llvm} y hace falta {wanted}",
                rustc.display()
            )
        }
        Unfit::Llvm {
            rustc,
            version,
            llvm,
            wanted,
        } => {
            format!(
                "{} ({version}): it has LLVM {llvm}, {wanted} is needed",
                rustc.display()
            )
        }
        Unfit::NoCargo { rustc } if es => {
            format!("{}: no hay ningún cargo que lo use", rustc.display())
        }
        Unfit::NoCargo { rustc } => format!("{}: there is no cargo to use it", rustc.display()),
    }
}

fn no_project(folder: &str, reason: &NoProject, es: bool) -> String {
    let new = if es {
        "`umqtt new NOMBRE` crea un proyecto"
    } else {
        "`umqtt new NAME` makes a project"
    };
    match reason {
        NoProject::NoManifest if es => format!("en {folder} no hay ningún Cargo.toml; {new}"),
        NoProject::NoManifest => format!("there is no Cargo.toml in {folder}; {new}"),
        NoProject::Unreadable(output) if es => {
            format!(
                "cargo no entiende el proyecto de {folder}:\n{}",
                output.trim_end()
            )
        }
        NoProject::Unreadable(output) => {
            format!(
                "cargo does not understand the project in {folder}:\n{}",
                output.trim_end()
            )
        }
        NoProject::NoPackage(name) if es => format!("en {folder} no hay ningún paquete {name}"),
        NoProject::NoPackage(name) => format!("there is no package {name} in {folder}"),
        NoProject::NoModule if es => format!(
            "ningún paquete de {folder} es un módulo: a su Cargo.toml le falta [package.metadata.micropython]; {new}"
        ),
        NoProject::NoModule => format!(
            "no package of {folder} is a module: its Cargo.toml lacks [package.metadata.micropython]; {new}"
        ),
        NoProject::Several(names) if es => {
            format!(
                "en {folder} hay varios módulos ({}); indica la carpeta de uno",
                names.join(", ")
            )
        }
        NoProject::Several(names) => {
            format!(
                "{folder} has several modules ({}); name the folder of one",
                names.join(", ")
            )
        }
        NoProject::BadName(name) if es => format!(
            "el módulo de {folder} se llama {name:?}, y Python no puede importar ese nombre; corrige `module` en \
             [package.metadata.micropython]"
        ),
        NoProject::BadName(name) => format!(
            "the module in {folder} is called {name:?}, which Python cannot import; correct `module` in \
             [package.metadata.micropython]"
        ),
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

impl std::error::Error for BuildError {}
