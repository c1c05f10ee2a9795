//! `umqtt flash`: decides which firmware goes onto which board, and in which way.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use board_data::{Board, Method, Step};
use board_flash::{Esp8266Options, EspOptions, FlashError, Image, Progress, Report};
use board_link::{Lang, PortSpec};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::cli::FlashOptions;
use crate::commands::{boards, shown};
use crate::display::{Message, Sender};
use crate::failure::{Failure, Status};
use crate::stop::Stop;
use crate::target;

/// How long a board may take to show its drive.
const DRIVE: Duration = Duration::from_secs(15);

pub fn run(options: &FlashOptions, lang: Lang) -> Result<(), Failure> {
    let wanted = options
        .board
        .as_deref()
        .map(|name| boards::known(name, lang))
        .transpose()?;
    let image = match &options.firmware {
        Some(path) => Image::read(path).map_err(|error| explain(&error, lang))?,
        None => kept(wanted, lang)?,
    };
    let board = match wanted.or_else(|| image.board()) {
        Some(board) => board,
        None => {
            let error = FlashError::WrongChip {
                image: image.chip(),
                board: "?".to_owned(),
            };
            return Err(explain(&error, lang));
        }
    };
    image.suits(board).map_err(|error| explain(&error, lang))?;
    shown(lang, |display, stop| {
        let work = Work {
            options,
            board,
            image: &image,
            display,
            stop,
            lang,
        };
        let report = work.flash()?;
        work.tell(&report);
        Ok(())
    })
}

/// The folder with the firmware files that boards have taken before.
fn store() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| {
        Some(
            absolute("HOME")
                .or_else(|| absolute("LOCALAPPDATA"))?
                .join(".cache"),
        )
    })?;
    Some(cache.join("umqtt").join("firmware"))
}

/// The firmware that was kept for this board.
fn kept(board: Option<&Board>, lang: Lang) -> Result<Image, Failure> {
    let Some(board) = board else {
        let message = lang.pick("which firmware is not said", "no se ha dicho qué firmware");
        let help = lang.pick(
            "--firmware FILE, or --board NAME for one that was used before; umqtt boards lists the names",
            "--firmware FICHERO, o --board NOMBRE para uno que ya se usó; umqtt boards lista los nombres",
        );
        return Err(Failure::new(Status::Usage, message, help));
    };
    let Some(page) = board.page() else {
        let message = lang.pick(
            "the simulated board has no firmware to flash",
            "la placa simulada no tiene firmware que grabar",
        );
        return Err(Failure::new(Status::Usage, message, "umqtt boards"));
    };
    let folder = store();
    if let Some(path) = folder
        .as_deref()
        .and_then(|folder| board_flash::kept(folder, board))
    {
        return Image::read(&path).map_err(|error| explain(&error, lang));
    }
    let place = folder.unwrap_or_default();
    let message = match lang {
        Lang::En => format!(
            "there is no firmware for {} in {}",
            board.name,
            place.display()
        ),
        Lang::Es => format!("no hay firmware para {} en {}", board.name, place.display()),
    };
    let kind = if board.flash.method == Method::Uf2 {
        ".uf2"
    } else {
        ".bin"
    };
    let help = match lang {
        Lang::En => format!(
            "download the newest {kind} from {page} and name it: umqtt flash --firmware FILE; it is kept for the next board"
        ),
        Lang::Es => format!(
            "descarga el {kind} más nuevo de {page} e indícalo: umqtt flash --firmware FICHERO; se guarda para la próxima placa"
        ),
    };
    Err(Failure::new(Status::Failed, message, help))
}

struct Work<'a> {
    options: &'a FlashOptions,
    board: &'static Board,
    image: &'a Image,
    display: &'a Sender,
    stop: &'a Stop,
    lang: Lang,
}

