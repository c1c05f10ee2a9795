//! Functions as tables: what `#[function]` and `#[class]` write down of a function, and the one entry that all of
//! them share.
//!
//! A function object made from a raw-code record (kind viper) carries the record's `children`, which native code has
//! none of: there stands the address of the function's table. So the interpreter calls one and the same
//! `dispatch` for every function, which finds the table through the function object, takes and converts the
//! arguments as it says, lends the receiver's state, and calls the body.

use core::ffi::c_void;
use core::mem::{MaybeUninit, offset_of};

use micropython_sys::arg::{MP_ARG_OBJ, MP_ARG_REQUIRED};
use micropython_sys::{FunTable, MpArg, MpArgVal, MpObj, ObjFunBc};

use crate::convert::{Convert, Converter, convert_all, convert_common, converter, raise_type};
use crate::slot::{Frame, MAX_PARAMETERS, Slot, Span, kind};
use crate::table::table;
use crate::{Dict, Error, Obj, Qstr, Result};

/// What a method says that is called without its object.
pub(crate) const NO_OBJECT: Error = error!("TypeError", "a method needs its object");

/// What a body ends with: the object, NULL for None.
pub type Ended = Result<MpObj>;

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
    body: unsafe fn(&Frame) -> Ended,
    parameters: *const Parameter,
    way: &'static Way,
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

/// How arguments get into their slots; functions whose parameters are alike share one.
struct Way {
    /// Takes the arguments: what is passed by name and in number is no part of a module that needs no such thing.
    take: Take,
    /// Converts what is no plain object; a function of plain objects only needs none. So conversions that no
    /// function of a module asks for are not part of it.
    convert: Option<ConvertAll>,
}

impl Way {
    /// That of these parameters.
    const fn of(parameters: &[Parameter], positional: u8) -> &'static Way {
        macro_rules! way {
            ($take:ident, $convert:expr) => {
                &Way {
                    take: $take,
                    convert: $convert,
                }
            };
        }
        match (is_plain(parameters, positional), converter(parameters)) {
            (true, Converter::None) => way!(take_plain, None),
            (true, Converter::Common) => way!(take_plain, Some(all_by_common)),
            (true, Converter::All) => way!(take_plain, Some(all_by_all)),
            (false, Converter::None) => way!(take_any, None),
            (false, Converter::Common) => way!(take_any, Some(all_by_common)),
            (false, Converter::All) => way!(take_any, Some(all_by_all)),
        }
    }
}

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
    /// This and the next two in the order of the interpreter's table, which begins with them.
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

    /// The default as an object; NULL if there is none or the body supplies it.
    #[inline(never)]
    fn default(&self) -> MpObj {
        self.default_here()
    }

    /// The same, where it is to be had without a call.
    #[inline(always)]
    fn default_here(&self) -> MpObj {
        let value = isize::from(self.default) - isize::from(default::INT);
        if value >= 0 {
            Obj::small((value + default::SMALLEST as isize) as i16).0
        } else if self.default < default::NONE {
            MpObj::NULL
        } else {
            constant(self.default - default::NONE)
        }
    }

    /// True if it must be given.
    pub(crate) const fn is_required(&self) -> bool {
        self.default == default::REQUIRED
    }

    /// True if the body supplies the default.
    pub(crate) const fn is_expression(&self) -> bool {
        self.default == default::EXPRESSION
    }
}

/// None, False or True, which the interpreter's table begins with in this order.
fn constant(i: u8) -> MpObj {
    const {
        assert!(offset_of!(FunTable, const_none) == 0);
        assert!(offset_of!(FunTable, const_false) == size_of::<MpObj>());
        assert!(offset_of!(FunTable, const_true) == 2 * size_of::<MpObj>());
    }
    let first = (&raw const *table()).cast::<MpObj>();
    // SAFETY: `i` is 0 to 2.
    unsafe { *first.add(usize::from(i)) }
}

