//! Interned strings: names of attributes, modules and keywords.

/// An interned string of the running interpreter. Make one with [`qstr!`](crate::qstr).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Qstr(pub(crate) u16);

impl Qstr {
    /// Wraps a number from the module's qstr table.
    #[doc(hidden)]
    #[inline(always)]
    pub const fn from_table(number: u16) -> Self {
        Qstr(number)
    }

    #[inline(always)]
    pub(crate) fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// The interned string of a literal, as `qstr!("publish")`.
///
/// The linker collects the literals of a module and fills in their numbers; at run time this is one load.
#[macro_export]
macro_rules! qstr {
    ($name:literal) => {{
        unsafe extern "C" {
            #[link_name = concat!("MP_QSTR_", $name)]
            static NUMBER: u16;
        }
        // SAFETY: the linker places the symbol in the module's qstr table, which the loader fills before any
        // code of the module runs and never changes afterwards.
        $crate::Qstr::from_table(unsafe { NUMBER })
    }};
}
