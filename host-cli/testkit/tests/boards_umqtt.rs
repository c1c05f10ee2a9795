//! The committed umqtt modules on boards in QEMU: real MicroPython of another processor imports them, speaks MQTT with
//! them through a socket written in Python, and says how much memory the import took.

use std::process::{Command, Stdio};

use mpy_link::Arch;
use testkit::qemu::{QEMU_MODELS, QemuBoard};
use testkit::{need, ran, skip};

const PROGRAM: &str = include_str!("../../../python/tests/board_client.py");

/// What the program prints after the cost of the import. Lengths and flags are those of MQTT 3.1.1, sections 3.1 to
/// 3.14, by hand; `wait_msg` returns the packet's first byte, as in umqtt.simple 1.3.4.
const EXPECTED: &str = r"overridden
0 b'\x10\x11\x00\x04MQTT\x04\x02\x00<\x00\x05placa'
None b'0\x11\x00\x07aula/\xc3\xb123,5 \xc2\xb0C'
None b'2\x06\x00\x01a\x00\x01b'
None b'\x82\x08\x00\x02\x00\x03a/#\x00'
got b'a' b'hi'
50 b'@\x02\x124'
";

/// The committed module.
fn module(arch: Arch) -> Vec<u8> {
    let file = testkit::repository()
        .join("native-module/prebuilt")
        .join(arch.name())
        .join("umqtt/simple.mpy");
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Compares what the program printed and returns what the import cost, in bytes.
fn check(printed: &str) -> usize {
    let printed = printed.replace("\r\n", "\n");
    let (import, rest) = printed.split_once('\n').unwrap_or_default();
    let long = format!("got b'a/b' b'{}'\n", "x".repeat(330));
    let expected = format!("{EXPECTED}{long}48 b''\nNone b'\\xe0\\x00'\nTypeError\n");
    assert_eq!(rest, expected, "{printed}");
    import
        .strip_prefix("import ")
        .and_then(|cost| cost.parse().ok())
        .unwrap_or_else(|| panic!("{printed}"))
}

fn on_qemu(test: &str, arch: Arch) {
    let model = QEMU_MODELS
        .iter()
        .find(|model| model.arch == arch)
        .expect("a board of that architecture");
    let module = module(arch);
    let mut board = need!(test, QemuBoard::start(model));
    board
        .put_module(&module)
        .unwrap_or_else(|error| panic!("{error}"));
    let cost = check(&board.run(PROGRAM));
    assert!(
        cost <= 2 * module.len(),
        "importing {} bytes takes {cost} bytes, more than twice as much",
        module.len()
    );
    println!(
        "{}: importing {} bytes takes {cost}",
        arch.name(),
        module.len()
    );
    ran(arch, &format!("QEMU, {}", model.name));
}

#[test]
fn umqtt_on_armv6m() {
    on_qemu("umqtt_on_armv6m", Arch::Armv6m);
}

#[test]
fn umqtt_on_armv7m() {
    on_qemu("umqtt_on_armv7m", Arch::Armv7m);
}

#[test]
fn umqtt_on_rv32imc() {
    on_qemu("umqtt_on_rv32imc", Arch::Rv32imc);
}

/// Debian's 32-bit MicroPython for the PC, started by the program that the variable names.
const X86_PROGRAM: &str = "UMQTT_MICROPYTHON_X86";

#[test]
fn umqtt_on_x86() {
    let Some(program) = std::env::var_os(X86_PROGRAM) else {
        skip(
            "umqtt_on_x86",
            format!("{X86_PROGRAM} names no 32-bit MicroPython"),
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(folder.path().join("case.mpy"), module(Arch::X86)).expect("the module");
    let output = Command::new(program)
        .args(["-c", PROGRAM])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .expect("MicroPython starts");
    let printed = [output.stdout, output.stderr].concat();
    check(&String::from_utf8_lossy(&printed));
    ran(Arch::X86, "MicroPython for 32-bit x86");
}
