//! Decides what a firmware file is for, by its own bytes, and whether it suits a board.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use board_data::{Board, Method};

use crate::error::FlashError;
use crate::reason::Reason;

/// Larger than any board's flash memory; a larger file is not read.
const MOST: u64 = 128 << 20;

/// A firmware file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An image for Espressif's chips, by the chip that its header names.
    Espressif { chip: String },
    /// A UF2 file with blocks of these families.
    Uf2 {
        families: BTreeSet<u32>,
        payload: u64,
    },
}

/// The number of a chip in the image header (`esp_chip_id_t` in ESP-IDF's `esp_app_format.h`).
const CHIP_IDS: [(u16, &str); 9] = [
    (0, "esp32"),
    (2, "esp32s2"),
    (5, "esp32c3"),
    (9, "esp32s3"),
    (12, "esp32c2"),
    (13, "esp32c6"),
    (16, "esp32h2"),
    (18, "esp32p4"),
    (23, "esp32c5"),
];

/// The first byte of an image (`ESP_IMAGE_HEADER_MAGIC`).
const ESP_MAGIC: u8 = 0xe9;

/// A block of a UF2 file, and its three marks (the format's "File Format").
const UF2_BLOCK: usize = 512;
const UF2_MARKS: [(usize, u32); 3] = [(0, 0x0a32_4655), (4, 0x9e5d_5157), (508, 0x0ab1_6f30)];
/// The flag that says that the block names a family.
const UF2_HAS_FAMILY: u32 = 0x2000;

/// Blocks that go to an address whatever the chip: official files for the RP2350 begin with one against its erratum E10.
const ABSOLUTE: u32 = 0xe48b_ff57;

impl Image {
    /// Reads a file and finds out what it is.
    ///
    /// # Errors
    /// [`FlashError::Unreadable`], [`FlashError::NoFirmware`].
    pub fn read(path: &Path) -> Result<Self, FlashError> {
        let unreadable = |source| FlashError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MOST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let kind = kind(&bytes).map_err(|reason| FlashError::NoFirmware {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            kind,
        })
    }

    /// The chip it is for, as `boards/*.toml` spell it; of a UF2 file, the first board's whose family it has.
    pub fn chip(&self) -> String {
        match &self.kind {
            Kind::Espressif { chip } => chip.clone(),
            Kind::Uf2 { families, .. } => board_data::all()
                .iter()
                .find(|board| {
                    board
                        .flash
                        .family
                        .is_some_and(|family| families.contains(&family))
                })
                .map_or_else(|| "uf2".to_owned(), |board| board.chip.clone()),
        }
    }

