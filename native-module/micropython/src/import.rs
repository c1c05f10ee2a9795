//! Modules: importing others, and what this one is while it is imported.

use core::cell::UnsafeCell;

use micropython_sys::{ModuleContext, MpObj, ObjDict, ObjFunBc};

use crate::define::{FunctionDef, dispatch};
use crate::instance::ClassDef;
use crate::table::table;
use crate::{NativeFunction, Obj, Qstr, Result};

/// The context of this module, from its import on.
struct Context(UnsafeCell<*const ModuleContext>);

// SAFETY: set once, by the import, before any function of the module can run.
unsafe impl Sync for Context {}

// Through the table of addresses: the linker would have to make a detour of each access.
#[cfg_attr(target_arch = "riscv32", unsafe(export_name = "micropython.CONTEXT"))]
static CONTEXT: Context = Context(UnsafeCell::new(core::ptr::null()));

/// The module that is being imported.
pub struct Module {
    context: *const ModuleContext,
}

impl Module {
    /// Begins the import. `entry` is the function object that the loader called.
    ///
    /// # Safety
    /// `entry` must be the loader's own.
    unsafe fn begin(entry: *const ObjFunBc) -> Self {
        // SAFETY: the loader's function object carries the context of the new module.
        let context = unsafe { (*entry).context };
        // SAFETY: nothing else of the module runs yet.
        unsafe { *CONTEXT.0.get() = context };
        Module { context }
    }

    /// The function object of a table. May raise MemoryError.
    pub(crate) fn define(&self, def: &'static FunctionDef) -> Obj {
        self.define_with(dispatch, def)
    }

    /// The function object of a table, with an entry that knows it. May raise MemoryError.
    pub(crate) fn define_with(&self, entry: NativeFunction, def: &'static FunctionDef) -> Obj {
        crate::function::from_table(entry, def, self.context)
    }

    /// Sets a global of the module. May raise MemoryError.
    pub fn set(&self, name: Qstr, value: Obj) {
        // SAFETY: the context is the module's own.
        let globals = unsafe { (*self.context).module.globals };
        store(MpObj(globals.cast()), name, value);
    }

    /// A global of the module or a builtin. Raises NameError.
    pub fn get(&self, name: Qstr) -> Obj {
        global(name)
    }
}

/// What the loader calls: fills the module. `fill` is the code that `#[module]` makes.
///
/// # Safety
/// `entry` must be the loader's own.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn import_module(entry: *const ObjFunBc, fill: fn(&Module) -> Result<()>) -> MpObj {
    // SAFETY: as the caller promises.
    let module = unsafe { Module::begin(entry) };
    match fill(&module) {
        Ok(()) => Obj::none().0,
        Err(error) => error.raise(),
    }
}

/// Sets an entry of a dict by its name. May raise MemoryError.
#[inline(never)]
pub(crate) fn store(dict: MpObj, name: Qstr, value: Obj) {
    // SAFETY: the callers have a dict. EXCEPTION: MemoryError.
    unsafe { (table().dict_store)(dict, Obj::from_qstr(name).0, value.0) };
}

/// What `#[module]` writes down of a module.
pub struct ModuleDef {
    pub functions: &'static [FunctionDef],
    pub classes: &'static [&'static ClassDef],
}

impl ModuleDef {
    /// Fills the module. Raises what making a class raises.
    pub fn fill(&'static self, module: &Module) {
        for function in self.functions {
            module.set(function.name, module.define(function));
        }
        for class in self.classes {
            class.make(module);
        }
    }
}

/// What `#[init]` can end with: nothing, or a [`Result`].
#[diagnostic::on_unimplemented(
    message = "`#[init]` cannot return `{Self}`",
    label = "write `Result<()>`, or nothing"
)]
pub trait InitReturn {
    #[doc(hidden)]
    fn end_init(self) -> Result<()>;
}

impl InitReturn for () {
    fn end_init(self) -> Result<()> {
        Ok(())
    }
}

impl InitReturn for Result<()> {
    fn end_init(self) -> Result<()> {
        self
    }
}

/// A global of this module, else a builtin. Raises NameError.
pub(crate) fn global(name: Qstr) -> Obj {
    enter_module(|| {
        // SAFETY: the number is an interned string's. EXCEPTION: NameError.
        Obj(unsafe { (table().load_global)(name.number()) })
    })
}

impl Obj {
    /// A global of this module, else a builtin. Raises NameError.
    pub fn global(name: Qstr) -> Obj {
        global(name)
    }
}

/// Runs `f` with this module's globals as the current ones.
///
/// If `f` raises, the former globals stay exchanged until the interpreter unwinds to a Python function,
/// which restores its own.
pub fn enter_module<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the import set the context before any of the module's code could run.
    let globals = unsafe { (*(*CONTEXT.0.get())).module.globals };
    // SAFETY: the module's own globals. EXCEPTION: none.
    let former = unsafe { (table().swap_globals)(globals) };
    let result = f();
    // SAFETY: what the first call returned; NULL changes nothing. EXCEPTION: none.
    unsafe { (table().swap_globals)(former) };
    result
}

/// The globals that are current now, to be restored after an exception was caught.
pub(crate) fn current_globals() -> *mut ObjDict {
    // SAFETY: the import set the context before any of the module's code could run.
    let own = unsafe { (*(*CONTEXT.0.get())).module.globals };
    // SAFETY: the module's own globals. EXCEPTION: none.
    let former = unsafe { (table().swap_globals)(own) };
    // NULL says that they were the module's own already; then nothing was exchanged.
    if former.is_null() {
        return own;
    }
    restore_globals(former);
    former
}

/// Makes these globals the current ones again.
pub(crate) fn restore_globals(globals: *mut ObjDict) {
    // SAFETY: they were current before. EXCEPTION: none.
    unsafe { (table().swap_globals)(globals) };
}

/// `import name`. Raises ImportError, or what the module raises.
#[inline(never)]
pub fn import(name: Qstr) -> Obj {
    // SAFETY: None and 0 are the arguments of a plain, absolute import.
    // EXCEPTION: ImportError, or what the imported module raises.
    Obj(unsafe { (table().import_name)(name.number(), Obj::none().0, Obj::small(0).0) })
}

const _: () = assert!(size_of::<MpObj>() == size_of::<usize>());
