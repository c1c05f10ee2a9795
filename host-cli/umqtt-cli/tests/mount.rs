//! `umqtt mount` on every kind of board: the simulated one, MicroPython in QEMU (armv7m and rv32imc), over a
//! pseudo-terminal and TCP. What a folder does for a board, and that nothing outside of it does.
#![cfg(unix)]

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use board_sim::{SimBoard, SimConfig};
use common::ser2net::Ser2net;
use common::{Done, Home, finish, micropython, repository};
use testkit::emulator::{Arch, Emulator, Line};
use testkit::need;
use testkit::qemu::installed;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Emulated boards never sleep; one at a time leaves the computer responsive.
static TURN: Mutex<()> = Mutex::new(());

struct Place {
    name: String,
    port: String,
    /// Whose native modules the board loads.
    arch: &'static str,
    home: Home,
}

impl Place {
    fn new(name: &str, port: String, arch: &'static str) -> Place {
        let home = Home::new();
        let shared = home.path().join("shared");
        std::fs::create_dir_all(shared.join("paquete")).expect("folders");
        Place {
            name: name.to_owned(),
            port,
            arch,
            home,
        }
    }

    fn shared(&self, name: &str) -> PathBuf {
        self.home.path().join("shared").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.shared(name), content).expect("a file");
    }

    /// An emulated board on a busy computer takes its time.
    fn command(&self, arguments: &[&str]) -> Command {
        let port = ["--port", &self.port];
        let mut command = (self.home).umqtt(arguments.iter().copied().chain(port));
        command.env("UMQTT_PATIENCE", "10");
        command
    }

    fn umqtt(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments).spawn().expect("umqtt starts"))
    }

    fn mount(&self, code: &str) -> Done {
        self.umqtt(&["mount", "shared", "--exec", code])
    }

    #[track_caller]
    fn prints(&self, code: &str, wanted: &str) {
        let done = self.mount(code);
        assert_eq!(done.stdout, wanted, "on {}: {done:#?}", self.name);
        assert_eq!(done.status, Some(0), "on {}: {done:#?}", self.name);
    }

    /// Nothing is left of a mount.
    #[track_caller]
    fn is_clean(&self) {
        let code = "import os;print(os.getcwd(),'remote' in os.listdir('/'))";
        let done = self.umqtt(&["exec", code]);
        assert_eq!(done.stdout, "/ False\n", "on {}: {done:#?}", self.name);
    }
}

fn modules(place: &Place) {
    place.write("modulo.py", "NAME = 'año'\nprint('cargado')\n");
    place.write("paquete/__init__.py", "");
    place.write("paquete/otro.py", "# ".repeat(4000) + "\nX = 1\n");
    place.prints(
        "import modulo\nfrom paquete.otro import X\nprint(modulo.NAME, X)",
        "cargado\naño 1\n",
    );
    // The native module of the board's architecture, found in the folder and nowhere else.
    let module = format!("native-module/prebuilt/{}/umqtt/simple.mpy", place.arch);
    std::fs::create_dir_all(place.shared("umqtt")).expect("a folder");
    std::fs::copy(repository().join(module), place.shared("umqtt/simple.mpy")).expect("a module");
    // MicroPython's QEMU port has no network and so no `socket`, which umqtt imports.
    if place.umqtt(&["exec", "import socket"]).status != Some(0) {
        place.write("socket.py", "");
    }
    place.prints(
        "from umqtt.simple import MQTTClient\nprint(MQTTClient)",
        "<class 'MQTTClient'>\n",
    );
}

