//! Arithmetic of 128 bits, as LLVM 22 calls it on Xtensa.
//!
//! The second number has no room in the registers that the first one leaves. By the ABI (and in rustc's
//! own functions, those of compiler_builtins among them) all of it is on the stack then; LLVM's calls of
//! `__divti3` and its like put half of it into the last two registers. So these take words.

/// A number from its words, lowest first.
fn join(words: [u32; 4]) -> u128 {
    let [a, b, c, d] = words.map(u128::from);
    a | b << 32 | c << 64 | d << 96
}

/// Quotient and remainder. Division by 0 does not come here: Rust checks first.
fn divide(number: u128, by: u128) -> (u128, u128) {
    let (mut quotient, mut rest) = (0u128, 0u128);
    let mut bit = 128 - number.leading_zeros();
    while bit > 0 {
        bit -= 1;
        // What is shifted out of the top counts: the rest then is larger than any divisor.
        let carry = rest >> 127 != 0;
        rest = rest << 1 | number >> bit & 1;
        if carry || rest >= by {
            rest = rest.wrapping_sub(by);
            quotient |= 1 << bit;
        }
    }
    (quotient, rest)
}

fn divide_signed(number: u128, by: u128) -> (i128, i128) {
    let (number, by) = (number as i128, by as i128);
    let (quotient, rest) = divide(number.unsigned_abs(), by.unsigned_abs());
    let sign = |value: u128, negative: bool| {
        let value = value as i128;
        if negative {
            value.wrapping_neg()
        } else {
            value
        }
    };
    (
        sign(quotient, (number < 0) != (by < 0)),
        sign(rest, number < 0),
    )
}

/// The low 128 bits of a product, from products of 32 bits.
fn multiply(a: [u32; 4], b: [u32; 4]) -> u128 {
    let mut product = [0u32; 4];
    for (i, x) in a.into_iter().enumerate() {
        let mut carry = 0u64;
        for (place, y) in product.iter_mut().skip(i).zip(b) {
            let sum = u64::from(x) * u64::from(y) + u64::from(*place) + carry;
            *place = sum as u32;
            carry = sum >> 32;
        }
    }
    join(product)
}

macro_rules! wide {
    ($($name:ident($a:ident, $b:ident) -> $result:ty: $body:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            #[allow(clippy::too_many_arguments, reason = "two numbers, word by word")]
            extern "C" fn $name(a0: u32, a1: u32, a2: u32, a3: u32, b0: u32, b1: u32, b2: u32, b3: u32) -> $result {
                let ($a, $b) = ([a0, a1, a2, a3], [b0, b1, b2, b3]);
                $body
            }
        )*
    };
}

wide! {
    __udivti3(a, b) -> u128: divide(join(a), join(b)).0;
    __umodti3(a, b) -> u128: divide(join(a), join(b)).1;
    __divti3(a, b) -> i128: divide_signed(join(a), join(b)).0;
    __modti3(a, b) -> i128: divide_signed(join(a), join(b)).1;
    __multi3(a, b) -> u128: multiply(a, b);
}
