//# part
// A whole module in one object, without anything from an archive.
#![no_std]

use core::sync::atomic::{AtomicUsize, Ordering};

static COUNTER: AtomicUsize = AtomicUsize::new(3);
static WORDS: [&str; 3] = ["a", "bb", "ccc"];

unsafe extern "C" {
    static mp_fun_table: [usize; 87];
    #[link_name = "MP_QSTR_publish"]
    static PUBLISH: u16;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpy_init(_: usize, n: usize) -> usize {
    let count = COUNTER.fetch_add(n, Ordering::SeqCst);
    let word = WORDS.get(count % 4).map_or(0, |word| word.len());
    unsafe { mp_fun_table[0].wrapping_add(word & 0 & usize::from(PUBLISH)) }
}
