//! What mip is told, MicroPython's installer on boards and in mpremote: a `package.json` whose `urls` lie beside it
//! (docs.micropython.org, "Package management").
//!
//! Without an address the `urls` are relative. mpremote takes those, and so does micropython-lib's newest mip; the one
//! that MicroPython 1.25 and 1.26 carry asks `requests` for them as they are, which raises ValueError before anything
//! is written.

use serde_json::{Value, json};

use super::manifest::{Entry, Manifest};
use super::{Address, Package};

/// What mip can be asked for in a package.
pub fn names(package: &Package) -> Vec<String> {
    let mut archs = package.modules.keys();
    match (archs.next(), archs.next()) {
        (Some(_), Some(_)) => (package.modules.keys())
            .map(|arch| format!("package-{}.json", arch.name()))
            .collect(),
        _ => vec!["package.json".to_owned()],
    }
}

/// Name and content of each file for mip. mip cannot choose by architecture: where there is one, `package.json` is the
/// whole lesson; where there are several, each has a file of its own, and `package.json` is what every board takes, with
/// micropython-lib's umqtt.simple in the place of the native module.
pub fn files(manifest: &Manifest, address: Option<&Address>) -> Vec<(String, Vec<u8>)> {
    let text = |value: Value| format!("{value:#}\n").into_bytes();
    let url =
        |member: String| address.map_or_else(|| member.clone(), |address| address.of(&member));
    let common = |entries: &[Entry]| -> Vec<Value> {
        let pair = |entry: &Entry| json!([entry.path, url(format!("files/{}", entry.path))]);
        entries.iter().map(pair).collect()
    };
    let whole = |arch: &str, entries: &[Entry]| {
        let mut urls = common(&manifest.files);
        urls.extend(
            entries
                .iter()
                .map(|entry| json!([entry.path, url(format!("modules/{arch}/{}", entry.path))])),
        );
        json!({ "urls": urls, "version": "1" })
    };
    let mut modules = manifest.modules.iter();
    if let (Some((arch, entries)), None) = (modules.next(), modules.next()) {
        return vec![("package.json".to_owned(), text(whole(arch, entries)))];
    }
    let replaced = manifest
        .modules
        .values()
        .flatten()
        .any(|entry| entry.path == "umqtt/simple.mpy");
    let deps = if replaced {
        json!([["umqtt.simple", "latest"]])
    } else {
        json!([])
    };
    let portable = json!({ "deps": deps, "urls": common(&manifest.files), "version": "1" });
    let mut files = vec![("package.json".to_owned(), text(portable))];
    for (arch, entries) in &manifest.modules {
        files.push((format!("package-{arch}.json"), text(whole(arch, entries))));
    }
    files
}
