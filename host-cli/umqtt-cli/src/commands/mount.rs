//! `umqtt mount`: decides how a folder of this computer is the board's for as long as the command runs: with the
//! board's interpreter on the terminal, or for one piece of code.

use std::cell::OnceCell;
use std::io::Write;
use std::time::Duration;

use board_link::{Board, Folder, Lang, LinkError, MOUNT_POINT, MountKey, Transport};
use serde_json::json;

use crate::commands::exec;
use crate::commands::repl::{Wire, interact};
use crate::direct::{self, Direct};
use crate::failure::{Failure, Status};
use crate::lines;
use crate::options::board::MountOptions;
use crate::target;

pub fn run(options: &MountOptions, lang: Lang) -> Result<(), Failure> {
    if options.exec.is_none() {
        lines::refuse(
            lang.pick(
                "umqtt mount without --exec is a conversation, which no JSON can hold",
                "umqtt mount sin --exec es una conversación, que no cabe en JSON",
            ),
            lang.pick(
                "umqtt mount FOLDER --exec CODE --json runs code and prints its output as JSON",
                "umqtt mount CARPETA --exec CÓDIGO --json ejecuta código y da su salida en JSON",
            ),
        )?;
    }
    let shared = folder(options).map_err(|error| no_folder(options, &error, lang))?;
    let code = (options.exec.as_deref())
        .map(|code| exec::code(code, lang))
        .transpose()?;
    let key = OnceCell::new();
    let share = |transport| {
        let (transport, named) = board_link::share(transport, shared);
        key.get_or_init(|| named);
        transport
    };
    direct::on_board_over(&options.port, lang, share, |direct| {
        let key: MountKey = key.get().cloned().unwrap_or_default();
        (direct.board.mount(&key)).map_err(|error| refused(&error, lang))?;
        if lines::wanted() {
            let read_only = options.read_only;
            let fields = json!({ "path": MOUNT_POINT, "from": options.folder.display().to_string(), "read_only": read_only });
            lines::print("mounted", fields, lang)?;
        } else {
            say(&mounted(options, lang));
        }
        let done = match &code {
            Some(code) => exec::show(direct, code, None, lang),
            None => talk(direct, key.clone(), options, lang),
        };
        let done = match done {
            Err(_) if key.stalled() => Err(stalled(lang)),
            done => done,
        };
        // The work's own failure is told first. Whatever still runs is stopped: its folder goes.
        if code.is_some() && direct.board.has_restarted() {
            note(
                lang.pick(
                    "the board has started anew, and the folder is not its own any more",
                    "la placa ha vuelto a arrancar y la carpeta ya no es suya",
                ),
                lang,
            )?;
        }
        let unmounted = direct.board.unmount();
        done.and_then(|()| unmounted.map_err(|error| Failure::from_link(&error, lang)))
    })
}

fn folder(options: &MountOptions) -> std::io::Result<Folder> {
    Folder::open(&options.folder, options.read_only)
}

fn no_folder(options: &MountOptions, error: &std::io::Error, lang: Lang) -> Failure {
    let path = options.folder.display();
    let message = match lang {
        Lang::En => format!("the folder {path} cannot be used: {error}"),
        Lang::Es => format!("no se puede usar la carpeta {path}: {}", lang.reason(error)),
    };
    let help = lang.pick(
        "name a folder of this computer that you may read: umqtt mount .",
        "indica una carpeta de este ordenador que puedas leer: umqtt mount .",
    );
    Failure::new(Status::Usage, message, help)
}

/// A firmware without filesystems or `binascii` raises.
fn refused(error: &LinkError, lang: Lang) -> Failure {
    let LinkError::Raised { traceback } = error else {
        return Failure::from_link(error, lang);
    };
    let last = traceback.trim_end().lines().last().unwrap_or_default();
    let message = match lang {
        Lang::En => format!("the board's firmware cannot mount a folder: {last}"),
        Lang::Es => format!("el firmware de la placa no puede montar una carpeta: {last}"),
    };
    let help = lang.pick(
        "umqtt deploy puts files on the board instead; umqtt flash brings a newer MicroPython",
        "umqtt deploy pone los ficheros en la placa; umqtt flash trae un MicroPython más nuevo",
    );
    Failure::new(Status::Failed, message, help)
}

