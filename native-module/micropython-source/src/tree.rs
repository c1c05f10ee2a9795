//! Decides which files a crate is made of and what they declare: follows `mod` from the root file, as rustc does
//! without configuration (`#[cfg(test)]` modules are left out, other conditions are taken as true).

use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta};

use crate::attributes;
use crate::class::{Arguments, Class, Constant, Methods};
use crate::function::Function;
use crate::names::{self, Names};

/// What could not be read.
#[derive(Clone, Debug)]
pub struct TreeError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, with line and column where there is one.
    pub problem: String,
}

impl std::fmt::Display for TreeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for TreeError {}

/// What a module declares to Python, in the order of its source.
#[derive(Clone, Default)]
pub struct ModuleSource {
    /// What `#[module]` is called; `None` where no `#[module]` was found.
    pub name: Option<String>,
    pub docs: Vec<String>,
    pub functions: Vec<Function>,
    pub classes: Vec<Class>,
    pub methods: Vec<Methods>,
    pub constants: Vec<Constant>,
}

/// A crate's source.
#[derive(Clone, Default)]
pub struct Tree {
    /// The files in the order they were found, the root first.
    pub files: Vec<PathBuf>,
    pub module: ModuleSource,
    /// Every string that the qstr table must hold.
    pub names: Names,
    /// What the macros refuse, which is not in `module` and `names`. The macros report it where it stands.
    pub refused: Vec<TreeError>,
}

impl Tree {
    /// Reads a crate from its root file.
    ///
    /// # Errors
    /// Where a file is missing or is no Rust.
    pub fn read(root: &Path) -> Result<Tree, TreeError> {
        let mut tree = Tree::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        tree.file(root, &folder)?;
        Ok(tree)
    }

    /// Reads one file; modules that it declares are looked for in `folder`.
    fn file(&mut self, path: &Path, folder: &Path) -> Result<(), TreeError> {
        let fail = |problem: String| TreeError {
            path: path.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| fail(format!("cannot be read: {error}")))?;
        let file = syn::parse_file(&text).map_err(|error| fail(place(&error)))?;
        self.files.push(path.to_owned());
        names::of_tokens(file.to_token_stream(), &mut self.names);
        if self.files.len() == 1 {
            self.module.docs = attributes::docs(&file.attrs);
        }
        self.items(file.items, path, folder)
    }

    fn items(&mut self, items: Vec<Item>, path: &Path, folder: &Path) -> Result<(), TreeError> {
        for item in items {
            self.item(item, path, folder)?;
        }
        Ok(())
    }

    fn item(&mut self, item: Item, path: &Path, folder: &Path) -> Result<(), TreeError> {
        if let Item::Mod(item) = item {
            return self.inner(item, path, folder);
        }
        if let Err(error) = self.declaration(item) {
            self.refused.push(TreeError {
                path: path.to_owned(),
                problem: place(&error),
            });
        }
        Ok(())
    }

    /// Takes what an item declares to Python.
    fn declaration(&mut self, item: Item) -> syn::Result<()> {
        match item {
            Item::Fn(mut item) if attributes::has(&item.attrs, "function") => {
                let function = Function::read(&item.sig, &mut item.attrs, false)?;
                names::of_function(&function, &mut self.names);
                self.module.functions.push(function);
            }
            Item::Struct(item) => {
                if let Some(attribute) = attributes::find(&item.attrs, "class") {
                    let arguments = match &attribute.meta {
                        Meta::Path(_) => Arguments::default(),
                        _ => attribute.parse_args()?,
                    };
                    let class = Class::read(arguments, &item)?;
                    names::of_class(&class, &mut self.names);
                    self.module.classes.push(class);
                }
            }
            Item::Impl(mut item) if attributes::has(&item.attrs, "class") => {
                let methods = Methods::read(&mut item)?;
                names::of_methods(&methods, &mut self.names);
                self.module.methods.push(methods);
            }
            Item::Const(item) if attributes::has(&item.attrs, "constant") => {
                self.names.use_in_code(&item.ident.to_string());
                self.module.constants.push(Constant {
                    ident: item.ident,
                    ty: *item.ty,
                    docs: attributes::docs(&item.attrs),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Goes into a module.
    fn inner(&mut self, item: ItemMod, path: &Path, folder: &Path) -> Result<(), TreeError> {
        if only_for_tests(&item.attrs) {
            return Ok(());
        }
        if attributes::has(&item.attrs, "module") {
            self.module.name = Some(item.ident.to_string());
            let docs = attributes::docs(&item.attrs);
            if !docs.is_empty() {
                self.module.docs = docs;
            }
        }
        let name = item.ident.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name);
        match item.content {
            Some((_, items)) => self.items(items, path, &folder.join(name)),
            None => {
                let (file, folder) = find(&item.attrs, path, folder, name)?;
                self.file(&file, &folder)
            }
        }
    }
}

/// The file of `mod name;` and the folder of its own modules.
fn find(
    attributes: &[Attribute],
    parent: &Path,
    folder: &Path,
    name: &str,
) -> Result<(PathBuf, PathBuf), TreeError> {
    let written = attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) if pair.path.is_ident("path") => Some(text.value()),
            _ => None,
        }
    });
    if let Some(written) = written {
        let file = parent.parent().unwrap_or(Path::new("")).join(written);
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((file, folder));
    }
    let inner = folder.join(name);
    for file in [folder.join(format!("{name}.rs")), inner.join("mod.rs")] {
        if file.is_file() {
            return Ok((file, inner));
        }
    }
    Err(TreeError {
        path: parent.to_owned(),
        problem: format!(
            "`mod {name};` has no file: neither {name}.rs nor {name}/mod.rs is in {}",
            folder.display()
        ),
    })
}

fn only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

/// An error of syn with its place.
fn place(error: &syn::Error) -> String {
    let start = error.span().start();
    format!("line {}, column {}: {error}", start.line, start.column + 1)
}
