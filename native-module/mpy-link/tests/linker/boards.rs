//! What differs between boards: which objects fit, what their instructions can and cannot reach, and what
//! becomes shorter.

use std::fs;
use std::path::Path;

use crate::support::{BOARDS, BoardCompiler, board, scratch, skip};
use mpy_link::{Arch, Destination, Input, LinkOptions, Linked};

/// Links one assembly file; `None` (and said so) where there is no assembler.
fn assembled(name: &str, arch: Arch, text: &str, flags: &[&str]) -> Option<Result<Linked, String>> {
    let board: &BoardCompiler = board(arch);
    let folder = scratch(&format!("boards-{name}"));
    match board.assemble(&folder, text, flags) {
        Ok(object) => Some(board.link(&[object]).map_err(|error| error.to_string())),
        Err(reason) => {
            skip(name, &reason);
            None
        }
    }
}

#[track_caller]
fn assert_refused(name: &str, arch: Arch, text: &str, flags: &[&str], expected: &str) {
    match assembled(name, arch, text, flags) {
        Some(Ok(_)) => panic!("{name} links"),
        Some(Err(error)) => assert!(error.contains(expected), "{name}: {error}"),
        None => {}
    }
}

const THUMB: &str =
    ".syntax unified\n.thumb\n.global mpy_init\n.type mpy_init, %function\nmpy_init:\n";
const RISCV: &str = ".global mpy_init\nmpy_init:\n";

#[test]
fn objects_for_other_cores_and_float_abis_are_refused() {
    let thumb = &format!("{THUMB} bx lr\n");
    for (name, arch, text, flags, expected) in [
        (
            "v7-in-v6m",
            Arch::Armv6m,
            thumb,
            &["-mcpu=cortex-m3"][..],
            "compiled for v7, which not every armv6m board executes; compile with -mthumb -mcpu=cortex-m0",
        ),
        (
            "v8-in-v7m",
            Arch::Armv7m,
            thumb,
            &["-mcpu=cortex-m33"],
            "compiled for v8-M.main, which not every armv7m board executes",
        ),
        (
            "hard-float-in-v7m",
            Arch::Armv7m,
            thumb,
            &[
                "-mcpu=cortex-m3",
                "-mfpu=fpv4-sp-d16",
                "-mfloat-abi=hard",
                "-Wa,-meabi=5",
            ],
            "compiled for the hard-float ABI, but armv7m boards pass floats in integer registers; compile with -mfloat-abi=soft",
        ),
        (
            "hard-float-in-rv32",
            Arch::Rv32imc,
            &format!("{RISCV} ret\n"),
            &["-march=rv32imafc", "-mabi=ilp32f"],
            "compiled for a hard-float ABI, but rv32imc boards pass floats in integer registers; compile with -mabi=ilp32",
        ),
        (
            "zba-in-rv32",
            Arch::Rv32imc,
            &format!("{RISCV} ret\n"),
            &["-march=rv32imac_zba"],
            "compiled for the extension zba, which not every rv32imc board has; say --arch-flags zba",
        ),
    ] {
        // The attribute of the calling convention is the compiler's to write.
        let convention = if name.starts_with("hard-float-in-v7m") {
            ".eabi_attribute 28, 1\n"
        } else {
            ""
        };
        assert_refused(name, arch, &format!("{convention}{text}"), flags, expected);
    }
}

