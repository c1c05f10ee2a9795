//! Decides what a Rust function is to Python: its name, its parameters and how each may be passed, what it is called
//! on, and which role it plays in a class.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, FnArg, Ident, LitStr, Pat, ReturnType, Type};

use crate::attributes;
use crate::signature::{Entry, Signature};

/// The most parameters of one function, the receiver included (`MAX_PARAMETERS` of the safe layer).
pub const MAX_PARAMETERS: usize = 16;

/// How a parameter is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By position only: it stands before `/`.
    Position,
    /// Either way.
    Any,
    /// By keyword only: it stands behind `*` or `*args`.
    Keyword,
    /// `*args`.
    Args,
    /// `**kwargs`.
    Kwargs,
}

/// One parameter, the receiver not among them.
#[derive(Clone)]
pub struct Parameter {
    pub ident: Ident,
    pub ty: Type,
    pub place: Place,
    pub default: Option<Expr>,
    /// The stub's type, where the source gives one.
    pub annotation: Option<String>,
}

/// What a method is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// Nothing: a function or a static method.
    None,
    /// The object, or for a class method the class, as the first parameter of this Rust function.
    Object,
    /// `&self`.
    Shared,
    /// `&mut self`.
    Exclusive,
}

/// Which role a function plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A function of the module.
    Function,
    /// A method of a class.
    Method,
    /// `#[new]`: makes the Rust state of an instance.
    New,
    /// `#[getter]`.
    Getter,
    /// `#[setter]`.
    Setter,
    /// `#[staticmethod]`.
    Static,
    /// `#[classmethod]`.
    Class,
    /// `#[buffer]`: the bytes that Python sees in an instance.
    Buffer,
    /// `#[stream_read]`, `#[stream_write]`, `#[stream_ioctl]`.
    StreamRead,
    StreamWrite,
    StreamIoctl,
}

impl Role {
    /// The helper attributes and what they say.
    const ATTRIBUTES: [(&'static str, Role); 9] = [
        ("new", Role::New),
        ("getter", Role::Getter),
        ("setter", Role::Setter),
        ("staticmethod", Role::Static),
        ("classmethod", Role::Class),
        ("buffer", Role::Buffer),
        ("stream_read", Role::StreamRead),
        ("stream_write", Role::StreamWrite),
        ("stream_ioctl", Role::StreamIoctl),
    ];

    /// True for what Python reaches by a name, in the class or the module.
    pub fn is_named(self) -> bool {
        self != Role::New && !self.is_protocol()
    }

    /// True for what the interpreter asks of the state.
    pub fn is_protocol(self) -> bool {
        matches!(
            self,
            Role::Buffer | Role::StreamRead | Role::StreamWrite | Role::StreamIoctl
        )
    }
}

/// A function that Python can call.
#[derive(Clone)]
pub struct Function {
    pub ident: Ident,
    pub role: Role,
    pub receiver: Receiver,
    /// The receiver's Rust parameter where it is [`Receiver::Object`].
    pub receiver_type: Option<Type>,
    pub parameters: Vec<Parameter>,
    pub output: ReturnType,
    /// The stub's return type, where the source gives one.
    pub returns: Option<String>,
    pub docs: Vec<String>,
    name: Option<LitStr>,
}

impl Function {
    /// What Python calls it.
    pub fn python_name(&self) -> String {
        let ident = self.ident.to_string();
        let ident = ident.strip_prefix("r#").unwrap_or(&ident);
        match (&self.name, self.role) {
            (Some(name), _) => name.value(),
            (None, Role::Setter) => ident.strip_prefix("set_").unwrap_or(ident).to_owned(),
            (None, Role::New) => "__init__".to_owned(),
            (None, _) => ident.to_owned(),
        }
    }

    /// Where its name stands in the source.
    pub fn name_span(&self) -> Span {
        self.name
            .as_ref()
            .map_or_else(|| self.ident.span(), LitStr::span)
    }

    /// How many parameters may be passed by position.
    pub fn positional(&self) -> usize {
        self.parameters
            .iter()
            .filter(|p| matches!(p.place, Place::Position | Place::Any))
            .count()
    }

