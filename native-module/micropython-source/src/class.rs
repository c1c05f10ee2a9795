//! Decides what a class is made of: `#[class]` on a struct gives its name and its base, `#[class]` on an impl its
//! members.

use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Ident, ImplItem, ItemImpl, ItemStruct, LitStr, Token, Type};

use crate::attributes;
use crate::function::{Function, Receiver, Role};

/// `#[class(base = "io.IOBase")]`: a class that Python knows, a builtin, a global of the module or `module.Name`.
#[derive(Clone)]
pub struct Base {
    pub text: LitStr,
}

impl Base {
    /// The module to import, if any, and the name in it.
    pub fn parts(&self) -> (Option<String>, String) {
        let text = self.text.value();
        match text.rsplit_once('.') {
            Some((module, name)) => (Some(module.to_owned()), name.to_owned()),
            None => (None, text),
        }
    }
}

/// The arguments of `#[class]` on a struct.
#[derive(Clone, Default)]
pub struct Arguments {
    pub name: Option<LitStr>,
    pub base: Option<Base>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> syn::Result<Arguments> {
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let known = key == "name" || key == "base";
            if !known {
                return Err(syn::Error::new(
                    key.span(),
                    "#[class] knows `name = \"...\"` and `base = \"...\"`",
                ));
            }
            input.parse::<Token![=]>()?;
            let text: LitStr = input.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    format!("Python's name stands in quotes: `{key} = \"...\"`"),
                )
            })?;
            let well_formed = text.value().split('.').all(|part| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_alphanumeric() || c == '_')
                    && !part.starts_with(|c: char| c.is_ascii_digit())
            });
            if !well_formed || key == "name" && text.value().contains('.') {
                return Err(syn::Error::new(
                    text.span(),
                    "this is no name that Python could use",
                ));
            }
            if key == "name" {
                arguments.name = Some(text);
            } else {
                if text.value().matches('.').count() > 1 {
                    return Err(syn::Error::new(
                        text.span(),
                        "a base is `Name` or `module.Name`",
                    ));
                }
                arguments.base = Some(Base { text });
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

/// A struct that is a class.
#[derive(Clone)]
pub struct Class {
    pub ident: Ident,
    pub arguments: Arguments,
    pub docs: Vec<String>,
}

impl Class {
    /// Reads the struct.
    pub fn read(arguments: Arguments, item: &ItemStruct) -> syn::Result<Class> {
        if !item.generics.params.is_empty() {
            return Err(syn::Error::new(
                item.generics.span(),
                "Python sees one class, so the struct cannot be generic: name the types",
            ));
        }
        Ok(Class {
            ident: item.ident.clone(),
            arguments,
            docs: attributes::docs(&item.attrs),
        })
    }

    /// What Python calls it.
    pub fn python_name(&self) -> String {
        self.arguments
            .name
            .as_ref()
            .map_or_else(|| self.ident.to_string(), LitStr::value)
    }
}

/// A constant of a class or of a module: `#[constant] const UNIT: &str = "pulses";`.
#[derive(Clone)]
pub struct Constant {
    pub ident: Ident,
    pub ty: Type,
    pub docs: Vec<String>,
}

/// An impl whose functions are a class's members.
#[derive(Clone)]
pub struct Methods {
    pub class: Ident,
    pub functions: Vec<Function>,
    pub constants: Vec<Constant>,
}

impl Methods {
    /// Reads the impl and takes the helper attributes off its items. A function under `#[skip]` and one without any
    /// attribute but private to Rust stay Rust's own only under `#[skip]`.
    pub fn read(item: &mut ItemImpl) -> syn::Result<Methods> {
        if let Some((_, path, _)) = &item.trait_ {
            return Err(syn::Error::new_spanned(
                path,
                "#[class] stands on the impl of the struct itself, not of a trait",
            ));
        }
        let class = match &*item.self_ty {
            Type::Path(path) if path.qself.is_none() && path.path.get_ident().is_some() => {
                path.path.segments[0].ident.clone()
            }
            other => {
                return Err(syn::Error::new_spanned(
                    other,
                    "name the struct here as it is declared, in the same module",
                ));
            }
        };
        let mut methods = Methods {
            class,
            functions: Vec::new(),
            constants: Vec::new(),
        };
        for item in &mut item.items {
            match item {
                ImplItem::Fn(function) => {
                    if attributes::take_word(&mut function.attrs, "skip")?.is_some() {
                        continue;
                    }
                    methods.functions.push(Function::read(
                        &function.sig,
                        &mut function.attrs,
                        true,
                    )?);
                }
                ImplItem::Const(constant) => {
                    if attributes::take_word(&mut constant.attrs, "skip")?.is_some() {
                        continue;
                    }
                    methods.constants.push(Constant {
                        ident: constant.ident.clone(),
                        ty: constant.ty.clone(),
                        docs: attributes::docs(&constant.attrs),
                    });
                }
                _ => {}
            }
        }
        methods.check()?;
        Ok(methods)
    }

    /// The function of a role that a class has once.
    pub fn only(&self, role: Role) -> Option<&Function> {
        self.functions.iter().find(|f| f.role == role)
    }

    fn check(&self) -> syn::Result<()> {
        for role in [
            Role::New,
            Role::Buffer,
            Role::StreamRead,
            Role::StreamWrite,
            Role::StreamIoctl,
        ] {
            if let Some(second) = self.functions.iter().filter(|f| f.role == role).nth(1) {
                return Err(syn::Error::new(
                    second.ident.span(),
                    "a class has one function of this kind: remove this one",
                ));
            }
        }
        for (i, function) in self.functions.iter().enumerate() {
            if !function.role.is_named() {
                let state = matches!(function.receiver, Receiver::Shared | Receiver::Exclusive);
                if state && self.only(Role::New).is_none() {
                    return Err(needs_new(function));
                }
                continue;
            }
            let name = function.python_name();
            if matches!(function.receiver, Receiver::Shared | Receiver::Exclusive)
                && self.only(Role::New).is_none()
            {
                return Err(needs_new(function));
            }
            if name == "__init__" && self.only(Role::New).is_some() {
                return Err(syn::Error::new(
                    function.name_span(),
                    "a class with #[new] has its `__init__` from it: remove one of them",
                ));
            }
            let twin = |other: &&Function| {
                other.role.is_named()
                    && other.python_name() == name
                    && !matches!(
                        (other.role, function.role),
                        (Role::Getter, Role::Setter) | (Role::Setter, Role::Getter)
                    )
            };
            if self.functions[..i].iter().find(twin).is_some() {
                return Err(syn::Error::new(
                    function.name_span(),
                    format!(
                        "the class has `{name}` already: write #[name = \"...\"] above one of them"
                    ),
                ));
            }
            if function.role == Role::Setter
                && !self
                    .functions
                    .iter()
                    .any(|f| f.role == Role::Getter && f.python_name() == name)
            {
                return Err(syn::Error::new(
                    function.name_span(),
                    format!("a property can be read: add a #[getter] `{name}`"),
                ));
            }
        }
        Ok(())
    }
}

fn needs_new(function: &Function) -> syn::Error {
    syn::Error::new(
        function.ident.span(),
        "`self` is the Rust state of an instance, and nothing makes one: add a #[new] function, or take `this: Obj`",
    )
}
