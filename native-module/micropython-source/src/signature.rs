//! Decides what `#[signature(a, b = 5, /, *args, key = None, **kwargs -> "int")]` says, which is what Python's own `def`
//! would say. A type for the stub may stand behind a name, as in `topic: "bytes | str"`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

/// One entry of the list.
#[allow(clippy::large_enum_variant, reason = "a few at compile time")]
pub enum Entry {
    /// `a` or `a = 5`.
    Plain {
        ident: Ident,
        annotation: Option<LitStr>,
        default: Option<Expr>,
    },
    /// `*args`.
    Args(Ident),
    /// `**kwargs`.
    Kwargs(Ident),
    /// `*` alone: what follows is passed by keyword only.
    Star(Span),
    /// `/`: what came before is passed by position only.
    Slash(Span),
}

/// The whole attribute.
pub struct Signature {
    pub entries: Vec<Entry>,
    /// What the stub says that the function returns.
    pub returns: Option<LitStr>,
}

impl Parse for Entry {
    fn parse(input: ParseStream) -> syn::Result<Entry> {
        if let Some(slash) = input.parse::<Option<Token![/]>>()? {
            return Ok(Entry::Slash(slash.span));
        }
        if let Some(star) = input.parse::<Option<Token![*]>>()? {
            if input.parse::<Option<Token![*]>>()?.is_some() {
                return Ok(Entry::Kwargs(input.parse()?));
            }
            if input.is_empty() || input.peek(Token![,]) {
                return Ok(Entry::Star(star.span));
            }
            return Ok(Entry::Args(input.parse()?));
        }
        let ident = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                "write a parameter's name, `name = default`, `*args`, `**kwargs`, `*` or `/`",
            )
        })?;
        let annotation = match input.parse::<Option<Token![:]>>()? {
            Some(_) => Some(input.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    "a type here is Python's, for the stub, and stands in quotes: `name: \"int\"`",
                )
            })?),
            None => None,
        };
        let default = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        Ok(Entry::Plain {
            ident,
            annotation,
            default,
        })
    }
}

impl Signature {
    /// Reads the attribute.
    pub fn read(attribute: &syn::Attribute) -> syn::Result<Signature> {
        let list = attribute.meta.require_list().map_err(|_| {
            syn::Error::new_spanned(
                attribute,
                "write #[signature(...)] with the parameters as Python's `def` has them",
            )
        })?;
        // `-> "type"` cannot stand behind the parentheses of an attribute, so it stands inside, last.
        let (entries, returns) = syn::parse::Parser::parse2(
            |input: ParseStream| {
                let mut entries = Vec::new();
                let mut returns = None;
                while !input.is_empty() {
                    if input.parse::<Option<Token![->]>>()?.is_some() {
                        returns = Some(input.parse().map_err(|error: syn::Error| {
                            syn::Error::new(
                                error.span(),
                                "the type is Python's and stands in quotes: `-> \"int\"`",
                            )
                        })?);
                        break;
                    }
                    entries.push(input.parse()?);
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok((entries, returns))
            },
            list.tokens.clone(),
        )?;
        Ok(Signature { entries, returns })
    }
}