    /// Reads a function and takes the helper attributes off it.
    pub fn read(
        signature: &syn::Signature,
        attributes: &mut Vec<Attribute>,
        in_class: bool,
    ) -> syn::Result<Function> {
        refuse_what_python_cannot_call(signature)?;
        let mut role = if in_class {
            Role::Method
        } else {
            Role::Function
        };
        let mut said: Option<Attribute> = None;
        for (word, meaning) in Role::ATTRIBUTES {
            let Some(attribute) = attributes::take_word(attributes, word)? else {
                continue;
            };
            if !in_class {
                return Err(syn::Error::new_spanned(
                    attribute,
                    format!("#[{word}] is for methods: move this function into a #[class] impl"),
                ));
            }
            if said.is_some() {
                return Err(syn::Error::new_spanned(
                    attribute,
                    "a function plays one role: remove this attribute or the one above it",
                ));
            }
            role = meaning;
            said = Some(attribute);
        }
        let name = attributes::take_text(attributes, "name")?;
        if let (Some(name), false) = (&name, role.is_named()) {
            return Err(syn::Error::new_spanned(
                name,
                "Python does not reach this function by a name: remove #[name]",
            ));
        }
        let written = attributes::take(attributes, "signature")?
            .map(|attribute| Signature::read(&attribute))
            .transpose()?;
        let (receiver, receiver_type, inputs) = receiver(signature, role)?;
        let mut parameters = inputs
            .into_iter()
            .map(parameter)
            .collect::<syn::Result<Vec<_>>>()?;
        let mut returns = None;
        if let Some(written) = written {
            returns = written.returns.as_ref().map(LitStr::value);
            parameters = arrange(written, parameters, signature)?;
        }
        let function = Function {
            ident: signature.ident.clone(),
            role,
            receiver,
            receiver_type,
            parameters,
            output: signature.output.clone(),
            returns,
            docs: attributes::docs(attributes),
            name,
        };
        function.check(signature)?;
        Ok(function)
    }

    /// What a role demands beyond its receiver.
    fn check(&self, signature: &syn::Signature) -> syn::Result<()> {
        let given = self.parameters.len();
        let wants = |count: usize, what: &str| {
            if given == count {
                Ok(())
            } else {
                Err(syn::Error::new(
                    signature.paren_token.span.join(),
                    format!("{what}; it has {given}"),
                ))
            }
        };
        match self.role {
            Role::Getter => wants(0, "a #[getter] has no parameter but its receiver")?,
            Role::Setter => {
                wants(
                    1,
                    "a #[setter] has one parameter behind its receiver: the value",
                )?;
                let name = self.ident.to_string();
                if self.name.is_none() && !name.starts_with("set_") {
                    return Err(syn::Error::new(
                        self.ident.span(),
                        format!("call it `set_{name}`, or write #[name = \"...\"] above it"),
                    ));
                }
            }
            Role::Buffer => wants(0, "a #[buffer] function has no parameter but its receiver")?,
            Role::StreamRead | Role::StreamWrite => wants(
                1,
                "a stream function has one parameter behind its receiver: the memory",
            )?,
            Role::StreamIoctl => wants(
                2,
                "#[stream_ioctl] has two parameters behind its receiver: request and argument",
            )?,
            _ => {}
        }
        let slots = given + usize::from(self.receiver != Receiver::None || self.role == Role::New);
        if slots > MAX_PARAMETERS {
            return Err(syn::Error::new(
                signature.paren_token.span.join(),
                format!(
                    "a function has at most {MAX_PARAMETERS} parameters, its receiver counted: take the rest as `**kwargs`"
                ),
            ));
        }
        Ok(())
    }
}

fn refuse_what_python_cannot_call(signature: &syn::Signature) -> syn::Result<()> {
    let refuse = |span: Span, why: &str| Err(syn::Error::new(span, why));
    if let Some(token) = &signature.asyncness {
        return refuse(
            token.span,
            "Python cannot await a Rust function: remove `async`",
        );
    }
    if let Some(token) = &signature.unsafety {
        return refuse(
            token.span,
            "Python may call it in any way: make it a safe function, with `unsafe` inside",
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(
            abi.span(),
            "the macro makes the entry for MicroPython: remove this",
        );
    }
    if let Some(parameter) = signature
        .generics
        .params
        .iter()
        .find(|p| !matches!(p, syn::GenericParam::Lifetime(_)))
    {
        return refuse(
            parameter.span(),
            "Python calls one function, so it cannot be generic: name the type, or take `Obj`",
        );
    }
    Ok(())
}

/// The receiver, and the parameters behind it.
#[allow(
    clippy::type_complexity,
    reason = "three answers that belong together, used once"
)]
fn receiver(
    signature: &syn::Signature,
    role: Role,
) -> syn::Result<(Receiver, Option<Type>, Vec<&FnArg>)> {
    let mut inputs = signature.inputs.iter();
    let first = inputs.clone().next();
    let none = matches!(role, Role::Function | Role::Static | Role::New);
    match first {
        Some(FnArg::Receiver(this)) => {
            let refuse = |why: &str| Err(syn::Error::new_spanned(this, why));
            match role {
                Role::Function => {
                    return refuse("a method stands in a #[class] impl: remove `self`");
                }
                Role::Static => {
                    return refuse(
                        "a #[staticmethod] has no receiver: remove it, or remove the attribute",
                    );
                }
                Role::New => {
                    return refuse("#[new] makes the instance, so it has no `self`: remove it");
                }
                Role::Class => {
                    return refuse("a #[classmethod] gets the class: write `class: Obj` here");
                }
                _ => {}
            }
            if this.reference.is_none() || this.colon_token.is_some() {
                return refuse(
                    "Python keeps the object: write `&self`, `&mut self` or `this: This<Self>`",
                );
            }
            inputs.next();
            let receiver = if this.mutability.is_some() {
                Receiver::Exclusive
            } else {
                Receiver::Shared
            };
            Ok((receiver, None, inputs.collect()))
        }
        _ if none => Ok((Receiver::None, None, inputs.collect())),
        Some(FnArg::Typed(first)) => {
            let named = |name: &str| matches!(&*first.pat, Pat::Ident(p) if p.ident == name);
            if !(named("this") || role == Role::Class && named("class")) {
                return Err(syn::Error::new_spanned(
                    &first.pat,
                    if role == Role::Class {
                        "the first parameter of a #[classmethod] is `class: Obj`"
                    } else {
                        "a method takes `&self`, `&mut self` or `this: This<Self>` first; write #[staticmethod] above it if it takes none"
                    },
                ));
            }
            if !role.is_named() {
                return Err(syn::Error::new_spanned(
                    first,
                    "this function works on the Rust state: write `&self` or `&mut self`",
                ));
            }
            inputs.next();
            Ok((
                Receiver::Object,
                Some((*first.ty).clone()),
                inputs.collect(),
            ))
        }
        None => Err(syn::Error::new(
            signature.paren_token.span.join(),
            if role == Role::Class {
                "the first parameter of a #[classmethod] is `class: Obj`"
            } else {
                "a method takes `&self`, `&mut self` or `this: This<Self>` first; write #[staticmethod] above it if it takes none"
            },
        )),
    }
}

