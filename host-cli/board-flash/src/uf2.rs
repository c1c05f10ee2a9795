//! Decides how a firmware gets onto Raspberry Pi's chips: their bootloader shows a drive, takes a UF2 file that is copied
//! there, and goes away to run it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board_data::Board;

use crate::error::FlashError;
use crate::image::Image;
use crate::{Progress, Report};

/// What every such drive has in its root folder; `Board-ID: RPI-RP2` stands in it.
const INFO: &str = "INFO_UF2.TXT";

/// Bytes that are written at once, between two steps of the progress.
const PIECE: usize = 32 * 1024;

/// How long a board may take to go away with its file.
const RESTART: Duration = Duration::from_secs(10);

/// Whether the folder is the drive of such a board's bootloader.
fn is_drive(folder: &Path, name: &str) -> bool {
    fs::read_to_string(folder.join(INFO)).is_ok_and(|text| {
        text.lines().any(|line| {
            line.split_once(':').is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case("Board-ID") && value.trim() == name
            })
        })
    })
}

/// The mounted drives of such boards.
pub fn drives(board: &Board) -> Vec<PathBuf> {
    let Some(name) = &board.flash.drive else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = mounted()
        .into_iter()
        .filter(|folder| is_drive(folder, name))
        .collect();
    found.sort();
    found
}

/// Where systems mount what is plugged in.
fn mounted() -> Vec<PathBuf> {
    if cfg!(windows) {
        return ('D'..='Z')
            .map(|letter| PathBuf::from(format!("{letter}:\\")))
            .collect();
    }
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    };
    let mut folders = below(Path::new("/Volumes"));
    for root in ["/media", "/run/media", "/mnt"] {
        for folder in below(Path::new(root)) {
            // One level more where each user has a folder: /media/ana/RPI-RP2.
            folders.extend(below(&folder));
            folders.push(folder);
        }
    }
    folders
}

/// Copies the image to the drive (`None`: to the only one there is) and waits until the board has gone away with it.
///
/// # Errors
/// Nothing is written where the image does not suit the board, or the folder is not its drive.
pub fn flash_uf2(
    drive: Option<&Path>,
    board: &Board,
    image: &Image,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, FlashError> {
    image.suits(board)?;
    let name = board.flash.drive.clone().unwrap_or_default();
    let drive = match drive {
        Some(path) if is_drive(path, &name) => path.to_owned(),
        Some(path) => {
            return Err(FlashError::OtherDrive {
                path: path.to_owned(),
                drive: name,
            });
        }
        None => match drives(board).as_slice() {
            [] => return Err(FlashError::NoDrive { drive: name }),
            [one] => one.clone(),
            several => {
                return Err(FlashError::SeveralDrives {
                    drives: several.to_vec(),
                });
            }
        },
    };
    let target = drive.join("firmware.uf2");
    let total = image.bytes.len() as u64;
    let copied = copy(&target, &image.bytes, &mut |done| {
        progress(Progress::Written { done, total })
    });
    let gone = wait(|| !is_drive(&drive, &name));
    match (copied, gone) {
        // The board goes away as soon as it has the last block, often before the system has closed the file.
        (Ok(()), true) | (Err((_, true)), true) => Ok(Report {
            written: total,
            compared: 0,
            skipped: 0,
            restarted: true,
        }),
        (Err((source, _)), _) => Err(FlashError::Copy {
            path: target,
            source,
        }),
        (Ok(()), false) => Err(FlashError::NotTaken { path: drive }),
    }
}

/// Writes the file; an error says too whether all bytes had been written before it.
fn copy(
    target: &Path,
    bytes: &[u8],
    told: &mut dyn FnMut(u64),
) -> Result<(), (std::io::Error, bool)> {
    let mut file = fs::File::create(target).map_err(|error| (error, false))?;
    let mut done = 0;
    for piece in bytes.chunks(PIECE) {
        file.write_all(piece).map_err(|error| (error, false))?;
        // Else the bar would show how fast memory is.
        let all = done + piece.len() == bytes.len();
        file.sync_data().map_err(|error| (error, all))?;
        done += piece.len();
        told(done as u64);
    }
    Ok(())
}

fn wait(done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + RESTART;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::uf2_file;

    /// A folder that stands for the drive of a board's bootloader.
    fn drive(id: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let info = format!("UF2 Bootloader v3.0\r\nModel: Raspberry Pi\r\nBoard-ID: {id}\r\n");
        fs::write(folder.path().join(INFO), info).expect("its file");
        folder
    }

    fn image(families: &[u32]) -> Image {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("RPI_PICO_W.uf2");
        fs::write(&path, uf2_file(families)).expect("a file");
        Image::read(&path).expect("a UF2 file")
    }

    #[test]
    fn the_file_is_copied_and_the_board_goes_away() {
        let pico = board_data::find("pico-w").expect("it");
        let image = image(&[0xe48b_ff56; 300]);
        let folder = drive("RPI-RP2");
        let target = folder.path().join("firmware.uf2");
        // What the board does: it goes away once it has every block.
        let (file, info, size) = (
            target.clone(),
            folder.path().join(INFO),
            image.bytes.len() as u64,
        );
        let board = std::thread::spawn(move || {
            wait(|| fs::metadata(&file).is_ok_and(|data| data.len() == size));
            fs::remove_file(info).expect("it goes");
        });
        let mut steps = Vec::new();
        let report = flash_uf2(Some(folder.path()), pico, &image, &mut |step| {
            steps.push(step)
        })
        .expect("it is flashed");
        board.join().expect("it went");
        assert_eq!(
            report,
            Report {
                written: size,
                compared: 0,
                skipped: 0,
                restarted: true
            }
        );
        assert_eq!(fs::read(target).expect("the file"), image.bytes);
        assert_eq!(
            steps.last(),
            Some(&Progress::Written {
                done: size,
                total: size
            })
        );
        assert!(steps.len() > 3);
    }

    /// An image of `family` for a Pico W, whose drive is said to be `folder`.
    fn flash_pico(folder: &tempfile::TempDir, family: u32) -> Result<Report, FlashError> {
        let pico = board_data::find("pico-w").expect("it");
        flash_uf2(Some(folder.path()), pico, &image(&[family]), &mut |_| {})
    }

    #[test]
    fn the_wrong_drive_or_file_is_not_touched() {
        let other = drive("RP2350");
        let refused = flash_pico(&other, 0xe48b_ff56);
        assert!(
            matches!(refused, Err(FlashError::OtherDrive { .. })),
            "{refused:?}"
        );
        let own = drive("RPI-RP2");
        let refused = flash_pico(&own, 0xe48b_ff59);
        assert!(
            matches!(refused, Err(FlashError::WrongChip { .. })),
            "{refused:?}"
        );
        let empty = tempfile::tempdir().expect("a folder");
        let refused = flash_pico(&empty, 0xe48b_ff56);
        assert!(
            matches!(refused, Err(FlashError::OtherDrive { .. })),
            "{refused:?}"
        );
        for folder in [&other, &own, &empty] {
            assert!(!folder.path().join("firmware.uf2").exists());
        }
    }

    #[test]
    fn a_board_that_does_not_take_the_file_is_told() {
        let folder = drive("RPI-RP2");
        let refused = flash_pico(&folder, 0xe48b_ff56);
        assert!(
            matches!(refused, Err(FlashError::NotTaken { .. })),
            "{refused:?}"
        );
    }
}