impl Work<'_> {
    fn flash(&self) -> Result<Report, Failure> {
        let lang = self.lang;
        self.display.note(format!(
            "{} → {}",
            self.image.path.display(),
            boards::title(self.board, lang)
        ));
        let bar = Bar::new(self.lang);
        let report = match self.board.flash.method {
            Method::Espressif => {
                let device = self.device()?;
                self.stop.interrupted(lang)?;
                let options = EspOptions {
                    erase: self.options.erase,
                    baud: self.options.baud.unwrap_or(EspOptions::default().baud),
                };
                let _quiet = Quiet::here();
                board_flash::flash_esp(&device, self.board, self.image, options, &mut |step| {
                    bar.show(step)
                })
            }
            Method::Uf2 => {
                if self.options.erase {
                    let message = lang.pick(
                        "--erase is for Espressif's chips: a UF2 file replaces the firmware and leaves the files",
                        "--erase es para los chips de Espressif: un fichero UF2 cambia el firmware y deja los ficheros",
                    );
                    let help = lang.pick("leave --erase out", "quita --erase");
                    return Err(Failure::new(Status::Usage, message, help));
                }
                let drive = self.drive()?;
                board_flash::flash_uf2(drive.as_deref(), self.board, self.image, &mut |step| {
                    bar.show(step)
                })
            }
            Method::Rom => {
                let device = self.device()?;
                self.stop.interrupted(lang)?;
                let usual = Esp8266Options::default();
                let options = Esp8266Options {
                    erase: self.options.erase,
                    baud: self.options.baud.unwrap_or(usual.baud),
                };
                board_flash::flash_esp8266(&device, self.board, self.image, options, &mut |step| {
                    bar.show(step)
                })
            }
            Method::None => return kept(Some(self.board), lang).map(|_| Report::default()),
        };
        drop(bar);
        let report = report.map_err(|error| explain(&error, lang))?;
        if let Some(folder) = store()
            && let Err(error) = board_flash::keep(&folder, self.board, self.image)
        {
            // The board has its firmware; a full disk here is worth a word and no more.
            self.display.note(match lang {
                Lang::En => format!("the firmware is not kept in {}: {error}", folder.display()),
                Lang::Es => format!(
                    "el firmware no se guarda en {}: {}",
                    folder.display(),
                    lang.reason(&error)
                ),
            });
        }
        Ok(report)
    }

    /// The serial device of the board.
    fn device(&self) -> Result<String, Failure> {
        let link = |error| Failure::from_link(&error, self.lang);
        let asked: PortSpec = self
            .options
            .port
            .as_deref()
            .unwrap_or("auto")
            .parse()
            .map_err(link)?;
        match board_link::resolve(&asked).map_err(link)? {
            PortSpec::Device(device) => Ok(device),
            other => {
                let message = match self.lang {
                    Lang::En => format!(
                        "{other} cannot be flashed: it takes a serial port of this computer"
                    ),
                    Lang::Es => format!(
                        "{other} no se puede grabar: hace falta un puerto serie de este equipo"
                    ),
                };
                let help = self.lang.pick(
                    "plug the board in and name its port with --port; umqtt doctor says why none is seen",
                    "enchufa la placa y di su puerto con --port; umqtt doctor dice por qué no se ve ninguno",
                );
                Err(Failure::new(Status::NoBoard, message, help))
            }
        }
    }

    /// The drive that was named, or the one that the board shows after it was asked to.
    fn drive(&self) -> Result<Option<PathBuf>, Failure> {
        if let Some(drive) = &self.options.drive {
            return Ok(Some(drive.clone()));
        }
        let Some(port) = &self.options.port else {
            return Ok(None);
        };
        // A board that runs MicroPython goes to its bootloader by itself.
        let link = |error| Failure::from_link(&error, self.lang);
        let spec = board_link::resolve(&port.parse().map_err(link)?).map_err(link)?;
        let mut reached = target::connect(board_link::open(&spec).map_err(link)?, self.lang)?;
        for step in &self.board.reset.bootloader {
            if let Step::Run(code) = step {
                // The answer never comes: the board is gone by then.
                reached.timeouts_mut().exec = Duration::from_secs(1);
                let _ = reached.exec(code);
            }
        }
        drop(reached);
        let deadline = std::time::Instant::now() + DRIVE;
        while board_flash::drives(self.board).is_empty() && std::time::Instant::now() < deadline {
            self.stop.interrupted(self.lang)?;
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(None)
    }

    fn tell(&self, report: &Report) {
        let Report {
            written,
            skipped,
            compared,
            restarted,
        } = *report;
        let mut text = match (written, self.lang) {
            // The ESP8266's ROM hashes nothing; what it wrote is looked at in samples.
            (1.., Lang::En) if compared < written => format!(
                "written: {written} bytes, each block with its checksum; read back: {compared} of them, some of every sector"
            ),
            (1.., Lang::Es) if compared < written => format!(
                "escrito: {written} bytes, cada bloque con su suma de control; releídos: {compared}, algunos de cada sector"
            ),
            (0, Lang::En) => "the firmware was there already, nothing was written".to_owned(),
            (0, Lang::Es) => "el firmware ya estaba, no se escribió nada".to_owned(),
            (_, Lang::En) => {
                format!("written and verified: {written} bytes; there already: {skipped}")
            }
            (_, Lang::Es) => {
                format!("escrito y comprobado: {written} bytes; ya estaban: {skipped}")
            }
        };
        if self.board.flash.method == Method::Uf2 {
            text = match self.lang {
                Lang::En => format!("copied: {written} bytes; the board restarted with them"),
                Lang::Es => format!("copiado: {written} bytes; la placa se reinició con ellos"),
            };
        } else if !restarted {
            let press = self.lang.pick(
                "press its reset button (EN)",
                "pulsa su botón de reinicio (EN)",
            );
            text.push_str(&format!("; {press}"));
        }
        self.display.show(Message::Result {
            text,
            fields: json!({
                "event": "flash", "board": self.board.name, "file": self.image.path.display().to_string(),
                "written": written, "compared": compared, "skipped": skipped, "restarted": restarted,
            }),
        });
    }
}