/// A parameter as it is without `#[signature]`: needed, and passed either way.
fn parameter(input: &FnArg) -> syn::Result<Parameter> {
    let FnArg::Typed(input) = input else {
        return Err(syn::Error::new_spanned(input, "`self` comes first"));
    };
    let Pat::Ident(pattern) = &*input.pat else {
        return Err(syn::Error::new_spanned(
            &input.pat,
            "a parameter has a name for Python to use: write one here, and take it apart in the body",
        ));
    };
    if let Some(attribute) = input.attrs.first() {
        return Err(syn::Error::new_spanned(
            attribute,
            "write defaults in #[signature(...)] above the function, not here",
        ));
    }
    Ok(Parameter {
        ident: pattern.ident.clone(),
        ty: (*input.ty).clone(),
        place: Place::Any,
        default: None,
        annotation: None,
    })
}

/// The parameters as `#[signature]` says, which must name them all, in their order.
fn arrange(
    written: Signature,
    parameters: Vec<Parameter>,
    signature: &syn::Signature,
) -> syn::Result<Vec<Parameter>> {
    let mut rest = parameters.into_iter();
    let mut arranged: Vec<Parameter> = Vec::new();
    let mut keyword_only = false;
    for entry in written.entries {
        let (ident, annotation, default, place) = match entry {
            Entry::Slash(span) => {
                if keyword_only || arranged.iter().any(|p| p.place == Place::Position) {
                    return Err(syn::Error::new(
                        span,
                        "`/` stands once, before `*` and `**`",
                    ));
                }
                for parameter in &mut arranged {
                    parameter.place = Place::Position;
                }
                continue;
            }
            Entry::Star(span) => {
                if keyword_only {
                    return Err(syn::Error::new(
                        span,
                        "`*` or `*args` stands once, before `**`",
                    ));
                }
                keyword_only = true;
                continue;
            }
            Entry::Args(ident) => {
                if keyword_only {
                    return Err(syn::Error::new(
                        ident.span(),
                        "`*` or `*args` stands once, before `**`",
                    ));
                }
                keyword_only = true;
                (ident, None, None, Place::Args)
            }
            Entry::Kwargs(ident) => (ident, None, None, Place::Kwargs),
            Entry::Plain {
                ident,
                annotation,
                default,
            } => {
                let place = if keyword_only {
                    Place::Keyword
                } else {
                    Place::Any
                };
                (ident, annotation, default, place)
            }
        };
        if let Some(last) = arranged.last() {
            if last.place == Place::Kwargs {
                return Err(syn::Error::new(
                    ident.span(),
                    format!("nothing stands behind `**{}`", last.ident),
                ));
            }
            if place == Place::Any && default.is_none() && last.default.is_some() {
                return Err(syn::Error::new(
                    ident.span(),
                    format!(
                        "`{ident}` needs a default, since `{}` before it has one",
                        last.ident
                    ),
                ));
            }
        }
        if ident == "self" || ident == "this" || ident == "class" {
            return Err(syn::Error::new(
                ident.span(),
                "the receiver is not listed: remove it",
            ));
        }
        let Some(parameter) = rest.next() else {
            return Err(syn::Error::new(
                ident.span(),
                format!(
                    "`{}` has no parameter `{ident}`: remove it here, or add it to the Rust function",
                    signature.ident
                ),
            ));
        };
        if parameter.ident != ident {
            return Err(syn::Error::new(
                ident.span(),
                format!(
                    "the Rust function has `{}` here: name its parameters in their order",
                    parameter.ident
                ),
            ));
        }
        arranged.push(Parameter {
            place,
            default,
            annotation: annotation.map(|text| text.value()),
            ..parameter
        });
    }
    if let Some(left) = rest.next() {
        return Err(syn::Error::new(
            left.ident.span(),
            format!("`{}` is not in #[signature(...)]: add it there", left.ident),
        ));
    }
    Ok(arranged)
}
