//# variants: -C opt-level=0 | -O | -C opt-level=s | -C opt-level=3 -C lto=fat -C codegen-units=1
//# prints: strings beta 4 gamma delta
//# prints: table 4096 3 0x9b05688c
//# prints: match 11 22 33 44 55 66 79 88 99 0
//# prints: functions 6 9 -1
//# prints: compare true false Less
//# boards
// Constant data: slices of strings, big tables, jump tables, tables of functions, comparisons.
#![no_std]
include!("prelude.rs");

use core::hint::black_box;

static WORDS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
static TABLE: [u32; 1024] = {
    let mut table = [0u32; 1024];
    let mut index = 0;
    while index < 1024 {
        table[index] = (index as u32).wrapping_mul(0x9e3779b9) ^ 3;
        index += 1;
    }
    table
};
static FUNCTIONS: [fn(i32, i32) -> i32; 3] = [|a, b| a + b, |a, b| a * b, |a, b| a - b];

#[inline(never)]
fn choose(n: u8) -> u32 {
    match n {
        0 => 11 + black_box(0),
        1 => black_box(22),
        2 => black_box(3) * 11,
        3 => black_box(88) / 2,
        4 => black_box(54) + 1,
        5 => black_box(67) - 1,
        6 => black_box(7) | 0x4c & black_box(0x4f),
        7 => black_box(11) << 3,
        8 => black_box(9) ^ 0x6a,
        _ => 0,
    }
}

fn test() {
    println!("strings {} {} {} {}", WORDS[black_box(1)], WORDS.len(), WORDS[black_box(2)], WORDS[black_box(3)]);
    println!("table {} {} {:#x}", core::mem::size_of_val(&TABLE), TABLE[black_box(0)], TABLE[black_box(0x1bd)] ^ SALT);
    println!(
        "match {} {} {} {} {} {} {} {} {} {}",
        choose(0), choose(1), choose(2), choose(3), choose(4), choose(5), choose(6), choose(7), choose(8), choose(9)
    );
    let call = |index: usize| FUNCTIONS[black_box(index)](black_box(3), black_box(3 + (index == 2) as i32));
    println!("functions {} {} {}", call(0), call(1), call(2));
    let (a, b) = (black_box("same text, long enough"), black_box("same text, long enougi"));
    println!("compare {} {} {:?}", a[..20] == b[..20], a == b, a.cmp(b));
}

const SALT: u32 = TABLE_AT_1BD ^ 0x9b05688c;
const TABLE_AT_1BD: u32 = 0x1bd_u32.wrapping_mul(0x9e3779b9) ^ 3;
