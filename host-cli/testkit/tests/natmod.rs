//! The linker in place of MicroPython's own: upstream's example modules build with `make MPY_LD=…`, and pass upstream's
//! tests of them wherever the architecture runs here; and what comes out is what `mpy_ld.py` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mpy_link::Arch;
use testkit::natmod::{COMPILERS, EXAMPLES, Linker, Natmod, compiles, run};
use testkit::qemu::{QEMU_MODELS, QemuBoard, micropython_source};
use testkit::{Interpreter, Version, need};

/// Those that have tests, as `tests/run-natmodtests.py` has them.
const TESTED: [&str; 5] = ["deflate", "framebuf", "heapq", "random", "re"];

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    folder
}

/// The linker's command, built once for all tests.
fn linker() -> PathBuf {
    static LINKER: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = scratch("natmod-linker");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--quiet", "--package", "mpy-link", "--target-dir"])
            .arg(&target)
            .current_dir(testkit::repository()))
        .unwrap_or_else(|error| panic!("{error}"));
        target.join("debug/mpy-link")
    };
    LINKER.get_or_init(build).clone()
}

/// Builds the examples.
fn build(arch: Arch, source: &Path) -> Result<Vec<Natmod>, String> {
    let folder = scratch(&format!("natmod-{}", arch.name()));
    let examples = EXAMPLES.into_iter();
    let examples = examples.filter(|example| compiles(arch, example));
    let build = |example| {
        let natmod = Natmod::build(arch, example, source, &folder, &linker())?;
        let dump = mpy_link::dump(&natmod.module).expect("it can be read");
        assert_eq!(dump.arch, Some(arch.name()), "{example}");
        Ok(natmod)
    };
    examples.map(build).collect()
}

