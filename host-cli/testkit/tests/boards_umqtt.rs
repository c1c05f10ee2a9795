//! The committed umqtt modules on boards in QEMU: real MicroPython of another processor imports them, speaks MQTT with
//! them through a socket written in Python, and says how much memory the import took.

use mpy_link::Arch;
use testkit::{Machine, need, ran};

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
    let expected = format!("{EXPECTED}{long}48 b''\nwrong 0\nNone b'\\xe0\\x00'\nTypeError\n");
    assert_eq!(rest, expected, "{printed}");
    import
        .strip_prefix("import ")
        .and_then(|cost| cost.parse().ok())
        .unwrap_or_else(|| panic!("{printed}"))
}

fn import(test: &str, arch: Arch) {
    let module = module(arch);
    let mut machine = need!(test, Machine::start(arch));
    let cost = check(&machine.run(&module, PROGRAM));
    // What a board with words of 32 bits can bear; on larger ones, objects are twice the size.
    assert!(
        arch.word_size() > 4 || cost <= 2 * module.len(),
        "importing {} bytes takes {cost} bytes, more than twice as much",
        module.len()
    );
    println!(
        "{}: importing {} bytes takes {cost}",
        arch.name(),
        module.len()
    );
    ran(arch, &machine.what());
}

macro_rules! boards {
    ($($test:ident: $arch:ident;)*) => {
        $(
            #[test]
            fn $test() {
                import(stringify!($test), Arch::$arch);
            }
        )*
    };
}

// On x86, `broker.rs` runs it against Mosquitto.
boards! {
    umqtt_on_armv6m: Armv6m;
    umqtt_on_armv7m: Armv7m;
    umqtt_on_armv7em: Armv7em;
    umqtt_on_armv7emsp: Armv7emsp;
    umqtt_on_armv7emdp: Armv7emdp;
    umqtt_on_rv32imc: Rv32imc;
    umqtt_on_rv64imc: Rv64imc;
}
