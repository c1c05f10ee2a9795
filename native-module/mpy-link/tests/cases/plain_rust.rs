//# part
#![no_std]

#[unsafe(no_mangle)]
pub extern "C" fn from_rust(n: u32) -> u32 {
    n.wrapping_mul(6)
}
