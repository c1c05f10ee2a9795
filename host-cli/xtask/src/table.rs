//! Decides what the READMEs' table of architectures says: what ran the module in this run of tests, and the sizes of the
//! committed files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use native_build::Target;

use crate::prebuilt::{self, Record};

/// What ran the module, by the architecture's name.
pub type Runs = BTreeMap<String, BTreeSet<String>>;

/// The table stands between these two lines.
const BEGIN: &str = "<!-- architectures: written by cargo xtask table -->\n";
const END: &str = "<!-- end of architectures -->\n";

/// A README: its file, the table's head, what is said where nothing ran.
const READMES: [(&str, &str, &str); 2] = [
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

/// Writes the table into both READMEs. True where it says something new.
///
/// # Errors
/// Where a README or the record cannot be read, or a README has no place for the table.
pub fn write(runs: &Runs) -> Result<bool> {
    let record = prebuilt::recorded()?;
    let mut changed = false;
    for (name, head, nothing) in READMES {
        let path = testkit::repository().join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let table = table(head, nothing, &record, runs)?;
        let new = replace(&text, &table)
            .with_context(|| format!("{name} has no {}", BEGIN.trim_end()))?;
        if new != text {
            store(&path, &new)?;
            changed = true;
        }
    }
    Ok(changed)
}

fn store(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The text with another table; `None` where it has no place for one.
fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn table(head: &str, nothing: &str, record: &Record, runs: &Runs) -> Result<String> {
    let mut table = format!("{head}\n|---|---|---|---:|---:|---:|---:|\n");
    for target in Target::all() {
        let arch = target.arch.name();
        let module = record
            .get(arch)
            .with_context(|| format!("toolchain.toml has nothing about {arch}"))?;
        let ran = runs.get(arch).map_or_else(
            || nothing.to_owned(),
            |runs| runs.iter().cloned().collect::<Vec<_>>().join("; "),
        );
        table.push_str(&format!(
            "| {arch} | {} | {ran} | {} | {} | {} | {} |\n",
            target.boards, module.text, module.rodata, module.bss, module.size
        ));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let text = format!("before\n{BEGIN}old\n{END}after\n");
        let new = replace(&text, "| new |\n").expect("a place");
        assert_eq!(new, format!("before\n{BEGIN}| new |\n{END}after\n"));
        assert_eq!(replace("nothing", "| new |\n"), None);
    }

    #[test]
    fn what_did_not_run_is_said_not_to() {
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
        let record: Record = Target::all()
            .iter()
            .map(|target| (target.arch.name().to_owned(), module.clone()))
            .collect();
        let runs = Runs::from([(
            "x64".to_owned(),
            BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        )]);
        let table = table("| head |", "nothing yet", &record, &runs).expect("a table");
        assert!(table.contains("| a; b | 1 | 2 | 3 | 4 |\n"), "{table}");
        assert_eq!(
            table.matches("| nothing yet | 1 ").count(),
            Target::all().len() - 1
        );
        assert!(super::table("", "", &Record::new(), &runs).is_err());
    }

    #[test]
    fn the_readmes_have_a_place_for_it() {
        for (name, _, _) in READMES {
            let text = std::fs::read_to_string(testkit::repository().join(name)).expect(name);
            assert!(replace(&text, "").is_some(), "{name}");
        }
    }
}
