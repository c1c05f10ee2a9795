//! Arguments of a native function.

use core::mem::MaybeUninit;

use micropython_sys::arg::{MP_ARG_OBJ, MP_ARG_REQUIRED};
use micropython_sys::{MpArg, MpArgVal, MpObj};

use crate::table::table;
use crate::{Obj, Qstr};

/// The most parameters of a native function, `self` included.
const MAX_PARAMETERS: usize = 12;

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
        names: &'static [Qstr; N],
    ) -> [Obj; N] {
        const { assert!(N <= MAX_PARAMETERS, "too many parameters") };
        let mut values = defaults;
        if self.n_kw == 0 && self.n_pos >= required && self.n_pos <= N {
            // SAFETY: `n_pos` references are given, and `values` has room for as many.
            unsafe {
                let given = self.values.cast::<Obj>();
                values
                    .as_mut_ptr()
                    .copy_from_nonoverlapping(given, self.n_pos);
            }
        } else {
            self.take_by_name(required, names, &mut values);
        }
        values
    }

    /// Replaces the defaults in `values` by what the caller gave. Raises TypeError.
    #[cold]
    #[inline(never)]
    fn take_by_name(&self, required: usize, names: &[Qstr], values: &mut [Obj]) {
        let unset = MpArgVal { u_obj: MpObj::NULL };
        let mut allowed = [const { MaybeUninit::<MpArg>::uninit() }; MAX_PARAMETERS];
        let mut given = [unset; MAX_PARAMETERS];
        for (i, (arg, (name, default))) in allowed
            .iter_mut()
            .zip(names.iter().zip(&*values))
            .enumerate()
        {
            let flags = if i < required {
                MP_ARG_OBJ | MP_ARG_REQUIRED
            } else {
                MP_ARG_OBJ
            };
            arg.write(MpArg {
                qst: name.number() as u16,
                flags,
                defval: MpArgVal { u_obj: default.0 },
            });
        }
        let n = values.len().min(names.len()).min(MAX_PARAMETERS);
        // SAFETY: counts and arrays belong together; the entry writes one value per allowed argument.
        // EXCEPTION: TypeError for a missing, doubled or unknown argument.
        unsafe {
            (table().arg_parse_all_kw_array)(
                self.n_pos,
                self.n_kw,
                self.values,
                n,
                allowed.as_ptr().cast(),
                given.as_mut_ptr(),
            );
        }
        for (value, given) in values.iter_mut().zip(&given) {
            // SAFETY: every argument was declared MP_ARG_OBJ, so each union holds a reference.
            *value = Obj(unsafe { given.u_obj });
        }
    }
}
