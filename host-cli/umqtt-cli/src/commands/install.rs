//! `umqtt install`: decides what is put on a board, umqtt or somebody's own module, and what is said about it.

use board_link::Lang;
use serde_json::json;

use crate::cli::InstallOptions;
use crate::commands::shown;
use crate::display::{Message, Sender};
use crate::failure::Failure;
use crate::module::{self, InstallError};
use crate::stop::Stop;
use crate::target;

pub fn run(options: &InstallOptions, lang: Lang) -> Result<(), Failure> {
    shown(lang, |display, stop| install(options, display, stop, lang))
}

fn install(
    options: &InstallOptions,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    if let Some(path) = &options.module {
        module::is_there(path, lang)?;
    }
    let mut reached = target::reach(options.port.port.as_deref(), display, stop, lang)?;
    let board = &mut reached.board;
    let info = board
        .info()
        .map_err(|error| Failure::from_link(&error, lang))?;
    let refuse = |error: InstallError| error.into_failure(lang);
    let items = match &options.module {
        Some(path) => module::at_path(path, &info, lang)?,
        None => {
            module::umqtt(&info, lang).map_err(|finding| refuse(InstallError::Unfit(finding)))?
        }
    };
    let written = module::install(board, &info, &items, display, lang).map_err(refuse)?;
    target::leave(board, lang)?;
    let what = match &options.module {
        Some(path) => path.display().to_string(),
        None => "umqtt".to_owned(),
    };
    let text = match (written.is_empty(), lang) {
        (true, Lang::En) => format!("{what} was there already, nothing was written"),
        (true, Lang::Es) => format!("{what} ya estaba, no se escribió nada"),
        (false, Lang::En) => format!("written: {}", written.join(", ")),
        (false, Lang::Es) => format!("escrito: {}", written.join(", ")),
    };
    let fields = json!({ "event": "installed", "files": written, "what": what });
    display.show(Message::Result { text, fields });
    Ok(())
}