/// Assembly that says nothing of numbers, as libgcc's, fits objects of either float ABI; one that passes floats does not.
#[test]
fn only_objects_that_pass_floats_have_a_float_abi() {
    let name = "float-abis";
    let assemble = |part: &str, text: String| {
        let folder = scratch(&format!("boards-{name}-{part}"));
        let flags = ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"];
        board(Arch::Armv7m).assemble(&folder, &text, &flags)
    };
    // Tag_ABI_FP_number_model 3 and Tag_ABI_VFP_args 1, as gcc writes them under -mfloat-abi=hard.
    let hard = assemble(
        "hard",
        format!(".eabi_attribute 23, 3\n.eabi_attribute 28, 1\n{THUMB} b.w f\n"),
    );
    let part = ".syntax unified\n.thumb\n.global f\n.type f, %function\nf: bx lr\n";
    let none = assemble("none", part.to_owned());
    let soft = assemble("soft", format!(".eabi_attribute 23, 3\n{part}"));
    let (hard, none, soft) = match (hard, none, soft) {
        (Ok(hard), Ok(none), Ok(soft)) => (hard, none, soft),
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => return skip(name, &reason),
    };
    let link = |files: [&Path; 2]| {
        let inputs = files.map(|file| Input {
            name: file.display().to_string(),
            bytes: fs::read(file).expect("the object"),
        });
        mpy_link::link(&LinkOptions::new(Arch::Armv7emsp, "case.py"), &inputs)
    };
    link([&hard, &none]).expect("it links");
    let error = link([&hard, &soft])
        .expect_err("two float ABIs")
        .to_string();
    assert!(
        error.contains("compiled for the soft-float ABI, but") && error.contains("hard-float ABI"),
        "{error}"
    );
}

#[test]
fn what_no_loader_could_fill_in_is_refused() {
    for (name, arch, text, expected) in [
        (
            "movw",
            Arch::Armv7m,
            format!("{THUMB} movw r0, #:lower16:x\n movt r0, #:upper16:x\n bx lr\n.bss\nx: .word 0\n"),
            "(in mpy_init): R_ARM_THM_MOVW_ABS_NC for x: an address in two halves (movw, movt)",
        ),
        (
            "movw-relative",
            Arch::Armv7m,
            format!("{THUMB} movw r0, #:lower16:x-.\n bx lr\n.bss\nx: .word 0\n"),
            "the distance is only known after loading and does not stand in an aligned word",
        ),
        (
            "far-load",
            Arch::Armv7m,
            format!("{THUMB} .reloc ., R_ARM_THM_PC12, mp_fun_table\n ldr.w r0, [pc, #0]\n bx lr\n"),
            "loads directly from what is only known after loading; load its address from a word first",
        ),
        (
            "far-short-branch",
            Arch::Armv7m,
            format!("{THUMB} beq.w memset\n bx lr\n"),
            "a short branch to what is only known after loading; use bl or b.w",
        ),
        (
            "arm-code",
            Arch::Armv7m,
            format!("{THUMB} bx lr\n.section .text.x, \"ax\"\n.word 0\n.reloc 0, R_ARM_CALL, mpy_init\n.section .init_array, \"aw\", %init_array\n.reloc ., R_ARM_TARGET1, .text.x\n.word 0\n"),
            "ARM instructions, which this board does not execute; compile with -mthumb",
        ),
        (
            "thumb-code",
            Arch::Armv6,
            ".global mpy_init\n.type mpy_init, %function\nmpy_init: bl f\n bx lr\n.thumb\n.global f\n.type f, %function\nf: bx lr\n".to_owned(),
            "the target is Thumb code; compile all of the module with -marm",
        ),
        (
            "tls",
            Arch::Armv7m,
            format!("{THUMB} ldr r0, [pc]\n bx lr\n.align 2\n.word x(tpoff)\n.section .tbss, \"awT\", %nobits\nx: .word 0\n"),
            "thread-local data",
        ),
        (
            "lui",
            Arch::Rv32imc,
            format!("{RISCV} lui a0, %hi(x)\n addi a0, a0, %lo(x)\n ret\n.bss\nx: .word 0\n"),
            "R_RISCV_HI20 for x: a 32-bit absolute address, which no loader can fill in",
        ),
        (
            "far-branch",
            Arch::Rv32imc,
            format!("{RISCV} .reloc ., R_RISCV_BRANCH, memset\n .4byte 0x50063\n ret\n"),
            "a short branch to what is only known after loading; use call or tail",
        ),
        (
            "lonely-sum",
            Arch::Rv32imc,
            format!("{RISCV} la a0, t\n ret\n.data\nt: .word 0\n.reloc t, R_RISCV_ADD32, mpy_init\n"),
            "added without anything that is taken off",
        ),
        (
            "split-pair",
            Arch::Rv32imc,
            format!("{RISCV} lw a0, %pcrel_lo(far)(a0)\n ret\n.section .text.far, \"ax\"\nfar: auipc a0, %pcrel_hi(mpy_init)\n"),
            "its auipc is not in the same section",
        ),
        (
            "got-without-base",
            Arch::X86,
            ".global mpy_init\nmpy_init: movl x@GOT, %eax\n ret\n.bss\n.global x\nx: .long 0\n".to_owned(),
            "reads the table of addresses at a fixed address; compile with -fpic",
        ),
        (
            "absolute-x86",
            Arch::X86,
            ".global mpy_init\nmpy_init: movl x, %eax\n ret\n.bss\n.global x\nx: .long 0\n".to_owned(),
            "an address at an offset that is not a multiple of 4",
        ),
    ] {
        assert_refused(name, arch, &text, &[], expected);
    }
}

