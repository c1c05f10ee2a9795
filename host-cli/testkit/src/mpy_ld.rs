//! Decides how the objects of upstream's example modules are linked once more, by our linker or by MicroPython's
//! `tools/mpy_ld.py`, to compare what comes out and how long it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::natmod::{Natmod, run};

/// The version of PyPI's `ar` that `mpy_ld.py` reads archives with; Debian has none.
pub const AR_VERSION: &str = "1.0.1";

/// A linker's command, with the options of `mpy_ld.py`.
#[derive(Clone, Debug)]
pub struct Linker {
    words: Vec<String>,
    /// Where Python finds `ar`; empty for ours.
    python_path: String,
}

impl Linker {
    /// `mpy-link` at this path.
    pub fn ours(program: &Path) -> Linker {
        Linker {
            words: vec![program.display().to_string()],
            python_path: String::new(),
        }
    }

    /// `tools/mpy_ld.py` of a source folder, on the first Python that has what it needs.
    ///
    /// # Errors
    /// Where there is none; the text says how to get it.
    pub fn upstream(source: &Path) -> Result<Linker, String> {
        let python_path = ar_folder()?.display().to_string();
        let fits = |python: &&str| {
            run(Command::new(python)
                .args(["-c", "import elftools, ar"])
                .env("PYTHONPATH", &python_path))
            .is_ok()
        };
        let python = ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(fits)
            .ok_or("no python3 with elftools and ar, which mpy_ld.py needs; `cargo xtask setup` installs them")?;
        let script = source.join("tools/mpy_ld.py");
        Ok(Linker {
            words: vec![python.to_owned(), script.display().to_string()],
            python_path,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        if !self.python_path.is_empty() {
            command.env("PYTHONPATH", &self.python_path);
        }
        command
    }
}

/// Where `cargo xtask setup` puts PyPI's `ar`.
///
/// # Errors
/// Where there is no cache folder.
pub fn ar_folder() -> Result<PathBuf, String> {
    Ok(crate::cache()?.join(format!("pypi/ar-{AR_VERSION}")))
}

impl Natmod {
    /// The command that links it again with `linker`, to the file that is returned too. Both linkers give the module
    /// the output file's name, so each has a folder of its own.
    ///
    /// # Errors
    /// Where that folder cannot be made.
    pub fn link_command(&self, linker: &Linker, who: &str) -> Result<(Command, PathBuf), String> {
        let folder = self.folder.join(who);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = Path::new(&self.native).file_name().unwrap_or_default();
        let output = folder.join(name);
        let mut command = linker.command();
        command
            .args(&self.arguments)
            .arg("-o")
            .arg(&output)
            .current_dir(&self.folder);
        Ok((command, output))
    }

    /// Links it again. Returns the linked file's bytes.
    ///
    /// # Errors
    /// Where the linker fails; with what it printed.
    pub fn link(&self, linker: &Linker, who: &str) -> Result<Vec<u8>, String> {
        let (mut command, output) = self.link_command(linker, who)?;
        run(&mut command)?;
        fs::read(&output).map_err(|error| format!("{}: {error}", output.display()))
    }

    /// Makes a finished module of what [`Natmod::link`] linked before, as the makefile does.
    ///
    /// # Errors
    /// Where `mpy-tool.py` fails.
    pub fn finish(&self, source: &Path, who: &str) -> Result<Vec<u8>, String> {
        let name = Path::new(&self.native).file_name().unwrap_or_default();
        let module = self.folder.join(who).join("module.mpy");
        run(Command::new("python3")
            .arg(source.join("tools/mpy-tool.py"))
            .args(["--merge", "-o"])
            .arg(&module)
            .arg(self.folder.join(who).join(name))
            .args(&self.python))?;
        fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))
    }

    /// Whether libraries are linked too.
    pub fn takes_archives(&self) -> bool {
        self.arguments
            .iter()
            .any(|argument| argument.starts_with("-l"))
    }

    /// Lets upstream's linker forget what it knows of archives, so that it reads them anew.
    pub fn forget_archives(&self) {
        let _ = fs::remove_file(self.folder.join(".mpy_ld_cache"));
    }
}
