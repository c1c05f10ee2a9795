//! Decides whether a file is a lesson and nothing else. Whoever made it may mean harm: paths that climb out, sizes that
//! lie, files that unpack to more than a disk holds. Nothing is trusted, nothing is unpacked beyond its stated size, and
//! nothing touches the disk.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use board_link::Lang;
use mpy_link::Arch;
use serde_json::Value;
use zip::ZipArchive;

use super::manifest::{Entry, FORMAT, Head, Manifest, VERSION, sha256};
use super::paths::{self, BadPath};
use super::{Address, MAX_ALL, MAX_FILE, MAX_FILES, Package, mip};
use crate::failure::{self, Failure, Status};
use crate::fit::File;

/// The most bytes of a manifest, and of what mip is told.
const MAX_TEXT: u64 = 8 << 20;

/// Why a file is refused.
#[derive(Debug)]
pub enum Bad {
    Unreadable(std::io::Error),
    /// No zip file, or a broken or encrypted one, in the library's words.
    NoZip(String),
    /// More than a lesson may have: bytes or files.
    TooLarge,
    /// A member that must be there is not.
    Missing(String),
    /// Something that the manifest does not name.
    Unlisted(String),
    /// The manifest is not what it should be.
    Manifest(String),
    /// Made by a newer program.
    Newer(u32),
    Path(String, BadPath),
    /// Its bytes are not those that the manifest describes.
    Differs(String),
    /// A module for another architecture than it is listed under, or no module.
    Module(String),
}

pub fn open(path: &Path, lang: Lang) -> Result<Package, Failure> {
    let read = || -> Result<Package, Bad> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(Bad::Unreadable)?;
        let most = file.take(MAX_ALL + 1).read_to_end(&mut bytes);
        if most.map_err(Bad::Unreadable)? as u64 > MAX_ALL {
            return Err(Bad::TooLarge);
        }
        package(&bytes)
    };
    read().map_err(|bad| bad.into_failure(path, lang))
}

/// The lesson in these bytes.
pub fn package(bytes: &[u8]) -> Result<Package, Bad> {
    let mut zip =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| Bad::NoZip(error.to_string()))?;
    // The manifest, the lesson's files, and one file for mip per architecture and board.
    if zip.len() > MAX_FILES + 2 * Arch::ALL.len() {
        return Err(Bad::TooLarge);
    }
    let text = member(&mut zip, "manifest.json", MAX_TEXT)?;
    let manifest = manifest(&text)?;

    let entries = || {
        manifest
            .files
            .iter()
            .chain(manifest.modules.values().flatten())
    };
    let total = entries().try_fold(0_u64, |sum, entry| sum.checked_add(entry.size));
    if total.is_none_or(|total| total > MAX_ALL) || entries().any(|entry| entry.size > MAX_FILE) {
        return Err(Bad::TooLarge);
    }
    for own in manifest.modules.values().chain([&Vec::new()]) {
        let all = manifest
            .files
            .iter()
            .chain(own)
            .map(|entry| entry.path.as_str());
        paths::check_together(all).map_err(|(path, bad)| Bad::Path(path.to_owned(), bad))?;
    }

    let mut known = vec!["manifest.json".to_owned()];
    // What mip would install must be what the manifest says, so it is compared with what we would have written.
    let address = (manifest.url.as_deref())
        .map(|url| Address::parse(url).map_err(|_| Bad::Manifest("url".to_owned())))
        .transpose()?;
    for (name, content) in mip::files(&manifest, address.as_ref()) {
        let json = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
        if json(&member(&mut zip, &name, MAX_TEXT)?) != json(&content) {
            return Err(Bad::Differs(name));
        }
        known.push(name);
    }
    let mut files = |below: &str, entries: &[Entry]| -> Result<BTreeMap<String, Vec<u8>>, Bad> {
        let mut files = BTreeMap::new();
        for entry in entries {
            let name = format!("{below}{}", entry.path);
            let content = member(&mut zip, &name, entry.size)?;
            if content.len() as u64 != entry.size || sha256(&content) != entry.sha256 {
                return Err(Bad::Differs(name));
            }
            known.push(name);
            files.insert(entry.path.clone(), content);
        }
        Ok(files)
    };
    let mut package = Package {
        name: manifest.name.clone(),
        files: files("files/", &manifest.files)?,
        modules: BTreeMap::new(),
    };
    for (name, entries) in &manifest.modules {
        let arch = arch(name)?;
        let modules = files(&format!("modules/{name}/"), entries)?;
        for (path, content) in &modules {
            let fits = File::read(content).is_ok_and(|file| file.arch == Some(arch));
            if !fits {
                return Err(Bad::Module(format!("modules/{name}/{path}")));
            }
        }
        package.modules.insert(arch, modules);
    }
    // What nobody lists, nobody checked.
    for name in zip.file_names() {
        let name = name.map_err(|error| Bad::NoZip(error.to_string()))?;
        if !known.iter().any(|known| *known == name) {
            return Err(Bad::Unlisted(name.into_owned()));
        }
    }
    if !package.files.contains_key("main.py") {
        return Err(Bad::Missing("files/main.py".to_owned()));
    }
    Ok(package)
}