fn files(place: &Place) {
    let every: Vec<u8> = (0..=255).cycle().take(9_000).collect();
    place.write("datos ñ.bin", &every);
    place.write("texto.txt", "uno\nañ€😀o\n\nfin");
    let code = "
import os
total = 0
with open('datos ñ.bin', 'rb') as f:
    part = bytearray(700)
    while True:
        n = f.readinto(part)
        if not n: break
        total = (total * 31 + sum(part[:n])) & 0xffffff
    print(total, f.tell())
    f.seek(5000)
    print(f.read(4), f.tell())
    f.seek(-3, 2)
    print(f.read(2), f.read(), f.read(1))
with open('texto.txt') as f:
    print(f.read(6), f.read(2), [f.readline(), f.readline()], f.read(), repr(f.read()))
print('|'.join(open('/remote/texto.txt')))
with open('nuevo.txt', 'w') as f:
    f.write('año\\n')
    print('dos', 3, file=f)
with open('nuevo.txt', 'a') as f: f.write('tres')
with open('nuevo.txt', 'r+') as f:
    f.seek(0)
    f.write('A')
with open('grande.bin', 'wb') as f:
    for i in range(20): f.write(bytes(range(256)) * 2)
print(' '.join(sorted(os.listdir())[:3]), os.stat('grande.bin')[6], os.stat('paquete')[0] == 16384)
os.mkdir('d')
os.rename('nuevo.txt', 'd/movido')
os.chdir('d')
print(os.getcwd(), os.listdir(), os.listdir('..') != [], [e[3] for e in os.ilistdir('/remote/d')])
os.chdir('/')
print(len(open('/remote/d/movido').read()))
def refused(f, *a):
    try: f(*a)
    except OSError as e: return e.args[0]
print(refused(os.rmdir, '/remote/d'), refused(os.remove, '/remote/no'), refused(os.chdir, '/remote/texto.txt'))
print(refused(os.listdir, '/remote/no'), refused(open, '/remote/d', 'r'), refused(open, '/remote/no'))
os.remove('/remote/d/movido')
os.rmdir('/remote/d')
";
    let total = every.chunks(700).fold(0u64, |total, part| {
        let sum: u64 = part.iter().map(|byte| u64::from(*byte)).sum();
        (total * 31 + sum) & 0xff_ffff
    });
    let (four, end) = ("b'\\x88\\x89\\x8a\\x8b'", "b'%&' b\"'\" b''");
    place.prints(
        code,
        &format!(
            "{total} 9000\n{four} 5004\n{end}\nuno\nañ €😀 ['o\\n', '\\n'] fin ''\n\
             uno\n|añ€😀o\n|\n|fin\ndatos ñ.bin grande.bin modulo.py 10240 True\n\
             /remote/d ['movido'] True [15]\n14\n39 2 20\n2 21 2\n"
        ),
    );
    let grande = std::fs::read(place.shared("grande.bin")).expect("it was written");
    assert!(grande == (0..=255).cycle().take(10_240).collect::<Vec<u8>>());
    assert!(!place.shared("d").exists() && !place.shared("nuevo.txt").exists());
}

/// Nothing outside the folder is reached, and with --read-only nothing in it is changed.
fn walls(place: &Place) {
    std::fs::write(place.home.path().join("secreto"), "x").expect("a file");
    symlink("../secreto", place.shared("fuera")).expect("a link");
    symlink(place.home.path(), place.shared("arriba")).expect("a link");
    place.write("intacto", "x");
    let code = "
import os
def refused(f, *a):
    try: return 'did it', f(*a)
    except OSError as e: return e.args[0]
for path in ('../secreto', '/remote/../secreto', 'fuera', 'arriba/secreto', 'paquete/../../secreto'):
    refusals = [refused(open, path, m) for m in ('rb', 'w', 'a')]
    refusals += [refused(os.remove, path) if path != 'fuera' else 2, refused(os.stat, path)]
    refusals += [refused(os.mkdir, path), refused(os.rename, 'intacto', path + '/x')]
    print(path, [r for r in refusals if not isinstance(r, int)])
print('fuera' in os.listdir(), 'arriba' in os.listdir())
";
    let paths = [
        "../secreto",
        "/remote/../secreto",
        "fuera",
        "arriba/secreto",
        "paquete/../../secreto",
    ];
    let none: String = paths.iter().map(|path| format!("{path} []\n")).collect();
    place.prints(code, &format!("{none}False False\n"));
    let secret = std::fs::read_to_string(place.home.path().join("secreto"));
    assert_eq!(secret.expect("it is there"), "x");

    let code = "
import os
def refused(f, *a):
    try: return 'did it', f(*a)
    except OSError as e: return e.args[0]
print(open('intacto').read(), refused(open, 'intacto', 'w'), refused(open, 'n', 'a'), refused(os.remove, 'intacto'),
    refused(os.mkdir, 'n'), refused(os.rename, 'intacto', 'n'), refused(os.rmdir, 'paquete'))
";
    let done = place.umqtt(&["mount", "shared", "--read-only", "--exec", code]);
    done.expect_status(0);
    assert_eq!(done.stdout, "x 30 30 30 30 30 30\n", "on {}", place.name);
    assert!(done.stderr.contains("read-only"), "{done:#?}");
}

