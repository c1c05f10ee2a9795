//# variants: -C opt-level=0 | -O
//# prints: qstr true true
//# dump-has: "año"
//# dump-has: "publish"
//# dump-has: "with space"
//# boards
#![no_std]
include!("prelude.rs");

unsafe extern "C" {
    #[link_name = "MP_QSTR_publish"]
    static PUBLISH: u16;
    #[link_name = "MP_QSTR_año"]
    static YEAR: u16;
    #[link_name = "MP_QSTR_with space"]
    static SPACE: u16;
}

fn test() {
    let (a, b, c) = unsafe { (PUBLISH, YEAR, SPACE) };
    println!("qstr {} {}", a != b && b != c, a != 0 && c != 0);
}
