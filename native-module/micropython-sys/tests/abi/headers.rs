//! Decides what MicroPython's own headers say: runs bindgen over them and reads sizes, offsets, bit-fields,
//! constants and the function table's signatures out of what it writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quote::ToTokens;

/// A configuration that the headers are measured in.
#[derive(Clone, Copy, Debug)]
pub enum Config {
    /// The unix port on 64-bit x86: the interpreter that the tests run. Needs the C library's headers.
    UnixX64,
    /// A bare ARM board with 32-bit words, on the few lines of C library that `tests/c/libc` has.
    BareArm,
}

impl Config {
    /// The size of a word in bytes.
    pub fn word_size(self) -> usize {
        match self {
            Config::UnixX64 => 8,
            Config::BareArm => 4,
        }
    }

    fn clang_args(self, source: &Path) -> Vec<String> {
        let c = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
        let include = |path: PathBuf| format!("-I{}", path.display());
        let mut args = vec![include(source.to_path_buf())];
        match self {
            Config::UnixX64 => {
                args.push("--target=x86_64-unknown-linux-gnu".into());
                args.push(include(source.join("ports/unix")));
                args.push(include(source.join("ports/unix/variants/standard")));
            }
            Config::BareArm => {
                args.push("--target=armv7m-none-eabi".into());
                args.push("-ffreestanding".into());
                args.push("-DMP_CONFIGFILE=\"mpconfig_bare.h\"".into());
                args.push(include(c.join("libc")));
            }
        }
        args.push(include(c));
        args
    }
}

/// What the headers say, by the names that C has.
#[derive(Debug, Default)]
pub struct Measured {
    /// Size of each structure in bytes.
    pub sizes: BTreeMap<String, usize>,
    /// Offset of each field in bytes, by structure and field.
    pub offsets: BTreeMap<(String, String), usize>,
    /// First bit and number of bits of each bit-field, by structure and field.
    pub bits: BTreeMap<(String, String), (usize, usize)>,
    /// Value of each integer constant.
    pub constants: BTreeMap<String, i64>,
    /// The function table's entries in order: name and signature, see [`signature`].
    pub table: Vec<(String, String)>,
}

/// Where the unpacked source of a MicroPython version is: `UMQTT_MICROPYTHON_SRC_1_25` (`_1_26`), else the
/// cache that `cargo xtask setup` fills. The error says what is missing and what to do.
pub fn source(version: &str) -> Result<PathBuf, String> {
    let variable = format!("UMQTT_MICROPYTHON_SRC_{}", version.replace('.', "_"));
    let path = match std::env::var_os(&variable) {
        Some(path) => PathBuf::from(path),
        None => cached(version)?,
    };
    if path.join("py/nativeglue.h").is_file() {
        Ok(path)
    } else {
        Err(format!(
            "{} is not a MicroPython source; `cargo xtask setup` fetches one",
            path.display()
        ))
    }
}

/// The folder `umqtt/source/micropython-VERSION…` of the user's cache.
fn cached(version: &str) -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?
        .join("umqtt/source");
    let prefix = format!("micropython-{version}.");
    std::fs::read_dir(&cache)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        })
        .ok_or_else(|| {
            format!(
                "no source of MicroPython {version} in {}; `cargo xtask setup` fetches it",
                cache.display()
            )
        })
}

