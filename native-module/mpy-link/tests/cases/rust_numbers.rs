//# variants: -C opt-level=0 | -O | -C opt-level=s | -C opt-level=3 -C lto=fat -C codegen-units=1
//# prints: u64 1317624576 4999 u128 85070591730234615865843651857942052864 18446744073709551614
//# prints: i128 -56713727820156410577229101238628035242 -1
//# prints: f64 0.30000000000000004 1.414213562373095 inf -0.5
//# prints: convert 18446744073709551615 -9223372036854775808 3.5e38 255
//# prints: u128 as f64 3.402823669209385e38 f32 16777216
//# boards
// Wide integers call compiler_builtins, which comes out of the archive; floats need constants.
#![no_std]
include!("prelude.rs");

use core::hint::black_box;

fn root(value: f64) -> f64 {
    let mut guess = value;
    for _ in 0..30 {
        guess = 0.5 * (guess + value / guess);
    }
    guess
}

fn test() {
    let wide = black_box(6588122884999u64);
    let huge = black_box(u128::MAX / 2);
    println!("u64 {} {} u128 {} {}", wide / 5000, wide % 5000, huge / 2 + 1, u128::MAX % (1 << 64) + huge % 1 - 1);
    println!("i128 {} {}", black_box(i128::MIN) / 3, black_box(-7i128) % 3);
    println!("f64 {} {} {} {}", black_box(0.1) + 0.2, root(black_box(2.0)), black_box(1.0) / 0.0, black_box(-1.0) / 2.0);
    println!("convert {} {} {:e} {}", black_box(1e30) as u64, black_box(-1e30) as i64, black_box(3.5e38), black_box(300.0f32) as u8);
    println!("u128 as f64 {:e} f32 {}", black_box(u128::MAX) as f64, black_box(16777217u32) as f32);
}
