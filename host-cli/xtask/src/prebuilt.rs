//! Decides when the committed modules are rebuilt or compared, and what is written down about the toolchain that made
//! each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use native_build::{Built, Options, Project, Target};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `native-module/prebuilt/toolchain.toml`: what made each module, by architecture.
pub type Record = BTreeMap<String, Module>;

/// What made a module, and what came out.
#[derive(Debug, Clone, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Module {
    /// The first line of `rustc --version`.
    pub rustc: String,
    /// The target's name.
    pub target: String,
    /// The profile's.
    pub opt_level: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Of which code and read-only data.
    pub text: u64,
    /// Of which initialised data.
    pub rodata: u64,
    /// Bytes of zeroed memory that it asks for.
    pub bss: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What comparing a committed module with what the sources make gave.
pub enum Comparison {
    Same,
    /// In words.
    Differs(String),
    /// The compiler that made it is not here; in words.
    OtherToolchain(String),
}

fn folder() -> PathBuf {
    testkit::repository().join("native-module/prebuilt")
}

fn record_path() -> PathBuf {
    folder().join("toolchain.toml")
}

/// What is written down about the committed modules.
///
/// # Errors
/// Where the file is missing or cannot be understood.
pub fn recorded() -> Result<Record> {
    let path = record_path();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; `cargo xtask prebuilt` writes it",
            path.display()
        )
    })?;
    toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))
}

/// The module, and where its file belongs.
struct Source {
    project: Project,
}

impl Source {
    fn open() -> Result<Self> {
        let project = Project::named(&testkit::repository(), "umqtt")?;
        Ok(Source { project })
    }

    fn path(&self, target: &Target) -> PathBuf {
        folder().join(target.arch.name()).join(self.project.path())
    }

    /// Builds it, with the recorded compiler where that is here.
    fn build(&self, target: &Target, record: Option<&Module>) -> Result<(Built, Module)> {
        let options = Options {
            locked: true,
            toolchain: record.map(|module| module.rustc.as_str()),
            ..Options::default()
        };
        let built = native_build::build(&self.project, target.arch, options)?;
        let linked = &built.linked;
        let module = Module {
            rustc: built.toolchain.version.clone(),
            target: target.rustc.clone(),
            opt_level: target.opt_level.clone(),
            size: linked.mpy.len() as u64,
            text: linked.sizes.text,
            rodata: linked.sizes.rodata,
            bss: linked.sizes.bss,
            sha256: format!("{:x}", Sha256::digest(&linked.mpy)),
        };
        Ok((built, module))
    }

    fn compare(&self, target: &'static Target, record: &Record) -> Result<Comparison> {
        let arch = target.arch.name();
        let record = record
            .get(arch)
            .with_context(|| format!("toolchain.toml has nothing about {arch}"))?;
        let folder = &self.project.root;
        let here = match native_build::find_toolchain(target, folder, Some(&record.rustc)) {
            Ok(toolchain) => toolchain.version,
            Err(error) => return Ok(Comparison::OtherToolchain(error.to_string())),
        };
        if here != record.rustc {
            return Ok(Comparison::OtherToolchain(format!(
                "it was made by {}, here is {here}",
                record.rustc
            )));
        }
        let (built, module) = self.build(target, Some(record))?;
        let path = self.path(target);
        let committed =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if committed != built.linked.mpy {
            return Ok(Comparison::Differs(format!(
                "{} ({} bytes) is not what the sources make ({} bytes); `cargo xtask prebuilt` rebuilds it",
                path.display(),
                committed.len(),
                built.linked.mpy.len()
            )));
        }
        if module != *record {
            return Ok(Comparison::Differs(format!(
                "toolchain.toml says otherwise about {arch}; `cargo xtask prebuilt` rewrites it"
            )));
        }
        Ok(Comparison::Same)
    }
}

/// Compares every committed module with what the sources make, one by one as they are asked for.
///
/// # Errors
/// Where there is no record or no project.
pub fn comparisons() -> Result<impl Iterator<Item = (&'static str, Result<Comparison>)>> {
    let source = Source::open()?;
    let record = recorded()?;
    Ok(Target::all()
        .iter()
        .map(move |target| (target.arch.name(), source.compare(target, &record))))
}

/// Compares all of them. True where every one could be compared and is the same.
///
/// # Errors
/// Where one does not build.
pub fn check() -> Result<bool> {
    let mut all_same = true;
    for (arch, comparison) in comparisons()? {
        match comparison? {
            Comparison::Same => println!("{arch}: the same"),
            Comparison::Differs(difference) => {
                println!("{arch}: {difference}");
                all_same = false;
            }
            Comparison::OtherToolchain(reason) => {
                println!("{arch}: not compared: {reason}");
                all_same = false;
            }
        }
    }
    Ok(all_same)
}

/// Builds the modules of these architectures, or of all, and writes them down.
///
/// # Errors
/// Where there is no such architecture, or one does not build.
pub fn write(names: &[String]) -> Result<()> {
    let unknown = names.iter().find(|name| Target::named(name).is_none());
    if let Some(unknown) = unknown {
        bail!("modules are not built for {unknown}");
    }
    let source = Source::open()?;
    let mut record = if record_path().exists() {
        recorded()?
    } else {
        Record::new()
    };
    for target in Target::all() {
        let arch = target.arch.name();
        if !names.is_empty() && !names.iter().any(|name| name == arch) {
            continue;
        }
        let (built, module) = source.build(target, record.get(arch))?;
        let path = source.path(target);
        std::fs::create_dir_all(path.parent().context("the module's folder")?)?;
        std::fs::write(&path, &built.linked.mpy)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!(
            "{arch}: {} bytes, text {}, {}",
            module.size, module.text, module.rustc
        );
        record.insert(arch.to_owned(), module);
        // After each, so that what was built and what is written down agree even where the next one fails.
        let text = format!(
            "# Written by `cargo xtask prebuilt`.\n{}",
            toml::to_string(&record)?
        );
        std::fs::write(record_path(), text)
            .with_context(|| format!("cannot write {}", record_path().display()))?;
    }
    crate::table::write_sizes()
}