/// Runs bindgen over the headers of `source` in `config`.
pub fn measure(source: &Path, config: Config) -> Measured {
    let generated = tempfile::tempdir().expect("a scratch folder");
    write_generated_headers(source, generated.path());
    let bindings = bindgen::Builder::default()
        .header(format!("{}/tests/c/all.h", env!("CARGO_MANIFEST_DIR")))
        .clang_args(config.clang_args(source))
        .clang_arg(format!("-I{}", generated.path().display()))
        .allowlist_type("_?mp_.*|_?nlr_.*")
        .allowlist_var("MP_.*|MPY_.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(true)
        .formatter(bindgen::Formatter::None)
        .generate()
        .unwrap_or_else(|error| panic!("bindgen on {} for {config:?}: {error}", source.display()));
    parse(&bindings.to_string())
}

/// Writes the headers that MicroPython's build generates, as far as the measured ones include them: a qstr for
/// each name they mention, no root pointers.
fn write_generated_headers(source: &Path, folder: &Path) {
    let mut qstrs = BTreeSet::new();
    for entry in std::fs::read_dir(source.join("py")).expect("the folder py") {
        let path = entry.expect("an entry of py").path();
        if path.extension().is_some_and(|extension| extension == "h") {
            let text = std::fs::read_to_string(&path).expect("a header");
            for (at, _) in text.match_indices("MP_QSTR_") {
                let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                qstrs.insert(text[at..end.map_or(text.len(), |end| at + end)].to_string());
            }
        }
    }
    let genhdr = folder.join("genhdr");
    std::fs::create_dir(&genhdr).expect("the folder genhdr");
    let mut text = String::from("QDEF0(MP_QSTRnull, 0, 0, \"\")\n");
    for qstr in qstrs {
        text += &format!("QDEF1({qstr}, 0, 0, \"\")\n");
    }
    std::fs::write(genhdr.join("qstrdefs.generated.h"), text).expect("writing qstrs");
    std::fs::write(genhdr.join("root_pointers.h"), "").expect("writing root pointers");
}

/// Reads what bindgen wrote.
fn parse(text: &str) -> Measured {
    let file = syn::parse_file(text).expect("bindgen writes Rust");
    let mut measured = Measured::default();
    for item in &file.items {
        match item {
            syn::Item::Const(item) if item.ident == "_" => read_layout_test(item, &mut measured),
            syn::Item::Const(item) => {
                if let Some(value) = integer(&item.expr) {
                    measured.constants.insert(item.ident.to_string(), value);
                }
            }
            syn::Item::Struct(item) if item.ident == "_mp_fun_table_t" => {
                for field in &item.fields {
                    let name = field.ident.as_ref().expect("a named field").to_string();
                    measured.table.push((name, signature(&field.ty)));
                }
            }
            syn::Item::Impl(item) if item.trait_.is_none() => read_bits(item, &mut measured),
            _ => {}
        }
    }
    measured
}

/// Reads `["Size of X"][size_of::<X>() - 8usize]` and `["Offset of field: X::f"][offset_of!(X, f) - 8usize]`, the
/// form of bindgen's layout tests, whose numbers are clang's for the target.
fn read_layout_test(item: &syn::ItemConst, measured: &mut Measured) {
    let syn::Expr::Block(block) = &*item.expr else {
        return;
    };
    for statement in &block.block.stmts {
        let syn::Stmt::Expr(syn::Expr::Index(test), _) = statement else {
            continue;
        };
        let syn::Expr::Array(label) = &*test.expr else {
            continue;
        };
        let Some(syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(label),
            ..
        })) = label.elems.first()
        else {
            continue;
        };
        let syn::Expr::Binary(difference) = &*test.index else {
            continue;
        };
        let Some(number) = integer(&difference.right).and_then(|value| usize::try_from(value).ok())
        else {
            continue;
        };
        let label = label.value();
        if let Some(name) = label.strip_prefix("Size of ") {
            measured.sizes.insert(name.to_string(), number);
        } else if let Some((name, field)) = label
            .strip_prefix("Offset of field: ")
            .and_then(|path| path.rsplit_once("::"))
        {
            measured
                .offsets
                .insert((name.to_string(), field.to_string()), number);
        }
    }
}

/// Reads the getters `fn f(&self) -> T { … self._bitfield_1.get(3usize, 61u8) … }`.
fn read_bits(item: &syn::ItemImpl, measured: &mut Measured) {
    struct Finder(Option<(usize, usize)>);
    impl<'ast> syn::visit::Visit<'ast> for Finder {
        fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
            if call.method == "get" && call.args.len() == 2 {
                let number =
                    |index: usize| integer(&call.args[index]).and_then(|n| usize::try_from(n).ok());
                self.0 = self.0.or(number(0).zip(number(1)));
            }
            syn::visit::visit_expr_method_call(self, call);
        }
    }
    let name = item.self_ty.to_token_stream().to_string();
    for function in &item.items {
        let syn::ImplItem::Fn(function) = function else {
            continue;
        };
        let mut finder = Finder(None);
        syn::visit::Visit::visit_block(&mut finder, &function.block);
        let getter = function.sig.ident.to_string();
        if let Some(bits) = finder.0
            && !getter.ends_with("_raw")
        {
            measured.bits.insert((name.clone(), getter), bits);
        }
    }
}

fn integer(expr: &syn::Expr) -> Option<i64> {
    match expr {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Int(value),
            ..
        }) => value.base10_parse().ok(),
        syn::Expr::Unary(syn::ExprUnary {
            op: syn::UnOp::Neg(_),
            expr,
            ..
        }) => integer(expr).map(|value| -value),
        syn::Expr::Group(group) => integer(&group.expr),
        _ => None,
    }
}

/// How an entry's arguments and result travel: `p` an address or object, `u`/`i` a word, `w` 32 bits, `c` a
/// character, `b` a bool, `f`/`d` a float or double, `.` variable arguments, `!` never returns; `p` alone for data.
/// Both bindgen's spelling of a type and this crate's lead to the same letters.
pub fn signature(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Ptr(_) => "p".into(),
        syn::Type::Never(_) => "!".into(),
        syn::Type::BareFn(function) => {
            let mut letters: Vec<String> = function
                .inputs
                .iter()
                .map(|input| signature(&input.ty))
                .collect();
            if function.variadic.is_some() {
                letters.push(".".into());
            }
            let result = match &function.output {
                syn::ReturnType::Default => String::new(),
                syn::ReturnType::Type(_, ty) => signature(ty),
            };
            format!("({}){result}", letters.concat())
        }
        syn::Type::Path(path) => {
            let last = path.path.segments.last().expect("a path has a segment");
            if last.ident == "Option"
                && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
            {
                return signature(inner);
            }
            match last.ident.to_string().as_str() {
                "mp_obj_t" | "mp_const_obj_t" | "MpObj" => "p",
                "mp_proto_fun_t" | "mp_rom_error_text_t" => "p",
                "mp_uint_t" | "usize" | "qstr" | "Qstr" | "size_t" => "u",
                "mp_int_t" | "isize" => "i",
                "u32" | "c_uint" | "c_int" | "mp_unary_op_t" | "mp_binary_op_t" => "w",
                "c_char" => "c",
                "bool" => "b",
                "f32" => "f",
                "f64" => "d",
                other => return format!("?{other}"),
            }
            .into()
        }
        other => format!("?{}", other.to_token_stream()),
    }
}
