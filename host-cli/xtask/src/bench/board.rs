//! Decides what encoding and decoding a message costs a board without a network, in instructions that QEMU writes down:
//! `cargo xtask bench board`.
//!
//! The stream that a message goes through, and the interpreter that calls it, are part of whatever a client does. So beside
//! the whole stands the floor, which is the same bytes written by one call or read by one call; what is above it is
//! encoding and decoding, and of that a goal is set.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use testkit::Implementation;
use testkit::native::Arch;
use testkit::qemu::QemuModel;
use testkit::traced::{Counts, NATIVE, TracedBoard};

use super::Effort;
use super::layers::Parties;

const STAND_INS: &str = include_str!("../../../../python/tests/board_stand_ins.py");
const PROGRAM: &str = include_str!("../../../../python/tests/count_board.py");

const ARCHS: [Arch; 2] = [Arch::Armv7m, Arch::Rv32imc];
const SIZES: [usize; 3] = [16, 256, 1024];

/// How often the program does what is counted: its `N`.
const TIMES: u64 = 4;

/// Above the floor umqtt.simple must take so many times our instructions.
const GOAL: f64 = 10.0;

/// One line of `target/bench/board.json`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Counted {
    pub arch: String,
    /// `encode` or `decode`.
    pub what: String,
    /// Of the payload, in bytes.
    pub size: usize,
    /// For a message, the loop around it left out; the floor is one call of the stream for all the bytes.
    pub instructions: Parties,
    /// The same by layer.
    pub layers: BTreeMap<String, Parties>,
}

/// Counts on both architectures, and prints and writes what came. The counts are the same in every run.
pub fn run(effort: Effort) -> Result<bool> {
    let mut counted = Vec::new();
    for arch in ARCHS {
        counted
            .extend(count(arch, effort).with_context(|| format!("counting on {}", arch.name()))?);
    }
    let holds = |one: &Counted| one.instructions.above_floor() >= GOAL;
    for one in &counted {
        let all = &one.instructions;
        println!(
            "{} {} {} bytes, instructions a message:\n  whole: ours {}, umqtt.simple 1.3.4 {}: {:.1} times as many\n  \
             floor (one call of the stream): {}\n  above the floor: ours {}, umqtt.simple 1.3.4 {}: {:.1} times as many, at \
             least {GOAL}: {}",
            one.arch,
            one.what,
            one.size,
            all.ours,
            all.peer,
            all.whole(),
            all.floor,
            all.ours - all.floor,
            all.peer - all.floor,
            all.above_floor(),
            if holds(one) { "holds" } else { "DOES NOT HOLD" }
        );
    }
    super::write(effort, "board.json", &counted)?;
    Ok(counted.iter().all(holds))
}

fn count(arch: Arch, effort: Effort) -> Result<Vec<Counted>> {
    let model = QemuModel::of(arch).context("QEMU has no board for it")?;
    let module = testkit::repository()
        .join("native-module/prebuilt")
        .join(arch.name())
        .join("umqtt/simple.mpy");
    let module =
        std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let upstream = Implementation::Upstream
        .file()
        .map_err(anyhow::Error::msg)?;
    let upstream = std::fs::read_to_string(upstream)?;
    let mut traced = TracedBoard::start(model).map_err(anyhow::Error::msg)?;
    let board = traced.board();
    board.put_module(&module).map_err(anyhow::Error::msg)?;
    // What is left of compiling may lie where the module's code is to go, so that comes before the large programs.
    let import = "import gc\ngc.collect()\nimport case\n";
    for program in [STAND_INS, import, &upstream, PROGRAM] {
        let printed = board.run(program);
        ensure!(printed.is_empty(), "the board said {printed}");
    }
    let sizes = match effort {
        Effort::Whole => &SIZES[..],
        Effort::Hurried => &SIZES[..1],
    };
    let mut all = Vec::new();
    for size in sizes.iter().copied() {
        let counts = traced
            .count(&format!("count_all({size})\n"), 8)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("{size} bytes"))?;
        for (what, counts) in ["encode", "decode"].iter().zip(counts.chunks_exact(4)) {
            all.push(Counted {
                arch: arch.name().to_owned(),
                what: (*what).to_owned(),
                size,
                instructions: parties(counts, |_| true),
                layers: LAYERS
                    .iter()
                    .map(|(layer, _)| {
                        let of = parties(counts, |function| layer_of(function) == *layer);
                        ((*layer).to_owned(), of)
                    })
                    .collect(),
            });
        }
    }
    Ok(all)
}

