//# variants: -C opt-level=0 | -O
//# keep: panicking
//# prints: no panic 7
//# map-has: panicking
//# boards
// The whole of core's panic and formatting code links; it is kept, not reached.
#![no_std]
include!("prelude.rs");

#[unsafe(no_mangle)]
pub extern "C" fn panicking(index: usize, values: &[u32; 4], divisor: u32) -> u32 {
    let byte = [values[index] as u8];
    let text: Option<&str> = core::str::from_utf8(&byte).ok();
    text.expect("text").len() as u32 / divisor + values[0].checked_add(1).unwrap()
}

fn test() {
    println!("no panic {}", core::hint::black_box(7));
}
