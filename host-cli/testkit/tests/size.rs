//! Decides whether the umqtt module stays small enough for the boards that lessons use: what it takes of an ESP32's and
//! an ESP32-C3's memory, read off the committed files.
//!
//! Where this fails after something was added: `umqtt build native-module/umqtt --arch rv32imc --release-dir DIR`, then
//! `mpy-link --arch rv32imc --map MAP -o OUT` on the archive that was made, show what is large. What has helped before:
//! errors as `error!`, which costs no call where it is made; a function for what stands in two places; no `Result` of
//! more than two words; no panic (a single one brings the handler and its texts, 600 bytes); short messages.

use mpy_link::Arch;
use testkit::repository;

/// Bytes of code and constants for all that umqtt.simple 1.3.4 can do.
const COMPATIBLE: usize = 12 * 1024;

/// What else the module can do, and the bytes that it may take for it: a decision of its own, taken here.
const MORE: [(&str, usize); 2] = [
    (
        "QoS 2, a window in flight, deadlines, keep alive, reconnecting, pieces, strictness, what umqtt.aio needs",
        10 * 1024,
    ),
    ("a TLS handshake that keeps to the call's deadline", 512),
];

fn fits(arch: Arch) {
    let file = repository()
        .join("native-module/prebuilt")
        .join(arch.name())
        .join("umqtt/simple.mpy");
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let code = mpy_link::dump(&bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        .raw_code;
    assert!(code.text_size > 0, "{}: no code", file.display());
    let size = code.text_size + code.rodata_size;
    let limit = COMPATIBLE + MORE.iter().map(|(_, bytes)| bytes).sum::<usize>();
    println!(
        "{}: {size} of {limit} bytes (text {}, rodata {})",
        arch.name(),
        code.text_size,
        code.rodata_size
    );
    assert!(
        size <= limit,
        "umqtt for {} has {size} bytes of text and rodata, {} more than its {limit}: make something smaller \
         (host-cli/testkit/tests/size.rs says how to find it), or name there what is new and what it may cost",
        arch.name(),
        size.saturating_sub(limit)
    );
}

#[test]
fn text_and_rodata_on_xtensawin_stay_within_12_kb_and_what_more_names() {
    fits(Arch::Xtensawin);
}

#[test]
fn text_and_rodata_on_rv32imc_stay_within_12_kb_and_what_more_names() {
    fits(Arch::Rv32imc);
}
