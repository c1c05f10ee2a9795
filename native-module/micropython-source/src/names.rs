//! Decides which strings the module's qstr table must hold: the names that the macros use, and those of `qstr!("...")`
//! anywhere in the crate. Sorted, each once, so that equal sources make equal tables.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use crate::class::{Class, Methods};
use crate::function::{Function, Place};

/// Adds what a function needs.
pub fn of_function(function: &Function, names: &mut BTreeSet<String>) {
    if function.role.is_named() {
        names.insert(function.python_name());
    }
    for parameter in &function.parameters {
        if has_name(parameter.place) {
            names.insert(parameter_name(&parameter.ident));
        }
    }
}

/// True if Python code may name the parameter, or an error message does.
pub fn has_name(place: Place) -> bool {
    !matches!(place, Place::Args | Place::Kwargs)
}

/// What Python calls a parameter.
pub fn parameter_name(ident: &syn::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#")
        .unwrap_or(&text)
        .trim_start_matches('_')
        .to_owned()
}

/// Adds what a class needs.
pub fn of_class(class: &Class, names: &mut BTreeSet<String>) {
    names.insert(class.python_name());
    if let Some(base) = &class.arguments.base {
        let (module, name) = base.parts();
        names.extend(module);
        names.insert(name);
    }
}

/// Adds what an impl needs.
pub fn of_methods(methods: &Methods, names: &mut BTreeSet<String>) {
    for function in &methods.functions {
        // The parameters of the protocols' functions are Rust's own.
        if function.role.is_named() || function.role == crate::Role::New {
            of_function(function, names);
        }
    }
    for constant in &methods.constants {
        names.insert(constant.ident.to_string());
    }
}

/// Adds every literal of `qstr!("...")` and the class of `error!("...", "...")` in the tokens, at any depth.
pub fn of_tokens(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let called = i >= 2
            && matches!(&tokens[i - 2], TokenTree::Ident(ident) if ident == "qstr" || ident == "error")
            && matches!(&tokens[i - 1], TokenTree::Punct(punct) if punct.as_char() == '!');
        let first = group.stream().into_iter().next();
        match first.map(|first| syn::parse2::<syn::LitStr>(first.into())) {
            Some(Ok(text)) if called => {
                names.insert(text.value());
            }
            _ => of_tokens(group.stream(), names),
        }
    }
}
