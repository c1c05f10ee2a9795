//! Instances of classes with Rust state, and how that state is lent.
//!
//! A class is made by calling `type(name, bases, dict)` (see `class.rs`), so it behaves like one written in
//! Python. The Rust state of an instance is an object of its own on the collected heap, a *cell*, of a native type
//! that is made at import and belongs to the class. There are two ways from the instance to its cell:
//!
//! * As a rule the instance has it as its attribute `_state`. So a class may have any base.
//! * MicroPython looks for a buffer and for the stream functions in native types only. A class with such a protocol
//!   has the cell's type as its base; the interpreter keeps the cell inside the instance, and the cell's type answers
//!   `_state` with the cell. An instance has room for one native part, so such a class has no other base.
//!
//! Either way `_state` finds it, and its type says whether it is the right one: whatever Python code does to the
//! attribute, Rust sees a state of the right class or raises.
//!
//! # Borrowing
//!
//! A cell counts its borrowers: any number of shared ones or one exclusive. A method with `&mut self` that reaches
//! the same instance again through a Python callback finds it borrowed, and RuntimeError is raised. The count goes
//! back down whether the method returns or something is raised in it, since the call is a protected one
//! ([`crate::catch()`]).

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;

use micropython_sys::stream::MP_STREAM_ERROR;
use micropython_sys::types::MP_TYPE_FLAG_NONE;
use micropython_sys::{BufferInfo, MpObj, ObjFunBc, ObjType, StreamP};

use crate::catch::protected_call;
use crate::class::Class;
use crate::convert::raise_type;
use crate::define::{self, Ended, FunctionDef};
use crate::slot::{Argument, Frame, Marker, kind};
use crate::table::table;
use crate::{
    Block, Buffer, Errno, Error, IntoObj, Module, NativeFunction, Obj, Qstr, Result, alloc,
};

/// A class: what `#[class]` writes down of it.
pub struct ClassDef {
    pub name: Qstr,
    /// Module and name of the base; unused ones for `object`, an unused module for a builtin or a global.
    pub base: [Qstr; 2],
    pub members: Members,
    /// A static; not a reference, since a constant may not refer to what changes.
    pub state: *const ClassState,
}

// SAFETY: constant after linking; the state sees to itself.
unsafe impl Sync for ClassDef {}

/// The members of a class.
#[derive(Clone, Copy)]
pub struct Members {
    pub methods: &'static [FunctionDef],
    /// Properties, static and class methods, and what adds them.
    pub special: Option<(AddSpecial, &'static [FunctionDef])>,
    pub constants: Option<fn(&Class)>,
    /// `None` for a class without state.
    pub new: Option<&'static NewDef>,
    pub protocol: Option<&'static Protocol>,
}

/// Adds members that are no plain methods.
pub type AddSpecial = fn(&Class, &'static [FunctionDef]);

/// How instances get their state. What a class without state does not need is reached through here only, so that it
/// is not part of a module without such classes.
#[repr(C)]
pub struct NewDef {
    /// First, so that a pointer to this is one to the constructor's table.
    pub function: FunctionDef,
    pub class: *const ClassState,
    /// [`dispatch_new`].
    pub entry: NativeFunction,
    /// [`plain_cells`] or [`native_cells`].
    pub cells: fn(&'static ClassDef) -> Obj,
}

// SAFETY: constant after linking.
unsafe impl Sync for NewDef {}

/// The members of a struct whose impl has none: an impl's own constant of this name goes before.
pub trait NoMembers {
    #[doc(hidden)]
    const __MEMBERS: Members = Members {
        methods: &[],
        special: None,
        constants: None,
        new: None,
        protocol: None,
    };
}

impl<T> NoMembers for T {}

/// A type that is not `Unpin`; see what `#[class]` says about it.
pub struct Pinned<'a>(PhantomData<&'a ()>, core::marker::PhantomPinned);

/// What the interpreter asks of an instance's state.
pub struct Protocol {
    pub buffer: Option<unsafe fn(*const c_void) -> Block>,
    pub read: Option<Transfer>,
    pub write: Option<Transfer>,
    pub ioctl: Option<unsafe fn(*mut c_void, usize, usize) -> Transferred>,
}

/// How many bytes, or the error number.
pub type Transferred = core::result::Result<usize, Errno>;

/// Reads to or writes from the memory, and says how many bytes.
pub type Transfer = unsafe fn(*mut c_void, Buffer) -> Transferred;

/// What the import finds out about a class. In `.bss`.
pub struct ClassState {
    /// The type of the cells; NULL until the import made it.
    cells: UnsafeCell<*const CellType>,
    class: UnsafeCell<MpObj>,
}

// SAFETY: written by the import, in one thread, before any function of the class can run.
unsafe impl Sync for ClassState {}

impl ClassState {
    #[allow(
        clippy::new_without_default,
        reason = "a static needs a const function"
    )]
    pub const fn new() -> Self {
        ClassState {
            cells: UnsafeCell::new(core::ptr::null()),
            class: UnsafeCell::new(MpObj::NULL),
        }
    }

