//! Arguments of a native function.

use micropython_sys::arg::{MP_ARG_OBJ, MP_ARG_REQUIRED};
use micropython_sys::{MpArg, MpArgVal, MpObj};

use crate::table::table;
use crate::{Obj, Qstr};

/// What a native function was called with.
#[derive(Clone, Copy)]
pub struct Args {
    n_pos: usize,
    n_kw: usize,
    /// `n_pos` values, then `n_kw` pairs of name and value.
    values: *const MpObj,
}

impl Args {
    /// Wraps the arguments as the interpreter passes them.
    ///
    /// # Safety
    /// `values` must point to `n_pos + 2 * n_kw` references that stay valid while the function runs.
    #[doc(hidden)]
    #[inline(always)]
    pub unsafe fn new(n_pos: usize, n_kw: usize, values: *const MpObj) -> Self {
        Args {
            n_pos,
            n_kw,
            values,
        }
    }

    /// The arguments by position: the first `required` must be given, the others have `defaults` (whose
    /// first `required` entries are not used). `names` are their names as keywords; they are looked at only
    /// when the caller used keywords. Raises TypeError, worded as for MicroPython's own functions.
    #[inline(always)]
    pub fn take<const N: usize>(
        &self,
        required: usize,
        defaults: [Obj; N],
        names: fn() -> [Qstr; N],
    ) -> [Obj; N] {
        if self.n_kw == 0 && self.n_pos >= required && self.n_pos <= N {
            let mut values = defaults;
            for (i, value) in values.iter_mut().enumerate().take(self.n_pos) {
                // SAFETY: `i` is below `n_pos`.
                *value = Obj(unsafe { *self.values.add(i) });
            }
            return values;
        }
        self.take_by_name(required, defaults, names())
    }

    #[cold]
    #[inline(never)]
    fn take_by_name<const N: usize>(
        &self,
        required: usize,
        defaults: [Obj; N],
        names: [Qstr; N],
    ) -> [Obj; N] {
        let allowed = core::array::from_fn::<_, N, _>(|i| MpArg {
            qst: names[i].0,
            flags: if i < required {
                MP_ARG_OBJ | MP_ARG_REQUIRED
            } else {
                MP_ARG_OBJ
            },
            defval: MpArgVal {
                u_obj: defaults[i].0,
            },
        });
        let mut values = [MpArgVal { u_obj: MpObj::NULL }; N];
        // SAFETY: counts and arrays belong together; the entry writes one value per allowed argument.
        // EXCEPTION: TypeError for a missing, doubled or unknown argument.
        unsafe {
            (table().arg_parse_all_kw_array)(
                self.n_pos,
                self.n_kw,
                self.values,
                N,
                allowed.as_ptr(),
                values.as_mut_ptr(),
            );
        }
        // SAFETY: every argument was declared MP_ARG_OBJ, so each union holds a reference.
        values.map(|value| Obj(unsafe { value.u_obj }))
    }
}
