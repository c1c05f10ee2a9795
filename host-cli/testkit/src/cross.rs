//! Decides what compiles C and Rust for a board's architecture in tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use mpy_link::Arch;
use native_build::Target;

use crate::qemu::installed;

/// The compilers for an architecture.
#[derive(Debug)]
pub struct Cross {
    /// What they compile for.
    pub arch: Arch,
    gcc: &'static str,
    flags: &'static [&'static str],
}

/// Those that Debian has.
pub const CROSS: [Cross; 9] = [
    Cross {
        arch: Arch::Armv7m,
        gcc: "arm-none-eabi-gcc",
        flags: &["-mthumb", "-mcpu=cortex-m3"],
    },
    Cross {
        arch: Arch::Armv6m,
        gcc: "arm-none-eabi-gcc",
        flags: &["-mthumb", "-mcpu=cortex-m0"],
    },
    Cross {
        arch: Arch::Armv6,
        gcc: "arm-none-eabi-gcc",
        flags: &["-marm", "-march=armv6"],
    },
    Cross {
        arch: Arch::Rv32imc,
        gcc: "riscv64-unknown-elf-gcc",
        flags: &["-march=rv32imac", "-mabi=ilp32", "-ffreestanding"],
    },
    Cross {
        arch: Arch::Armv7em,
        gcc: "arm-none-eabi-gcc",
        flags: &["-mthumb", "-mcpu=cortex-m4", "-mfloat-abi=soft"],
    },
    Cross {
        arch: Arch::Armv7emsp,
        gcc: "arm-none-eabi-gcc",
        flags: &[
            "-mthumb",
            "-mcpu=cortex-m4",
            "-mfpu=fpv4-sp-d16",
            "-mfloat-abi=hard",
        ],
    },
    Cross {
        arch: Arch::Armv7emdp,
        gcc: "arm-none-eabi-gcc",
        flags: &[
            "-mthumb",
            "-mcpu=cortex-m7",
            "-mfpu=fpv5-d16",
            "-mfloat-abi=hard",
        ],
    },
    Cross {
        arch: Arch::Rv64imc,
        gcc: "riscv64-unknown-elf-gcc",
        flags: &["-march=rv64imac", "-mabi=lp64", "-ffreestanding"],
    },
    Cross {
        arch: Arch::X86,
        gcc: "gcc",
        flags: &["-m32"],
    },
];

impl Cross {
    /// The compilers for an architecture.
    ///
    /// # Panics
    /// Where none are listed.
    pub fn of(arch: Arch) -> &'static Cross {
        CROSS
            .iter()
            .find(|cross| cross.arch == arch)
            .expect("its compilers are listed")
    }

    /// Compiles a C or assembly file to an object in `folder`.
    ///
    /// # Errors
    /// Where there is no compiler; the text names it.
    ///
    /// # Panics
    /// Where the file does not compile.
    pub fn gcc(&self, folder: &Path, source: &Path, flags: &[&str]) -> Result<PathBuf, String> {
        installed(self.gcc)?;
        let object = folder
            .join(source.file_stem().expect("a file"))
            .with_extension("o");
        let output = Command::new(self.gcc)
            .args(["-c", "-w", "-fpic", "-fno-stack-protector"])
            .args(["-ffunction-sections", "-fdata-sections"])
            .args(self.flags)
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(&object)
            .output()
            .expect("gcc starts");
        assert!(
            output.status.success(),
            "{}: {}",
            source.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(object)
    }

    /// The compiler's own library.
    ///
    /// # Panics
    /// Where the compiler does not name it.
    pub fn library(&self) -> PathBuf {
        let output = Command::new(self.gcc)
            .args(self.flags)
            .arg("-print-libgcc-file-name")
            .output()
            .expect("gcc starts");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    }

    /// Compiles Rust files, each to an archive of its own. Returns the archives in the same order.
    ///
    /// # Errors
    /// Where there is no toolchain or no target; the text says what to install.
    ///
    /// # Panics
    /// Where a file does not compile.
    pub fn rust(&self, folder: &Path, sources: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
        let target = Target::of(self.arch)
            .ok_or_else(|| format!("no Rust target for {}", self.arch.name()))?;
        let toolchain = native_build::find_toolchain(target, folder, None)
            .map_err(|error| error.to_string())?;
        let mut manifest = "[package]\nname = \"cases\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
            [workspace]\n\n[lib]\npath = \"lib.rs\"\n\n\
            [profile.release]\nopt-level = \"s\"\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\n"
            .to_owned();
        let stem = |source: &PathBuf| {
            let stem = source.file_stem().expect("a file");
            stem.to_string_lossy().into_owned()
        };
        for source in sources {
            manifest += &format!(
                "\n[[example]]\nname = \"{}\"\npath = \"{}\"\ncrate-type = [\"staticlib\"]\n",
                stem(source),
                source.display()
            );
        }
        std::fs::write(folder.join("Cargo.toml"), manifest).expect("the folder can be written");
        std::fs::write(folder.join("lib.rs"), "#![no_std]\n").expect("the folder can be written");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.arg("build");
        let triple = &target.rustc;
        command.arg("--target").arg(triple);
        if target.spec.is_some() {
            command
                .env(
                    "RUST_TARGET_PATH",
                    crate::repository().join("native-module/targets"),
                )
                .env("RUSTFLAGS", "-Zunstable-options");
        } else {
            command.env_remove("RUSTFLAGS");
        }
        let output = command
            .args(["--release", "--examples", "--quiet", "-Zbuild-std=core"])
            .arg("--target-dir")
            .arg(folder.join("target"))
            .current_dir(folder)
            .env("RUSTC", &toolchain.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env_remove("RUSTC_WRAPPER")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .output()
            .expect("cargo starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let built = folder.join("target").join(triple).join("release/examples");
        let archive = |source| built.join(format!("lib{}.a", stem(source)));
        Ok(sources.iter().map(archive).collect())
    }
}