    fn cells(&self) -> *const CellType {
        // SAFETY: see the type.
        unsafe { *self.cells.get() }
    }

    /// The class itself. Panics before the module is imported.
    pub fn class(&self) -> Obj {
        // SAFETY: see the type.
        let class = unsafe { *self.class.get() };
        assert!(class != MpObj::NULL, "the class is not made yet");
        Obj(class)
    }
}

/// The native type of a class's cells, on the collected heap.
#[repr(C)]
struct CellType {
    type_: ObjType,
    /// Attribute, constructor, buffer, protocol, locals; what a class without protocol does not use is not there.
    slots: [*const c_void; 5],
    class: &'static ClassDef,
}

/// A cell's head. The state follows, aligned to two words.
#[repr(C)]
struct Head {
    type_: *const CellType,
    /// -1 exclusively borrowed, else the number of shared borrows.
    borrows: Cell<isize>,
}

impl Head {
    /// The cell of an object, or the object itself if it is one. The error is a TypeError.
    #[inline(never)]
    fn of(object: Obj, class: &ClassState) -> Result<*mut Head> {
        let type_ = class.cells().cast();
        let mut cell = object;
        if cell.raw_type() != type_ {
            cell = match object.method_maybe(qstr!("_state")) {
                Some(state) => state.function(),
                None => object,
            };
        }
        if type_.is_null() || cell.raw_type() != type_ {
            return Err(error!(
                "TypeError",
                "not an initialised instance of the class"
            ));
        }
        Ok(cell.0.0.cast())
    }

    /// The state behind the head.
    fn state(this: *mut Head) -> *mut u8 {
        // SAFETY: the cell is one block, the state follows the head.
        unsafe { this.add(1).cast() }
    }

    /// Borrows. The error is a RuntimeError.
    unsafe fn borrow(this: *mut Head, exclusive: bool) -> Result<()> {
        // SAFETY: the caller has a cell; its head is never borrowed mutably.
        let borrows = unsafe { &(*this).borrows };
        let count = borrows.get();
        if count < 0 || exclusive && count > 0 {
            return Err(error!(
                "RuntimeError",
                "the object is in use by a method of its own"
            ));
        }
        borrows.set(if exclusive { -1 } else { count + 1 });
        Ok(())
    }

    /// Gives back what [`Head::borrow`] gave.
    unsafe fn release(this: *mut Head) {
        // SAFETY: as for `borrow`.
        let borrows = unsafe { &(*this).borrows };
        borrows.set((borrows.get() - 1).max(0));
    }
}

/// True if the object is a cell of the class.
pub(crate) fn is_state(object: Obj, class: &ClassState) -> bool {
    object.raw_type() == class.cells().cast()
}

/// Runs a method's body with the receiver's state lent to it. The error is what the body raises or returns, a TypeError or
/// a RuntimeError.
///
/// # Safety
/// The frame's first slot is the receiver. The body takes the state as one of the class, exclusively if that is said,
/// and does not keep it.
#[doc(hidden)]
#[inline(never)]
pub unsafe fn lend(
    frame: &Frame,
    class: *const ClassState,
    exclusive: bool,
    body: unsafe fn(&Frame, *mut c_void) -> Ended,
) -> Ended {
    struct Work<'f> {
        body: unsafe fn(&Frame, *mut c_void) -> Ended,
        frame: &'f Frame,
        state: *mut c_void,
        ended: Ended,
    }
    unsafe extern "C" fn run(work: *mut c_void) {
        // SAFETY: `with_state` hands over what it was given.
        let work = unsafe { &mut *work.cast::<Work<'_>>() };
        // SAFETY: as the caller of `lend` promises.
        work.ended = unsafe { (work.body)(work.frame, work.state) };
    }
    // SAFETY: as the caller promises.
    let (this, class) = unsafe { (Obj(frame.slot(0).object), &*class) };
    let head = Head::of(this, class)?;
    let mut work = Work {
        body,
        frame,
        state: Head::state(head).cast(),
        ended: Ok(MpObj::NULL),
    };
    // SAFETY: `run` gets the work that it is made for.
    unsafe { with_state(head, exclusive, run, (&raw mut work).cast())? };
    work.ended
}