/// What each takes for a message in some functions, in the order loop, floor, ours, upstream.
fn parties(counts: &[Counts], which: impl Fn(&str) -> bool) -> Parties {
    let of = |who: usize| {
        let all = counts.get(who).into_iter().flatten();
        let chosen = all.filter(|(function, _)| which(function));
        chosen.map(|(_, count)| count).sum::<u64>() as i64
    };
    let each = |who| (of(who) - of(0)) / TIMES as i64;
    Parties {
        floor: each(1),
        ours: each(2),
        peer: each(3),
    }
}

/// What the firmware's functions are for, by how their names begin; the first that fits.
const LAYERS: [(&str, &[&str]); 7] = [
    ("umqtt's own code", &[]),
    ("copying bytes", &["mem"]),
    (
        "the stream in memory",
        &["stringio", "stream_", "mp_stream"],
    ),
    (
        "the heap",
        &["gc_", "m_malloc", "m_realloc", "m_free", "m_new"],
    ),
    (
        "looking up names",
        &[
            "mp_map",
            "mp_load",
            "mp_store",
            "mp_obj_instance",
            "mp_obj_class",
            "mp_obj_attr",
            "mp_obj_generic",
            "mp_convert_member",
            "dict_",
            "find_qstr",
            "qstr_",
            "type_attr",
            "super_attr",
        ],
    ),
    (
        "calling and running Python",
        &[
            "mp_execute",
            "fun_",
            "mp_call",
            "mp_setup",
            "mp_arg",
            "mp_native",
            "nlr",
            "bound_meth",
            "mp_obj_new_bound",
            "mp_cstack",
        ],
    ),
    (OTHER, &[]),
];
const OTHER: &str = "other objects and operators";

fn layer_of(function: &str) -> &'static str {
    if function == NATIVE {
        return LAYERS[0].0;
    }
    LAYERS
        .iter()
        .find(|(_, names)| names.iter().any(|name| function.starts_with(name)))
        .map_or(OTHER, |(layer, _)| layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_is_taken_off_everybody_and_layers_add_up() {
        let counts = |of: &[(&str, u64)]| -> Counts {
            of.iter()
                .map(|(name, n)| ((*name).to_owned(), n * TIMES))
                .collect()
        };
        let all = [
            counts(&[("mp_execute_bytecode", 100)]),
            counts(&[("mp_execute_bytecode", 100), ("memcpy", 50)]),
            counts(&[("mp_execute_bytecode", 110), ("memcpy", 60), (NATIVE, 80)]),
            counts(&[
                ("mp_execute_bytecode", 1100),
                ("memcpy", 60),
                ("unheard_of", 90),
            ]),
        ];
        let whole = parties(&all, |_| true);
        let expected = Parties {
            floor: 50,
            ours: 150,
            peer: 1150,
        };
        assert_eq!(whole, expected);
        assert_eq!(whole.above_floor(), 11.0);
        let below = Parties { ours: 40, ..whole };
        assert_eq!(below.above_floor(), 100.0);
        let sum: i64 = LAYERS
            .iter()
            .map(|(layer, _)| parties(&all, |function| layer_of(function) == *layer).ours)
            .sum();
        assert_eq!(sum, whole.ours);
        assert_eq!(layer_of("unheard_of"), OTHER);
    }
}
