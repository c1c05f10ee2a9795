//! Writes a function's table and its body.

use micropython_source::names::parameter_name;
use micropython_source::{Function, Parameter, Place, Receiver, Role};
use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, ItemFn, Lit, Type, UnOp};

/// `#[function]`: the function itself, and beside it a module of the same name with its table, so that a `use` of the
/// function brings the table along.
pub fn function(mut item: ItemFn) -> syn::Result<TokenStream> {
    let function = Function::read(&item.sig, &mut item.attrs, false)?;
    let ident = &item.sig.ident;
    let visibility = &item.vis;
    let table = table(&function, &quote!(#ident), None);
    Ok(quote! {
        #item

        #[doc(hidden)]
        #visibility mod #ident {
            use super::*;

            pub const DEF: ::micropython::table_of::FunctionDef = #table;
        }
    })
}

/// The table as a constant expression. `call` is the path of the function.
pub fn table(function: &Function, call: &TokenStream, class: Option<&TokenStream>) -> TokenStream {
    let first = usize::from(function.receiver != Receiver::None || function.role == Role::New);
    let parameters = function.parameters.iter().map(parameter);
    let positional = Literal::u8_unsuffixed(function.positional() as u8);
    let flags = flags(function);
    let name = match function.role {
        Role::New => quote!(::micropython::Qstr::UNUSED),
        _ => {
            let name = function.python_name();
            quote_spanned!(function.name_span()=> ::micropython::qstr!(#name))
        }
    };
    let mut taken: Vec<TokenStream> = Vec::new();
    let lent = match function.receiver {
        Receiver::None => None,
        Receiver::Object => {
            let ty = function.receiver_type.as_ref();
            let span = ty.map_or(function.ident.span(), Spanned::span);
            taken.push(quote_spanned!(span=> unsafe { frame.take::<#ty>(0) }));
            None
        }
        Receiver::Shared => {
            taken.push(quote!(unsafe { &*state.cast::<#class>() }));
            Some(false)
        }
        Receiver::Exclusive => {
            taken.push(quote!(unsafe { &mut *state.cast::<#class>() }));
            Some(true)
        }
    };
    for (i, parameter) in function.parameters.iter().enumerate() {
        taken.push(take(parameter, Literal::usize_unsuffixed(first + i)));
    }
    let (end, value) = end(function);
    // With the state lent, the body is one more function, which gets it.
    let state = lent.map(|_| quote!(state: *mut ::core::ffi::c_void));
    let outer = lent.map(|exclusive| {
        quote! {
            unsafe fn outer(frame: &::micropython::table_of::Frame) -> ::micropython::table_of::Ended {
                // SAFETY: the body takes the state of this class as is said here.
                unsafe { ::micropython::table_of::lend(frame, #class::__STATE, #exclusive, body) }
            }
        }
    });
    let entry = if lent.is_some() {
        quote!(outer)
    } else {
        quote!(body)
    };
    quote! {{
        // What the frame holds is what the table below says.
        #[allow(unused_variables, clippy::let_unit_value)]
        unsafe fn body(
            frame: &::micropython::table_of::Frame,
            #state
        ) -> ::micropython::table_of::Ended {
            let #value = #call(#(#taken),*);
            #end(#value)
        }
        #outer
        // SAFETY: body and table are made from the same declaration.
        unsafe {
            ::micropython::table_of::FunctionDef::new(
                #name,
                #entry,
                const { &[#(#parameters),*] },
                #positional,
                #flags,
            )
        }
    }}
}

/// What turns the function's result into an object, and the result's name, which errors about its type point at.
fn end(function: &Function) -> (TokenStream, TokenStream) {
    let span = match &function.output {
        syn::ReturnType::Default => function.ident.span(),
        syn::ReturnType::Type(_, ty) => ty.span(),
    };
    let end = match function.role {
        Role::New => {
            quote_spanned!(span=> (|value| ::micropython::NewReturn::end_new(value, frame)))
        }
        _ if function.python_name() == "__next__" => {
            quote_spanned!(span=> ::micropython::NextReturn::end_next)
        }
        _ => quote_spanned!(span=> ::micropython::Return::end),
    };
    (end, quote_spanned!(span=> value))
}

fn flags(function: &Function) -> TokenStream {
    let receiver = function.receiver != Receiver::None || function.role == Role::New;
    let mut flags = if receiver {
        quote!(::micropython::table_of::flag::RECEIVER)
    } else {
        quote!(0)
    };
    for parameter in &function.parameters {
        match parameter.place {
            Place::Args => flags = quote!(#flags | ::micropython::table_of::flag::ARGS),
            Place::Kwargs => flags = quote!(#flags | ::micropython::table_of::flag::KWARGS),
            _ => {}
        }
    }
    flags
}

/// A default, as far as a table can hold it.
enum Default {
    Required,
    None,
    Bool(bool),
    Int(i64),
    Expression,
}

fn default(parameter: &Parameter) -> Default {
    match &parameter.default {
        None => Default::Required,
        Some(Expr::Path(path)) if path.path.is_ident("None") => Default::None,
        Some(Expr::Lit(ExprLit {
            lit: Lit::Bool(value),
            ..
        })) => Default::Bool(value.value),
        Some(expression) => match small_int(expression) {
            Some(value) => Default::Int(value),
            None => Default::Expression,
        },
    }
}

/// An integer that a table can hold.
fn small_int(expression: &Expr) -> Option<i64> {
    let value = match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok()?,
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => -small_int(expr)?,
        _ => return None,
    };
    (-50..=200).contains(&value).then_some(value)
}

/// One entry of the table.
fn parameter(parameter: &Parameter) -> TokenStream {
    let ty = &parameter.ty;
    let make = quote!(::micropython::table_of::Parameter);
    let kind = quote_spanned!(ty.span()=> <#ty as ::micropython::Argument>::KIND);
    if matches!(parameter.place, Place::Args | Place::Kwargs) {
        let wanted = match parameter.place {
            Place::Args => {
                quote_spanned!(ty.span()=> <&[::micropython::Obj] as ::micropython::Argument>::KIND)
            }
            _ => quote_spanned!(ty.span()=> <::micropython::Dict as ::micropython::Argument>::KIND),
        };
        let why = match parameter.place {
            Place::Args => "the type of `*args` is &[Obj]",
            _ => "the type of `**kwargs` is Dict",
        };
        return quote_spanned! {ty.span()=>
            {
                assert!(#kind == #wanted, #why);
                #make::required(::micropython::Qstr::UNUSED, #kind)
            }
        };
    }
    let name = parameter_name(&parameter.ident);
    let name = quote_spanned!(parameter.ident.span()=> ::micropython::qstr!(#name));
    let entry = match default(parameter) {
        Default::Required => quote!(#make::required(#name, #kind)),
        // Where the default does not suit the type, the type is what to change.
        Default::None => quote_spanned! {ty.span()=>
            {
                assert!(
                    ::micropython::table_of::kind::accepts_none(#kind),
                    "the default is None: write Option<...>, or Obj"
                );
                #make::none(#name, #kind)
            }
        },
        Default::Bool(value) => quote!(#make::bool(#name, #kind, #value)),
        Default::Int(value) => quote!(#make::int(#name, #kind, #value)),
        Default::Expression => quote!(#make::expression(#name, #kind)),
    };
    let checked = quote_spanned! {ty.span()=>
        {
            assert!(
                #kind != <&[::micropython::Obj] as ::micropython::Argument>::KIND,
                "&[Obj] is the type of `*args`: mark it in #[signature(...)], or take `List` or `Tuple`"
            );
            #entry
        }
    };
    if parameter.place == Place::Position {
        quote!(#checked.by_position())
    } else {
        checked
    }
}

/// The argument's value in the body.
fn take(parameter: &Parameter, slot: Literal) -> TokenStream {
    let ty = &parameter.ty;
    let take = quote_spanned!(ty.span()=> unsafe { frame.take::<#ty>(#slot) });
    let (Default::Expression, Some(expression)) = (default(parameter), &parameter.default) else {
        return take;
    };
    let value = if is_option(ty) && matches!(expression, Expr::Lit(_) | Expr::Unary(_)) {
        quote_spanned!(expression.span()=> ::core::option::Option::Some(#expression))
    } else {
        quote!(#expression)
    };
    quote!(if frame.is_missing(#slot) { #value } else { #take })
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Option"))
}
