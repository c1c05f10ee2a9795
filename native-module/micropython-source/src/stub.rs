//! Decides how a module is written as a stub (`.pyi`), for editors and type checkers: in the order of the source, with
//! the documentation, so that equal sources make equal stubs.

use std::collections::BTreeSet;
use std::fmt::Write;

use syn::{Expr, ExprLit, ExprUnary, GenericArgument, Lit, PathArguments, ReturnType, Type, UnOp};

use crate::class::{Class, Constant};
use crate::function::{Function, Parameter, Place, Receiver, Role};
use crate::names::parameter_name;
use crate::tree::ModuleSource;

/// Names that Python's syntax keeps for itself.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// The whole stub.
pub fn write(module: &ModuleSource) -> String {
    let mut stub = Stub {
        module,
        text: String::new(),
        any: false,
    };
    let mut head = String::from("# Made from the module's Rust source; changes here are lost.\n");
    docs(&mut head, &module.docs, "");
    for constant in &module.constants {
        stub.constant(constant, "", None);
    }
    for class in &module.classes {
        stub.class(class);
    }
    for function in &module.functions {
        stub.text.push('\n');
        stub.function(function, "", None);
    }
    if stub.any {
        head.push_str("from typing import Any\n");
    }
    let bases: BTreeSet<_> = module
        .classes
        .iter()
        .filter_map(|class| match class.arguments.base.as_ref()?.parts() {
            (Some(module), name) => Some(format!("from {module} import {name}\n")),
            (None, _) => None,
        })
        .collect();
    head.extend(bases);
    if !stub.text.is_empty() && !stub.text.starts_with('\n') {
        head.push('\n');
    }
    head + &stub.text
}

struct Stub<'m> {
    module: &'m ModuleSource,
    text: String,
    /// Whether `Any` was needed.
    any: bool,
}

impl Stub<'_> {
    fn class(&mut self, class: &Class) {
        let name = class.python_name();
        let base = class
            .arguments
            .base
            .as_ref()
            .map_or(String::new(), |base| format!("({})", base.parts().1));
        let _ = write!(self.text, "\nclass {name}{base}:\n");
        let before = self.text.len();
        docs(&mut self.text, &class.docs, "    ");
        let module = self.module;
        for methods in module.methods.iter().filter(|m| m.class == class.ident) {
            for constant in &methods.constants {
                self.constant(constant, "    ", Some(class));
            }
            for function in &methods.functions {
                if matches!(function.role, Role::Buffer | Role::StreamIoctl) {
                    continue;
                }
                if let Role::StreamRead | Role::StreamWrite = function.role {
                    self.stream(function.role);
                    continue;
                }
                self.function(function, "    ", Some(class));
            }
        }
        if self.text.len() == before {
            self.text.push_str("    ...\n");
        }
    }

    /// The methods that MicroPython gives a stream.
    fn stream(&mut self, role: Role) {
        self.text.push_str(if role == Role::StreamRead {
            "    def read(self, size: int = -1, /) -> bytes | None: ...\n    \
             def readinto(self, buffer: bytearray | memoryview, size: int = ..., /) -> int | None: ...\n    \
             def readline(self, size: int = -1, /) -> bytes | None: ...\n"
        } else {
            "    def write(self, buffer: bytes | bytearray | memoryview | str, /) -> int | None: ...\n"
        });
    }

    fn constant(&mut self, constant: &Constant, indent: &str, class: Option<&Class>) {
        let ty = self.python_type(&constant.ty, class);
        let _ = writeln!(self.text, "{indent}{}: {ty}", constant.ident);
        docs(&mut self.text, &constant.docs, indent);
    }

    fn function(&mut self, function: &Function, indent: &str, class: Option<&Class>) {
        let name = function.python_name();
        if KEYWORDS.contains(&name.as_str()) {
            // Python reaches it by `getattr` only, and a stub has no way to say so.
            return;
        }
        let decorator = match function.role {
            Role::Getter => Some("@property".to_owned()),
            Role::Setter => Some(format!("@{}.setter", function.python_name())),
            Role::Static => Some("@staticmethod".to_owned()),
            Role::Class => Some("@classmethod".to_owned()),
            _ => None,
        };
        if let Some(decorator) = decorator {
            let _ = writeln!(self.text, "{indent}{decorator}");
        }
        let parameters = self.parameters(function, class);
        let returns = match (&function.returns, function.role) {
            (Some(returns), _) => returns.clone(),
            (None, Role::New) => "None".to_owned(),
            (None, _) => match &function.output {
                ReturnType::Default => "None".to_owned(),
                ReturnType::Type(_, ty) => {
                    // The end of an iteration is an exception to Python.
                    let ty = match function.python_name().as_str() {
                        "__next__" => inside(result(ty), "Option").unwrap_or(result(ty)),
                        _ => result(ty),
                    };
                    self.python_type(ty, class)
                }
            },
        };
        let _ = write!(
            self.text,
            "{indent}def {name}({}) -> {returns}:",
            parameters.join(", ")
        );
        if function.docs.is_empty() {
            self.text.push_str(" ...\n");
        } else {
            self.text.push('\n');
            docs(&mut self.text, &function.docs, &format!("{indent}    "));
        }
    }

    fn parameters(&mut self, function: &Function, class: Option<&Class>) -> Vec<String> {
        let mut list = Vec::new();
        if function.role == Role::Class {
            list.push("cls".to_owned());
        } else if function.receiver != Receiver::None || function.role == Role::New {
            list.push("self".to_owned());
        }
        let mut keyword_only = false;
        let mut position_only = false;
        for parameter in &function.parameters {
            if position_only && parameter.place != Place::Position {
                list.push("/".to_owned());
                position_only = false;
            }
            position_only |= parameter.place == Place::Position;
            if parameter.place == Place::Keyword && !keyword_only {
                list.push("*".to_owned());
            }
            keyword_only |= matches!(parameter.place, Place::Keyword | Place::Args);
            list.push(self.parameter(parameter, class));
        }
        if position_only {
            list.push("/".to_owned());
        }
        list
    }

    fn parameter(&mut self, parameter: &Parameter, class: Option<&Class>) -> String {
        let name = parameter_name(&parameter.ident);
        let ty = match (&parameter.annotation, parameter.place) {
            (Some(annotation), _) => annotation.clone(),
            (None, Place::Args | Place::Kwargs) => self.any(),
            (None, _) => self.python_type(&parameter.ty, class),
        };
        match (parameter.place, &parameter.default) {
            (Place::Args, _) => format!("*{name}: {ty}"),
            (Place::Kwargs, _) => format!("**{name}: {ty}"),
            (_, None) => format!("{name}: {ty}"),
            (_, Some(default)) => format!("{name}: {ty} = {}", literal(default)),
        }
    }

    fn any(&mut self) -> String {
        self.any = true;
        "Any".to_owned()
    }

    /// Python's type for a Rust type, as the safe layer converts it.
    fn python_type(&mut self, ty: &Type, class: Option<&Class>) -> String {
        let path = match ty {
            Type::Reference(reference) => return self.borrowed(&reference.elem, class),
            Type::Tuple(tuple) if tuple.elems.is_empty() => return "None".to_owned(),
            Type::Tuple(tuple) => {
                let items: Vec<_> = tuple
                    .elems
                    .iter()
                    .map(|ty| self.python_type(ty, class))
                    .collect();
                return format!("tuple[{}]", items.join(", "));
            }
            Type::Array(array) => {
                return match is_byte(&array.elem) {
                    true => "bytes".to_owned(),
                    false => format!("list[{}]", self.python_type(&array.elem, class)),
                };
            }
            Type::Path(path) => path,
            _ => return self.any(),
        };
        let Some(last) = path.path.segments.last() else {
            return self.any();
        };
        match last.ident.to_string().as_str() {
            "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => {
                "int".to_owned()
            }
            "f32" | "f64" => "float".to_owned(),
            "bool" => "bool".to_owned(),
            "List" => "list".to_owned(),
            "Tuple" => "tuple".to_owned(),
            "Dict" => "dict".to_owned(),
            "Buffer" => "bytes | bytearray | memoryview | str".to_owned(),
            "BufferMut" => "bytearray | memoryview".to_owned(),
            "Option" => match argument(ty) {
                Some(inner) => {
                    let inner = self.python_type(inner, class);
                    if inner == "Any" {
                        inner
                    } else {
                        format!("{inner} | None")
                    }
                }
                None => self.any(),
            },
            "This" => match argument(ty) {
                Some(inner) => self.python_type(inner, class),
                None => self.any(),
            },
            "Self" => match class {
                Some(class) => class.python_name(),
                None => self.any(),
            },
            _ => match self.module.classes.iter().find(|c| c.ident == last.ident) {
                Some(class) => class.python_name(),
                None => self.any(),
            },
        }
    }

    fn borrowed(&mut self, ty: &Type, class: Option<&Class>) -> String {
        match ty {
            Type::Path(path) if path.path.is_ident("str") => "str".to_owned(),
            Type::Slice(slice) if is_byte(&slice.elem) => "bytes".to_owned(),
            other => self.python_type(other, class),
        }
    }
}

