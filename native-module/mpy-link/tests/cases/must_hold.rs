//# variants: -C opt-level=0 | -O | -C opt-level=s -C lto=fat -C codegen-units=1
//# prints: counter 1 2 3
//# prints: atomic 5 12
//# prints: initialised 42 -70000 1000000000001
//# prints: words alpha beta gamma 14
//# prints: match 0x68d1fa0f
//# prints: objects 24 49
//# prints: u64 1317624576 4999 0x0000000002d58978
//# prints: f32 0x3f1d41d3 0x41a80000 -7
//# prints: f64 0x3fe3a83a83a83a83 0x4035000000000000 -7
//# prints: table 0xc67b3b4a
//# prints: panic: on purpose 5
//# prints: Exception panic
//# boards
// What a module must be able to rely on, on every architecture; `must_hold.c` prints the same from C.
#![no_std]
include!("prelude.rs");

use core::cell::Cell;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

struct Single<T>(Cell<T>);
unsafe impl<T> Sync for Single<T> {}

static COUNTER: Single<u32> = Single(Cell::new(0));
static ATOMIC: AtomicU32 = AtomicU32::new(5);
static SMALL: Single<i8> = Single(Cell::new(41));
static MIDDLE: Single<i32> = Single(Cell::new(-69999));
static WIDE: Single<i64> = Single(Cell::new(1_000_000_000_000));
static WORDS: [&str; 3] = ["alpha", "beta", "gamma"];
static TABLE: [u32; 1024] = {
    let mut table = [0u32; 1024];
    let mut index = 0;
    while index < 1024 {
        table[index] = (index as u32).wrapping_mul(0x9e37_79b9) ^ 3;
        index += 1;
    }
    table
};

trait Shape: Sync {
    fn area(&self) -> u32;
}

struct Rectangle(u32, u32);
struct Square(u32);

impl Shape for Rectangle {
    fn area(&self) -> u32 {
        self.0 * self.1
    }
}

impl Shape for Square {
    fn area(&self) -> u32 {
        self.0 * self.0
    }
}

static SHAPES: [&dyn Shape; 2] = [&Rectangle(4, 6), &Square(7)];

#[inline(never)]
fn count() -> u32 {
    COUNTER.0.set(COUNTER.0.get() + 1);
    COUNTER.0.get()
}

#[inline(never)]
fn choose(n: u32) -> u32 {
    match n {
        0 => 17,
        1 => n.rotate_left(9),
        2 => 0x1234_5678,
        3 => n * 11,
        4 => count(),
        5 => n ^ 0xff00,
        6 => 99 / n,
        7 => 1 << n,
        8 => 0xdead_beef,
        9 => n + 1000,
        10 => !n,
        11 => 7,
        12..20 => n,
        _ => 0,
    }
}

fn hash(values: impl Iterator<Item = u32>) -> u32 {
    values.fold(0, |hash, value| (hash.rotate_left(5) ^ value).wrapping_mul(0x0100_0193))
}

fn test() {
    println!("counter {} {} {}", count(), count(), count());
    let before = ATOMIC.load(Relaxed);
    ATOMIC.store(before + 7, Relaxed);
    println!("atomic {} {}", before, ATOMIC.load(Relaxed));
    SMALL.0.set(SMALL.0.get() + 1);
    MIDDLE.0.set(MIDDLE.0.get() - 1);
    WIDE.0.set(WIDE.0.get() + 1);
    println!("initialised {} {} {}", SMALL.0.get(), MIDDLE.0.get(), WIDE.0.get());
    let words = black_box(&WORDS);
    let length: usize = words.iter().map(|word| word.len()).sum();
    println!("words {} {} {} {}", words[0], words[1], words[2], length);
    println!("match {:#010x}", hash((0..24).map(|n| choose(black_box(n)))));
    let shapes = black_box(&SHAPES);
    println!("objects {} {}", shapes[0].area(), shapes[1].area());
    let (large, by) = (black_box(6_588_122_884_999u64), black_box(5000u64));
    println!("u64 {} {} {:#018x}", large / by, large % by, large / black_box(138_555));
    let x = (black_box(0.1f32) + black_box(4.2)) / black_box(7.0);
    let y = black_box(3.5f32) * black_box(6.0);
    println!("f32 {:#010x} {:#010x} {}", x.to_bits(), y.to_bits(), black_box(-7.9f32) as i32);
    let x = (black_box(0.1f64) + black_box(4.2)) / black_box(7.0);
    let y = black_box(3.5f64) * black_box(6.0);
    println!("f64 {:#018x} {:#018x} {}", x.to_bits(), y.to_bits(), black_box(-7.9f64) as i32);
    println!("table {:#010x}", hash(black_box(&TABLE).iter().copied()));
    panic!("on purpose {}", black_box(5));
}
