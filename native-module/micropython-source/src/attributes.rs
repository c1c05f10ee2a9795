//! Decides which helper attributes stand on an item and takes them off, so that rustc never sees them.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The attribute of this name, removed from the list. A second one of the name is an error at that one.
pub fn take(attributes: &mut Vec<Attribute>, name: &str) -> syn::Result<Option<Attribute>> {
    let Some(at) = attributes.iter().position(|a| a.path().is_ident(name)) else {
        return Ok(None);
    };
    let found = attributes.remove(at);
    if let Some(second) = attributes.iter().find(|a| a.path().is_ident(name)) {
        return Err(syn::Error::new_spanned(
            second,
            format!("#[{name}] stands here twice: remove one"),
        ));
    }
    Ok(Some(found))
}

/// `#[name = "text"]`.
pub fn take_text(attributes: &mut Vec<Attribute>, name: &str) -> syn::Result<Option<syn::LitStr>> {
    let Some(attribute) = take(attributes, name)? else {
        return Ok(None);
    };
    if let Meta::NameValue(pair) = &attribute.meta
        && let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &pair.value
    {
        return Ok(Some(text.clone()));
    }
    Err(syn::Error::new_spanned(
        &attribute,
        format!("write #[{name} = \"...\"]"),
    ))
}

/// A bare `#[name]`.
pub fn take_word(attributes: &mut Vec<Attribute>, name: &str) -> syn::Result<Option<Attribute>> {
    let attribute = take(attributes, name)?;
    if let Some(attribute) = &attribute
        && !matches!(attribute.meta, Meta::Path(_))
    {
        return Err(syn::Error::new_spanned(
            attribute,
            format!("#[{name}] takes nothing: write #[{name}]"),
        ));
    }
    Ok(attribute)
}

/// The text of `///` comments, without the space that begins each line.
pub fn docs(attributes: &[Attribute]) -> Vec<String> {
    let text = |attribute: &Attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &pair.value
        else {
            return None;
        };
        let text = text.value();
        Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
    };
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(text)
        .collect()
}

/// True if one of the attributes has this last path segment: `#[micropython::function]` and `#[function]` alike.
pub fn has(attributes: &[Attribute], name: &str) -> bool {
    find(attributes, name).is_some()
}

/// The attribute with this last path segment.
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| {
        let path = attribute.path();
        let len = path.segments.len();
        path.segments.last().is_some_and(|last| last.ident == name)
            && (len == 1 || len == 2 && path.segments[0].ident == "micropython")
    })
}
