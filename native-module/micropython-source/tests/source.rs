//! Decides whether a module's source is read as it is meant: the stub of `native-module/testmodule` against
//! `testmodule.pyi` beside this file, and small sources against what they declare. `UPDATE_STUBS=1` writes the stub anew.

use std::path::{Path, PathBuf};

use micropython_source::{Tree, stub};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn testmodule() -> Tree {
    Tree::read(&here().join("../testmodule/src/lib.rs")).expect("the test module's source")
}

/// Reads a crate of these files, the first being its root.
fn read(name: &str, files: &[(&str, &str)]) -> Result<Tree, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a scratch folder");
        std::fs::write(&path, text).expect("a scratch file");
    }
    Tree::read(&folder.join(files[0].0)).map_err(|error| {
        error
            .to_string()
            .replace(&format!("{}/", folder.display()), "")
            .replace(&folder.display().to_string(), ".")
    })
}

fn stub_of(name: &str, source: &str) -> String {
    let tree = read(name, &[("lib.rs", source)]).expect("a readable source");
    let refused: Vec<String> = tree.refused.iter().map(ToString::to_string).collect();
    assert!(refused.is_empty(), "{refused:?}");
    stub::write(&tree.module)
}

#[test]
fn the_stub_of_the_test_module() {
    let written = stub::write(&testmodule().module);
    assert_eq!(
        written,
        stub::write(&testmodule().module),
        "it is the same every time"
    );
    let golden = here().join("tests/testmodule.pyi");
    if std::env::var_os("UPDATE_STUBS").is_some() {
        std::fs::write(&golden, &written).expect("the golden stub can be written");
    }
    let expected = std::fs::read_to_string(&golden).expect("the golden stub");
    assert!(
        written == expected,
        "testmodule.pyi differs; UPDATE_STUBS=1 writes it anew. Now it is:\n{written}"
    );
}

#[test]
fn names_are_those_that_python_and_qstr_use() {
    let tree = read(
        "names",
        &[
            (
                "lib.rs",
                r#"
                mod inner;
                #[cfg(test)] mod tests;
                #[module] mod m {
                    #[function] #[signature(a, _b = 1, *args, c = None, **kwargs)]
                    fn f(a: i32, _b: i32, args: &[Obj], c: Option<i32>, kwargs: Dict) {}
                    #[constant] const LIMIT: i32 = 1;
                    const HIDDEN: i32 = 2;
                }"#,
            ),
            (
                "inner.rs",
                r#"
                #[path = "elsewhere.rs"] mod other;
                #[class(base = "io.IOBase", name = "Named")] struct C;
                #[class] impl C {
                    pub const UNIT: i32 = 1;
                    #[new] fn new(start: i32) -> Self { todo!() }
                    #[getter] fn value(&self) -> i32 { 1 }
                    #[setter] fn set_value(&mut self, v: i32) {}
                    #[skip] fn skipped(&self) { x(qstr!("inside")) }
                    #[buffer] fn memory(&self) -> Block { todo!() }
                }"#,
            ),
            ("elsewhere.rs", r#"fn f() { [micropython::qstr!("deep"), qstr!("deep"), error!("Trouble", "deep")] }"#),
        ],
    )
    .expect("a readable source");
    // Twice in code, once, in tables only; each of these sorted.
    let expected = [
        "deep", "LIMIT", "UNIT", "inside", "IOBase", "Named", "Trouble", "a", "b", "c", "f", "io",
        "start", "v", "value",
    ];
    assert_eq!(tree.names.by_use(), expected);
    assert_eq!(tree.files.len(), 3, "the tests' module is no part of it");
    assert_eq!(tree.module.name.as_deref(), Some("m"));
}

#[test]
fn places_and_defaults() {
    let stub = stub_of(
        "places",
        r#"
        #[function] #[signature(a, /, b = -1, *, c = "x\n", d = b"\x00", e = 1.5, f = X, -> "None")]
        fn f(a: i32, b: i32, c: &str, d: &[u8], e: f64, f: Obj) -> Obj {}
        #[function] #[signature(a, b, /)]
        fn g(a: (u8, Option<bool>), b: [u8; 3]) -> Result<[f32; 2]> {}
        "#,
    );
    assert!(
        stub.contains(
            r#"def f(a: int, /, b: int = -1, *, c: str = "x\n", d: bytes = b"\x00", e: float = 1.5, f: Any = ...) -> None: ..."#
        ),
        "{stub}"
    );
    assert!(
        stub.contains("def g(a: tuple[int, bool | None], b: bytes, /) -> list[float]: ..."),
        "{stub}"
    );
}

#[test]
fn docstrings_are_quoted() {
    let stub = stub_of(
        "docs",
        "/// Says \"\"\"hello\"\"\" \\ twice.\n///\n/// Once more.\n#[function] fn f() {}",
    );
    assert!(
        stub.contains(
            "def f() -> None:\n    \"\"\"Says \\\"\\\"\\\"hello\\\"\\\"\\\" \\\\ twice.\n\n    Once more.\"\"\"\n"
        ),
        "{stub}"
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = |name, files: &[(&str, &str)]| read(name, files).map(|_| ()).expect_err("an error");
    assert_eq!(
        error("missing", &[("lib.rs", "mod gone;")]),
        "lib.rs: `mod gone;` has no file: neither gone.rs nor gone/mod.rs is in ."
    );
    assert_eq!(
        error("broken", &[("lib.rs", "fn f( {}")]),
        "lib.rs: line 1, column 5: cannot parse string into token stream"
    );
}

#[test]
fn what_the_macros_refuse_is_left_out_and_named() {
    let tree = read(
        "refused",
        &[(
            "lib.rs",
            "#[function] fn good(a: i32) {}\n#[function] fn bad(&self) {}",
        )],
    )
    .expect("a readable source");
    assert_eq!(tree.module.functions.len(), 1);
    let refused = tree.refused[0].to_string();
    assert!(
        refused.ends_with(
            "lib.rs: line 2, column 20: a method stands in a #[class] impl: remove `self`"
        ),
        "{refused}"
    );
}
