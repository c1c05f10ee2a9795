//! Upstream's example modules for ESP8266, built with Debian's gcc and linked by ours, pass upstream's tests. What they
//! would call in the chip's ROM is linked in.

use std::fs;
use std::path::Path;

use testkit::natmod::Natmods;
use testkit::need;
use xtensa_run::Core;

use crate::support::kit;

#[test]
fn natmods_on_call0() {
    let test = "natmods_on_call0";
    let core = Core::Call0;
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let compiler = "xtensa-lx106-elf-gcc";
    let kit = need!(test, kit(core));
    let library = kit.rust.compiler_builtins();
    let natmods = need!(
        test,
        Natmods::build_without_rom(core.arch(), compiler, scratch, library)
    );
    let folder = kit.scratch("natmod");
    natmods.check(|mpy, program| {
        fs::write(folder.join("case.mpy"), mpy).expect("the module can be written");
        kit.run(&folder, program)
    });
}