/// What the interpreter calls for the `__init__` of a class with state.
///
/// # Safety
/// Only for the interpreter, with a function object that carries a [`NewDef`].
#[doc(hidden)]
pub unsafe extern "C" fn dispatch_new(
    function: *const ObjFunBc,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
) -> MpObj {
    // SAFETY: the interpreter's own arguments; see `Module::define` for the table.
    unsafe {
        let def = &*(*function).child_table.cast::<NewDef>();
        match n_pos {
            0 => define::NO_OBJECT.raise(),
            _ => define::finish(make_state(def, *values, n_pos - 1, n_kw, values.add(1))),
        }
    }
}

/// Makes the state of `this`; where that is NULL, returns the new cell.
unsafe fn make_state(
    def: &'static NewDef,
    this: MpObj,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
) -> Ended {
    // SAFETY: as the callers promise.
    unsafe {
        if n_pos == 1 && is_state(Obj(*values), &*def.class) {
            // From Rust: the state exists already.
            return Ok(settle(this, Obj(*values)).0);
        }
        define::call(&def.function, this, n_pos, n_kw, values)
    }
}

/// Calls `run(work)` with the cell borrowed.
unsafe fn with_state(
    head: *mut Head,
    exclusive: bool,
    run: unsafe extern "C" fn(*mut c_void),
    work: *mut c_void,
) -> Result<()> {
    // SAFETY: as the callers promise.
    unsafe {
        Head::borrow(head, exclusive)?;
        let outcome = protected_call(run, work);
        // `head` is alive here, so the collector has seen the cell, even if the object has another one by now.
        Head::release(head);
        outcome.map_err(Error::instance)
    }
}

/// Allocates a cell for a state of `size` bytes. Raises MemoryError.
#[inline(never)]
pub(crate) fn new_cell(class: &ClassState, size: usize) -> *mut u8 {
    let Some(block) = alloc(size_of::<Head>() + size) else {
        Error::NO_MEMORY.raise();
    };
    let head = block.cast::<Head>();
    // SAFETY: the block is new and large enough; blocks are aligned to four words.
    unsafe {
        head.write(Head {
            type_: class.cells(),
            borrows: Cell::new(0),
        });
    }
    Head::state(head)
}

/// Gives an instance its cell; NULL instead of an instance asks for the cell itself. Returns what the constructor
/// returns.
#[inline(never)]
pub(crate) fn settle(this: MpObj, cell: Obj) -> Obj {
    if this == MpObj::NULL {
        return cell;
    }
    Obj(this).set(qstr!("_state"), cell);
    Obj::none()
}

/// A class with Rust state in its instances. `#[class]` implements it.
///
/// # Safety
/// The definition must be that of this type alone, and its functions borrow the state as their bodies do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no class of this module",
    label = "write #[class] above the struct"
)]
pub unsafe trait ClassType: 'static {
    #[doc(hidden)]
    const DEF: &'static ClassDef;
}

/// The end of a constructor: puts the state where it belongs.
#[doc(hidden)]
#[inline]
pub fn construct<T: ClassType>(frame: &Frame, value: T) -> Ended {
    // SAFETY: the slot of a constructor holds the instance, or NULL.
    let this = unsafe { frame.slot(0).object };
    Ok(settle(this, cell_of(value)).0)
}

/// What a constructor may end with: a state, or a [`Result`] with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what #[new] returns",
    label = "write `Self` or `Result<Self>`"
)]
pub trait NewReturn {
    #[doc(hidden)]
    fn end_new(self, frame: &Frame) -> Ended;
}

impl<T: ClassType> NewReturn for T {
    #[inline(always)]
    fn end_new(self, frame: &Frame) -> Ended {
        construct(frame, self)
    }
}

impl<T: ClassType> NewReturn for Result<T> {
    #[inline(always)]
    fn end_new(self, frame: &Frame) -> Ended {
        construct(frame, self?)
    }
}