/// Runs upstream's tests; `run_on` takes a module and a program, and returns what was printed.
fn test(
    arch: Arch,
    modules: &[(&str, Vec<u8>)],
    source: &Path,
    mut run_on: impl FnMut(&[u8], &str) -> String,
) {
    let mut wrong = String::new();
    let (mut passed, mut skipped) = (0, 0);
    for module in TESTED {
        let (_, mpy) = modules
            .iter()
            .find(|(name, _)| *name == module)
            .expect("it was built");
        let mut programs: Vec<PathBuf> = fs::read_dir(source.join("tests/extmod"))
            .expect("upstream's tests")
            .map(|entry| entry.expect("a test").path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let rest = name
                    .strip_suffix(".py")
                    .and_then(|name| name.strip_prefix(module));
                rest.is_some_and(|rest| rest.starts_with(['_', '1', '2', '4', '8']))
            })
            .collect();
        programs.sort();
        for program in programs {
            let text = fs::read_to_string(&program).expect("a test");
            let text = format!("import sys, case\nsys.modules['{module}'] = case\n{text}");
            let printed = run_on(mpy, &text);
            if printed.contains("SKIP\n") {
                skipped += 1;
                continue;
            }
            let mut expected = program.clone().into_os_string();
            expected.push(".exp");
            let expected = fs::read_to_string(&expected).or_else(|_| {
                // Where no output is written down, Python's own counts.
                run(Command::new("python3").arg(&program))
            });
            match expected {
                Ok(expected) if expected == printed => passed += 1,
                Ok(expected) => {
                    wrong += &format!("{}:\n{printed}instead of\n{expected}\n", program.display());
                }
                Err(error) => wrong += &format!("{}: {error}\n", program.display()),
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{wrong}", arch.name());
    assert!(passed >= 25, "only {passed} passed");
    println!(
        "{}: {passed} of upstream's tests, {skipped} not for this board",
        arch.name()
    );
}

fn finished(natmods: Vec<Natmod>) -> Vec<(&'static str, Vec<u8>)> {
    let finished = natmods.into_iter();
    finished
        .map(|natmod| (natmod.name, natmod.module))
        .collect()
}

fn on_qemu(name: &str, arch: Arch) {
    let source = need!(name, micropython_source());
    let modules = finished(need!(name, build(arch, &source)));
    let model = QEMU_MODELS
        .iter()
        .find(|model| model.arch == arch)
        .expect("a board of that architecture");
    drop(need!(name, QemuBoard::start(model)));
    test(arch, &modules, &source, |mpy, program| {
        // A test that is not for this board ends in SystemExit, and with it the emulated board.
        let mut board = QemuBoard::start(model).expect("the board starts again");
        match board.put_module(mpy) {
            Ok(()) => board.run(program),
            Err(error) => error,
        }
    });
}

#[test]
fn natmods_on_armv7m() {
    on_qemu("natmods_on_armv7m", Arch::Armv7m);
}

#[test]
fn natmods_on_armv6m() {
    on_qemu("natmods_on_armv6m", Arch::Armv6m);
}

#[test]
fn natmods_on_rv32imc() {
    on_qemu("natmods_on_rv32imc", Arch::Rv32imc);
}

/// The same objects linked by `mpy_ld.py` pass the same tests.
#[test]
fn natmods_on_x64() {
    let name = "natmods_on_x64";
    let source = need!(name, micropython_source());
    let interpreter = need!(name, Interpreter::find(Version::V1_26));
    let upstream = need!(name, Linker::upstream(&source));
    let natmods = need!(name, build(Arch::X64, &source));
    let relinked = natmods.iter().map(|natmod| {
        let module = natmod
            .link(&upstream, "tested-upstream")
            .and_then(|_| natmod.finish(&source, "tested-upstream"));
        (natmod.name, module.expect("upstream's linker links it"))
    });
    let relinked = relinked.collect();
    let work = scratch("natmod-run");
    for modules in [finished(natmods), relinked] {
        test(Arch::X64, &modules, &source, |mpy, program| {
            fs::write(work.join("case.mpy"), mpy).expect("it can be written");
            let output = interpreter
                .command()
                .args(["-c", program])
                .current_dir(&work)
                .stdin(Stdio::null())
                .output()
                .expect("MicroPython starts");
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text).into_owned()
        });
    }
}

/// Both linkers make the same of the same objects: header, strings with their numbers, objects, which parts there are,
/// and the memory that each asks for. Code differs by what [`MORE_TEXT`] says.
#[test]
fn natmods_as_mpy_ld_makes_them() {
    let name = "natmods_as_mpy_ld_makes_them";
    let source = need!(name, micropython_source());
    let upstream = need!(name, Linker::upstream(&source));
    let ours = Linker::ours(&linker());
    for (arch, _) in COMPILERS {
        let folder = scratch(&format!("natmod-both-{}", arch.name()));
        for example in EXAMPLES {
            if !compiles(arch, example) {
                continue;
            }
            let natmod = need!(
                name,
                Natmod::build(arch, example, &source, &folder, &linker())
            );
            let one = natmod.link(&ours, "ours").expect("our linker links it");
            let other = match natmod.link(&upstream, "upstream") {
                Ok(other) if arch != Arch::Xtensa => other,
                Ok(_) => panic!("{example}: mpy_ld.py links for xtensa after all: compare it"),
                Err(error) => {
                    // mpy_ld.py knows the address of the qstr table in a literal, not one of its slots, which
                    // Debian's gcc 12 puts there.
                    let known = "AssertionError: ('mp_native_qstr_table+0x";
                    assert!(arch == Arch::Xtensa && error.contains(known), "{error}");
                    continue;
                }
            };
            let [one, other] =
                [one, other].map(|file| mpy_link::dump(&file).expect("it can be read"));
            let what = format!("{} {example}", arch.name());
            assert_eq!(one.arch, other.arch, "{what}");
            // The first is the output's name: upstream's linker takes the folders along, which a file that is to be
            // the same wherever it is built must not hold.
            let (name, path) = (&one.qstrs[0].text, &other.qstrs[0].text);
            assert_eq!(path.rsplit('/').next(), Some(name.as_str()), "{what}");
            assert_eq!(one.version, other.version, "{what}");
            assert_eq!(one.sub_version, other.sub_version, "{what}");
            assert_eq!(one.arch_flags, other.arch_flags, "{what}");
            assert_eq!(one.small_int_bits, other.small_int_bits, "{what}");
            assert_eq!(one.qstrs[1..], other.qstrs[1..], "{what}");
            assert_eq!(one.objects, other.objects, "{what}");
            let (one, other) = (one.raw_code, other.raw_code);
            assert_eq!(one.kind, other.kind, "{what}");
            assert_eq!(one.scope_flags, other.scope_flags, "{what}");
            assert_eq!(one.rodata_size, other.rodata_size, "{what}");
            assert_eq!(one.bss_size, other.bss_size, "{what}");
            assert!(
                one.text_size <= other.text_size + MORE_TEXT,
                "{what}: {} bytes of text, {} by mpy_ld.py",
                one.text_size,
                other.text_size
            );
        }
    }
}

/// In bytes: our linker goes to the entry by a jump that reaches everywhere and keeps the instruction set (12 bytes on
/// ARM, where upstream's has 4), keeps a word with the address of the statics for the garbage collector, and aligns.
/// Where ours is smaller, that is because unused functions of libraries and unused slots are left out.
const MORE_TEXT: usize = 24;
