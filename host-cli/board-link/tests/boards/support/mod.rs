//! What the tests share: boards to talk to.

pub mod model;
pub mod qemu;

/// Time-outs for emulated boards on a computer that is busy with other tests: six times those of the command.
pub fn patient() -> board_link::Timeouts {
    let usual = board_link::Timeouts::default();
    board_link::Timeouts {
        enter: usual.enter * 6,
        quiet: usual.quiet,
        reply: usual.reply * 6,
        boot: usual.boot * 6,
        exec: usual.exec * 6,
        stop: usual.stop * 6,
        write: usual.write * 6,
    }
}
