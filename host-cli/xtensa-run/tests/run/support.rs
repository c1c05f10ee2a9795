//! What the tests share: the interpreter, built once per core, and running a script in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use mpy_link::{Input, LinkOptions};
use xtensa_run::{Core, Error, Interpreter, Rust};

/// Everything for one core.
pub struct Kit {
    pub core: Core,
    pub rust: Rust,
    pub interpreter: Interpreter,
    /// What every module may need besides its own code.
    pub support: Vec<PathBuf>,
}

/// The kit of a core, or what is missing for it.
///
/// # Panics
/// If all is there but it cannot be built: that is no reason to skip a test.
pub fn kit(core: Core) -> Result<&'static Kit, String> {
    static WINDOWED: OnceLock<Result<Kit, Error>> = OnceLock::new();
    static CALL0: OnceLock<Result<Kit, Error>> = OnceLock::new();
    let place = match core {
        Core::Windowed => &WINDOWED,
        Core::Call0 => &CALL0,
    };
    let made = place.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let rust = Rust::prepare(core, folder)?;
        let runtime = folder.join(core.arch().name()).join("xtensa_rt.o");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../native-module/xtensa-rt/src/lib.rs");
        let mut rustc = rust.rustc();
        rustc
            .args([
                "-O",
                "-C",
                "codegen-units=1",
                "--crate-type",
                "rlib",
                "--emit=obj",
            ])
            .arg(source);
        compile(rustc.arg("-o").arg(&runtime)).map_err(Error::Failed)?;
        Ok(Kit {
            core,
            interpreter: Interpreter::build(core, &rust, folder)?,
            support: vec![runtime, rust.compiler_builtins().to_owned()],
            rust,
        })
    });
    match made {
        Ok(kit) => Ok(kit),
        Err(Error::Missing(what)) => Err(what.clone()),
        Err(Error::Failed(why)) => panic!("{why}"),
    }
}

impl Kit {
    /// A folder of its own, empty at first.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("run")
            .join(self.core.arch().name())
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the test folder can be made");
        folder
    }

    /// Links objects and archives into `folder/name.mpy`.
    pub fn link(&self, folder: &Path, name: &str, files: &[PathBuf]) -> Result<(), String> {
        let inputs: Vec<Input> = files
            .iter()
            .map(|file| Input {
                name: file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                bytes: fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
            })
            .collect();
        let options = LinkOptions::new(self.core.arch(), format!("{name}.py"));
        let linked = mpy_link::link(&options, &inputs).map_err(|error| error.to_string())?;
        fs::write(folder.join(name).with_extension("mpy"), linked.mpy)
            .expect("the module can be written");
        Ok(())
    }

    /// Runs a script in `folder`. Returns what it printed, with its status behind if that is not 0.
    pub fn run(&self, folder: &Path, script: &str) -> String {
        /// Far more than any of them takes on a busy computer.
        const LIMIT: Duration = Duration::from_secs(120);
        fs::write(folder.join("script.py"), script).expect("the script can be written");
        let mut command = self.interpreter.command();
        testkit::printed(command.arg("script.py"), folder, LIMIT)
    }
}

/// Runs a compiler to its end.
pub fn compile(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}", output.status))
}
