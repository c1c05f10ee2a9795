//! Decides what the READMEs' table of architectures says: what ran the module in this run of tests, and the sizes of the
//! committed files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use native_build::Target;

use crate::prebuilt::{self, Record};

/// What ran the module, by the architecture's name.
pub type Runs = BTreeMap<String, BTreeSet<String>>;

/// The table stands between these two lines.
const BEGIN: &str = "<!-- architectures: written by cargo xtask table -->\n";
const END: &str = "<!-- end of architectures -->\n";

/// A README: its file, the table's head, what is said where nothing ran.
type Readme = (&'static str, &'static str, &'static str);

const READMES: [Readme; 2] = [
    (
        "README.md",
        "| architecture | boards | what ran it here | text | rodata | bss | file |",
        "nothing yet",
    ),
    (
        "README.es.md",
        "| arquitectura | placas (en inglés) | qué lo ejecutó aquí | text | rodata | bss | fichero |",
        "aún nada",
    ),
];

/// Writes the table into both READMEs.
///
/// # Errors
/// Where a README or the record cannot be read, or a README has no place for the table.
pub fn write(runs: &Runs) -> Result<()> {
    each(|readme, record, _| table(readme, record, |arch| told(runs.get(arch), readme))).and_then(
        |changes| {
            changes
                .iter()
                .try_for_each(|(path, text)| store(path, text))
        },
    )
}

/// Writes only the sizes anew, of modules that were rebuilt; what ran them stays as it was written down.
///
/// # Errors
/// As [`write`].
pub fn write_sizes() -> Result<()> {
    each(|readme, record, old| table(readme, record, |arch| third_column(old, arch, readme)))
        .and_then(|changes| {
            changes
                .iter()
                .try_for_each(|(path, text)| store(path, text))
        })
}

/// True where the table says what ran now and how large the modules are; what differs is an error.
///
/// # Errors
/// As [`write`].
pub fn check(runs: &Runs) -> Result<bool> {
    let changes =
        each(|readme, record, _| table(readme, record, |arch| told(runs.get(arch), readme)))?;
    match changes.first() {
        None => Ok(true),
        Some((path, _)) => bail!(
            "{} says otherwise than this run; `cargo xtask table` writes it anew",
            path.display()
        ),
    }
}

/// The READMEs that `made` would change, and their new texts. It is given a README, the record and the old table.
fn each(made: impl Fn(&Readme, &Record, &str) -> Result<String>) -> Result<Vec<(PathBuf, String)>> {
    let record = prebuilt::recorded()?;
    let mut changes = Vec::new();
    for readme in READMES {
        let path = testkit::repository().join(readme.0);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let (old, (before, after)) =
            split(&text).with_context(|| format!("{} has no {}", readme.0, BEGIN.trim_end()))?;
        let table = made(&readme, &record, old)?;
        if table != old {
            changes.push((path, format!("{before}{BEGIN}{table}{END}{after}")));
        }
    }
    Ok(changes)
}

fn store(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The table in a text, and what stands before and behind; `None` where it has no place for one.
fn split(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    Some((table, (before, after)))
}

/// What ran an architecture's module, in words.
fn told(runs: Option<&BTreeSet<String>>, readme: &Readme) -> String {
    runs.map_or_else(
        || readme.2.to_owned(),
        |runs| runs.iter().cloned().collect::<Vec<_>>().join("; "),
    )
}

/// The same as an old table has it.
fn third_column(old: &str, arch: &str, readme: &Readme) -> String {
    old.lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .find(|columns| columns.get(1) == Some(&arch))
        .and_then(|columns| columns.get(3).map(|what| (*what).to_owned()))
        .unwrap_or_else(|| readme.2.to_owned())
}

fn table(readme: &Readme, record: &Record, ran: impl Fn(&str) -> String) -> Result<String> {
    let mut table = format!("{}\n|---|---|---|---:|---:|---:|---:|\n", readme.1);
    for target in Target::all() {
        let arch = target.arch.name();
        let module = record
            .get(arch)
            .with_context(|| format!("toolchain.toml has nothing about {arch}"))?;
        table.push_str(&format!(
            "| {arch} | {} | {} | {} | {} | {} | {} |\n",
            target.boards,
            ran(arch),
            module.text,
            module.rodata,
            module.bss,
            module.size
        ));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Readme = ("README", "| head |", "nothing yet");

    fn record() -> Record {
        let module = prebuilt::Module {
            rustc: String::new(),
            target: String::new(),
            opt_level: "z".into(),
            size: 4,
            text: 1,
            rodata: 2,
            bss: 3,
            sha256: String::new(),
        };
        Target::all()
            .iter()
            .map(|target| (target.arch.name().to_owned(), module.clone()))
            .collect()
    }

    #[test]
    fn the_table_stands_between_its_lines() {
        let text = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(split(&text), Some(("old\n", ("before\n", "after\n"))));
        assert_eq!(split("nothing"), None);
    }

    #[test]
    fn what_did_not_run_is_said_not_to() {
        let runs = Runs::from([(
            "x64".to_owned(),
            BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        )]);
        let made = table(&ANY, &record(), |arch| told(runs.get(arch), &ANY)).expect("a table");
        assert!(made.contains("| a; b | 1 | 2 | 3 | 4 |\n"), "{made}");
        assert_eq!(
            made.matches("| nothing yet | 1 ").count(),
            Target::all().len() - 1
        );
        assert!(table(&ANY, &Record::new(), |_| String::new()).is_err());
    }

    #[test]
    fn new_sizes_leave_what_ran() {
        let old = table(&ANY, &record(), |arch| format!("ran {arch}")).expect("a table");
        let mut record = record();
        record.get_mut("x64").expect("x64").size = 5;
        let new = table(&ANY, &record, |arch| third_column(&old, arch, &ANY)).expect("a table");
        assert!(new.contains("| ran x64 | 1 | 2 | 3 | 5 |"), "{new}");
        assert!(new.contains("| ran x86 | 1 | 2 | 3 | 4 |"), "{new}");
        assert_eq!(third_column(&old, "z80", &ANY), "nothing yet");
    }

    #[test]
    fn a_run_of_nothing_is_not_what_the_readmes_say() {
        let error = check(&Runs::new()).expect_err("they say that much ran");
        assert!(error.to_string().contains("cargo xtask table"), "{error}");
    }

    #[test]
    fn the_readmes_have_the_sizes_of_the_committed_modules() {
        let changes = each(|readme, record, old| {
            table(readme, record, |arch| third_column(old, arch, readme))
        })
        .expect("the READMEs");
        let stale: Vec<_> = changes.iter().map(|(path, _)| path).collect();
        assert!(
            stale.is_empty(),
            "{stale:?} are stale; `cargo xtask table` writes them anew"
        );
    }
}
