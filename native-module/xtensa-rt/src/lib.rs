//! What LLVM's code for Xtensa calls and no library of a module has: the atomic operations, and
//! arithmetic of 128 bits as it calls that (`wide`).
//!
//! One file has to run on the ESP32, the S2 and the S3, but the S2 has no S32C1I, the only instruction
//! that compares and swaps; the ESP8266 has none either. So LLVM calls a function for every atomic operation
//! (names and meanings: GCC's manual, *Library Routines for Atomics*).
//!
//! Here they are ordinary loads and stores, which is enough where a module runs: MicroPython holds its
//! global lock while native code runs, whatever the number of threads, and an interrupt's Python
//! handler runs between two bytecodes. The exception is a handler registered with `hard=True`: what
//! such a handler changes must not be changed by other code of the module with one operation.

#![no_std]

#[cfg(target_arch = "xtensa")]
mod wide;

/// `__atomic_load_n`, `__atomic_store_n` and their like for one size.
#[cfg(target_arch = "xtensa")]
macro_rules! atomics {
    ($int:ty: $load:ident $store:ident $exchange:ident $compare_exchange:ident $(, $fetch:ident $with:expr)*) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $load(place: *const $int, _order: i32) -> $int {
            // SAFETY: the caller's atomic, which is aligned and alive. Volatile, so that no caller's loop
            // keeps an old value.
            unsafe { place.read_volatile() }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $store(place: *mut $int, value: $int, _order: i32) {
            // SAFETY: as above.
            unsafe { place.write_volatile(value) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $exchange(place: *mut $int, value: $int, _order: i32) -> $int {
            // SAFETY: as above.
            unsafe {
                let old = place.read_volatile();
                place.write_volatile(value);
                old
            }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $compare_exchange(
            place: *mut $int,
            expected: *mut $int,
            desired: $int,
            _success: i32,
            _failure: i32,
        ) -> bool {
            // SAFETY: as above; `expected` is the caller's variable.
            unsafe {
                let old = place.read_volatile();
                let same = old == *expected;
                if same {
                    place.write_volatile(desired);
                } else {
                    *expected = old;
                }
                same
            }
        }

        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $fetch(place: *mut $int, value: $int, _order: i32) -> $int {
                let with: fn($int, $int) -> $int = $with;
                // SAFETY: as above.
                unsafe {
                    let old = place.read_volatile();
                    place.write_volatile(with(old, value));
                    old
                }
            }
        )*
    };
}

#[cfg(target_arch = "xtensa")]
atomics! {
    u8: __atomic_load_1 __atomic_store_1 __atomic_exchange_1 __atomic_compare_exchange_1,
    __atomic_fetch_add_1 |a, b| a.wrapping_add(b),
    __atomic_fetch_sub_1 |a, b| a.wrapping_sub(b),
    __atomic_fetch_and_1 |a, b| a & b,
    __atomic_fetch_or_1 |a, b| a | b,
    __atomic_fetch_xor_1 |a, b| a ^ b,
    __atomic_fetch_nand_1 |a, b| !(a & b)
}

#[cfg(target_arch = "xtensa")]
atomics! {
    u16: __atomic_load_2 __atomic_store_2 __atomic_exchange_2 __atomic_compare_exchange_2,
    __atomic_fetch_add_2 |a, b| a.wrapping_add(b),
    __atomic_fetch_sub_2 |a, b| a.wrapping_sub(b),
    __atomic_fetch_and_2 |a, b| a & b,
    __atomic_fetch_or_2 |a, b| a | b,
    __atomic_fetch_xor_2 |a, b| a ^ b,
    __atomic_fetch_nand_2 |a, b| !(a & b)
}

#[cfg(target_arch = "xtensa")]
atomics! {
    u32: __atomic_load_4 __atomic_store_4 __atomic_exchange_4 __atomic_compare_exchange_4,
    __atomic_fetch_add_4 |a, b| a.wrapping_add(b),
    __atomic_fetch_sub_4 |a, b| a.wrapping_sub(b),
    __atomic_fetch_and_4 |a, b| a & b,
    __atomic_fetch_or_4 |a, b| a | b,
    __atomic_fetch_xor_4 |a, b| a ^ b,
    __atomic_fetch_nand_4 |a, b| !(a & b)
}
