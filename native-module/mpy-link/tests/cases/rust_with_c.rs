//# variants: -C opt-level=0 | -O | -C opt-level=s -C lto=fat -C codegen-units=1
//# with: c_for_rust.c
//# prints: c counts 1 2, doubles 42 and 2500000000000
//# prints: rust was called with 7: 10
//# boards
// One module of Rust and C: calls in both directions, and a static that both know.
#![no_std]
include!("prelude.rs");

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

unsafe extern "C" {
    fn count() -> u32;
    fn twice(value: u64) -> u64;
    fn call_back(value: u32) -> u32;
}

#[unsafe(no_mangle)]
static SHARED: AtomicU32 = AtomicU32::new(3);

#[unsafe(no_mangle)]
extern "C" fn add_shared(value: u32) -> u32 {
    value + SHARED.load(Relaxed)
}

fn test() {
    let (one, two, double, large, sum) =
        unsafe { (count(), count(), twice(21), twice(1_250_000_000_000), call_back(7)) };
    println!("c counts {one} {two}, doubles {double} and {large}");
    println!("rust was called with 7: {sum}");
}