/// A member's bytes, of which there may be `most`.
fn member(zip: &mut ZipArchive<Cursor<&[u8]>>, name: &str, most: u64) -> Result<Vec<u8>, Bad> {
    let file = match zip.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Err(Bad::Missing(name.to_owned())),
        Err(error) => return Err(Bad::NoZip(format!("{name}: {error}"))),
    };
    let mut content = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut content);
    // The library compares a checksum at the end.
    read.map_err(|error| Bad::NoZip(format!("{name}: {error}")))?;
    if content.len() as u64 > most {
        return Err(if name.ends_with(".json") && most == MAX_TEXT {
            Bad::TooLarge
        } else {
            Bad::Differs(name.to_owned())
        });
    }
    Ok(content)
}

fn arch(name: &str) -> Result<Arch, Bad> {
    Arch::ALL
        .into_iter()
        .find(|arch| arch.name() == name)
        .ok_or_else(|| Bad::Manifest(format!("modules: {name:?}")))
}

fn manifest(text: &[u8]) -> Result<Manifest, Bad> {
    let wrong = |error: serde_json::Error| Bad::Manifest(error.to_string());
    let head: Head = serde_json::from_slice(text).map_err(wrong)?;
    if head.format != FORMAT {
        return Err(Bad::Manifest(format!("format {:?}", head.format)));
    }
    if head.version > VERSION {
        return Err(Bad::Newer(head.version));
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(wrong)?;
    let name = &manifest.name;
    if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        return Err(Bad::Manifest("name".to_owned()));
    }
    for name in manifest.modules.keys() {
        arch(name)?;
    }
    let count = manifest.files.len() + manifest.modules.values().map(Vec::len).sum::<usize>();
    if count > MAX_FILES {
        return Err(Bad::TooLarge);
    }
    Ok(manifest)
}

impl Bad {
    fn into_failure(self, path: &Path, lang: Lang) -> Failure {
        let path = path.display();
        let es = lang == Lang::Es;
        let why = match self {
            Self::Unreadable(error) => {
                let message = failure::cannot_read(path, &error, lang);
                let help = lang.pick(
                    "name a file of umqtt package",
                    "indica un fichero de umqtt package",
                );
                return Failure::new(Status::Failed, message, help);
            }
            Self::NoZip(error) if es => format!("no es un fichero zip íntegro ({error})"),
            Self::NoZip(error) => format!("it is no whole zip file ({error})"),
            Self::TooLarge if es => "contiene más de lo que cabe en una placa".to_owned(),
            Self::TooLarge => "it holds more than any board does".to_owned(),
            Self::Missing(name) if es => format!("le falta {name}"),
            Self::Missing(name) => format!("{name} is missing"),
            Self::Unlisted(name) if es => format!("contiene {name:?}, que su manifiesto no nombra"),
            Self::Unlisted(name) => format!("it holds {name:?}, which its manifest does not name"),
            Self::Manifest(error) if es => format!("su manifest.json no vale ({error})"),
            Self::Manifest(error) => format!("its manifest.json is wrong ({error})"),
            Self::Newer(version) if es => {
                format!("tiene el formato {version}, y este umqtt conoce hasta el {VERSION}")
            }
            Self::Newer(version) => {
                format!("it has format {version}, and this umqtt knows up to {VERSION}")
            }
            Self::Path(name, BadPath::Outside) if es => {
                format!("{name:?} se sale de la carpeta de la placa")
            }
            Self::Path(name, BadPath::Outside) => {
                format!("{name:?} leads out of the board's folder")
            }
            Self::Path(name, _) if es => {
                format!("ninguna placa puede guardar {name:?} con lo demás")
            }
            Self::Path(name, _) => format!("no board can store {name:?} with the rest"),
            Self::Differs(name) if es => format!("{name} no es lo que dice su manifiesto"),
            Self::Differs(name) => format!("{name} is not what its manifest says"),
            Self::Module(name) if es => format!("{name} no es un módulo de esa arquitectura"),
            Self::Module(name) => format!("{name} is no module for that architecture"),
        };
        let message = match lang {
            Lang::En => format!("{path} is not used: {why}"),
            Lang::Es => format!("no se usa {path}: {why}"),
        };
        let help = lang.pick(
            "ask for the file again, or pack the lesson anew with umqtt package FOLDER; nothing was written",
            "pide el fichero otra vez, o empaqueta la lección de nuevo con umqtt package CARPETA; no se escribió nada",
        );
        Failure::new(Status::Failed, message, help)
    }
}