/// Calls from `caller` to `callee` over `distance` bytes, and how long the text is.
fn text_of_call(distance: usize, instruction: &str) -> Option<u64> {
    let text =
        format!("{RISCV} {instruction} callee\n .skip {distance}\n .global callee\ncallee: ret\n");
    let linked = assembled("relax", Arch::Rv32imc, &text, &[])?;
    Some(linked.expect("it links").sizes.text)
}

#[test]
fn calls_are_as_short_as_they_can_be() {
    // `auipc` and `jalr` reach everything, `jal` 1 MiB, `c.jal` and `c.j` 2 KiB.
    for (instruction, distance, size) in [
        ("call", 100, 2),
        ("tail", 100, 2),
        ("call", 3000, 4),
        ("tail", 3000, 4),
        ("call", 0x10_1000, 8),
        ("jump", 100, 2),
    ] {
        let instruction = match instruction {
            "jump" => "tail",
            other => other,
        };
        if let Some(text) = text_of_call(distance, instruction) {
            // The whole text is a multiple of nothing: the call, the gap, the return.
            assert_eq!(text, size + distance as u64 + 2, "{instruction} {distance}");
        }
    }
}

#[test]
fn padding_follows_what_becomes_shorter() {
    // Six bytes of call become two, so the padding in front of the table has to be made anew.
    let text =
        format!("{RISCV} call f\n .balign 4\nt: .word 0x11223344\nf: ret\n .word t - f, f - t\n");
    let Some(linked) = assembled("padding", Arch::Rv32imc, &text, &[]) else {
        return;
    };
    let linked = linked.expect("it links");
    let at = linked
        .mpy
        .windows(4)
        .position(|bytes| bytes == 0x1122_3344u32.to_le_bytes())
        .expect("the table");
    // c.jal f, c.nop; the table; ret; the two distances.
    assert_eq!(linked.mpy[at - 2..at], [0x01, 0x00]);
    assert_eq!(linked.sizes.text, 4 + 4 + 2 + 8);
    assert_eq!(linked.mpy[at + 6..at + 10], (-4i32).to_le_bytes());
    assert_eq!(linked.mpy[at + 10..at + 14], 4i32.to_le_bytes());
}

/// Where text lies on MicroPython's heap, the collector keeps the statics for a word in it that holds
/// their memory's first address.
#[test]
fn text_holds_the_statics_memory() {
    for board in BOARDS.iter().filter(|board| board.arch != Arch::X86) {
        let folder = scratch(&format!("boards-held-{}", board.name));
        let object = match board.compile(&folder, "statics_plain.c", &["-O2", "-fpic"]) {
            Ok(object) => object,
            Err(reason) => {
                skip(&format!("statics for {}", board.name), &reason);
                continue;
            }
        };
        let library = board.library();
        let linked = board.link(&[object, library]).expect("it links");
        let dump = mpy_link::dump(&linked.mpy).expect("it can be read");
        let held = dump.raw_code.relocations.iter().any(|relocation| {
            relocation.destination == Destination::Bss
                && !relocation.in_rodata
                && relocation.addends.contains(&0)
        });
        assert!(held, "{}: {dump}", board.name);
    }
}