impl FunctionDef {
    /// Writes a function down.
    ///
    /// # Safety
    /// `body` takes from its frame what `parameters` and `flags` say.
    #[doc(hidden)]
    pub const unsafe fn new(
        name: Qstr,
        body: unsafe fn(&Frame) -> Ended,
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
            way: Way::of(parameters, positional),
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

/// True if all parameters can be passed either way.
const fn is_plain(parameters: &[Parameter], positional: u8) -> bool {
    let mut i = 0;
    while i < parameters.len() {
        if parameters[i].kind & kind::POSITION != 0 {
            return false;
        }
        i += 1;
    }
    parameters.len() == positional as usize
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
        NO_OBJECT.raise();
    }
    let this = if first == 0 {
        MpObj::NULL
    } else {
        // SAFETY: at least one value was given.
        unsafe { *values }
    };
    // SAFETY: `n_pos` values and `n_kw` pairs are given, alive during the call.
    let ended = unsafe { call(def, this, n_pos - first, n_kw, values.add(first)) };
    finish(ended)
}

/// Hands the object over or raises the error.
pub(crate) fn finish(ended: Ended) -> MpObj {
    match ended {
        Ok(MpObj::NULL) => Obj::none().0,
        Ok(object) => object,
        Err(error) => error.raise(),
    }
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
) -> Ended {
    let mut frame = Frame {
        slots: [const { MaybeUninit::uninit() }; MAX_PARAMETERS],
        absent: 0,
        missing: 0,
    };
    // Another parameter's value takes the place if the function has no receiver.
    frame.slots[0].write(Slot { object: this });
    let first = def.first();
    let slots = frame.slots.as_mut_ptr().wrapping_add(first).cast::<Slot>();
    // SAFETY: as the caller promises. `new` has seen to it that there are enough slots, and `take` fills them.
    let slots = unsafe {
        (def.way.take)(def, n_pos, n_kw, values, slots);
        core::slice::from_raw_parts_mut(slots, usize::from(def.count))
    };
    if let Some(convert) = def.way.convert {
        (frame.absent, frame.missing) = convert(def, first, slots);
    }
    // SAFETY: the frame is filled as the table says.
    unsafe { (def.body)(&frame) }
}

/// Fills the slots, as many as there are parameters, with what was given, and with defaults; raises TypeError where that
/// does not fit. Slots of parameters whose defaults the body supplies become NULL.
type Take = unsafe fn(
    def: &'static FunctionDef,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
    slots: *mut Slot,
);

/// For functions whose parameters can all be passed either way: by MicroPython's own parser where names are used or
/// something is wrong, so that its errors read as for MicroPython's own functions.
#[inline(never)]
unsafe fn take_plain(
    def: &'static FunctionDef,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
    slots: *mut Slot,
) {
    let parameters = def.parameters();
    if n_kw != 0
        || n_pos > parameters.len()
        || parameters.get(n_pos).is_some_and(Parameter::is_required)
    {
        // SAFETY: as the caller promises.
        return unsafe { take_by_name(def, n_pos, n_kw, values, slots) };
    }
    // SAFETY: `n_pos` values are given, no more than there are parameters, and there is a slot for each of these.
    unsafe {
        let mut slot = slots;
        for i in 0..n_pos {
            let object = *values.add(i);
            slot.write(Slot { object });
            slot = slot.add(1);
        }
        let (from, end) = (
            parameters.as_ptr(),
            parameters.as_ptr().add(parameters.len()),
        );
        let mut parameter = from.add(n_pos);
        while parameter != end {
            let object = (*parameter).default_here();
            slot.write(Slot { object });
            (slot, parameter) = (slot.add(1), parameter.add(1));
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn take_by_name(
    def: &'static FunctionDef,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
    slots: *mut Slot,
) {
    let mut allowed = [const { MaybeUninit::<MpArg>::uninit() }; MAX_PARAMETERS];
    let mut given = [const { MaybeUninit::<MpArgVal>::uninit() }; MAX_PARAMETERS];
    for (arg, parameter) in allowed.iter_mut().zip(def.parameters()) {
        let required = if parameter.is_required() {
            MP_ARG_REQUIRED
        } else {
            0
        };
        arg.write(MpArg {
            qst: parameter.name.number() as u16,
            flags: MP_ARG_OBJ | required,
            defval: MpArgVal {
                u_obj: parameter.default(),
            },
        });
    }
    // SAFETY: counts and arrays belong together; the entry writes one value per allowed argument.
    // EXCEPTION: TypeError for a missing, doubled or unknown argument.
    unsafe {
        (table().arg_parse_all_kw_array)(
            n_pos,
            n_kw,
            values,
            usize::from(def.count),
            allowed.as_ptr().cast(),
            given.as_mut_ptr().cast(),
        );
    }
    for (i, given) in given.iter().take(usize::from(def.count)).enumerate() {
        // SAFETY: every argument was declared MP_ARG_OBJ, so each union holds a reference; there is a slot for each.
        unsafe {
            slots.add(i).write(Slot {
                object: given.assume_init_ref().u_obj,
            });
        }
    }
}

/// For all other functions.
#[inline(never)]
unsafe fn take_any(
    def: &'static FunctionDef,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
    slots: *mut Slot,
) {
    let parameters = def.parameters();
    let positional = usize::from(def.positional);
    // SAFETY: as the caller promises; there is a slot for each parameter.
    let (slots, values, pairs) = unsafe {
        for i in 0..parameters.len() {
            slots.add(i).write(Slot { wide: 0 });
        }
        (
            core::slice::from_raw_parts_mut(slots, parameters.len()),
            core::slice::from_raw_parts(values, n_pos),
            core::slice::from_raw_parts(values.add(n_pos).cast::<[Obj; 2]>(), n_kw),
        )
    };
    let (by_position, rest) = values.split_at(n_pos.min(positional));
    for (slot, value) in slots.iter_mut().zip(by_position) {
        slot.object = *value;
    }
    if def.flags & flag::ARGS != 0 {
        if let Some(slot) = slots.get_mut(positional) {
            slot.span = Span {
                start: rest.as_ptr().cast_mut().cast(),
                len: rest.len(),
            };
        }
    } else if !rest.is_empty() {
        raise_type(def.name, c"got too many arguments");
    }
    let kwargs = (def.flags & flag::KWARGS != 0).then(Dict::new);
    if let (Some(kwargs), Some(slot)) = (kwargs, slots.get_mut(parameters.len() - 1)) {
        slot.object = kwargs.obj().0;
    }
    for [key, value] in pairs {
        let named = |p: &Parameter| {
            p.kind & kind::POSITION == 0 && !p.name.is_unused() && Obj::from_qstr(p.name) == *key
        };
        match (
            parameters.iter().zip(&mut *slots).find(|(p, _)| named(p)),
            kwargs,
        ) {
            (Some((p, slot)), _) => {
                // SAFETY: before the conversion every slot of a parameter with a name holds a reference.
                if unsafe { slot.object } != MpObj::NULL {
                    raise_type(p.name, c"given twice");
                }
                slot.object = value.0;
            }
            (None, Some(kwargs)) => kwargs.set(*key, *value),
            (None, None) => raise_type(def.name, c"got an unknown keyword argument"),
        }
    }
    for (parameter, slot) in parameters.iter().zip(slots) {
        // SAFETY: as above.
        if !parameter.name.is_unused() && unsafe { slot.object } == MpObj::NULL {
            if parameter.is_required() {
                raise_type(parameter.name, c"argument required");
            }
            slot.object = parameter.default();
        }
    }
}

/// Converts all arguments, the first of which is in slot `first` of its frame. Returns which are absent and which are
/// missing, as a [`Frame`] has them. Raises TypeError, OverflowError.
type ConvertAll = fn(def: &'static FunctionDef, first: usize, slots: &mut [Slot]) -> (u16, u16);

fn all_by_common(def: &'static FunctionDef, first: usize, slots: &mut [Slot]) -> (u16, u16) {
    convert_by(convert_common, def, first, slots)
}

fn all_by_all(def: &'static FunctionDef, first: usize, slots: &mut [Slot]) -> (u16, u16) {
    convert_by(convert_all, def, first, slots)
}

#[inline(never)]
fn convert_by(
    convert: Convert,
    def: &'static FunctionDef,
    first: usize,
    slots: &mut [Slot],
) -> (u16, u16) {
    let mut bit = 1 << first;
    let (mut absent, mut missing) = (0, 0);
    for (parameter, slot) in def.parameters().iter().zip(slots) {
        // `*args` and `**kwargs`, which have no name, are what they shall be.
        if !parameter.name.is_unused() {
            // SAFETY: before the conversion every slot of a parameter with a name holds a reference.
            let value = unsafe { slot.object };
            if value == MpObj::NULL {
                missing |= bit;
            } else if !convert(Obj(value), parameter.kind, parameter.name, slot) {
                absent |= bit;
            }
        }
        bit <<= 1;
    }
    (absent, missing)
}

/// The address of a table as a function object carries it.
pub(crate) fn as_children(def: &'static FunctionDef) -> *const *mut c_void {
    (&raw const *def).cast()
}
