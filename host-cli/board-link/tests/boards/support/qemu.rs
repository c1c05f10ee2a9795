//! A real MicroPython with a real raw REPL: its QEMU port, built from source and run on a
//! pseudo-terminal or a TCP socket. No board needed.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use board_link::PortSpec;

/// MicroPython's source tree, 1.26, as Debian's source package unpacks.
const SOURCE: &str = "UMQTT_MICROPYTHON_SRC_1_26";
const COMPILER: &str = "arm-none-eabi-gcc";
const QEMU: &str = "qemu-system-arm";

/// An emulated Cortex-M3 board that runs MicroPython; stopped on drop.
pub struct QemuBoard {
    child: Child,
    pub spec: PortSpec,
    /// Emulated boards never sleep; one at a time leaves the machine responsive.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl QemuBoard {
    /// Starts a board behind a pseudo-terminal; `None`: skipped, and said so.
    pub fn on_pty(name: &str) -> Option<QemuBoard> {
        let firmware = firmware_or_skip(name)?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command(&firmware)
            .args(["-serial", "pty"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("QEMU starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        let device = lines
            .find_map(|line| {
                let line = line.expect("QEMU's output can be read");
                let rest = line.split_once("redirected to ")?.1;
                rest.split(' ').next().map(str::to_owned)
            })
            .expect("QEMU names its pseudo-terminal");
        Some(QemuBoard {
            child,
            spec: PortSpec::Device(device),
            _turn: turn,
        })
    }

    /// Starts a board behind a TCP socket.
    pub fn on_socket(name: &str) -> Option<QemuBoard> {
        let firmware = firmware_or_skip(name)?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let port = free_port();
        let child = command(&firmware)
            .arg("-serial")
            .arg(format!("tcp:127.0.0.1:{port},server=on,wait=off"))
            .spawn()
            .expect("QEMU starts");
        wait_until_listening(port);
        Some(QemuBoard {
            child,
            spec: PortSpec::Socket {
                host: "127.0.0.1".to_owned(),
                port,
            },
            _turn: turn,
        })
    }

    /// The pseudo-terminal's path.
    pub fn device(&self) -> String {
        self.spec.to_string()
    }

    /// Ends the board as pulling its plug does.
    pub fn unplug(&mut self) {
        self.child.kill().expect("QEMU can be ended");
        self.child.wait().expect("QEMU has ended");
    }
}

impl Drop for QemuBoard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(firmware: &Path) -> Command {
    let mut command = Command::new(QEMU);
    command
        .args([
            "-machine",
            "mps2-an385",
            "-nographic",
            "-monitor",
            "none",
            "-semihosting",
        ])
        .arg("-kernel")
        .arg(firmware)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

/// A TCP port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has a number").port()
}

/// Looks into the kernel's table instead of connecting: servers for one client would take a
/// trial connection for that client.
pub fn wait_until_listening(port: u16) {
    let wanted = format!(":{port:04X} 00000000:0000 0A");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let mut texts = tables
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok());
        if texts.any(|text| {
            text.contains(&wanted)
                || text.contains(&format!(
                    ":{port:04X} 00000000000000000000000000000000:0000 0A"
                ))
        }) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody listens on port {port}");
}

fn firmware_or_skip(name: &str) -> Option<PathBuf> {
    static FIRMWARE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FIRMWARE.get_or_init(firmware) {
        Ok(path) => Some(path.clone()),
        Err(reason) => {
            testkit::skip(name, reason);
            None
        }
    }
}

/// True if `program` can be started.
pub fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// The firmware, built unless the cache has it. `Err`: what is missing for that.
fn firmware() -> Result<PathBuf, String> {
    for program in [COMPILER, QEMU, "make"] {
        if !installed(program) {
            return Err(format!("{program} is not installed"));
        }
    }
    let source =
        env::var_os(SOURCE).ok_or(format!("{SOURCE} is not set; `cargo xtask test` sets it"))?;
    let source = PathBuf::from(source);
    let port = source.join("ports/qemu");
    if !port.join("Makefile").is_file() {
        return Err(format!("{SOURCE} has no ports/qemu"));
    }
    let additions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boards/support/firmware");
    let cache = testkit::cache()?.join(format!(
        "qemu-mps2-{:016x}",
        fingerprint(&source, &additions)
    ));
    let elf = cache.join("firmware.elf");
    if elf.is_file() {
        return Ok(elf);
    }
    build(&port, &additions, &cache);
    Ok(elf)
}

/// Changes with the recipe, what it adds, and MicroPython's source.
fn fingerprint(source: &Path, additions: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    include_str!("qemu.rs").hash(&mut hasher);
    for name in ["board.c", "micropython.mk", "discard.ld"] {
        fs::read(additions.join(name))
            .expect("it is part of the tests")
            .hash(&mut hasher);
    }
    source.hash(&mut hasher);
    for name in ["py/mpconfig.h", "py/vm.c", "shared/runtime/pyexec.c"] {
        fs::read(source.join(name))
            .unwrap_or_default()
            .hash(&mut hasher);
    }
    hasher.finish()
}

fn build(port: &Path, additions: &Path, cache: &Path) {
    // Test programs run at the same time build each in their own folder; the last rename wins.
    let work = cache.with_extension(format!("build-{}", std::process::id()));
    let modules = work.join("modules/board");
    fs::create_dir_all(&modules).expect("the cache folder can be written");
    for name in ["board.c", "micropython.mk"] {
        fs::copy(additions.join(name), modules.join(name)).expect("files can be copied");
    }
    let output = Command::new("make")
        .arg("-C")
        .arg(port)
        .args(["-j2", "BOARD=MPS2_AN385", "FROZEN_MANIFEST="])
        .arg(format!("BUILD={}", work.join("build").display()))
        .arg(format!("USER_C_MODULES={}", work.join("modules").display()))
        .args([
            "MICROPY_HEAP_SIZE=1500000",
            "MICROPY_VFS_LFS2=1",
            "MICROPY_VFS_FAT=1",
        ])
        .arg(
            "CFLAGS_EXTRA=-DMICROPY_FATFS_ENABLE_LFN=1 -DMICROPY_FATFS_LFN_CODE_PAGE=437 \
             -DMICROPY_FATFS_RPATH=2 -DMICROPY_VM_HOOK_LOOP='void umqtt_test_poll_uart(void); \
             umqtt_test_poll_uart();'",
        )
        // The Makefile appends to these, so they come by the environment.
        .env(
            "LDFLAGS",
            format!(
                "-Wl,--wrap=uart_rx_chr -Wl,-T,{}",
                additions.join("discard.ld").display()
            ),
        )
        .env_remove("MAKEFLAGS")
        .output()
        .expect("make starts");
    assert!(
        output.status.success(),
        "building MicroPython's QEMU port failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::create_dir_all(cache).expect("the cache folder can be written");
    fs::rename(work.join("build/firmware.elf"), cache.join("firmware.elf"))
        .expect("the firmware was built");
    fs::remove_dir_all(&work).expect("the build folder can be removed");
}
