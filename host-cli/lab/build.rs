//! Decides what is embedded: the page as npm built it into page/dist, where it has been built, and the examples.
//!
//! npm is never run from here: `cargo xtask page` does that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What of an example the page may show.
const OF_EXAMPLES: [&str; 4] = ["py", "json", "md", "txt"];

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo names it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo names it"));
    let dist = here.join("page/dist");
    let examples = here.join("../../examples");
    for folder in [&dist, &examples] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let page: Vec<PathBuf> = files_below(&dist)
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != ".gitignore"))
        .collect();
    let examples_files: Vec<PathBuf> = files_below(&examples)
        .into_iter()
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| OF_EXAMPLES.contains(&ending))
        })
        .collect();
    let mut text = String::new();
    list(&mut text, "PAGE", &dist, &page);
    list(&mut text, "EXAMPLES", &examples, &examples_files);
    fs::write(out.join("embedded.rs"), text).expect("the build folder can be written");
}

/// A constant slice of path (with `/`) and content.
fn list(text: &mut String, name: &str, folder: &Path, files: &[PathBuf]) {
    let _ = writeln!(text, "pub const {name}: &[(&str, &[u8])] = &[");
    for file in files {
        let below = file.strip_prefix(folder).expect("it was found there");
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let _ = writeln!(
            text,
            "    ({:?}, include_bytes!({:?})),",
            parts.join("/"),
            file.display().to_string()
        );
    }
    text.push_str("];\n");
}

/// All files below a folder, sorted; none where there is no folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
