//! Writes a class's table: its name and base from the struct, its members from the impl.

use micropython_source::class::Arguments;
use micropython_source::{Class, Function, Methods, Receiver, Role};
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl, ItemStruct};

use crate::body;

/// `#[class]` on a struct.
pub fn on_struct(arguments: Arguments, item: ItemStruct) -> syn::Result<TokenStream> {
    let class = Class::read(arguments, &item)?;
    let ident = &class.ident;
    let name = class.python_name();
    let qstr = |text: &str| quote!(::micropython::qstr!(#text));
    let unused = quote!(::micropython::Qstr::UNUSED);
    let base = match &class.arguments.base {
        None => quote!([#unused, #unused]),
        Some(base) => {
            let (module, name) = base.parts();
            let module = module.map_or(unused, |module| qstr(&module));
            let name = qstr(&name);
            quote!([#module, #name])
        }
    };
    let has_base = class.arguments.base.is_some();
    let base_span = class
        .arguments
        .base
        .as_ref()
        .map_or(ident.span(), |base| base.text.span());
    let conflict = quote_spanned! {base_span=>
        assert!(
            !(#has_base && MEMBERS.protocol.is_some()),
            "a class with #[buffer] or #[stream_…] cannot have a base: MicroPython gives an instance one native part; remove `base`"
        );
    };
    let name = qstr(&name);
    Ok(quote! {
        #item

        impl #ident {
            #[doc(hidden)]
            pub const __STATE: *const ::micropython::table_of::ClassState = {
                static STATE: ::micropython::table_of::ClassState =
                    ::micropython::table_of::ClassState::new();
                &raw const STATE
            };
        }

        const _: () = {
            // Gives a struct without an impl of members its none.
            #[allow(unused_imports, reason = "not used where the impl has members")]
            use ::micropython::table_of::NoMembers as _;

            const MEMBERS: ::micropython::table_of::Members = #ident::__MEMBERS;
            #conflict

            // An exception leaves a method by a jump. What the method wrote through `&mut self` before must be in
            // memory then, which the compiler sees to only where the reference may be an alias; that it assumes of
            // references to what is pinned. The lifetime keeps it from refusing a bound that never holds.
            impl<'never> ::core::marker::Unpin for #ident where
                ::micropython::table_of::Pinned<'never>: ::core::marker::Unpin
            {
            }

            // SAFETY: definition and members are made from this struct and its impl.
            unsafe impl ::micropython::ClassType for #ident {
                const DEF: &'static ::micropython::table_of::ClassDef =
                    &::micropython::table_of::ClassDef {
                        name: #name,
                        base: #base,
                        members: MEMBERS,
                        state: #ident::__STATE,
                    };
            }
        };
    })
}

/// `#[class]` on an impl.
pub fn on_impl(mut item: ItemImpl) -> syn::Result<TokenStream> {
    let methods = Methods::read(&mut item)?;
    let class = &methods.class;
    let plain = methods
        .functions
        .iter()
        .filter(|function| function.role == Role::Method)
        .map(|function| table(function, class));
    let special: Vec<_> = special(&methods)
        .map(|function| {
            let table = table(function, class);
            let role = match function.role {
                Role::Static => quote!(Static),
                Role::Class => quote!(Class),
                Role::Getter => quote!(Getter),
                _ => quote!(Setter),
            };
            quote!(#table.of(::micropython::table_of::Role::#role))
        })
        .collect();
    let special = if special.is_empty() {
        quote!(None)
    } else {
        quote!(Some((::micropython::table_of::add_special, const { &[#(#special),*] })))
    };
    let new = match methods.only(Role::New) {
        None => quote!(None),
        Some(new) => {
            let table = table(new, class);
            let cells = if methods.functions.iter().any(|f| f.role.is_protocol()) {
                quote!(native_cells)
            } else {
                quote!(plain_cells)
            };
            quote! {
                Some(const { &::micropython::table_of::NewDef {
                    function: #table,
                    class: #class::__STATE,
                    entry: ::micropython::table_of::dispatch_new,
                    cells: ::micropython::table_of::#cells,
                } })
            }
        }
    };
    let into_obj = methods.only(Role::New).map(|_| {
        quote! {
            impl ::micropython::IntoObj for #class {
                fn into_obj(self) -> ::micropython::Obj {
                    ::micropython::instance(self)
                }
            }
        }
    });
    let constants = if methods.constants.is_empty() {
        quote!(None)
    } else {
        let set = methods.constants.iter().map(|constant| {
            let ident = &constant.ident;
            let name = ident.to_string();
            let value = quote_spanned! {constant.ty.span()=>
                ::micropython::IntoObj::into_obj(#class::#ident)
            };
            quote!(class.attribute(::micropython::qstr!(#name), #value);)
        });
        quote! {{
            fn constants(class: &::micropython::table_of::Class) {
                #(#set)*
            }
            Some(constants)
        }}
    };
    let protocol = protocol(&methods)?;
    // Constants that only Python looks at are not unused.
    for item in &mut item.items {
        if let ImplItem::Const(constant) = item {
            constant.attrs.push(syn::parse_quote!(#[allow(dead_code)]));
        }
    }
    Ok(quote! {
        #item

        impl #class {
            #[doc(hidden)]
            pub const __MEMBERS: ::micropython::table_of::Members =
                ::micropython::table_of::Members {
                    methods: const { &[#(#plain),*] },
                    special: #special,
                    new: #new,
                    constants: #constants,
                    protocol: #protocol,
                };
        }

        #into_obj
    })
}

/// The members that are no plain methods, each setter behind its getter.
fn special(methods: &Methods) -> impl Iterator<Item = &Function> {
    methods
        .functions
        .iter()
        .filter(|function| matches!(function.role, Role::Static | Role::Class | Role::Getter))
        .flat_map(|function| {
            let setter = methods.functions.iter().find(|other| {
                function.role == Role::Getter
                    && other.role == Role::Setter
                    && other.python_name() == function.python_name()
            });
            std::iter::once(function).chain(setter)
        })
}

/// The table of a member. In its body, which is a function of its own, `Self` is the class by its name.
fn table(function: &Function, class: &Ident) -> TokenStream {
    let ident = &function.ident;
    let table = body::table(function, &quote!(#class::#ident), Some(&quote!(#class)));
    name_self(table, class)
}

fn name_self(tokens: TokenStream, class: &Ident) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                TokenTree::Ident(Ident::new(&class.to_string(), ident.span()))
            }
            TokenTree::Group(group) => {
                let mut renamed = Group::new(group.delimiter(), name_self(group.stream(), class));
                renamed.set_span(group.span());
                TokenTree::Group(renamed)
            }
            other => other,
        })
        .collect()
}

/// What the interpreter asks of the state.
fn protocol(methods: &Methods) -> syn::Result<TokenStream> {
    let class = &methods.class;
    let mut any = false;
    let mut transfer = |role: Role| {
        let Some(function) = methods.only(role) else {
            return quote!(None);
        };
        any = true;
        let ident = &function.ident;
        let span = match &function.output {
            syn::ReturnType::Default => ident.span(),
            syn::ReturnType::Type(_, ty) => ty.span(),
        };
        let (parameters, arguments) = match role {
            Role::StreamIoctl => (
                quote!(request: usize, argument: usize),
                quote!(request, argument),
            ),
            _ => (quote!(memory: ::micropython::Buffer), quote!(memory)),
        };
        let result = quote_spanned!(span=> ::core::result::Result<usize, ::micropython::Errno>);
        quote! {{
            unsafe fn call(state: *mut ::core::ffi::c_void, #parameters) -> #result {
                // SAFETY: the caller has borrowed a state of this class, exclusively.
                #class::#ident(unsafe { &mut *state.cast::<#class>() }, #arguments)
            }
            Some(call)
        }}
    };
    let read = transfer(Role::StreamRead);
    let write = transfer(Role::StreamWrite);
    let ioctl = transfer(Role::StreamIoctl);
    let buffer = match methods.only(Role::Buffer) {
        None => quote!(None),
        Some(function) => {
            any = true;
            let ident = &function.ident;
            if function.receiver != Receiver::Shared {
                return Err(syn::Error::new(
                    ident.span(),
                    "Python keeps the bytes while others use the object: write `&self`",
                ));
            }
            let span = match &function.output {
                syn::ReturnType::Default => ident.span(),
                syn::ReturnType::Type(_, ty) => ty.span(),
            };
            let block = quote_spanned!(span=> ::micropython::Block);
            quote! {{
                unsafe fn call(state: *const ::core::ffi::c_void) -> #block {
                    // SAFETY: the caller has a state of this class that is not borrowed exclusively.
                    #class::#ident(unsafe { &*state.cast::<#class>() })
                }
                Some(call)
            }}
        }
    };
    if !any {
        return Ok(quote!(None));
    }
    Ok(quote! {
        Some(const { &::micropython::table_of::Protocol {
            buffer: #buffer,
            read: #read,
            write: #write,
            ioctl: #ioctl,
        } })
    })
}
