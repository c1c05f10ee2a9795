//# part
// What a Rust test module needs of MicroPython's function table, by index (py/nativeglue.c).

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    print(format_args!("panic: {}\n", info.message()));
    type Raise = unsafe extern "C" fn(usize, *const u8) -> !;
    unsafe {
        let raise: Raise = core::mem::transmute(mp_fun_table[55]);
        raise(mp_fun_table[82], c"panic".as_ptr().cast())
    }
}

unsafe extern "C" {
    static mp_fun_table: [usize; 87];
}

/// Prints through MicroPython's own output.
pub fn print(text: core::fmt::Arguments<'_>) {
    struct Out;
    impl core::fmt::Write for Out {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            type Printf = unsafe extern "C" fn(usize, *const u8, ...) -> i32;
            unsafe {
                let printf: Printf = core::mem::transmute(mp_fun_table[53]);
                for byte in text.bytes() {
                    printf(mp_fun_table[72], c"%c".as_ptr().cast(), byte as i32);
                }
            }
            Ok(())
        }
    }
    let _ = core::fmt::Write::write_fmt(&mut Out, text);
}

macro_rules! println {
    ($($arguments:tt)*) => { print(format_args!("{}\n", format_args!($($arguments)*))) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mpy_init(_: usize, _: usize, _: usize, _: usize) -> usize {
    test();
    unsafe { mp_fun_table[0] }
}
