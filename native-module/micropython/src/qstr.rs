//! Interned strings: names of attributes, modules and keywords.
//!
//! A crate has one list of its names, which `#[module]` makes; [`qstr!`](crate::qstr) finds a name's place in
//! that list at compile time, so that naming an attribute costs one small constant. The lists travel in sections
//! of their own, `.mpy_qstrs.0` for this crate's and `.mpy_qstrs.1` for a module's, from which the linker makes
//! the module's qstr table in the same order.

/// An interned string: a place in the module's qstr table. Make one with [`qstr!`](crate::qstr).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Qstr(i16);

/// Names of this crate, whose places in the table come before those of the module's. They are counted down from 0, so
/// that the module's begin at 1 and the names that its code uses most often take short instructions.
const OWN: usize = crate::qstr_list::NAMES.len();

unsafe extern "C" {
    /// The module's qstr table, which the loader fills: the interpreter's number for each place. The linker
    /// resolves it (relocation destination 6).
    static mp_native_qstr_table: [u16; 0];
}

impl Qstr {
    /// What stands for "no name" where one is not looked at.
    pub const UNUSED: Qstr = Qstr(0);

    /// The place of `name` in a list whose first entry has place `first`. (That a name of this crate's has the place of
    /// [`Qstr::UNUSED`] does no harm: no table asks whether it is one.)
    ///
    /// Evaluated at compile time; a name that is missing is a compile error.
    #[doc(hidden)]
    pub const fn find(name: &str, list: &[&str], first: isize) -> Self {
        let mut i = 0;
        while i < list.len() {
            if same(name, list[i]) {
                return Qstr((first + i as isize) as i16);
            }
            i += 1;
        }
        panic!(
            "this name is not in the crate's list: write it as qstr!(\"name\") in a file of the crate with #[module]"
        );
    }

    pub(crate) const fn is_unused(self) -> bool {
        self.0 == 0
    }

    /// The interpreter's number of the string.
    #[inline]
    pub(crate) fn number(self) -> usize {
        let table = (&raw const mp_native_qstr_table).cast::<u16>();
        // SAFETY: the table has as many entries as the lists have names, and one more at its start; the loader
        // fills it before any code of the module runs and nobody changes it afterwards.
        usize::from(unsafe { table.add(OWN).offset(isize::from(self.0)).read() })
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The names that a module uses, once, at the root of its crate; `#[module]` writes it.
#[doc(hidden)]
#[macro_export]
macro_rules! qstrs {
    ($($name:literal),* $(,)?) => {
        $crate::qstr_list! { ".mpy_qstrs.1", 1, $($name),* }
    };
}

/// The list behind [`qstrs!`]: its section, the place of its first name, the names.
#[doc(hidden)]
#[macro_export]
macro_rules! qstr_list {
    ($section:literal, $first:expr, $($name:literal),*) => {
        #[doc(hidden)]
        pub mod qstr_list {
            pub const FIRST: isize = $first;
            pub const NAMES: &[&str] = &[$($name),*];
            const TEXT: &str = concat!($($name, "\0"),*);

            /// The names for the linker, each with a NUL behind it.
            #[used]
            #[unsafe(link_section = $section)]
            static LIST: [u8; TEXT.len()] = {
                let mut bytes = [0; TEXT.len()];
                bytes.copy_from_slice(TEXT.as_bytes());
                bytes
            };
        }
    };
}

/// The interned string of a literal, as `qstr!("publish")`. The literal must stand in a crate with
/// `#[module]`, which collects them.
#[macro_export]
#[allow(clippy::crate_in_macro_def, reason = "the list is the calling crate's")]
macro_rules! qstr {
    ($name:literal) => {
        const { $crate::Qstr::find($name, crate::qstr_list::NAMES, crate::qstr_list::FIRST) }
    };
}
