//! `umqtt check`: decides how it is said whether a .mpy file fits a board.

use board_link::Lang;
use serde_json::json;

use crate::cli::CheckOptions;
use crate::commands::shown;
use crate::display::{Message, Sender};
use crate::failure::{self, Failure, Status};
use crate::fit::{self, File, Verdict};
use crate::stop::Stop;
use crate::target;

pub fn run(options: &CheckOptions, lang: Lang) -> Result<(), Failure> {
    let path = options.file.display();
    let help = lang.pick("name a .mpy file", "indica un fichero .mpy");
    let bytes = std::fs::read(&options.file).map_err(|error| {
        let message = failure::cannot_read(options.file.display(), &error, lang);
        Failure::new(Status::Failed, message, help)
    })?;
    let file = File::read(&bytes)
        .map_err(|error| Failure::new(Status::Failed, format!("{path}: {error}"), help))?;
    shown(lang, |display, stop| {
        check(options, &file, display, stop, lang)
    })
}

fn check(
    options: &CheckOptions,
    file: &File,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    let link = |error| Failure::from_link(&error, lang);
    let mut reached = target::reach(options.port.port.as_deref(), display, stop, lang)?;
    let board = &mut reached.board;
    let info = board.info().map_err(link)?;
    let mut findings = fit::compare(file, &info, lang);
    let memory = fit::ask_memory(board, file).map_err(link)?;
    findings.push(fit::memory(file, memory, lang));
    target::leave(board, lang)?;

    let path = options.file.display();
    display.show(Message::Result {
        text: format!(
            "{path}: .mpy {}.{} {}, text {}, rodata {}, bss {}",
            file.version.0,
            file.version.1,
            file.arch_name(),
            file.text,
            file.rodata,
            file.bss
        ),
        fields: json!({
            "event": "file", "file": path.to_string(), "arch": file.arch.map(|arch| arch.name()),
            "text": file.text, "rodata": file.rodata, "bss": file.bss,
        }),
    });
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Fits => lang.pick("fits", "vale"),
            Verdict::Doubtful => lang.pick("DOUBTFUL", "DUDOSO"),
            Verdict::Unfit => lang.pick("DOES NOT FIT", "NO VALE"),
        };
        let mut fields = finding.object();
        fields["event"] = json!("finding");
        display.show(Message::Result {
            text: format!("{}: {mark}: {}", finding.aspect.name(lang), finding.message),
            fields,
        });
    }
    let unfit = findings
        .iter()
        .find(|finding| finding.verdict == Verdict::Unfit);
    let board = fit::board_name(&info);
    display.show(Message::Result {
        text: match (unfit.is_none(), lang) {
            (true, Lang::En) => format!("it fits this board ({board})"),
            (true, Lang::Es) => format!("vale para esta placa ({board})"),
            (false, Lang::En) => format!("it does not fit this board ({board})"),
            (false, Lang::Es) => format!("no vale para esta placa ({board})"),
        },
        fields: json!({ "event": "verdict", "fits": unfit.is_none(), "board": board }),
    });
    match unfit {
        None => Ok(()),
        Some(finding) => Err(Failure::new(
            Status::Failed,
            finding.message.clone(),
            finding.help.clone().unwrap_or_default(),
        )),
    }
}
