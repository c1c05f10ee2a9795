//! A lesson in one file: what `umqtt package` writes and `umqtt deploy` reads.
//!
//! ```text
//! lesson.zip
//! ├── manifest.json         what is in it: paths, sizes, SHA-256; the address that it is meant for, if any
//! ├── package.json          the same for `mpremote mip install` and `mip.install()`
//! ├── package-ARCH.json     one per architecture where there are several, since mip cannot choose
//! ├── files/main.py …       what goes to every board, below its root folder
//! └── modules/ARCH/…        what goes to boards of one architecture
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `manifest` | what the manifest says |
//! | `mip` | what mip is told |
//! | `address` | where mip will find the files |
//! | `paths` | which paths may be on a board |
//! | `collect` | what of a folder belongs to the lesson |
//! | `write` | how that becomes the same bytes every time |
//! | `read` | whether a file that somebody sent is such a lesson and nothing else |

mod address;
mod collect;
mod manifest;
mod mip;
mod paths;
mod read;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

use board_link::{BoardInfo, Lang};
use mpy_link::Arch;

pub use address::Address;
pub use collect::collect;
pub use mip::names as mip_names;
pub use write::bytes;

use crate::failure::{Failure, Status};
use crate::fit;
#[cfg(test)]
use crate::module;
use crate::module::Item;

/// The most files in a lesson.
const MAX_FILES: usize = 4_000;
/// The most bytes in one of its files: more than any board's flash memory holds.
const MAX_FILE: u64 = 16 << 20;
/// The most bytes in all of them, and in the zip file itself.
const MAX_ALL: u64 = 64 << 20;

/// A lesson: contents by path, without the `/` that stands before it on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The lesson's name, for people.
    pub name: String,
    /// What every board gets; `main.py` is always there.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What boards of an architecture get besides.
    pub modules: BTreeMap<Arch, BTreeMap<String, Vec<u8>>>,
}

/// Whether a path names such a file rather than a script or a folder.
pub fn is_package(path: &Path) -> bool {
    !path.is_dir()
        && path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

impl Package {
    /// Reads and checks a file. Nothing is unpacked to the disk.
    ///
    /// # Errors
    /// Says what is wrong with the file; nothing of it should be used then.
    pub fn open(path: &Path, lang: Lang) -> Result<Self, Failure> {
        read::open(path, lang)
    }

    /// What belongs on this board.
    ///
    /// # Errors
    /// Where the lesson has modules, and none for this board.
    pub fn items(&self, info: &BoardInfo, lang: Lang) -> Result<Vec<Item>, Failure> {
        let board = info.mpy.and_then(|mpy| Arch::from_number(mpy.arch));
        let best = board.and_then(|board| fit::best(board, self.modules.keys().copied()));
        let modules = match best {
            Some(arch) => &self.modules[&arch],
            None if self.modules.is_empty() => &BTreeMap::new(),
            None => return Err(self.no_module(info, lang)),
        };
        let item =
            |(path, content): (&String, &Vec<u8>)| Item::new(format!("/{path}"), content.clone());
        Ok(self.files.iter().chain(modules).map(item).collect())
    }

    fn no_module(&self, info: &BoardInfo, lang: Lang) -> Failure {
        let wanted = info.mpy.map(|mpy| mpy.to_string()).unwrap_or_default();
        let have: Vec<_> = self.modules.keys().map(|arch| arch.name()).collect();
        let (name, have) = (&self.name, have.join(", "));
        let message = match lang {
            Lang::En => {
                format!("the lesson {name} has no module for this board ({wanted}); it has: {have}")
            }
            Lang::Es => format!(
                "la lección {name} no trae módulo para esta placa ({wanted}); lo trae para: {have}"
            ),
        };
        let help = lang.pick(
            "pack it again with --board for this board: umqtt boards lists them",
            "empaquétala de nuevo con --board para esta placa: umqtt boards las lista",
        );
        Failure::new(Status::Failed, message, help)
    }
}

#[cfg(test)]
mod tests;