fn stalled(lang: Lang) -> Failure {
    let message = lang.pick(
        "the line lost a part of what the board wanted from the folder; its program was stopped",
        "la línea perdió una parte de lo que la placa quería de la carpeta; se paró su programa",
    );
    let help = lang.pick(
        "run it again; if it happens again, try another cable or USB port",
        "ejecútalo otra vez; si se repite, prueba otro cable u otro puerto USB",
    );
    Failure::new(Status::Failed, message, help)
}

fn mounted(options: &MountOptions, lang: Lang) -> String {
    let path = options.folder.display();
    match (lang, options.read_only) {
        (Lang::En, false) => format!("{path} is {MOUNT_POINT} on the board"),
        (Lang::En, true) => format!("{path} is {MOUNT_POINT} on the board, read-only"),
        (Lang::Es, false) => format!("{path} es {MOUNT_POINT} en la placa"),
        (Lang::Es, true) => format!("{path} es {MOUNT_POINT} en la placa, de solo lectura"),
    }
}

/// The same, where it may be JSON.
fn note(text: &str, lang: Lang) -> Result<(), Failure> {
    if lines::wanted() {
        return lines::print("note", json!({ "message": text }), lang);
    }
    say(text);
    Ok(())
}

fn say(text: &str) {
    // There is nowhere left to report that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "umqtt: {text}");
}

/// The board's interpreter on the terminal, with the folder.
fn talk(
    direct: &mut Direct,
    key: MountKey,
    options: &MountOptions,
    lang: Lang,
) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    direct.board.exit_raw().map_err(link)?;
    let stop = direct.stop.clone();
    let mut wire = Mounted {
        board: &mut direct.board,
        key,
        options,
        lang,
    };
    interact(&mut wire, stop, lang)
}

/// A connection over which the folder is shared: a restart of the board takes its mount away, and it is made anew.
struct Mounted<'a> {
    board: &'a mut Board,
    key: MountKey,
    options: &'a MountOptions,
    lang: Lang,
}

impl Mounted<'_> {
    /// True if it had to be done.
    fn mount_again(&mut self) -> Result<bool, LinkError> {
        let there = self.board.is_mounted()?;
        if !there {
            self.board.mount(&self.key)?;
        }
        self.board.exit_raw()?;
        Ok(!there)
    }
}

impl Wire for Mounted<'_> {
    fn transport(&mut self) -> &mut dyn Transport {
        self.board.transport_mut()
    }

    fn reconnected(&mut self, transport: Box<dyn Transport>) {
        let transport = match folder(self.options) {
            Ok(folder) => {
                let (transport, key) = board_link::share(transport, folder);
                self.key = key;
                transport
            }
            // It is gone; mounting again says so.
            Err(_) => transport,
        };
        *self.board = Board::new(transport, target::timeouts());
    }

    fn greeting(&self) -> Vec<u8> {
        b"\r".to_vec()
    }

    fn started(&mut self) -> Option<String> {
        match self.mount_again() {
            Ok(false) => None,
            Ok(true) => Some(mounted(self.options, self.lang)),
            Err(error) => {
                let (message, help) = (error.message(self.lang), error.help(self.lang));
                Some(format!("{message}; {help}"))
            }
        }
    }

    fn restarts(&mut self) {
        self.board.set_restarted();
    }

    fn reminder(&self) -> Option<String> {
        Some(match self.lang {
            Lang::En => format!(
                "the board has started anew, and {MOUNT_POINT} is gone: Ctrl-C stops its program, if one runs, and brings the folder back"
            ),
            Lang::Es => format!(
                "la placa ha vuelto a arrancar y ya no tiene {MOUNT_POINT}: Ctrl-C detiene su programa, si hay uno en marcha, y trae la carpeta de vuelta"
            ),
        })
    }

    fn idle(&self) -> Option<Duration> {
        self.key.idle()
    }
}
