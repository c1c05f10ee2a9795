//! Decides which strings the module's qstr table must hold: the names that the macros use, and those of `qstr!("...")`
//! anywhere in the crate; and their order.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};

use crate::class::{Class, Methods};
use crate::function::{Function, Place};

/// The names, each once.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// How often code names each, as far as the source shows it.
    uses: BTreeMap<String, usize>,
}

impl Names {
    /// Adds a name that stands in tables only.
    pub fn put_in_table(&mut self, name: &str) {
        self.uses.entry(name.to_owned()).or_default();
    }

    /// Adds one that code has as a number.
    pub fn use_in_code(&mut self, name: &str) {
        *self.uses.entry(name.to_owned()).or_default() += 1;
    }

    /// All of them, those first that code names most often: small numbers take short instructions (on RISC-V up to 31).
    /// Equal sources make equal lists.
    pub fn by_use(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.uses.iter().collect();
        names.sort_by_key(|(_, uses)| std::cmp::Reverse(**uses));
        names.into_iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Adds what a function needs.
pub fn of_function(function: &Function, names: &mut Names) {
    if function.role.is_named() {
        names.put_in_table(&function.python_name());
    }
    for parameter in &function.parameters {
        if has_name(parameter.place) {
            names.put_in_table(&parameter_name(&parameter.ident));
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
pub fn of_class(class: &Class, names: &mut Names) {
    names.put_in_table(&class.python_name());
    if let Some(base) = &class.arguments.base {
        let (module, name) = base.parts();
        for name in module.into_iter().chain([name]) {
            names.put_in_table(&name);
        }
    }
}

/// Adds what an impl needs.
pub fn of_methods(methods: &Methods, names: &mut Names) {
    for function in &methods.functions {
        // The parameters of the protocols' functions are Rust's own.
        if function.role.is_named() || function.role == crate::Role::New {
            of_function(function, names);
        }
    }
    for constant in &methods.constants {
        names.use_in_code(&constant.ident.to_string());
    }
}

/// Adds every literal of `qstr!("...")` and the class of `error!("...", "...")` in the tokens, at any depth.
pub fn of_tokens(tokens: TokenStream, names: &mut Names) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let first = group.stream().into_iter().next();
        let text = first.map(|first| syn::parse2::<syn::LitStr>(first.into()));
        match (macro_before(&tokens[..i]).as_deref(), text) {
            (Some("qstr"), Some(Ok(text))) => names.use_in_code(&text.value()),
            (Some("error"), Some(Ok(text))) => names.put_in_table(&text.value()),
            _ => of_tokens(group.stream(), names),
        }
    }
}

/// The macro that the tokens end with the call of.
fn macro_before(tokens: &[TokenTree]) -> Option<String> {
    let [.., TokenTree::Ident(ident), TokenTree::Punct(punct)] = tokens else {
        return None;
    };
    (punct.as_char() == '!').then(|| ident.to_string())
}
