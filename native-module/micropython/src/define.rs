//! Functions as tables: what `#[function]` and `#[class]` write down of a function, and the one entry that all of
//! them share.
//!
//! A function object made from a raw-code record (kind viper) carries the record's `children`, which native code has
//! none of: there stands the address of the function's table. So the interpreter calls one and the same
//! `dispatch` for every function, which finds the table through the function object, takes and converts the
//! arguments as it says, lends the receiver's state, and calls the body.

use core::ffi::c_void;

use micropython_sys::{MpObj, ObjFunBc};

use crate::convert::{Convert, converter, raise_type};
use crate::slot::{Frame, MAX_PARAMETERS, Slot, Span, kind};
use crate::{Dict, Obj, Qstr};

/// A parameter. Four bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Parameter {
    pub(crate) name: Qstr,
    pub(crate) kind: u8,
    default: u8,
}

/// A function that Python can call.
#[repr(C)]
pub struct FunctionDef {
    body: unsafe fn(&Frame) -> Obj,
    parameters: *const Parameter,
    /// Converts what is no plain object; a function of plain objects only needs none. So conversions that no
    /// function of a module asks for are not part of it.
    convert: Option<Convert>,
    pub(crate) name: Qstr,
    /// Parameters, the receiver not counted.
    count: u8,
    /// How many of them may be passed by position.
    positional: u8,
    /// `flag::…`.
    flags: u8,
    pub(crate) role: Role,
}

// SAFETY: constant after linking.
unsafe impl Sync for FunctionDef {}

/// What stands in [`FunctionDef`]'s flags.
#[doc(hidden)]
pub mod flag {
    /// The first value is the receiver.
    pub const RECEIVER: u8 = 1;
    /// Takes `*args`, behind those passed by position.
    pub const ARGS: u8 = 8;
    /// Takes `**kwargs`, last.
    pub const KWARGS: u8 = 16;
}

/// How a function becomes a member of its class.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Method,
    Static,
    Class,
    Getter,
    Setter,
}

/// Codes of defaults.
mod default {
    pub const REQUIRED: u8 = 0;
    /// The body supplies it.
    pub const EXPRESSION: u8 = 1;
    pub const NONE: u8 = 2;
    pub const FALSE: u8 = 3;
    pub const TRUE: u8 = 4;
    /// Integers from [`SMALLEST`] on.
    pub const INT: u8 = 5;
    pub const SMALLEST: i64 = -50;
}

impl Parameter {
    /// One that must be given.
    pub const fn required(name: Qstr, kind: u8) -> Self {
        Parameter {
            name,
            kind,
            default: default::REQUIRED,
        }
    }

    /// One whose default the body supplies.
    pub const fn expression(name: Qstr, kind: u8) -> Self {
        Parameter {
            name,
            kind,
            default: default::EXPRESSION,
        }
    }

    /// One with the default None.
    pub const fn none(name: Qstr, kind: u8) -> Self {
        Parameter {
            name,
            kind,
            default: default::NONE,
        }
    }

    /// One with the default False or True.
    pub const fn bool(name: Qstr, kind: u8, value: bool) -> Self {
        Parameter {
            name,
            kind,
            default: if value { default::TRUE } else { default::FALSE },
        }
    }

    /// One with an integer as its default, of -50 to 200.
    pub const fn int(name: Qstr, kind: u8, value: i64) -> Self {
        Parameter {
            name,
            kind,
            default: (value - default::SMALLEST) as u8 + default::INT,
        }
    }

    /// One that is passed by position only.
    pub const fn by_position(self) -> Self {
        Parameter {
            kind: self.kind | kind::POSITION,
            ..self
        }
    }

    /// The default as an object.
    fn default(&self) -> Obj {
        match self.default {
            default::NONE => Obj::none(),
            code @ (default::FALSE | default::TRUE) => Obj::from_bool(code == default::TRUE),
            code => Obj::from_int(isize::from(code - default::INT) + default::SMALLEST as isize),
        }
    }
}

impl FunctionDef {
    /// Writes a function down.
    ///
    /// # Safety
    /// `body` takes from its frame what `parameters` and `flags` say.
    #[doc(hidden)]
    pub const unsafe fn new(
        name: Qstr,
        body: unsafe fn(&Frame) -> Obj,
        parameters: &'static [Parameter],
        positional: u8,
        flags: u8,
    ) -> Self {
        let receiver = flags & flag::RECEIVER != 0;
        assert!(
            parameters.len() + receiver as usize <= MAX_PARAMETERS,
            "too many parameters"
        );
        FunctionDef {
            body,
            parameters: parameters.as_ptr(),
            convert: converter(parameters),
            name,
            count: parameters.len() as u8,
            positional,
            flags,
            role: Role::Method,
        }
    }