fn is_byte(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("u8"))
}

/// The first type argument.
fn argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The argument of `name<T>`.
fn inside<'t>(ty: &'t Type, name: &str) -> Option<&'t Type> {
    let Type::Path(path) = ty else { return None };
    (path.path.segments.last()?.ident == name)
        .then(|| argument(ty))
        .flatten()
}

/// What comes back where nothing fails.
fn result(ty: &Type) -> &Type {
    inside(ty, "Result").unwrap_or(ty)
}

/// A default as Python writes it; `...` where it is no literal.
fn literal(value: &Expr) -> String {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Int(number) => number.base10_digits().to_owned(),
            Lit::Float(number) => number.base10_digits().to_owned(),
            Lit::Bool(value) if value.value => "True".to_owned(),
            Lit::Bool(_) => "False".to_owned(),
            Lit::Str(text) => format!("{:?}", text.value()),
            Lit::ByteStr(bytes) => format!("b\"{}\"", bytes.value().escape_ascii()),
            _ => "...".to_owned(),
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => match literal(expr).as_str() {
            "..." => "...".to_owned(),
            number => format!("-{number}"),
        },
        Expr::Path(path) if path.path.is_ident("None") => "None".to_owned(),
        _ => "...".to_owned(),
    }
}

/// A docstring.
fn docs(text: &mut String, lines: &[String], indent: &str) {
    if lines.is_empty() {
        return;
    }
    let body = lines
        .join("\n")
        .replace('\\', "\\\\")
        .replace("\"\"\"", "\\\"\\\"\\\"");
    let mut written = format!("{indent}\"\"\"");
    for (i, line) in body.trim().lines().enumerate() {
        if i > 0 {
            written.push('\n');
            if !line.is_empty() {
                written.push_str(indent);
            }
        }
        written.push_str(line);
    }
    written.push_str("\"\"\"\n");
    text.push_str(&written);
}
