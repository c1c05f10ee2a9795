//! Python classes made by calling `type(name, bases, dict)`, with native functions as methods.
//!
//! Such a class behaves in every way like one written in Python: it can be subclassed, its methods can be
//! overridden and reached by `super()`, and its instances take any attribute.

use crate::define::{FunctionDef, Role};
use crate::table::table;
use crate::{Module, Obj, Qstr};
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
        let members = Obj::new_dict();
        Class {
            module,
            name,
            bases: Obj::from_items(bases),
            members,
        }
    }

    /// Adds a class attribute. May raise MemoryError.
    pub fn attribute(&self, name: Qstr, value: Obj) {
        crate::import::store(self.members.0, name, value);
    }

    /// The finished class. Raises TypeError if a base cannot be subclassed.
    pub fn finish(self) -> Obj {
        let type_ = Obj(MpObj(table().type_type.cast_mut().cast()));
        type_.call(&[Obj::from_qstr(self.name), self.bases, self.members])
    }
}

/// Adds properties, static and class methods; a setter stands behind its getter. May raise MemoryError.
#[doc(hidden)]
pub fn add_special(class: &Class, functions: &'static [FunctionDef]) {
    let mut functions = functions.iter();
    while let Some(function) = functions.next() {
        let mut arguments = [class.module.define(function), Obj::none()];
        let (wrapper, count) = match function.role {
            Role::Static => (qstr!("staticmethod"), 1),
            Role::Class => (qstr!("classmethod"), 1),
            _ => {
                if let Some(next) = functions.as_slice().first()
                    && next.role == Role::Setter
                {
                    arguments[1] = class.module.define(next);
                    functions.next();
                }
                (qstr!("property"), 2)
            }
        };
        let arguments = arguments.get(..count).unwrap_or(&[]);
        class.attribute(function.name, Obj::global(wrapper).call(arguments));
    }
}