    /// The same as a member of a class.
    #[doc(hidden)]
    pub const fn of(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    fn parameters(&self) -> &'static [Parameter] {
        // SAFETY: `new` took both from a static slice.
        unsafe { core::slice::from_raw_parts(self.parameters, usize::from(self.count)) }
    }

    /// Where the first parameter's slot is.
    fn first(&self) -> usize {
        usize::from(self.flags & flag::RECEIVER)
    }
}

/// What the interpreter calls for every function made from a [`FunctionDef`].
///
/// # Safety
/// Only for the interpreter, with a function object that carries a table.
pub(crate) unsafe extern "C" fn dispatch(
    function: *const ObjFunBc,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
) -> MpObj {
    // SAFETY: see `Module::define`: the table is where a function's children would be.
    let def = unsafe { &*(*function).child_table.cast::<FunctionDef>() };
    let first = def.first();
    if n_pos < first {
        raise_type(def.name, c"needs its object");
    }
    let this = if first == 0 {
        MpObj::NULL
    } else {
        // SAFETY: at least one value was given.
        unsafe { *values }
    };
    // SAFETY: `n_pos` values and `n_kw` pairs are given, alive during the call.
    unsafe { call(def, this, n_pos - first, n_kw, values.add(first)) }
}

/// Takes the arguments, and calls the body.
///
/// # Safety
/// `values` points to `n_pos` references and `n_kw` pairs.
pub(crate) unsafe fn call(
    def: &'static FunctionDef,
    this: MpObj,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
) -> MpObj {
    let mut frame = Frame {
        slots: [const { Slot { wide: 0 } }; MAX_PARAMETERS],
        absent: 0,
        missing: 0,
    };
    if def.first() != 0 {
        frame.slots[0] = Slot { object: this };
    }
    // SAFETY: as the caller promises; then the frame is filled as the table says.
    unsafe {
        take(def, n_pos, n_kw, values, &mut frame);
        (def.body)(&frame).0
    }
}

/// Fills the frame. Raises TypeError, OverflowError.
#[inline(never)]
unsafe fn take(
    def: &'static FunctionDef,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
    frame: &mut Frame,
) {
    let parameters = def.parameters();
    let positional = usize::from(def.positional);
    let first = def.first();
    let mut given = [MpObj::NULL; MAX_PARAMETERS];
    // SAFETY: as the caller promises.
    let (values, pairs) = unsafe {
        (
            core::slice::from_raw_parts(values, n_pos),
            core::slice::from_raw_parts(values.add(n_pos).cast::<[Obj; 2]>(), n_kw),
        )
    };
    let (by_position, rest) = values.split_at(n_pos.min(positional));
    for (place, value) in given.iter_mut().zip(by_position) {
        *place = *value;
    }
    if def.flags & flag::ARGS != 0 {
        if let Some(slot) = frame.slots.get_mut(first + positional) {
            slot.span = Span {
                start: rest.as_ptr().cast_mut().cast(),
                len: rest.len(),
            };
        }
    } else if !rest.is_empty() {
        raise_type(def.name, c"got too many arguments");
    }
    let kwargs = (def.flags & flag::KWARGS != 0).then(Dict::new);
    for [key, value] in pairs {
        let named = |p: &Parameter| p.name != Qstr::UNUSED && Obj::from_qstr(p.name) == *key;
        match (
            parameters
                .iter()
                .zip(&mut given)
                .find(|(p, _)| p.kind & kind::POSITION == 0 && named(p)),
            kwargs,
        ) {
            (Some((p, place)), _) => {
                if *place != MpObj::NULL {
                    raise_type(p.name, c"given twice");
                }
                *place = value.0;
            }
            (None, Some(kwargs)) => kwargs.set(*key, *value),
            (None, None) => raise_type(def.name, c"got an unknown keyword argument"),
        }
    }
    for (i, ((parameter, value), slot)) in parameters
        .iter()
        .zip(&given)
        .zip(frame.slots.iter_mut().skip(first))
        .enumerate()
    {
        if parameter.name == Qstr::UNUSED {
            // `*args` is there already; what else has no name is `**kwargs`.
            if let (Some(kwargs), true) = (kwargs, parameter.kind & kind::MASK != kind::REST) {
                slot.object = kwargs.obj().0;
            }
            continue;
        }
        let value = if *value != MpObj::NULL {
            Obj(*value)
        } else {
            match parameter.default {
                default::REQUIRED => raise_type(parameter.name, c"argument required"),
                default::EXPRESSION => {
                    frame.missing |= 1 << (first + i);
                    continue;
                }
                _ => parameter.default(),
            }
        };
        match def.convert {
            Some(convert) => {
                if !convert(value, parameter.kind, parameter.name, slot) {
                    frame.absent |= 1 << (first + i);
                }
            }
            None => slot.object = value.0,
        }
    }
}

/// The address of a table as a function object carries it.
pub(crate) fn as_children(def: &'static FunctionDef) -> *const *mut c_void {
    (&raw const *def).cast()
}