    /// The first known board with that chip.
    pub fn board(&self) -> Option<&'static Board> {
        let chip = self.chip();
        board_data::all().iter().find(|board| board.chip == chip)
    }

    /// Whether it suits the board, in chip and size.
    ///
    /// # Errors
    /// [`FlashError::WrongChip`], [`FlashError::TooLarge`].
    pub fn suits(&self, board: &Board) -> Result<(), FlashError> {
        let fits = match (&self.kind, board.flash.method) {
            (Kind::Espressif { chip }, Method::Espressif | Method::Rom) => *chip == board.chip,
            // All blocks must be for it: a file for two chips would be half written.
            (Kind::Uf2 { families, .. }, Method::Uf2) => {
                board
                    .flash
                    .family
                    .is_some_and(|family| families.contains(&family))
                    && families
                        .iter()
                        .all(|family| Some(*family) == board.flash.family || *family == ABSOLUTE)
            }
            _ => false,
        };
        if !fits {
            return Err(FlashError::WrongChip {
                image: self.chip(),
                board: board.chip.clone(),
            });
        }
        let size = match &self.kind {
            Kind::Espressif { .. } => self.bytes.len() as u64,
            Kind::Uf2 { payload, .. } => *payload,
        };
        let room = u64::from(board.flash.size - board.flash.offset);
        if size > room {
            return Err(FlashError::TooLarge { size, room });
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn kind(bytes: &[u8]) -> Result<Kind, Reason> {
    if bytes.len() as u64 > MOST {
        return Err(Reason::ours(
            "it is larger than any board's flash memory",
            "es mayor que la memoria flash de cualquier placa",
        ));
    }
    if word(bytes, 0) == Some(UF2_MARKS[0].1) {
        return uf2(bytes);
    }
    if bytes.first() == Some(&ESP_MAGIC) && bytes.len() >= 24 {
        // The ESP8266's header has 8 bytes; then comes a segment's address, in RAM or mapped flash (0x3f…, 0x40…). In the
        // longer header of its successors these bytes hold drive strengths, which are 0.
        let id = u16::from_le_bytes([bytes[12], bytes[13]]);
        let chip = match bytes[11] {
            0x3f | 0x40 => Some("esp8266"),
            _ => CHIP_IDS
                .iter()
                .find(|(known, _)| *known == id)
                .map(|(_, chip)| *chip),
        };
        return chip
            .map(|chip| Kind::Espressif {
                chip: chip.to_owned(),
            })
            .ok_or_else(|| {
                Reason::ours(
                    "it is for a chip that this program does not know",
                    "es para un chip que este programa no conoce",
                )
            });
    }
    Err(Reason::ours(
        "it is neither an image for Espressif's chips (.bin) nor a UF2 file",
        "no es ni una imagen para chips de Espressif (.bin) ni un fichero UF2",
    ))
}

fn broken() -> Reason {
    Reason::ours(
        "it is a UF2 file with a broken block",
        "es un fichero UF2 con un bloque roto",
    )
}

fn uf2(bytes: &[u8]) -> Result<Kind, Reason> {
    if !bytes.len().is_multiple_of(UF2_BLOCK) {
        return Err(Reason::ours(
            "it is a UF2 file that breaks off in the middle of a block",
            "es un fichero UF2 que se corta en medio de un bloque",
        ));
    }
    let mut families = BTreeSet::new();
    let mut payload = 0;
    for block in bytes.chunks_exact(UF2_BLOCK) {
        if UF2_MARKS
            .iter()
            .any(|(at, mark)| word(block, *at) != Some(*mark))
        {
            return Err(broken());
        }
        let (flags, size, family) = (word(block, 8), word(block, 16), word(block, 28));
        let (Some(flags), Some(size), Some(family)) = (flags, size, family) else {
            return Err(broken());
        };
        if flags & UF2_HAS_FAMILY == 0 || size > 476 {
            return Err(Reason::ours(
                "it is a UF2 file that names no family of chips",
                "es un fichero UF2 que no dice para qué chips es",
            ));
        }
        if family != ABSOLUTE {
            payload += u64::from(size);
        }
        families.insert(family);
    }
    // The last block's number, so that a file cut between two blocks is found: blocks are counted by family.
    let last = &bytes[bytes.len() - UF2_BLOCK..];
    if word(last, 20).and_then(|number| number.checked_add(1)) != word(last, 24) {
        return Err(Reason::ours(
            "it is a UF2 file that breaks off",
            "es un fichero UF2 al que le falta el final",
        ));
    }
    Ok(Kind::Uf2 { families, payload })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A UF2 file of these families' blocks, made for tests.
    pub fn uf2_file(families: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, family) in families.iter().enumerate() {
            let mut block = vec![0; UF2_BLOCK];
            let mut put =
                |at: usize, word: u32| block[at..at + 4].copy_from_slice(&word.to_le_bytes());
            for (at, mark) in UF2_MARKS {
                put(at, mark);
            }
            put(8, UF2_HAS_FAMILY);
            put(12, 0x1000_0000 + 256 * number as u32);
            put(16, 256);
            put(20, number as u32);
            put(24, families.len() as u32);
            put(28, *family);
            bytes.extend(block);
        }
        bytes
    }

    /// An image's header for this chip, and `size` bytes in all.
    pub fn esp_file(id: u16, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..size).map(|n| (n * 7 % 251) as u8).collect();
        bytes[..16].copy_from_slice(&[
            ESP_MAGIC, 3, 2, 0x20, 0, 0, 8, 0x40, 0xee, 0, 0, 0, id as u8, 0, 0, 0,
        ]);
        bytes
    }

    fn image(bytes: &[u8]) -> Result<Image, FlashError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("firmware");
        fs::write(&path, bytes).expect("a file");
        Image::read(&path)
    }

    fn board(name: &str) -> &'static Board {
        board_data::find(name).expect(name)
    }

    #[test]
    fn a_file_says_for_which_chip_it_is() {
        for (id, name) in [
            (0, "esp32"),
            (2, "esp32-s2"),
            (9, "esp32-s3"),
            (5, "esp32-c3"),
            (13, "esp32-c6"),
        ] {
            let image = image(&esp_file(id, 4096)).expect(name);
            assert_eq!(image.chip(), board(name).chip);
            assert_eq!(image.board().map(|board| board.name.as_str()), Some(name));
            for other in board_data::all() {
                assert_eq!(
                    image.suits(other).is_ok(),
                    other.name == name,
                    "{name} on {}",
                    other.name
                );
            }
        }
        // MicroPython's image for the ESP8266 begins so: a segment at 0x40100000.
        let mut old = esp_file(0, 4096);
        old[8..16].copy_from_slice(&[0, 0, 0x10, 0x40, 0x80, 8, 0, 0]);
        assert_eq!(image(&old).expect("an image").chip(), "esp8266");
        let pico = image(&uf2_file(&[0xe48b_ff56; 3])).expect("a UF2 file");
        assert!(pico.suits(board("pico-w")).is_ok());
        assert!(
            matches!(pico.suits(board("pico-2-w")), Err(FlashError::WrongChip { image, board }) if image == "rp2040" && board == "rp2350")
        );
        assert!(matches!(
            pico.suits(board("esp32")),
            Err(FlashError::WrongChip { .. })
        ));
        let pico2 = image(&uf2_file(&[ABSOLUTE, 0xe48b_ff59, 0xe48b_ff59])).expect("a UF2 file");
        assert!(pico2.suits(board("pico-2-w")).is_ok());
        let both = image(&uf2_file(&[0xe48b_ff56, 0xe48b_ff59])).expect("a UF2 file");
        assert!(both.suits(board("pico-w")).is_err());
    }

    #[test]
    fn what_is_no_firmware_is_refused() {
        let reason = |bytes: &[u8]| match image(bytes) {
            Err(FlashError::NoFirmware { reason, .. }) => reason.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(reason(b"").contains("neither"));
        assert!(reason(b"<html>404</html>").contains("neither"));
        assert!(reason(&esp_file(99, 64)).contains("does not know"));
        let whole = uf2_file(&[0xe48b_ff56; 3]);
        assert!(reason(&whole[..1000]).contains("in the middle"));
        assert!(reason(&whole[..1024]).contains("breaks off"));
        let mut broken = whole.clone();
        broken[512 + 508] ^= 1;
        assert!(reason(&broken).contains("broken block"));
        let mut nameless = whole;
        nameless[9] = 0;
        assert!(reason(&nameless).contains("names no family"));
        assert!(matches!(
            Image::read(Path::new("/nowhere/at/all.bin")),
            Err(FlashError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_firmware_larger_than_the_flash_memory_is_refused() {
        let image = image(&esp_file(0, (4 << 20) - 0x1000 + 1)).expect("an image");
        assert!(
            matches!(image.suits(board("esp32")), Err(FlashError::TooLarge { room, .. }) if room == (4 << 20) - 0x1000)
        );
    }
}