/// What a program prints comes whole, whatever it is and whenever.
fn output(place: &Place) {
    let code = "
import os, sys
for i in range(40):
    print(i, end=' ')
    os.stat('modulo.py')
    sys.stdout.write('\\x1e')
sys.stdout.write('\\x1eumqtt x\\x1eumqt')
with open('modulo.py') as f:
    for line in f: print(line, end='')
sys.stdout.write('\\x1e')
";
    let numbers: String = (0..40).map(|i| format!("{i} \x1e")).collect();
    place.prints(
        code,
        &format!("{numbers}\x1eumqtt x\x1eumqtNAME = 'año'\nprint('cargado')\n\x1e"),
    );
    let raised = place.mount("import os\nopen('no')");
    raised.expect_status(1);
    assert!(raised.stderr.contains("ENOENT"), "{raised:#?}");
}

/// A child whose terminal is a pipe.
struct Talk {
    child: std::process::Child,
    stdin: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    heard: String,
}

impl Talk {
    fn start(place: &Place, arguments: &[&str]) -> Talk {
        let mut child = (place.command(arguments))
            .stdin(Stdio::piped())
            .spawn()
            .expect("umqtt starts");
        let stdin = child.stdin.take();
        let mut stdout = child.stdout.take().expect("its output");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Talk {
            child,
            stdin,
            output,
            heard: String::new(),
        }
    }

    fn types(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(text.as_bytes()).expect("it reads");
    }

    /// Waits until it has said this, and forgets what came before.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let started = Instant::now();
        while !self.heard.contains(text) {
            assert!(started.elapsed() < LIMIT, "{text:?}: {:?}", self.heard);
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.heard.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
        let at = self.heard.find(text).unwrap_or_default() + text.len();
        self.heard.drain(..at);
    }
}

fn terminal(place: &Place) {
    place.write("cuenta.py", "n = 41\n");
    let mut talk = Talk::start(place, &["mount", "shared"]);
    talk.says(">>> ");
    // All at once: what the board is sent while it imports is not lost.
    talk.types("import cuenta\ncuenta.n + 1\n");
    talk.says("\r\n42\r\n");
    // Python starts anew, and finds the folder again.
    place.write("cuenta.py", "n = 42\n");
    talk.types("\x04import cuenta\ncuenta.n + 1\n");
    talk.says("\r\n43\r\n");
    talk.types("while True: open('cuenta.py').read()\n\n");
    talk.says("...");
    std::thread::sleep(Duration::from_millis(300));
    talk.types("\x03");
    talk.says("KeyboardInterrupt");
    talk.types("cuenta.n + 2\n");
    talk.says("\r\n44\r\n");
    drop(talk.stdin.take());
    let done = finish(talk.child);
    assert_eq!(done.status, Some(0), "on {}: {done:#?}", place.name);
    let said = done.stderr.matches("is /remote on the board").count();
    assert_eq!(said, 2, "on {}: {done:#?}", place.name);
    place.is_clean();
}

fn signal(child: &std::process::Child, number: i32) {
    let pid = i32::try_from(child.id()).expect("a process number");
    // SAFETY: a plain system call with numbers, for a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, number) }, 0);
}

