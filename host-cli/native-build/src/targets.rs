//! Decides how a module is compiled for each architecture, by reading `native-module/targets`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mpy_link::Arch;
use serde::Deserialize;

/// Descriptions of targets for rustc, by name. They are part of this program, so that it needs no repository to build a
/// module.
macro_rules! specs {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../native-module/targets/", $name, ".json")))),*]
    };
}

const SPECS: [(&str, &str); 9] = specs![
    "armv6m",
    "armv7em",
    "armv7emdp",
    "armv7emsp",
    "armv7m",
    "rv32imc",
    "rv64imc",
    "xtensa",
    "xtensawin"
];

/// What `targets.toml` says about one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    boards: String,
    rustc: String,
    #[serde(default)]
    spec: bool,
    #[serde(default = "yes")]
    build_std: bool,
    opt_level: String,
    #[serde(default)]
    rustflags: Vec<String>,
    #[serde(default)]
    llvm: u32,
}

fn yes() -> bool {
    true
}

/// How a module is compiled for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub arch: Arch,
    /// What has this architecture, for people.
    pub boards: String,
    /// The target's name for rustc.
    pub rustc: String,
    /// Its description, where rustc has none of its own.
    pub spec: Option<&'static str>,
    /// Whether `core` has to be compiled too.
    pub build_std: bool,
    /// Of the profile: `z`, `s` or a number.
    pub opt_level: String,
    pub rustflags: Vec<String>,
    /// The oldest LLVM that will do; 0 where any does.
    pub llvm: u32,
}

static ALL: LazyLock<Vec<Target>> = LazyLock::new(|| {
    read(include_str!("../../../native-module/targets/targets.toml"))
        .expect("targets.toml is checked by a test")
});

fn read(text: &str) -> Result<Vec<Target>, String> {
    let entries: BTreeMap<String, Entry> =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let mut targets = entries
        .into_iter()
        .map(|(name, entry)| {
            let arch = Arch::ALL
                .into_iter()
                .find(|arch| arch.name() == name)
                .ok_or_else(|| format!("MicroPython has no architecture {name}"))?;
            let spec = SPECS.iter().find(|(name, _)| *name == entry.rustc);
            if spec.is_some() != entry.spec {
                return Err(format!(
                    "{name}: `spec` and the files do not agree about {}",
                    entry.rustc
                ));
            }
            Ok(Target {
                arch,
                boards: entry.boards,
                rustc: entry.rustc,
                spec: spec.map(|(_, text)| *text),
                build_std: entry.build_std,
                opt_level: entry.opt_level,
                rustflags: entry.rustflags,
                llvm: entry.llvm,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    targets.sort_by_key(|target| target.arch);
    Ok(targets)
}

impl Target {
    /// Every architecture that modules are built for, by MicroPython's number.
    pub fn all() -> &'static [Target] {
        &ALL
    }

    /// That of an architecture; `None` where modules are not built for it.
    pub fn of(arch: Arch) -> Option<&'static Target> {
        ALL.iter().find(|target| target.arch == arch)
    }

    /// That of a name such as `armv6m`.
    pub fn named(name: &str) -> Option<&'static Target> {
        ALL.iter().find(|target| target.arch.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_with_a_board_has_a_target() {
        let targets = read(include_str!("../../../native-module/targets/targets.toml"))
            .expect("it is well formed");
        // Only emulators still have ARM instructions and MicroPython.
        let expected = Arch::ALL.into_iter().filter(|arch| *arch != Arch::Armv6);
        assert!(targets.iter().map(|target| target.arch).eq(expected));
        assert_eq!(Target::named("xtensawin"), Target::of(Arch::Xtensawin));
    }

    #[test]
    fn every_description_of_a_target_is_part_of_the_program() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../native-module/targets");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        files.sort();
        assert_eq!(files, SPECS.map(|(name, _)| name));
        for (name, text) in SPECS {
            let spec: serde_json::Value = serde_json::from_str(text).expect(name);
            assert_eq!(spec["panic-strategy"], "abort", "{name}");
        }
    }

    #[test]
    fn mistakes_in_the_table_are_named() {
        let text = "[armv6m]\nboards = \"\"\nrustc = \"xtensa\"\nopt-level = \"z\"";
        assert!(read(text).is_err_and(|error| error.contains("xtensa")));
        let text = "[z80]\nboards = \"\"\nrustc = \"z80\"\nopt-level = \"z\"";
        assert!(read(text).is_err_and(|error| error.contains("z80")));
    }
}
