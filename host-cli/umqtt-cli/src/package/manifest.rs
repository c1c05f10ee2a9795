//! What `manifest.json` says: every file of the lesson with its size and hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Address, Package};

/// The value of `format`.
pub const FORMAT: &str = "umqtt-lesson";
/// The value of `version` that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    pub name: String,
    /// The program that wrote it, for people.
    pub made_by: String,
    /// The version of the .mpy format that the modules have.
    pub mpy: String,
    /// The address of the folder that the package will be unpacked in, where that was known: mip's urls begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub files: Vec<Entry>,
    /// By architecture.
    pub modules: BTreeMap<String, Vec<Entry>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// On the board, below the root folder.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// In small hexadecimal digits.
    pub sha256: String,
}

/// As much of any version as must stay the same.
#[derive(Debug, Deserialize)]
pub struct Head {
    pub format: String,
    pub version: u32,
}

/// The hash as the manifest has it.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Manifest {
    pub fn of(package: &Package, address: Option<&Address>) -> Self {
        let entries = |files: &BTreeMap<String, Vec<u8>>| {
            let entry = |(path, content): (&String, &Vec<u8>)| Entry {
                path: path.clone(),
                size: content.len() as u64,
                sha256: sha256(content),
            };
            files.iter().map(entry).collect()
        };
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            name: package.name.clone(),
            made_by: concat!("umqtt ", env!("CARGO_PKG_VERSION")).to_owned(),
            mpy: "6.3".to_owned(),
            url: address.map(Address::to_string),
            files: entries(&package.files),
            modules: package
                .modules
                .iter()
                .map(|(arch, files)| (arch.name().to_owned(), entries(files)))
                .collect(),
        }
    }
}