/// Ctrl-C in the middle of an exchange, and a command that is killed.
fn interrupted(place: &Place) {
    let endless = "print('empieza')\nwhile True: open('datos ñ.bin', 'rb').read()";
    let mut talk = Talk::start(place, &["mount", "shared", "--exec", endless]);
    talk.says("empieza");
    std::thread::sleep(Duration::from_millis(200));
    signal(&talk.child, libc::SIGINT);
    let done = finish(talk.child);
    assert_eq!(done.status, Some(1), "on {}: {done:#?}", place.name);
    assert!(done.stderr.contains("KeyboardInterrupt"), "{done:#?}");
    place.is_clean();

    // Killed while it waits at the prompt, and while the board waits for an answer: what comes next has its output
    // only, and a board that is free again.
    for code in [None, Some(endless)] {
        let mut arguments = vec!["mount", "shared"];
        arguments.extend(code.into_iter().flat_map(|code| ["--exec", code]));
        let mut talk = Talk::start(place, &arguments);
        talk.says(if code.is_some() { "empieza" } else { ">>> " });
        signal(&talk.child, libc::SIGKILL);
        let done = finish(talk.child);
        assert_eq!(done.status, None);
        let next = place.umqtt(&["exec", "import json\nprint(json.dumps([1]))"]);
        next.expect_status(0);
        assert_eq!(next.stdout, "[1]\n", "on {}: {next:#?}", place.name);
        place.is_clean();
    }
}

/// What is free is what is free on this computer; a folder that is shared to be read has no room.
fn room(place: &Place) {
    let code = "import os\nb, f, n, free, left = os.statvfs('/remote')[:5]\n\
                print(b == f, b * n // 1000, free >= left > 0)\n\
                print(os.statvfs('/remote/paquete')[0] == b)\n\
                try: os.statvfs('/remote/nada')\nexcept OSError as e: print(e.errno)";
    let disk = rustix::fs::statvfs(place.shared(".")).expect("a disk");
    let all = disk.f_frsize * disk.f_blocks / 1000;
    place.prints(code, &format!("True {all} True\nTrue\n2\n"));
    let done = place.umqtt(&[
        "mount",
        "shared",
        "--read-only",
        "--exec",
        "import os; print(os.statvfs('/remote')[3:5])",
    ]);
    assert_eq!(done.stdout, "(0, 0)\n", "on {}: {done:#?}", place.name);
}

fn everything(place: &Place) {
    for part in [modules, room, files, walls, output, terminal, interrupted] {
        let started = Instant::now();
        part(place);
        println!("{:?} on {}", started.elapsed(), place.name);
    }
    println!("mount: on {}", place.name);
}

#[test]
fn on_the_simulated_board() {
    let micropython = need!("on_the_simulated_board", micropython());
    let folder = tempfile::tempdir().expect("a folder");
    let board = SimBoard::start(SimConfig::new(folder.path(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    everything(&Place::new("the simulated board", device, "x64"));
}

fn on_an_emulated_board(test: &str, arch: Arch, line: Line) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    match Emulator::start(arch, line) {
        Ok(emulator) => {
            let name = format!("{} in QEMU, {line:?}", arch.name());
            everything(&Place::new(&name, emulator.port().to_string(), arch.name()));
        }
        Err(reason) => testkit::skip(test, reason),
    }
}

#[test]
fn on_an_emulated_cortex_m3() {
    on_an_emulated_board("on_an_emulated_cortex_m3", Arch::Armv7m, Line::Pty);
}

#[test]
fn on_an_emulated_rv32_over_tcp() {
    on_an_emulated_board("on_an_emulated_rv32_over_tcp", Arch::Rv32imc, Line::Socket);
}

#[test]
fn over_rfc2217() {
    const NAME: &str = "over_rfc2217";
    need!(NAME, installed("ser2net"));
    let micropython = need!(NAME, micropython());
    let folder = tempfile::tempdir().expect("a folder");
    let board = SimBoard::start(SimConfig::new(folder.path(), micropython)).expect("a board");
    let server = Ser2net::start(&board.device().display().to_string());
    everything(&Place::new(
        "the simulated board behind ser2net",
        server.port(),
        "x64",
    ));
}

#[test]
fn a_folder_that_is_none_is_refused_before_a_board_is_looked_for() {
    let home = Home::new();
    home.script("file", "");
    for (folder, lang, why) in [
        ("nowhere", "en", "the folder nowhere cannot be used"),
        ("file", "en", "the folder file cannot be used"),
        ("nada", "es", "no se puede usar la carpeta nada"),
    ] {
        let done = home.run(["mount", folder, "--port", "sim", "--lang", lang]);
        done.expect_status(2);
        assert!(done.stderr.contains(why), "{done:#?}");
        assert!(done.stderr.contains("umqtt mount ."), "{done:#?}");
    }
}
