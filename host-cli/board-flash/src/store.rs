//! Decides which firmware files this computer keeps, so that a classroom's second board needs only its name.

use std::fs;
use std::path::{Path, PathBuf};

use board_data::Board;

use crate::image::Image;

/// The newest kept firmware for the board, by the date and version in its name: files from MicroPython's page are called
/// `ESP32_GENERIC-20250911-v1.26.1.bin`. Variants (`ESP32_GENERIC-SPIRAM-…`) are for other boards.
pub fn kept(folder: &Path, board: &Board) -> Option<PathBuf> {
    let entries = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| is_for(path, board)).collect();
    files.sort();
    files.pop()
}

fn is_for(path: &Path, board: &Board) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let rest = board
        .firmware
        .as_deref()
        .and_then(|firmware| name.strip_prefix(firmware));
    rest.and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        && (name.ends_with(".bin") || name.ends_with(".uf2"))
}

/// Keeps a copy of a firmware that a board has taken, if its name says whose and how old it is; gives its place.
///
/// # Errors
/// Those of the filesystem.
pub fn keep(folder: &Path, board: &Board, image: &Image) -> std::io::Result<Option<PathBuf>> {
    let Some(name) = image
        .path
        .file_name()
        .filter(|_| is_for(&image.path, board))
    else {
        return Ok(None);
    };
    let target = folder.join(name);
    if fs::read(&target).is_ok_and(|bytes| bytes == image.bytes) {
        return Ok(Some(target));
    }
    fs::create_dir_all(folder)?;
    let part = folder.join(format!(".{}.part", std::process::id()));
    fs::write(&part, &image.bytes)?;
    fs::rename(&part, &target)?;
    Ok(Some(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::esp_file;

    #[test]
    fn the_newest_file_of_the_board_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let esp32 = board_data::find("esp32").expect("it");
        assert_eq!(kept(folder.path(), esp32), None);
        for name in [
            "ESP32_GENERIC-20241129-v1.24.1.bin",
            "ESP32_GENERIC-20250911-v1.26.1.bin",
            "ESP32_GENERIC-SPIRAM-20991231-v9.bin",
            "ESP32_GENERIC_C3-20991231-v9.bin",
            "ESP32_GENERIC-20991231-v9.txt",
        ] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        let newest = folder.path().join("ESP32_GENERIC-20250911-v1.26.1.bin");
        assert_eq!(kept(folder.path(), esp32), Some(newest));
        assert_eq!(kept(Path::new("/nowhere"), esp32), None);
    }

    #[test]
    fn a_firmware_is_kept_under_its_own_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let esp32 = board_data::find("esp32").expect("it");
        let image = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, esp_file(0, 64)).expect("a file");
            Image::read(&path).expect("an image")
        };
        let store = folder.path().join("store/firmware");
        let image_of = image("ESP32_GENERIC-20250911-v1.26.1.bin");
        let place = keep(&store, esp32, &image_of)
            .expect("room")
            .expect("a place");
        assert_eq!(kept(&store, esp32), Some(place.clone()));
        assert_eq!(keep(&store, esp32, &image_of).expect("room"), Some(place));
        let other = folder.path().join("other");
        assert_eq!(
            keep(&other, esp32, &image("firmware.bin")).expect("room"),
            None
        );
        assert!(!other.exists());
    }
}
