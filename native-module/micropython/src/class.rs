//! Python classes made by calling `type(name, bases, dict)`, with native functions as methods.
//!
//! Such a class behaves in every way like one written in Python: it can be subclassed, its methods can be
//! overridden and reached by `super()`, and its instances take any attribute.

use crate::define::{FunctionDef, Role};
use crate::table::table;
use crate::{Function, Module, Obj, Qstr};
use micropython_sys::MpObj;

/// A class in the making.
pub struct Class<'m> {
    module: &'m Module,
    name: Qstr,
    bases: Obj,
    members: Obj,
}

impl<'m> Class<'m> {
    /// Begins a class of `module`. May raise MemoryError.
    pub fn new(module: &'m Module, name: Qstr, bases: &[Obj]) -> Self {
        // SAFETY: any size is fine. EXCEPTION: MemoryError.
        let members = Obj(unsafe { (table().new_dict)(0) });
        Class {
            module,
            name,
            bases: Obj::from_items(bases),
            members,
        }
    }

    /// Adds a method and returns its function object. May raise MemoryError.
    pub fn method(&self, name: Qstr, function: Function) -> Obj {
        let function = self.module.function(function);
        self.attribute(name, function);
        function
    }

    /// Adds a member as its role says. `next` is the one behind it: a getter's setter. May raise MemoryError.
    pub(crate) fn add(&self, function: &'static FunctionDef, next: Option<&'static FunctionDef>) {
        let object = self.module.define(function);
        let wrapped = match function.role {
            Role::Method => object,
            // It was taken together with its getter.
            Role::Setter => return,
            Role::Static => Obj::global(qstr!("staticmethod")).call(&[object]),
            Role::Class => Obj::global(qstr!("classmethod")).call(&[object]),
            Role::Getter => {
                let setter = match next {
                    Some(next) if next.role == Role::Setter && next.name == function.name => {
                        self.module.define(next)
                    }
                    _ => Obj::none(),
                };
                Obj::global(qstr!("property")).call(&[object, setter])
            }
        };
        self.attribute(function.name, wrapped);
    }

    /// Adds a class attribute. May raise MemoryError.
    pub fn attribute(&self, name: Qstr, value: Obj) {
        // SAFETY: `members` is a dict. EXCEPTION: MemoryError.
        unsafe { (table().dict_store)(self.members.0, Obj::from_qstr(name).0, value.0) };
    }

    /// The finished class. Raises TypeError if a base cannot be subclassed.
    pub fn finish(self) -> Obj {
        let type_ = Obj(MpObj(table().type_type.cast_mut().cast()));
        type_.call(&[Obj::from_qstr(self.name), self.bases, self.members])
    }
}
