//! The subcommands, one file each.

pub mod bench;
pub mod boards;
pub mod broker;
pub mod build;
pub mod check;
pub mod completions;
pub mod deploy;
pub mod doctor;
pub mod exec;
pub mod flash;
pub mod fs;
pub mod fs_copy;
pub mod install;
pub mod lab;
pub mod monitor;
pub mod mount;
pub mod new;
pub mod package;
pub mod passwd;
pub mod ports;
pub mod publish;
pub mod repl;
pub mod reset;
pub mod run;
pub mod subscribe;

use board_link::Lang;

use crate::display::{Display, Form, Sender};
use crate::failure::Failure;
use crate::lines;
use crate::stop::Stop;

/// Does `work` while what it says is shown.
fn shown(
    lang: Lang,
    work: impl FnOnce(&Sender, &Stop) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stop = Stop::on_signals(lang)?;
    let form = Form {
        json: lines::wanted(),
        all_packets: false,
        lang,
    };
    let display = Display::start(form, &stop);
    let sender = display.sender();
    let done = work(&sender, &stop);
    drop(sender);
    display.finish();
    done
}
