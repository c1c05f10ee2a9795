//! The few instructions of [`crate::catch()`] for Xtensa, as words: rustc accepts no assembly for it.
//!
//! They need no address but those that they are given, so they run wherever they stand. The listing is what
//! `llvm-mc --arch=xtensa` makes them from; the labels are the instructions' last two.

use core::ffi::{c_int, c_uint, c_void};

use micropython_sys::fun_table::NlrBuf;

/// For the ESP32, S2 and S3. The window protects what the caller has in registers; the arguments are in a2 to a7.
///
/// ```text
/// entry a1, 32      mov a10, a2       callx8 a5         push(buffer)
/// beqz a7, 1f       addi a10, a2, 8   callx8 a7         setjmp(buffer + 8)
/// 1: bnez a10, 2f   mov a10, a4       callx8 a3         f(data)
/// callx8 a6         movi a2, 0        retw              pop()
/// 2: movi a2, 1     retw
/// ```
#[cfg(not(target_abi = "call0"))]
#[unsafe(link_section = ".text.protected")]
static CODE: [u32; 11] = [
    0x2000_4136,
    0x05e0_20a2,
    0x0057_1600,
    0xe008_c2a2,
    0xea56_0007,
    0x20a4_4000,
    0xe000_03e0,
    0xa022_0006,
    0x0000_9000,
    0x9001_a022,
    0x0000_0000,
];

/// For the ESP8266. What must last is in a12 to a15, which callees preserve.
///
/// ```text
/// addi a1, a1, -32  s32i a0, a1, 0    s32i a12, a1, 4   s32i a13, a1, 8
/// s32i a14, a1, 12  s32i a15, a1, 16  s32i a2, a1, 20   mov a12, a3
/// mov a13, a4       mov a14, a6       mov a15, a7       callx0 a5
/// beqz a15, 1f      l32i a2, a1, 20   addi a2, a2, 8    callx0 a15
/// 1: bnez a2, 2f    mov a2, a13       callx0 a12        callx0 a14
/// movi a2, 0
/// 2: l32i a0, a1, 0 l32i a12, a1, 4   l32i a13, a1, 8   l32i a14, a1, 12
/// l32i a15, a1, 16  addi a1, a1, 32   ret
/// ```
#[cfg(target_abi = "call0")]
#[unsafe(link_section = ".text.protected")]
static CODE: [u32; 21] = [
    0x02e0_c112,
    0x61c2_0061,
    0x0261_d201,
    0xf203_61e2,
    0x6122_0461,
    0x20c3_3005,
    0x6020_d440,
    0xf770_20e6,
    0x0005_c020,
    0x2200_8f16,
    0xc222_0521,
    0x000f_c008,
    0xd000_b256,
    0x0cc0_202d,
    0x000e_c000,
    0x0200_a022,
    0x21c2_0021,
    0x0221_d201,
    0xf203_21e2,
    0xc112_0421,
    0x0000_8020,
];

/// Calls `f(data)` between `push(buffer)` and `pop()`. 0 if it returned, else it raised.
#[inline(always)]
pub(crate) unsafe fn protected(
    buffer: *mut NlrBuf,
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
    push: unsafe extern "C" fn(*mut NlrBuf) -> c_uint,
    pop: unsafe extern "C" fn(),
    setjmp: *const c_void,
) -> c_int {
    // SAFETY: the words are the code of a function of this type, in a section of code.
    unsafe {
        let code: unsafe extern "C" fn(
            *mut NlrBuf,
            unsafe extern "C" fn(*mut c_void),
            *mut c_void,
            unsafe extern "C" fn(*mut NlrBuf) -> c_uint,
            unsafe extern "C" fn(),
            *const c_void,
        ) -> c_int = core::mem::transmute((&raw const CODE).cast::<()>());
        code(buffer, f, data, push, pop, setjmp)
    }
}
