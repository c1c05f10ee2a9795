//! `mpy-stubs CRATE/src/lib.rs [-o FILE.pyi]`: writes the stub of a native module from its source.

use std::path::PathBuf;
use std::process::ExitCode;

use micropython_source::{Tree, stub};

const USAGE: &str = "usage: mpy-stubs CRATE/src/lib.rs [-o FILE.pyi]";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mut root = None;
    let mut output = None;
    while let Some(argument) = arguments.next() {
        if argument == "-o" {
            output = arguments.next().map(PathBuf::from);
            if output.is_none() {
                return fail(2, "-o needs a file; ");
            }
        } else if argument.to_string_lossy().starts_with('-') || root.is_some() {
            return fail(2, "");
        } else {
            root = Some(PathBuf::from(argument));
        }
    }
    let Some(root) = root else {
        return fail(2, "");
    };
    let tree = match Tree::read(&root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("mpy-stubs: {error}");
            return ExitCode::from(1);
        }
    };
    for refused in &tree.refused {
        eprintln!("mpy-stubs: {refused}");
    }
    if !tree.refused.is_empty() {
        return ExitCode::from(1);
    }
    let text = stub::write(&tree.module);
    let Some(output) = output else {
        print!("{text}");
        return ExitCode::SUCCESS;
    };
    if let Err(error) = std::fs::write(&output, text) {
        eprintln!("mpy-stubs: cannot write {}: {error}", output.display());
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

fn fail(status: u8, what: &str) -> ExitCode {
    eprintln!("mpy-stubs: {what}{USAGE}");
    ExitCode::from(status)
}