fn cell_of<T: ClassType>(value: T) -> Obj {
    const {
        assert!(
            !core::mem::needs_drop::<T>(),
            "MicroPython runs no destructor for a native object: the struct must not need Drop"
        );
        assert!(
            align_of::<T>() <= 2 * size_of::<usize>(),
            "the collected heap aligns to two words here"
        );
    }
    let state = new_cell(T::DEF.state(), size_of::<T>());
    // SAFETY: the cell has room for the state, aligned.
    unsafe { state.cast::<T>().write(value) };
    // SAFETY: the state stands behind its head.
    Obj(MpObj(unsafe { state.cast::<Head>().sub(1) }.cast()))
}

/// A new instance of a class around a Rust value. May raise MemoryError.
#[inline]
pub fn instance<T: ClassType>(value: T) -> Obj {
    T::DEF.state().class().call(&[cell_of(value)])
}

/// An instance of a class of this module, or of a subclass of it. Copying it copies the reference.
pub struct This<T> {
    object: Obj,
    class: Marker<T>,
}

impl<T> Clone for This<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for This<T> {}

impl<T: ClassType> This<T> {
    /// Takes an object that is one. The error is a TypeError.
    pub fn new(object: Obj) -> Result<This<T>> {
        Head::of(object, T::DEF.state())?;
        Ok(This {
            object,
            class: PhantomData,
        })
    }

    /// The object.
    pub fn obj(self) -> Obj {
        self.object
    }

    /// Borrows the state for the length of a call. The error is a RuntimeError if it is borrowed exclusively, or what
    /// Python code raised in `f`; the rules of [`crate::catch()`] hold.
    pub fn with<R>(self, mut f: impl FnMut(&T) -> R) -> Result<R> {
        // SAFETY: borrowed as it is used.
        self.borrowed(false, |state| f(unsafe { &*state }))
    }

    /// Borrows the state exclusively for the length of a call. The error is a RuntimeError if it is borrowed, or what
    /// Python code raised in `f`; the rules of [`crate::catch()`] hold.
    pub fn with_mut<R>(self, mut f: impl FnMut(&mut T) -> R) -> Result<R> {
        // SAFETY: borrowed as it is used.
        self.borrowed(true, |state| f(unsafe { &mut *state }))
    }

    fn borrowed<R>(self, exclusive: bool, mut f: impl FnMut(*mut T) -> R) -> Result<R> {
        let head = Head::of(self.object, T::DEF.state())?;
        // SAFETY: the cell is the object's own.
        unsafe { Head::borrow(head, exclusive)? };
        let outcome = crate::catch(|| f(Head::state(head).cast()));
        // SAFETY: borrowed above.
        unsafe { Head::release(head) };
        Ok(outcome?)
    }
}

// SAFETY: the slot holds an object; what it is, is looked at here.
unsafe impl<'a, T: ClassType> Argument<'a> for This<T> {
    const KIND: u8 = kind::OBJECT;

    unsafe fn take(frame: &'a Frame, i: usize) -> Self {
        // SAFETY: as the caller promises.
        match This::new(Obj(unsafe { frame.slot(i).object })) {
            Ok(this) => this,
            Err(error) => error.raise(),
        }
    }
}

impl<T: ClassType> IntoObj for This<T> {
    fn into_obj(self) -> Obj {
        self.object
    }
}

impl ClassDef {
    fn state(&self) -> &'static ClassState {
        // SAFETY: the address of a static.
        unsafe { &*self.state }
    }

    /// Makes the class and puts it among the module's globals. Raises what making a class raises.
    #[inline(never)]
    pub(crate) fn make(&'static self, module: &Module) {
        let cells = self.members.new.map(|new| (new.cells)(self));
        let [from, name] = self.base;
        let base = match cells {
            Some(cells) if self.members.protocol.is_some() => cells,
            _ if from != Qstr::UNUSED => crate::import(from).get(name),
            _ if name != Qstr::UNUSED => Obj::global(name),
            _ => Obj::global(qstr!("object")),
        };
        let class = Class::new(module, self.name, &[base]);
        if let (Some(new), None) = (self.members.new, self.members.protocol) {
            let init = module.define_with(new.entry, &new.function);
            class.attribute(qstr!("__init__"), init);
        }
        for method in self.members.methods {
            class.attribute(method.name, module.define(method));
        }
        if let Some((add, functions)) = self.members.special {
            add(&class, functions);
        }
        if let Some(constants) = self.members.constants {
            constants(&class);
        }
        let class = class.finish();
        // SAFETY: nothing else of the class runs yet.
        unsafe { *self.state().class.get() = class.0 };
        module.set(self.name, class);
    }
}

