//# variants: -C opt-level=0 | -O | -C opt-level=s -C lto=fat -C codegen-units=1
//# prints: before
//# prints: panic: index out of bounds: the len is 3 but the index is 5
//# prints: Exception panic
//# boards
// A panic formats its message and leaves through MicroPython's exception.
#![no_std]
include!("prelude.rs");

use core::hint::black_box;

fn test() {
    println!("before");
    let values = [1, 2, 3];
    println!("after {}", values[black_box(5)]);
}
