//! Links each file of `tests/cases` and holds the result against what the file says about itself.
//!
//! Lines that start with `//#` hold the expectation:
//!
//! ```text
//! variants: -O0 | -O2        compile once with each of these flags (C, assembly and Rust)
//! with: other.c more.S       also compile and link these
//! archive: a.c b.c           compile these into an archive and link that
//! as: staticlib              how to compile Rust: staticlib (the default), rlib, obj
//! keep: symbol               keep this symbol
//! options: ARGUMENTS         for MicroPython
//! python: LINE               a line of the script that runs after `import case`
//! prints: LINE               a line that the script prints; all of them, in order
//! map-has: TEXT, map-lacks: TEXT     a name in the list of what stands where
//! dump-has: TEXT, dump-lacks: TEXT   a text in the dump of the linked file
//! error: TEXT                linking fails, and the message holds this
//! part                       not a case of its own, used by another
//! boards                     the test kit also runs it on boards (`host-cli/testkit/tests/boards.rs`)
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{
    NO_MICROPYTHON, archive, cases, gcc, link, micropython, run_micropython, rustc, scratch, skip,
};

/// A module may raise when it is imported.
const IMPORT: &str =
    "try:\n import case\nexcept Exception as error:\n print(type(error).__name__, error)\n";

#[derive(Default)]
struct Case {
    file: String,
    variants: Vec<String>,
    with: Vec<String>,
    archive: Vec<String>,
    kind: String,
    keep: Vec<String>,
    options: Vec<String>,
    python: Vec<String>,
    prints: Vec<String>,
    map_has: Vec<String>,
    map_lacks: Vec<String>,
    dump_has: Vec<String>,
    dump_lacks: Vec<String>,
    errors: Vec<String>,
    part: bool,
}

impl Case {
    fn read(file: &Path) -> Case {
        let mut case = Case {
            file: file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            kind: "staticlib".to_owned(),
            ..Case::default()
        };
        let text =
            fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for line in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("//# "))
        {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            let words = || {
                value
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            match key {
                "variants" => {
                    case.variants = value
                        .split('|')
                        .map(|flags| flags.trim().to_owned())
                        .collect()
                }
                "with" => case.with = words(),
                "archive" => case.archive = words(),
                "as" => case.kind = value,
                "keep" => case.keep.push(value),
                "options" => case.options = words(),
                "python" => case.python.push(value),
                "prints" => case.prints.push(value),
                "map-has" => case.map_has.push(value),
                "map-lacks" => case.map_lacks.push(value),
                "dump-has" => case.dump_has.push(value),
                "dump-lacks" => case.dump_lacks.push(value),
                "error" => case.errors.push(value),
                "part" => case.part = true,
                "boards" => {}
                other => panic!("{}: unknown expectation {other:?}", case.file),
            }
        }
        if case.variants.is_empty() {
            case.variants.push(String::new());
        }
        let expects = [
            &case.prints,
            &case.map_has,
            &case.map_lacks,
            &case.dump_has,
            &case.dump_lacks,
            &case.errors,
        ];
        let nothing = expects.iter().all(|list| list.is_empty());
        assert!(case.part || !nothing, "{}: expects nothing", case.file);
        case
    }

    fn compile(&self, folder: &Path, source: &str, flags: &[&str]) -> PathBuf {
        if source.ends_with(".rs") {
            rustc(folder, source, &self.kind, flags)
        } else {
            let mut all = vec!["-fPIC", "-ffunction-sections", "-fdata-sections"];
            // A variant's flags are for the compiler of the case itself.
            if self.file.ends_with(".rs") {
                all.push("-O2");
            } else {
                all.extend(flags);
            }
            gcc(folder, source, &all)
        }
    }

    /// Returns what is wrong, one text for each.
    fn check(&self, variant: &str, micropython: Option<&Path>) -> Vec<String> {
        let folder = scratch(&format!("{}{}", self.file, variant.replace(['/', ' '], "")));
        let flags: Vec<&str> = variant.split_whitespace().collect();
        let mut files = vec![self.compile(&folder, &self.file, &flags)];
        files.extend(
            self.with
                .iter()
                .map(|source| self.compile(&folder, source, &flags)),
        );
        if !self.archive.is_empty() {
            let members: Vec<PathBuf> = self
                .archive
                .iter()
                .map(|source| self.compile(&folder, source, &flags))
                .collect();
            let file = folder.join("libparts.a");
            archive(&file, "rcs", &members);
            files.push(file);
        }
        let keep: Vec<&str> = self.keep.iter().map(String::as_str).collect();
        let linked = match link("case", &files, &keep) {
            Ok(linked) => linked,
            Err(error) if self.errors.is_empty() => return vec![format!("does not link: {error}")],
            Err(error) => {
                let message = error.to_string();
                let missing = self.errors.iter().filter(|text| !message.contains(*text));
                return missing
                    .map(|text| format!("{text:?} is not in the error {message:?}"))
                    .collect();
            }
        };
        if !self.errors.is_empty() {
            return vec!["links although it should not".to_owned()];
        }
        let mut wrong = Vec::new();
        let dump = match mpy_link::dump(&linked.mpy) {
            Ok(dump) => dump.to_string(),
            Err(error) => return vec![format!("the dump fails: {error}")],
        };
        let map: Vec<String> = linked
            .map
            .iter()
            .map(|entry| format!("{} {}", entry.block, entry.name))
            .collect();
        let map = map.join("\n");
        for (text, list, wanted, what) in [
            (&map, &self.map_has, true, "map"),
            (&map, &self.map_lacks, false, "map"),
            (&dump, &self.dump_has, true, "dump"),
            (&dump, &self.dump_lacks, false, "dump"),
        ] {
            for expected in list
                .iter()
                .filter(|expected| text.contains(*expected) != wanted)
            {
                let verb = if wanted { "lacks" } else { "has" };
                wrong.push(format!("the {what} {verb} {expected:?}:\n{text}"));
            }
        }
        if !self.prints.is_empty() {
            fs::write(folder.join("case.mpy"), &linked.mpy).expect("the module can be written");
            if let Some(program) = micropython {
                let script = format!("{IMPORT}{}", self.python.join("\n"));
                let printed = run_micropython(program, &self.options, &folder, &script);
                let expected: String = self.prints.iter().map(|line| format!("{line}\n")).collect();
                if printed != expected {
                    wrong.push(format!("prints\n{printed}instead of\n{expected}"));
                }
            }
        }
        wrong
    }
}

/// Runs all cases whose files end so.
fn check_all(extensions: &[&str]) {
    let micropython = micropython();
    let mut files: Vec<PathBuf> = fs::read_dir(cases())
        .expect("the cases folder")
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
        })
        .collect();
    files.sort();
    let mut failures = Vec::new();
    let mut unrun = 0;
    for file in files {
        let case = Case::read(&file);
        if case.part {
            continue;
        }
        unrun += usize::from(!case.prints.is_empty() && micropython.is_none());
        for variant in &case.variants {
            for wrong in case.check(variant, micropython.as_deref()) {
                failures.push(format!("{} [{variant}]: {wrong}", case.file));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    if unrun > 0 {
        skip(
            &format!("running {unrun} linked cases ({})", extensions.join(", ")),
            NO_MICROPYTHON,
        );
    }
}

#[test]
fn c_cases() {
    check_all(&["c", "S"]);
}

#[test]
fn rust_cases() {
    check_all(&["rs"]);
}