/// Makes the native type of a class's cells, without a slot. Raises MemoryError.
fn new_cells(class: &'static ClassDef) -> *mut CellType {
    let Some(block) = alloc(size_of::<CellType>()) else {
        Error::NO_MEMORY.raise();
    };
    let type_ = block.cast::<CellType>();
    // SAFETY: the block is new, large enough and aligned; what is not written is zero. Nothing else of the class runs
    // yet.
    unsafe {
        block.write_bytes(0, size_of::<CellType>());
        (&raw mut (*type_).type_.base.type_).write(table().type_type);
        (&raw mut (*type_).type_.flags).write(MP_TYPE_FLAG_NONE);
        (&raw mut (*type_).type_.name).write(class.name.number() as u16);
        (&raw mut (*type_).class).write(class);
        *class.state().cells.get() = type_;
    }
    type_
}

/// The cells of a class without protocol.
#[doc(hidden)]
pub fn plain_cells(class: &'static ClassDef) -> Obj {
    Obj(MpObj(new_cells(class).cast()))
}

/// The cells of a class with a protocol: their type is its base.
#[doc(hidden)]
pub fn native_cells(class: &'static ClassDef) -> Obj {
    let type_ = new_cells(class);
    // SAFETY: the type is new; each index names the slot that is written beside it.
    unsafe {
        let head = &raw mut (*type_).type_;
        let slots = (&raw mut (*type_).slots).cast::<*const c_void>();
        let set = |at: usize, slot: *const c_void| {
            slots.add(at).write(slot);
            at as u8 + 1
        };
        (&raw mut (*head).slot_index_attr).write(set(0, cell_attribute as *const c_void));
        (&raw mut (*head).slot_index_make_new).write(set(1, cell_new as *const c_void));
        if let Some(protocol) = class.members.protocol {
            if protocol.buffer.is_some() {
                (&raw mut (*head).slot_index_buffer).write(set(2, cell_buffer as *const c_void));
            }
            if protocol.read.is_some() || protocol.write.is_some() || protocol.ioctl.is_some() {
                (&raw mut (*head).slot_index_protocol).write(set(3, (&raw const STREAM).cast()));
                let methods = stream_methods(protocol);
                (&raw mut (*head).slot_index_locals_dict).write(set(4, methods.0.0));
            }
        }
    }
    Obj(MpObj(type_.cast()))
}

/// The methods that Python has on a stream, as MicroPython's own stream types have them.
fn stream_methods(protocol: &Protocol) -> Obj {
    let methods = Obj::new_dict();
    let functions = table();
    let add = |name: Qstr, function: *const micropython_sys::ObjFunBuiltinVar| {
        let function = Obj(MpObj(function.cast_mut().cast()));
        methods.set_item(Obj::from_qstr(name), function);
    };
    if protocol.read.is_some() {
        add(qstr!("read"), functions.stream_read_obj);
        add(qstr!("readinto"), functions.stream_readinto_obj);
        add(qstr!("readline"), functions.stream_unbuffered_readline_obj);
    }
    if protocol.write.is_some() {
        add(qstr!("write"), functions.stream_write_obj);
    }
    methods
}

/// `_state` of a cell is the cell; anything else is looked up as usual.
unsafe extern "C" fn cell_attribute(cell: MpObj, name: usize, answer: *mut MpObj) {
    // SAFETY: the interpreter passes two words, the first NULL for a load, and reads them back. A mark in the second
    // asks it to go on looking.
    unsafe {
        if *answer != MpObj::NULL {
            return;
        }
        if name == qstr!("_state").number() {
            *answer = cell;
        } else {
            *answer.add(1) = MpObj::SENTINEL;
        }
    }
}

/// Makes the native part of an instance.
unsafe extern "C" fn cell_new(
    type_: *const ObjType,
    n_pos: usize,
    n_kw: usize,
    values: *const MpObj,
) -> MpObj {
    // SAFETY: the interpreter passes the type whose slot this is.
    let class = unsafe { (*type_.cast::<CellType>()).class };
    match class.members.new {
        // SAFETY: the interpreter's own arguments.
        Some(new) => define::finish(unsafe { make_state(new, MpObj::NULL, n_pos, n_kw, values) }),
        None => raise_type(class.name, c"cannot be made"),
    }
}

