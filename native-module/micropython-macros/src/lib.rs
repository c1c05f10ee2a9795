//! `#[module]`, `#[function]` and `#[class]`: Python names for Rust items.
//!
//! They are used through the crate `micropython`, which explains them. What they read from the source is decided by
//! `micropython-source`; here is only what they write: tables for the safe layer, and beside each function a body that
//! takes its converted arguments from a frame.
//!
//! | file | writes |
//! |---|---|
//! | `body` | a function's table and body |
//! | `class` | a class's table |
//! | `module` | the module's table, its entry and its list of strings |

mod body;
mod class;
mod module;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use syn::{Item, ItemFn};

/// Makes a Rust function one of the module's. See `micropython`'s documentation.
#[proc_macro_attribute]
pub fn function(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = no_arguments(arguments.into(), "function")
        .and_then(|()| expect_function(item.clone().into()))
        .and_then(body::function);
    or_error(expanded, item.into())
}

/// Makes a struct a Python class, and the functions of an impl its members. See `micropython`'s documentation.
#[proc_macro_attribute]
pub fn class(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original: Tokens = item.into();
    let expanded = syn::parse2(original.clone()).and_then(|parsed| match parsed {
        Item::Struct(item) => class::on_struct(syn::parse(arguments)?, item),
        Item::Impl(item) => {
            no_arguments(arguments.into(), "class")?;
            class::on_impl(item)
        }
        other => Err(syn::Error::new_spanned(
            first_tokens(&other),
            "#[class] stands on a struct, or on the impl with its methods",
        )),
    });
    or_error(expanded, original)
}

/// Makes an inline `mod` of the crate's root the Python module. See `micropython`'s documentation.
#[proc_macro_attribute]
pub fn module(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = no_arguments(arguments.into(), "module")
        .and_then(|()| syn::parse(item.clone()))
        .and_then(module::expand);
    or_error(expanded, item.into())
}

/// An attribute that means something inside of another macro's item only.
macro_rules! inner {
    ($($(#[$meta:meta])* $name:ident: $where:literal;)*) => {$(
        $(#[$meta])*
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, _: TokenStream) -> TokenStream {
            syn::Error::new(
                proc_macro2::Span::call_site(),
                concat!("#[", stringify!($name), "] stands ", $where),
            )
            .into_compile_error()
            .into()
        }
    )*};
}

inner! {
    /// On a `const` or a function inside of `#[module]`; it means nothing elsewhere.
    constant: "on a `const` inside of the #[module]";
    /// On the function inside of `#[module]` that runs at import.
    init: "on a function inside of the #[module]";
    /// On a `use` inside of `#[module]` that brings functions and classes of other files.
    export: "on a `use` inside of the #[module]";
}

fn no_arguments(arguments: Tokens, name: &str) -> syn::Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    let hint = match name {
        "function" => {
            "#[function] takes nothing: write #[signature(...)] or #[name = \"...\"] below it"
        }
        "module" => "#[module] takes nothing: the `mod` has the module's name",
        _ => "#[class] on an impl takes nothing: name and base stand on the struct",
    };
    Err(syn::Error::new_spanned(arguments, hint))
}

fn expect_function(tokens: Tokens) -> syn::Result<ItemFn> {
    match syn::parse2(tokens)? {
        Item::Fn(item) => Ok(item),
        other => Err(syn::Error::new_spanned(
            first_tokens(&other),
            "#[function] stands on a function; for a struct write #[class]",
        )),
    }
}

/// The beginning of an item, so that an error does not underline all of it.
fn first_tokens(item: &Item) -> Tokens {
    use quote::ToTokens;
    item.to_token_stream().into_iter().take(2).collect()
}

/// The item as it was beside the error, lest its absence cause others.
fn or_error(expanded: syn::Result<Tokens>, original: Tokens) -> TokenStream {
    match expanded {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let errors = error.into_compile_error();
            let original = strip_helpers(original);
            quote::quote!(#errors #original).into()
        }
    }
}

/// Takes the helper attributes off an item that could not be expanded, or drops it if it is no item.
fn strip_helpers(tokens: Tokens) -> Tokens {
    use quote::ToTokens;
    const HELPERS: [&str; 13] = [
        "signature",
        "name",
        "new",
        "getter",
        "setter",
        "staticmethod",
        "classmethod",
        "buffer",
        "stream_read",
        "stream_write",
        "stream_ioctl",
        "skip",
        "constant",
    ];
    let strip = |attributes: &mut Vec<syn::Attribute>| {
        attributes.retain(|a| !HELPERS.iter().any(|helper| a.path().is_ident(helper)));
    };
    match syn::parse2(tokens) {
        Ok(Item::Fn(mut item)) => {
            strip(&mut item.attrs);
            item.into_token_stream()
        }
        Ok(Item::Impl(mut item)) => {
            for item in &mut item.items {
                match item {
                    syn::ImplItem::Fn(item) => strip(&mut item.attrs),
                    syn::ImplItem::Const(item) => strip(&mut item.attrs),
                    _ => {}
                }
            }
            item.into_token_stream()
        }
        Ok(item @ Item::Struct(_)) => item.into_token_stream(),
        _ => Tokens::new(),
    }
}
