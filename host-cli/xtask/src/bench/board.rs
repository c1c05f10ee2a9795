//! Decides what encoding and decoding a message costs a board without a network, in instructions counted by QEMU:
//! `cargo xtask bench board`.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use testkit::Implementation;
use testkit::native::Arch;
use testkit::qemu::{QemuBoard, QemuModel};

const STAND_INS: &str = include_str!("../../../../python/tests/board_stand_ins.py");
const PROGRAM: &str = include_str!("../../../../python/tests/count_board.py");

/// What a message costs, in instructions.
#[derive(Debug, Serialize)]
struct Counted {
    what: String,
    /// Of the payload, in bytes.
    size: usize,
    ours: u64,
    upstream: u64,
}

/// Counts on the ARM board, and prints and writes what came. The counts are the same in every run.
pub fn run() -> Result<bool> {
    let model = QemuModel::of(Arch::Armv7m).context("no board for armv7m")?;
    let module = testkit::repository()
        .join("native-module/prebuilt")
        .join(model.arch.name())
        .join("umqtt/simple.mpy");
    let module =
        std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let upstream = Implementation::Upstream
        .file()
        .map_err(anyhow::Error::msg)?;
    let upstream = std::fs::read_to_string(upstream)?;
    let mut board = QemuBoard::counting(model).map_err(anyhow::Error::msg)?;
    board.put_module(&module).map_err(anyhow::Error::msg)?;
    for program in [STAND_INS, &upstream, "import case\n"] {
        let printed = board.run(program);
        ensure!(printed.is_empty(), "the board said {printed}");
    }
    let printed = board.run(PROGRAM);
    let counted = printed
        .lines()
        .map(read)
        .collect::<Option<Vec<_>>>()
        .with_context(|| format!("the board said {printed}"))?;
    ensure!(!counted.is_empty(), "the board said nothing");
    for one in &counted {
        println!(
            "{} {:5} bytes: ours {:6} instructions, umqtt.simple 1.3.4 {:6}, {:.1} times as many",
            one.what,
            one.size,
            one.ours,
            one.upstream,
            one.upstream as f64 / one.ours as f64
        );
    }
    super::write("board.json", &counted)?;
    Ok(true)
}

fn read(line: &str) -> Option<Counted> {
    let [what, size, ours, upstream] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Counted {
        what: what.to_owned(),
        size: size.parse().ok()?,
        ours: ours.parse().ok()?,
        upstream: upstream.parse().ok()?,
    })
}