/// The class and the state of a stream or buffer object, which is a cell or an instance with one.
unsafe fn protocol_of(object: MpObj) -> Result<(*mut Head, &'static Protocol)> {
    // SAFETY: these functions are in the slots of cell types and of the classes that have them as their base; of
    // the latter `_state` is asked.
    unsafe {
        let mut cell = Obj(object);
        if cell.is_instance_of_python_class() {
            cell = cell.get(qstr!("_state"));
        }
        let type_ = cell.raw_type();
        // What Python code put there has another attribute function.
        if (*type_).slot_index_attr != 1
            || (&raw const (*type_).slots).cast::<*const c_void>().read()
                != cell_attribute as *const c_void
        {
            return Err(error!("TypeError", "_state was changed"));
        }
        let class = (*type_.cast::<CellType>()).class;
        match class.members.protocol {
            Some(protocol) => Ok((cell.0.0.cast(), protocol)),
            None => Err(error!("TypeError", "_state was changed")),
        }
    }
}

/// `mp_buffer_fun_t`: 0 if there is a buffer.
unsafe extern "C" fn cell_buffer(object: MpObj, info: *mut BufferInfo, _flags: usize) -> isize {
    // SAFETY: the interpreter passes the cell and a record to fill.
    unsafe {
        let Ok((head, protocol)) = protocol_of(object) else {
            return 1;
        };
        let (Some(buffer), true) = (protocol.buffer, (*head).borrows.get() >= 0) else {
            return 1;
        };
        let block = buffer(Head::state(head).cast());
        (*info).buf = block.as_ptr().cast();
        (*info).len = block.len();
        (*info).typecode = c_int::from(b'B');
        0
    }
}

static STREAM: StreamP = StreamP {
    read: Some(stream_read),
    write: Some(stream_write),
    ioctl: Some(stream_ioctl),
    is_text: 0,
};

/// What a stream function does; `None` if the class has none.
type Call<'c> = dyn FnMut(&Protocol, *mut c_void) -> Option<Transferred> + 'c;

/// Runs a stream function with the state borrowed exclusively. Raises what it raises.
unsafe fn stream_call(object: MpObj, errno: *mut c_int, call: &mut Call<'_>) -> usize {
    struct Work<'w, 'c> {
        call: &'w mut Call<'c>,
        protocol: &'static Protocol,
        state: *mut c_void,
        answer: Option<Transferred>,
    }
    unsafe extern "C" fn run(work: *mut c_void) {
        // SAFETY: `with_state` hands over what it was given.
        let work = unsafe { &mut *work.cast::<Work<'_, '_>>() };
        work.answer = (work.call)(work.protocol, work.state);
    }
    // SAFETY: the interpreter passes an object of the type and a place for the error number.
    let answer = unsafe { protocol_of(object) }.and_then(|(head, protocol)| {
        let mut work = Work {
            call,
            protocol,
            state: Head::state(head).cast(),
            answer: None,
        };
        // SAFETY: `run` gets the work that it is made for.
        unsafe { with_state(head, true, run, (&raw mut work).cast()) }.map(|()| work.answer)
    });
    let error = match answer {
        Ok(Some(Ok(n))) => return n,
        Ok(Some(Err(error))) => error,
        Ok(None) => Errno::INVALID,
        Err(error) => error.raise(),
    };
    // SAFETY: as above.
    unsafe { *errno = error.0 };
    MP_STREAM_ERROR
}

unsafe extern "C" fn stream_read(
    object: MpObj,
    into: *mut c_void,
    size: usize,
    errno: *mut c_int,
) -> usize {
    let memory = Buffer::new_at(into.cast(), size);
    // SAFETY: the interpreter's own arguments.
    unsafe { stream_call(object, errno, &mut |p, state| Some(p.read?(state, memory))) }
}

unsafe extern "C" fn stream_write(
    object: MpObj,
    from: *const c_void,
    size: usize,
    errno: *mut c_int,
) -> usize {
    let memory = Buffer::new_at(from.cast_mut().cast(), size);
    // SAFETY: the interpreter's own arguments.
    unsafe { stream_call(object, errno, &mut |p, state| Some(p.write?(state, memory))) }
}

unsafe extern "C" fn stream_ioctl(
    object: MpObj,
    request: usize,
    argument: usize,
    errno: *mut c_int,
) -> usize {
    // SAFETY: the interpreter's own arguments.
    unsafe {
        stream_call(object, errno, &mut |p, state| {
            Some(p.ioctl?(state, request, argument))
        })
    }
}