/// While it lives, a panic of this thread prints nothing: espflash has some, and they become errors like any other.
struct Quiet;

impl Quiet {
    fn here() -> Self {
        let (thread, before) = (std::thread::current().id(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() != thread {
                before(panic);
            }
        }));
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Back to Rust's own.
        drop(std::panic::take_hook());
    }
}

/// The bar on standard error, where that is a terminal.
struct Bar {
    bar: ProgressBar,
    lang: Lang,
}

impl Bar {
    fn new(lang: Lang) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let target = if std::io::stderr().is_terminal() && !dumb {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        {
            bar.set_style(style);
        }
        Self { bar, lang }
    }

    fn show(&self, step: Progress) {
        match step {
            Progress::Connecting => {
                let text = self.lang.pick(
                    "calling the bootloader (hold BOOT if it does not answer)",
                    "llamando al cargador de arranque (mantén BOOT si no contesta)",
                );
                self.bar.set_message(text);
            }
            Progress::Erasing => self.bar.set_message(self.lang.pick("erasing", "borrando")),
            Progress::Written { done, total } => {
                self.bar
                    .set_message(self.lang.pick("writing", "escribiendo"));
                self.bar.set_length(total);
                self.bar.set_position(done);
            }
            Progress::Compared { done, total } => {
                self.bar
                    .set_message(self.lang.pick("reading back", "releyendo"));
                self.bar.set_length(total);
                self.bar.set_position(done);
            }
        }
        self.bar.tick();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The library's errors in the language of the user, with what to try.
fn explain(error: &FlashError, lang: Lang) -> Failure {
    let es = lang == Lang::Es;
    let show = |path: &Path| path.display().to_string();
    let (status, message, help) = match error {
        FlashError::Unreadable { path, source } => (
            Status::Failed,
            if es { format!("no se puede leer {}: {}", show(path), Lang::Es.reason(source)) } else { format!("{} cannot be read: {source}", show(path)) },
            lang.pick("name a firmware file with --firmware", "indica un fichero de firmware con --firmware").to_owned(),
        ),
        FlashError::NoFirmware { path, reason } => (
            Status::Failed,
            if es { format!("{} no es un firmware: {}", show(path), reason.spanish()) } else { format!("{} is no firmware: {reason}", show(path)) },
            lang.pick("umqtt boards NAME says where to get the right one", "umqtt boards NOMBRE dice dónde conseguir el que vale").to_owned(),
        ),
        FlashError::WrongChip { image, board } => (
            Status::Failed,
            if es { format!("el firmware es para {image} y la placa es {board}; no se escribió nada") } else { format!("the firmware is for {image} and the board is {board}; nothing was written") },
            lang.pick("umqtt boards lists boards and their firmware", "umqtt boards lista las placas y su firmware").to_owned(),
        ),
        FlashError::TooLarge { size, room } => (
            Status::Failed,
            if es { format!("el firmware ocupa {size} bytes y la memoria flash tiene {room}") } else { format!("the firmware has {size} bytes and the flash memory {room}") },
            lang.pick("take the firmware for this board", "usa el firmware de esta placa").to_owned(),
        ),
        FlashError::Port { port, reason } => (
            Status::NoBoard,
            if es { format!("no se puede abrir {port}: {}", reason.spanish()) } else { format!("{port} cannot be opened: {reason}") },
            format!("umqtt doctor --port {port}"),
        ),
        FlashError::NoBootloader { port, reason } => (
            Status::NoBoard,
            if es { format!("ningún cargador de arranque contesta en {port} ({})", reason.spanish()) } else { format!("no bootloader answers on {port} ({reason})") },
            lang.pick(
                "hold the BOOT button (FLASH on an ESP8266), press and let go of reset (EN), let go of BOOT, and run this again",
                "mantén pulsado BOOT (FLASH en un ESP8266), pulsa y suelta reset (EN), suelta BOOT y ejecútalo otra vez",
            ).to_owned(),
        ),
        FlashError::Broke { port, reason } => (
            Status::NoBoard,
            if es { format!("la grabación en {port} se interrumpió: {}", reason.spanish()) } else { format!("flashing on {port} broke off: {reason}") },
            lang.pick(
                "run it again: it goes on where it stopped; if it breaks off again, use another cable or --baud 115200",
                "ejecútalo otra vez: sigue donde se quedó; si vuelve a fallar, usa otro cable o --baud 115200",
            ).to_owned(),
        ),
        FlashError::Differs { port } => (
            Status::Failed,
            if es { format!("lo que quedó en la memoria de {port} no es lo que se envió") } else { format!("what is in the memory on {port} is not what was sent") },
            lang.pick("run it again with --baud 115200; if it stays so, the flash memory is worn out", "ejecútalo otra vez con --baud 115200; si sigue igual, la memoria flash está gastada").to_owned(),
        ),
        FlashError::NoDrive { drive } => (
            Status::NoBoard,
            if es { format!("no hay ninguna unidad {drive}") } else { format!("there is no drive {drive}") },
            lang.pick(
                "unplug the board, hold BOOTSEL while you plug it in, and open the drive once if your system does not by itself; or name its folder with --drive",
                "desenchufa la placa, mantén BOOTSEL al enchufarla y abre la unidad si el sistema no lo hace solo; o di su carpeta con --drive",
            ).to_owned(),
        ),
        FlashError::SeveralDrives { drives } => {
            let list: Vec<String> = drives.iter().map(|drive| show(drive)).collect();
            let list = list.join(", ");
            (
                Status::NoBoard,
                if es { format!("hay varias placas esperando: {list}") } else { format!("several boards wait: {list}") },
                lang.pick("choose one with --drive", "elige una con --drive").to_owned(),
            )
        }
        FlashError::OtherDrive { path, drive } => (
            Status::Failed,
            if es { format!("{} no es la unidad {drive}", show(path)) } else { format!("{} is not the drive {drive}", show(path)) },
            lang.pick("name the folder with INFO_UF2.TXT in it", "di la carpeta donde está INFO_UF2.TXT").to_owned(),
        ),
        FlashError::Copy { path, source } => (
            Status::NoBoard,
            if es { format!("no se pudo copiar a {}: {}", show(path), Lang::Es.reason(source)) } else { format!("copying to {} failed: {source}", show(path)) },
            lang.pick("plug it in anew with BOOTSEL held, and run this again", "enchúfala de nuevo con BOOTSEL pulsado y ejecútalo otra vez").to_owned(),
        ),
        FlashError::NotTaken { path } => (
            Status::Failed,
            if es { format!("la placa no aceptó el fichero: {} sigue ahí", show(path)) } else { format!("the board did not take the file: {} is still there", show(path)) },
            lang.pick("see that the file is for this board: umqtt boards", "comprueba que el fichero es para esta placa: umqtt boards").to_owned(),
        ),
    };
    Failure::new(status, message, help)
}
