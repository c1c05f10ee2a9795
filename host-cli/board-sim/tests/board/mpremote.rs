//! The board in the hands of MicroPython's own tool, mpremote from PyPI.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::bench::{Bench, skip};

/// mpremote on PATH, or freshly installed into a folder of the build.
fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PROGRAM.get_or_init(|| testkit::mpremote(Path::new(env!("CARGO_TARGET_TMPDIR")))) {
        Ok(program) => Some(program.clone()),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

#[track_caller]
fn mpremote(program: &Path, bench: &Bench, arguments: &[&str]) -> Output {
    let mut child = Command::new(program)
        .arg("connect")
        .arg(bench.board.device())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // mpremote waits for some answers without a limit of its own.
    let limit = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Ended or not: what it said until now is what there is.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn runs_code_and_copies_files() {
    let (Some(bench), Some(program)) = (Bench::new(), program()) else {
        return;
    };
    let say = |arguments: &[&str]| {
        String::from_utf8(mpremote(&program, &bench, arguments).stdout).unwrap()
    };
    assert_eq!(say(&["exec", "print('año', 6 * 7)"]), "año 42\r\n");
    assert_eq!(say(&["eval", "2 ** 10"]), "1024\r\n");

    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("datos.bin");
    let back = folder.path().join("vuelta.bin");
    let bytes: Vec<u8> = (0..20_000u32).map(|i| ((i * i) >> 5) as u8).collect();
    std::fs::write(&here, &bytes).unwrap();
    say(&["fs", "mkdir", ":carpeta"]);
    say(&["fs", "cp", here.to_str().unwrap(), ":carpeta/datos.bin"]);
    assert!(say(&["fs", "ls", ":carpeta"]).contains("20000 datos.bin"));
    say(&["fs", "cp", ":carpeta/datos.bin", back.to_str().unwrap()]);
    assert_eq!(std::fs::read(&back).unwrap(), bytes);
    assert_eq!(
        std::fs::read(bench.folder.path().join("carpeta/datos.bin")).unwrap(),
        bytes
    );
    say(&["fs", "rm", ":carpeta/datos.bin"]);
    say(&["fs", "rmdir", ":carpeta"]);
    assert!(
        std::fs::read_dir(bench.folder.path())
            .unwrap()
            .next()
            .is_none()
    );

    let script = folder.path().join("guion.py");
    std::fs::write(&script, "import sys\nprint(sys.platform)\n").unwrap();
    assert_eq!(say(&["run", script.to_str().unwrap()]), "esp32\r\n");
    say(&["soft-reset"]);
    assert_eq!(say(&["exec", "print(1)"]), "1\r\n");
}

#[test]
fn mounts_a_folder_of_this_computer() {
    let (Some(bench), Some(program)) = (Bench::new(), program()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("modulo.py"), "valor = 'montado'\n").unwrap();
    let output = mpremote(
        &program,
        &bench,
        &[
            "mount",
            folder.path().to_str().unwrap(),
            "exec",
            "import modulo; print(modulo.valor)",
        ],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.ends_with("montado\r\n"), "{text}");
}
