//! Decides what the fuzzers start from: objects and archives of the linker's test cases, compiled for every
//! architecture by GNU's and LLVM's compilers; the committed modules; packets of the standard's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use mpy_link::Arch;

/// What compiles for an architecture.
struct Compiler {
    arch: Arch,
    /// As [`super::fuzz`] names the runs of the target `link`.
    class: &'static str,
    program: &'static str,
    flags: &'static [&'static str],
}

const fn gcc(
    arch: Arch,
    class: &'static str,
    program: &'static str,
    flags: &'static [&'static str],
) -> Compiler {
    Compiler {
        arch,
        class,
        program,
        flags,
    }
}

const fn clang(arch: Arch, class: &'static str, flags: &'static [&'static str]) -> Compiler {
    Compiler {
        arch,
        class,
        program: "clang-22",
        flags,
    }
}

/// Every architecture of [`Arch::ALL`] is here (a test below); those that Debian's gcc knows twice.
const COMPILERS: [Compiler; 19] = [
    gcc(Arch::X64, "x86", "gcc", &[]),
    gcc(Arch::X86, "x86", "gcc", &["-m32"]),
    clang(Arch::X64, "x86", &["--target=x86_64-none-elf"]),
    clang(Arch::X86, "x86", &["--target=i686-none-elf"]),
    gcc(
        Arch::Armv6,
        "arm",
        "arm-none-eabi-gcc",
        &["-marm", "-march=armv6"],
    ),
    gcc(
        Arch::Armv6m,
        "arm",
        "arm-none-eabi-gcc",
        &["-mthumb", "-mcpu=cortex-m0"],
    ),
    gcc(
        Arch::Armv7m,
        "arm",
        "arm-none-eabi-gcc",
        &["-mthumb", "-mcpu=cortex-m3"],
    ),
    clang(Arch::Armv6m, "arm", &["--target=thumbv6m-none-eabi"]),
    clang(Arch::Armv7m, "arm", &["--target=thumbv7m-none-eabi"]),
    clang(Arch::Armv7em, "arm", &["--target=thumbv7em-none-eabi"]),
    clang(
        Arch::Armv7emsp,
        "arm",
        &["--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4"],
    ),
    clang(
        Arch::Armv7emdp,
        "arm",
        &["--target=thumbv7em-none-eabihf", "-mcpu=cortex-m7"],
    ),
    gcc(
        Arch::Rv32imc,
        "riscv",
        "riscv64-unknown-elf-gcc",
        &["-march=rv32imac", "-mabi=ilp32"],
    ),
    gcc(
        Arch::Rv64imc,
        "riscv",
        "riscv64-unknown-elf-gcc",
        &["-march=rv64imac", "-mabi=lp64"],
    ),
    clang(
        Arch::Rv32imc,
        "riscv",
        &["--target=riscv32-none-elf", "-march=rv32imac"],
    ),
    clang(
        Arch::Rv64imc,
        "riscv",
        &["--target=riscv64-none-elf", "-march=rv64imac", "-mabi=lp64"],
    ),
    gcc(Arch::Xtensa, "xtensa", "xtensa-lx106-elf-gcc", &[]),
    clang(
        Arch::Xtensa,
        "xtensa",
        &[
            "--target=xtensa-none-elf",
            "-fno-pic",
            "-Xclang",
            "-target-feature",
            "-Xclang",
            "+density",
        ],
    ),
    clang(
        Arch::Xtensawin,
        "xtensa",
        &[
            "--target=xtensa-none-elf",
            "-fno-pic",
            "-Xclang",
            "-target-feature",
            "-Xclang",
            "+windowed",
            "-Xclang",
            "-target-feature",
            "-Xclang",
            "+density",
        ],
    ),
];

/// Cases that compile for all of them and differ in what they ask of the linker.
const SOURCES: [&str; 8] = [
    "common.c",
    "init_array.c",
    "jump_table.c",
    "keep.c",
    "pointers.c",
    "qstrs.c",
    "statics_plain.c",
    "weak.c",
];

/// Optimisation changes the relocations more than anything else.
const LEVELS: [&str; 2] = ["-O0", "-Os"];

/// Fills `folder` with one folder for each class of architectures. Returns how many seeds were made.
pub fn objects(folder: &Path) -> Result<usize> {
    let cases = testkit::repository().join("native-module/mpy-link/tests/cases");
    let scratch = tempfile::tempdir().context("no temporary folder")?;
    let mut count = 0;
    for (number, compiler) in COMPILERS.iter().enumerate() {
        let class = folder.join(compiler.class);
        fs::create_dir_all(&class).with_context(|| format!("cannot make {}", class.display()))?;
        let mut keep = |name: &str, first: &[u8], second: &[u8]| {
            count += 1;
            let file = class.join(format!("{}-{number}-{name}", compiler.arch.name()));
            fs::write(&file, input(compiler.arch, first, second))
                .with_context(|| format!("cannot write {}", file.display()))
        };
        for level in LEVELS {
            for source in SOURCES {
                let object = compile(compiler, &cases.join(source), level, scratch.path())?;
                keep(&format!("{source}{level}"), &fs::read(&object)?, &[])?;
            }
            let [main, first, second] = ["archive.c", "archive_first.c", "archive_second.c"]
                .map(|source| compile(compiler, &cases.join(source), level, scratch.path()));
            let library = scratch.path().join("libparts.a");
            let _ = fs::remove_file(&library);
            crate::output(
                Command::new("ar")
                    .arg("rcs")
                    .args([&library, &first?, &second?]),
            )?;
            keep(
                &format!("archive{level}"),
                &fs::read(main?)?,
                &fs::read(&library)?,
            )?;
        }
    }
    Ok(count)
}

/// What the target `link` reads (its first lines say so).
fn input(arch: Arch, first: &[u8], second: &[u8]) -> Vec<u8> {
    let size = u32::try_from(first.len()).unwrap_or(u32::MAX);
    let options = 0;
    let mut bytes = vec![arch.number() - 1, options];
    bytes.extend(size.to_le_bytes());
    bytes.extend(first);
    bytes.extend(second);
    bytes
}

fn compile(compiler: &Compiler, source: &Path, level: &str, folder: &Path) -> Result<PathBuf> {
    let stem = source.file_stem().context("a source has a name")?;
    let object = folder.join(stem).with_extension("o");
    let output = Command::new(compiler.program)
        .args(["-c", "-w", "-ffreestanding", "-fno-stack-protector", level])
        .args(["-fpic", "-ffunction-sections", "-fdata-sections"])
        .args(compiler.flags)
        .arg(source)
        .arg("-o")
        .arg(&object)
        .output()
        .with_context(|| {
            format!(
                "cannot run {}; `cargo xtask setup` installs it",
                compiler.program
            )
        })?;
    if !output.status.success() {
        bail!(
            "{} does not compile {}: {}",
            compiler.program,
            source.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(object)
}

/// Fills `folder` with .mpy files: the committed modules and those of the dump's tests.
pub fn modules(folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut found = Vec::new();
    for from in ["native-module/prebuilt", "native-module/mpy-link/tests/mpy"] {
        files(&testkit::repository().join(from), &mut found)?;
    }
    found.retain(|file| file.extension().is_some_and(|extension| extension == "mpy"));
    ensure!(found.len() > 12, "only {} .mpy files are here", found.len());
    for (number, file) in found.iter().enumerate() {
        fs::copy(file, folder.join(format!("{number}.mpy")))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(found.len())
}

/// What a server sends to a client, by the figures of MQTT 3.1.1's chapter 3: the packets one by one.
const PACKETS: [&[u8]; 12] = [
    b"\x20\x02\x00\x00",
    b"\x20\x02\x01\x00",
    b"\x30\x07\x00\x03a/bhi",
    b"\x33\x09\x00\x03a/b\x00\x0ahi",
    b"\x3c\x09\x00\x03a/b\x00\x0ahi",
    b"\x40\x02\x00\x0a",
    b"\x50\x02\x00\x0a",
    b"\x62\x02\x00\x0a",
    b"\x70\x02\x00\x0a",
    b"\x90\x03\x00\x0a\x01",
    b"\xb0\x02\x00\x0a",
    b"\xd0\x00",
];

/// Fills `folder` with streams of packets, cut in several ways: each packet, all of them, and a message that is larger
/// than the core's own buffer.
pub fn packets(folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let large = [&b"\x32\xa7\x04\x00\x03a/b\x00\x0a"[..], &[b'x'; 0x220]].concat();
    let mut streams: Vec<Vec<u8>> = PACKETS.iter().map(|packet| packet.to_vec()).collect();
    streams.push(PACKETS.concat());
    streams.push([large, PACKETS.concat()].concat());
    for (number, stream) in streams.iter().enumerate() {
        // As the target `receive` reads it: three sizes of pieces.
        let seed = [&[3, 1, 2, 100][..], stream].concat();
        fs::write(folder.join(number.to_string()), seed)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    Ok(streams.len())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_has_a_compiler() {
        for arch in Arch::ALL {
            assert!(
                COMPILERS.iter().any(|compiler| compiler.arch == arch),
                "no seeds for {}",
                arch.name()
            );
            let seed = input(arch, b"one", b"two");
            assert_eq!(Arch::ALL[usize::from(seed[0])], arch);
            assert_eq!(&seed[1..], b"\0\x03\0\0\0onetwo");
        }
    }
}
