//! Decides how the command gets emulated boards to work on: MicroPython's QEMU port with what it lacks to stand in for a
//! board (see `firmware/board.c`: a disk, Ctrl-C, boot.py and main.py), behind a pseudo-terminal or a TCP port.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use board_link::PortSpec;
pub use mpy_link::Arch;

use crate::qemu::{QemuModel, firmware, installed};

/// Where an emulated board's serial line comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A pseudo-terminal.
    Pty,
    /// A TCP port of this computer.
    Socket,
}

/// A running emulator that nobody speaks to yet; stopped on drop.
pub struct Emulator {
    child: Child,
    port: PortSpec,
}

impl Emulator {
    /// Builds the firmware unless the cache has it, and starts it.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn start(arch: Arch, line: Line) -> Result<Emulator, String> {
        let model = QemuModel::of(arch).ok_or("QEMU has no such board")?;
        installed(model.emulator)?;
        let firmware = firmware(model, true)?;
        let mut command = Command::new(model.emulator);
        command
            .args(model.arguments)
            .args(["-nographic", "-monitor", "none", "-semihosting"])
            .arg("-kernel")
            .arg(firmware)
            .stdin(Stdio::null());
        let failed = |error: std::io::Error| format!("{}: {error}", model.emulator);
        if line == Line::Socket {
            let number = free_port()?;
            let child = command
                .arg("-serial")
                .arg(format!(
                    "tcp:127.0.0.1:{number},server=on,wait=off,nodelay=on"
                ))
                .stdout(Stdio::null())
                .spawn()
                .map_err(failed)?;
            let emulator = Emulator {
                child,
                port: PortSpec::Socket {
                    host: "127.0.0.1".to_owned(),
                    port: number,
                },
            };
            wait_until_listening(number)?;
            return Ok(emulator);
        }
        let mut child = command
            .args(["-serial", "pty"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let device = BufReader::new(stdout).lines().find_map(|line| {
            let line = line.ok()?;
            let (_, rest) = line.split_once("redirected to ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        let emulator = Emulator {
            child,
            port: PortSpec::Device(device.clone().unwrap_or_default()),
        };
        device.ok_or("QEMU names no pseudo-terminal")?;
        Ok(emulator)
    }

    /// What `--port` needs to say.
    pub fn port(&self) -> &PortSpec {
        &self.port
    }

    /// Ends the board as pulling its plug does.
    pub fn unplug(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// A TCP port that was free a moment ago.
fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free TCP port: {error}"))
}

/// Looks into the kernel's table instead of connecting: QEMU would take a trial connection for its client.
///
/// # Errors
/// Where nobody listens within ten seconds.
pub fn wait_until_listening(port: u16) -> Result<(), String> {
    let any = [8, 32].map(|digits| format!(":{port:04X} {}:0000 0A", "0".repeat(digits)));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let mut texts = tables
            .iter()
            .filter_map(|table| std::fs::read_to_string(table).ok());
        if texts.any(|text| any.iter().any(|line| text.contains(line))) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("nobody listens on port {port}"))
}

/// What is added to the port when it is built.
pub(crate) mod additions {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware");

    /// A module in C, how it is built, what the linker leaves out.
    const NAMES: [&str; 3] = ["board.c", "micropython.mk", "discard.ld"];

    pub(crate) const FLAGS: &str = "CFLAGS_EXTRA=-DMICROPY_FATFS_ENABLE_LFN=1 -DMICROPY_FATFS_LFN_CODE_PAGE=437 \
         -DMICROPY_FATFS_RPATH=2 -DMICROPY_VM_HOOK_LOOP='void umqtt_test_poll_uart(void); umqtt_test_poll_uart();' \
         -DMICROPY_PORT_INIT_FUNC='void umqtt_test_start(void); umqtt_test_start();'";

    pub(crate) fn files() -> impl Iterator<Item = PathBuf> {
        NAMES.iter().map(|name| Path::new(FOLDER).join(name))
    }

    /// Prepares a `make` of the port.
    pub(crate) fn add(command: &mut Command, build: &Path, arm: bool) -> Result<(), String> {
        // MicroPython's build takes modules from a folder that has nothing else in it.
        let modules = build.join("modules/board");
        std::fs::create_dir_all(&modules)
            .and_then(|()| {
                for name in &NAMES[..2] {
                    std::fs::copy(Path::new(FOLDER).join(name), modules.join(name))?;
                }
                Ok(())
            })
            .map_err(|error| format!("{}: {error}", modules.display()))?;
        let mut linker = "-Wl,--wrap=uart_rx_chr".to_owned();
        if arm {
            linker += &format!(" -Wl,-T,{FOLDER}/{}", NAMES[2]);
        }
        command
            .arg(format!(
                "USER_C_MODULES={}",
                build.join("modules").display()
            ))
            // The port's RISC-V board has 2 MB of memory, and the disk takes more than half.
            .arg(format!(
                "MICROPY_HEAP_SIZE={}",
                if arm { 1_500_000 } else { 700_000 }
            ))
            .args(["MICROPY_VFS_LFS2=1", "MICROPY_VFS_FAT=1", FLAGS])
            // The Makefile appends to these, so they come by the environment.
            .env("LDFLAGS", linker);
        Ok(())
    }
}
