//! Writes the module's table, its entry, and the list of its strings.
//!
//! The list is made from the source of the whole crate, which is read here as rustc reads it: names that other files
//! use are in it too, and each use compiles to a small constant. Each file is named to the compiler as one that the
//! crate is made from, so that a change in any of them makes the list anew.

use std::path::{Path, PathBuf};

use micropython_source::{Tree, attributes};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Item, ItemMod, UseTree};

/// `#[module]`.
pub fn expand(mut item: ItemMod) -> syn::Result<TokenStream> {
    let ident = item.ident.clone();
    let Some((_, items)) = &mut item.content else {
        return Err(syn::Error::new_spanned(
            &item,
            "#[module] stands on a `mod` with its contents: write `mod name { … }` in the crate's root, and bring in other files' functions by `#[export] use crate::file::function;`",
        ));
    };
    let mut functions: Vec<TokenStream> = Vec::new();
    let mut classes: Vec<TokenStream> = Vec::new();
    let mut rest: Vec<TokenStream> = Vec::new();
    let mut init: Option<Ident> = None;
    for item in items.iter_mut() {
        match item {
            Item::Fn(function) => {
                let ident = &function.sig.ident;
                if attributes::has(&function.attrs, "function") {
                    functions.push(quote!(#ident::DEF));
                }
                if attributes::take_word(&mut function.attrs, "init")?.is_some() {
                    if init.is_some() {
                        return Err(syn::Error::new(
                            ident.span(),
                            "a module has one #[init] function: call this one from it",
                        ));
                    }
                    init = Some(ident.clone());
                }
            }
            Item::Struct(class) if attributes::has(&class.attrs, "class") => {
                let ident = &class.ident;
                classes.push(quote!(<#ident as ::micropython::ClassType>::DEF));
            }
            Item::Const(constant) => {
                if attributes::take_word(&mut constant.attrs, "constant")?.is_none() {
                    continue;
                }
                let ident = &constant.ident;
                let name = ident.to_string();
                let value = quote_spanned! {constant.ty.span()=>
                    ::micropython::IntoObj::into_obj(#ident)
                };
                rest.push(quote!(module.set(::micropython::qstr!(#name), #value);));
            }
            Item::Use(brought) => {
                if attributes::take_word(&mut brought.attrs, "export")?.is_none() {
                    continue;
                }
                let mut names = Vec::new();
                leaves(&brought.tree, &mut names)?;
                for name in names {
                    // As Rust writes them: types begin with a capital, functions do not.
                    if name.to_string().starts_with(char::is_uppercase) {
                        classes.push(
                            quote_spanned!(name.span()=> <#name as ::micropython::ClassType>::DEF),
                        );
                    } else {
                        functions.push(quote_spanned!(name.span()=> #name::DEF));
                    }
                }
            }
            _ => {}
        }
    }
    let finish = match init {
        Some(init) => {
            quote_spanned!(init.span()=> ::micropython::table_of::InitReturn::end_init(#init(module)))
        }
        None => quote!(Ok(())),
    };
    items.push(syn::parse_quote! {
        #[doc(hidden)]
        pub(super) fn __fill(module: &::micropython::Module) -> ::micropython::Result<()> {
            static DEF: ::micropython::ModuleDef = ::micropython::ModuleDef {
                functions: &[#(#functions),*],
                classes: &[#(#classes),*],
            };
            DEF.fill(module);
            #(#rest)*
            #finish
        }
    });
    let (names, files) = strings(ident.span())?;
    Ok(quote! {
        #item

        /// What the loader calls.
        ///
        /// # Safety
        /// Called once, by the loader.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn mpy_init(
            entry: *const ::micropython::sys::ObjFunBc,
            _n_pos: usize,
            _n_kw: usize,
            _values: *const ::micropython::sys::MpObj,
        ) -> ::micropython::sys::MpObj {
            // SAFETY: the loader passes its own function object.
            unsafe { ::micropython::table_of::import_module(entry, #ident::__fill) }
        }

        ::micropython::qstrs![#(#names),*];

        // The list of strings above is made from these files.
        const _: () = {
            #(const _: &[u8] = include_bytes!(#files);)*
        };
    })
}

/// The names that a `use` brings.
fn leaves(tree: &UseTree, names: &mut Vec<Ident>) -> syn::Result<()> {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, names),
        UseTree::Name(name) => {
            names.push(name.ident.clone());
            Ok(())
        }
        UseTree::Rename(rename) => {
            names.push(rename.rename.clone());
            Ok(())
        }
        UseTree::Group(group) => group.items.iter().try_for_each(|tree| leaves(tree, names)),
        UseTree::Glob(glob) => Err(syn::Error::new_spanned(
            glob,
            "name what the module exports: a glob does not say it",
        )),
    }
}

/// The strings of the qstr table and the files that they were found in.
fn strings(span: Span) -> syn::Result<(Vec<String>, Vec<String>)> {
    let root = root_file(span);
    let tree = Tree::read(&root).map_err(|error| {
        syn::Error::new(
            span,
            format!("cannot collect the module's strings: {error}"),
        )
    })?;
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .unwrap_or(path.to_owned())
            .display()
            .to_string()
    };
    Ok((
        tree.names.by_use().into_iter().map(str::to_owned).collect(),
        tree.files.iter().map(|path| absolute(path)).collect(),
    ))
}

/// The file that `#[module]` stands in, which is the crate's root; where the compiler does not say (in editors), the
/// package's library.
fn root_file(span: Span) -> PathBuf {
    if let Some(file) = span.unwrap().local_file()
        && file.is_file()
    {
        return file;
    }
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    Path::new(&package).join("src/lib.rs")
}
