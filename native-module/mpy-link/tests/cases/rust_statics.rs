//# variants: -C opt-level=0 -g | -O | -C opt-level=s | -C opt-level=3 -C lto=fat -C codegen-units=1
//# prints: counter 1 2 3
//# prints: atomic 5 7 9 true
//# prints: initialised 43 [1, 20, 3] 2.5
//# prints: public 11
//# prints: pointer 42 none some 10
//# prints: big 0 255 65280
//# boards
// Statics of every kind; local ones are reached directly from the code.
#![no_std]
include!("prelude.rs");

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering::*};

struct Single<T>(T);
unsafe impl<T> Sync for Single<T> {}

static COUNTER: AtomicUsize = AtomicUsize::new(0);
static SMALL: AtomicU8 = AtomicU8::new(5);
static FLAG: AtomicBool = AtomicBool::new(false);
static mut VALUE: i32 = 42;
static ARRAY: Single<Cell<[u16; 3]>> = Single(Cell::new([1, 2, 3]));
static FLOAT: Single<Cell<f64>> = Single(Cell::new(1.25));
static CALLBACK: Single<Cell<Option<fn(u32) -> u32>>> = Single(Cell::new(None));
static POINTER: AtomicPtr<i32> = AtomicPtr::new(&raw mut VALUE);
static BIG: Single<Cell<[u16; 300]>> = Single(Cell::new([0; 300]));
#[unsafe(no_mangle)]
pub static PUBLIC: AtomicUsize = AtomicUsize::new(10);

#[inline(never)]
fn next() -> usize {
    COUNTER.fetch_add(1, SeqCst) + 1
}

fn ten_times(value: u32) -> u32 {
    value * 10
}

fn test() {
    println!("counter {} {} {}", next(), next(), next());
    let before = SMALL.fetch_add(2, SeqCst);
    let now = SMALL.load(SeqCst);
    let _ = SMALL.compare_exchange(7, 9, SeqCst, SeqCst);
    FLAG.store(SMALL.load(Relaxed) == 9, Release);
    println!("atomic {before} {now} {} {}", SMALL.swap(0, AcqRel), FLAG.load(Acquire));
    let pointed = unsafe { *POINTER.load(Relaxed) };
    unsafe { VALUE += 1 };
    let mut array = ARRAY.0.get();
    array[1] *= 10;
    ARRAY.0.set(array);
    FLOAT.0.set(FLOAT.0.get() * 2.0);
    println!("initialised {} {:?} {}", unsafe { VALUE }, ARRAY.0.get(), FLOAT.0.get());
    PUBLIC.fetch_add(1, Relaxed);
    println!("public {}", PUBLIC.load(Relaxed));
    let first = if CALLBACK.0.get().is_some() { "some" } else { "none" };
    CALLBACK.0.set(Some(ten_times));
    println!("pointer {pointed} {first} some {}", CALLBACK.0.get().map_or(0, |call| call(1)));
    let mut big = BIG.0.get();
    for (index, slot) in big.iter_mut().enumerate() {
        *slot = (index as u16) << 8;
    }
    big[1] = 255;
    BIG.0.set(big);
    let big = BIG.0.get();
    println!("big {} {} {}", big[0], big[1], big[255]);
}
