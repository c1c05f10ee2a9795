//# variants: -O | -C opt-level=s -C lto=fat -C codegen-units=1
//# prints: one byte says the distance: true
//# prints: two bytes say it and 300: true
//# boards
// Distances as ULEB128 numbers. On RISC-V they lie over code that becomes shorter, so that the linker computes them.
#![no_std]
include!("prelude.rs");

#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
core::arch::global_asm!(
    ".section .text.measured,\"ax\"",
    ".balign 4",
    ".globl case_measured",
    "case_measured: call case_callee",
    "call case_callee",
    ".globl case_measured_end",
    "case_measured_end: ret",
    ".globl case_callee",
    "case_callee: ret",
);

#[cfg(not(any(target_arch = "riscv32", target_arch = "riscv64")))]
core::arch::global_asm!(
    ".section .rodata.measured,\"a\"",
    ".globl case_measured",
    "case_measured: .skip 12",
    ".globl case_measured_end",
    "case_measured_end: .skip 4",
);

core::arch::global_asm!(
    ".section .rodata.distances,\"a\"",
    ".globl case_distances",
    "case_distances: .uleb128 case_measured_end - case_measured",
    ".uleb128 case_measured_end - case_measured + 300",
    ".skip 8",
    ".text",
);

unsafe extern "C" {
    static case_measured: u8;
    static case_measured_end: u8;
    static case_distances: [u8; 8];
}

/// The number at the beginning, and how many bytes it takes.
fn decode(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return (value, place + 1);
        }
    }
    (usize::MAX, 0)
}

fn test() {
    let (distance, bytes) = unsafe {
        let start = &raw const case_measured as usize;
        let end = &raw const case_measured_end as usize;
        (end - start, &*(&raw const case_distances))
    };
    let (first, size) = decode(bytes);
    println!("one byte says the distance: {}", size == 1 && first == distance);
    let (second, size) = decode(&bytes[size..]);
    println!("two bytes say it and 300: {}", size == 2 && second == distance + 300);
}
