//! C's memory functions that compiled code calls and the interpreter's table does not have.
//!
//! `memcpy`, `memmove` and `memset` come from the table, through the linker.

/// # Safety
/// As C's memcmp: both areas readable for `n` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let mut i = 0;
    while i < n {
        // SAFETY: `i` is below `n`. Volatile, lest the compiler make this loop a call of memcmp.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
        i += 1;
    }
    0
}

/// # Safety
/// As C's bcmp: both areas readable for `n` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let (mut a, mut b, mut n) = (a, b, n);
    // Word by word where words may lie anywhere and code may be large.
    #[cfg(target_arch = "x86_64")]
    while n >= size_of::<u64>() {
        // SAFETY: there are as many bytes left in both.
        unsafe {
            if a.cast::<u64>().read_unaligned() != b.cast::<u64>().read_unaligned() {
                return 1;
            }
            (a, b) = (a.add(size_of::<u64>()), b.add(size_of::<u64>()));
        }
        n -= size_of::<u64>();
    }
    // SAFETY: as the caller promises.
    unsafe { memcmp(a, b, n) }
}
