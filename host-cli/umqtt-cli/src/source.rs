//! Decides what of this computer a deployment consists of: a lesson's folder or file as it is, or a script with what it
//! imports from beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use board_link::Lang;
use mpy_link::Arch;

use crate::failure::Failure;
use crate::module;
use crate::package::{self, Package};
use crate::script::Script;

/// Reads all of it, for whatever board.
pub fn read(path: &Path, lang: Lang) -> Result<Package, Failure> {
    if path.is_dir() {
        return Ok(package::collect(path, &Arch::ALL, lang)?.0);
    }
    if package::is_package(path) {
        return Package::open(path, lang);
    }
    let script = Script::read(path, lang)?;
    let mut files = BTreeMap::from([("main.py".to_owned(), script.text.clone().into_bytes())]);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    add_imports(folder, &script.text, &mut files);
    let own = ["umqtt/simple.py", "umqtt/simple.mpy"];
    let mut modules = BTreeMap::new();
    if !own.iter().any(|path| files.contains_key(*path)) {
        for arch in Arch::ALL {
            let (native, python) = module::umqtt_for(arch);
            for item in python {
                let path = item.path.trim_start_matches('/').to_owned();
                files.entry(path).or_insert(item.content.into_owned());
            }
            if let Some(item) = native {
                let path = item.path.trim_start_matches('/').to_owned();
                modules.insert(arch, BTreeMap::from([(path, item.content.into_owned())]));
            }
        }
    }
    Ok(Package {
        name: script.name,
        files,
        modules,
    })
}

/// Adds the modules that `text` imports and that lie in `folder`, and what those import.
fn add_imports(folder: &Path, text: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let mut waiting = imports(text);
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop_first() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let path = name.replace('.', "/");
        // As MicroPython looks for them (stat_path in py/builtinimport.c): a folder, then .py, then .mpy.
        let candidates = [
            format!("{path}/__init__.py"),
            format!("{path}.py"),
            format!("{path}.mpy"),
        ];
        for candidate in candidates {
            // What cannot be read is not there; the board says what it misses.
            let Ok(content) = std::fs::read(folder.join(&candidate)) else {
                continue;
            };
            if let Ok(text) = std::str::from_utf8(&content) {
                // Relative to the package, and from the top.
                let inside = path.rsplit_once('/').map_or("", |(package, _)| package);
                for import in imports(text) {
                    if !inside.is_empty() {
                        waiting.insert(format!("{}.{import}", inside.replace('/', ".")));
                    }
                    if candidate.ends_with("__init__.py") {
                        waiting.insert(format!("{name}.{import}"));
                    }
                    waiting.insert(import);
                }
            }
            files.entry(candidate).or_insert(content);
            break;
        }
    }
}

/// The names that may be modules in a script's import statements: `a`, `a.b` of `import a.b`, `a`, `a.b` of
/// `from a import b`. Names that are no module are not found beside the script, so one too many does no harm.
fn imports(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |name: &str| {
        let name = name.split_whitespace().next().unwrap_or("");
        let name = name.trim_matches(|c: char| "(),;".contains(c));
        let parts: Vec<&str> = name.split('.').filter(|part| !part.is_empty()).collect();
        let is_name = |part: &&str| part.chars().all(|c| c == '_' || c.is_alphanumeric());
        if !parts.iter().all(is_name) {
            return;
        }
        for end in 1..=parts.len() {
            names.insert(parts[..end].join("."));
        }
    };
    // A bracket may hold several lines: joined, they are one.
    let mut statement = String::new();
    let mut open = 0usize;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("");
        statement.push_str(line.trim_end_matches('\\'));
        statement.push(' ');
        let is_import = ["import ", "from "]
            .iter()
            .any(|word| statement.trim_start().starts_with(word));
        if is_import {
            open += line.matches('(').count();
            open = open.saturating_sub(line.matches(')').count());
        }
        if is_import && (open > 0 || line.ends_with('\\')) {
            continue;
        }
        open = 0;
        for part in statement.split([';', ':']) {
            let part = part.trim();
            if let Some(list) = part.strip_prefix("import ") {
                list.split(',').for_each(|name| add(name.trim()));
            } else if let Some((module, list)) = part
                .strip_prefix("from ")
                .and_then(|rest| rest.split_once(" import "))
            {
                let module = module.trim().trim_start_matches('.');
                add(module);
                for name in list.split(',') {
                    let name = name.trim().trim_start_matches('(').trim();
                    let name = name.split_whitespace().next().unwrap_or("");
                    add(&format!("{module}.{name}"));
                }
            }
        }
        statement.clear();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_in_all_their_forms() {
        let text = "import a, b.c as d  # import no\nfrom e import f\nfrom g.h import (i,\n  j)\n\
                    try: import k\nexcept: pass\n  from . import l\nx = 'import m'\nfrom n import *\nimport o; import p\n";
        let found: Vec<String> = imports(text).into_iter().collect();
        for name in [
            "a", "b", "b.c", "e", "e.f", "g.h", "g.h.i", "g.h.j", "k", "l", "n", "o", "p",
        ] {
            assert!(found.iter().any(|have| have == name), "{name}: {found:?}");
        }
        assert!(
            !found
                .iter()
                .any(|have| ["d", "no", "m"].contains(&have.as_str()))
        );
    }

    #[test]
    fn a_script_brings_what_it_imports_from_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        file(
            "lesson.py",
            "import led\nfrom pkg import part\nimport time\n",
        );
        file("led.py", "import machine, colours\n");
        file("colours.py", "");
        file("pkg/__init__.py", "from . import other\n");
        file("pkg/part.py", "");
        file("pkg/other.py", "import led\n");
        file("unused.py", "");
        let package = read(&folder.path().join("lesson.py"), Lang::En).expect("a script");
        let files: Vec<&str> = package.files.keys().map(String::as_str).collect();
        assert_eq!(
            files,
            [
                "colours.py",
                "led.py",
                "main.py",
                "pkg/__init__.py",
                "pkg/other.py",
                "pkg/part.py",
                "umqtt/aio.py",
                "umqtt/robust.py",
                "upip.py"
            ]
        );
        assert!(package.modules[&Arch::Xtensawin].contains_key("umqtt/simple.mpy"));
    }
}
