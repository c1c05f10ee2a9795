//# variants: -C opt-level=0 | -O | -C opt-level=s | -C opt-level=3 -C lto=fat -C codegen-units=1
//# prints: circle 3.1416 square 4 total 7.1416
//# prints: boxed 3 5
//# prints: closure 42
//# prints: debug Point { x: 1, y: -2, name: "p\n" }
//# boards
// Trait objects: vtables hold addresses and lie in read-only data.
#![no_std]
include!("prelude.rs");

use core::hint::black_box;

trait Shape: Sync {
    fn area(&self) -> f64;
    fn name(&self) -> &'static str {
        "shape"
    }
}

struct Circle(f64);
struct Square(f64);

impl Shape for Circle {
    fn area(&self) -> f64 {
        core::f64::consts::PI * self.0 * self.0
    }
    fn name(&self) -> &'static str {
        "circle"
    }
}

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
    fn name(&self) -> &'static str {
        "square"
    }
}

static SHAPES: [&dyn Shape; 2] = [&Circle(1.0), &Square(2.0)];

#[derive(Debug)]
struct Point {
    x: i32,
    y: i8,
    name: &'static str,
}

fn apply(call: &dyn Fn(u32) -> u32) -> u32 {
    call(black_box(2))
}

fn test() {
    let shapes = black_box(&SHAPES);
    let total: f64 = shapes.iter().map(|shape| shape.area()).sum();
    println!(
        "{} {:.4} {} {} total {:.4}",
        shapes[0].name(), shapes[0].area(), shapes[1].name(), shapes[1].area(), total
    );
    let pair: [&dyn core::any::Any; 2] = [&3u8, &5i64];
    println!("boxed {} {}", pair[0].downcast_ref::<u8>().unwrap(), pair[1].downcast_ref::<i64>().unwrap());
    let twenty = black_box(20);
    println!("closure {}", apply(&|value| value + twenty * 2));
    println!("debug {:?}", Point { x: 1, y: -2, name: "p\n" });
}
