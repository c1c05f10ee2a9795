//! Nothing outlives a board: not its process, whatever the script did, and not when its owner is killed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use board_sim::{FindOptions, MicroPython, SimBoard, SimConfig, SimError};

use crate::bench::{Bench, micropython, skip};

/// The processes whose working directory is this folder.
fn processes_in(folder: &Path) -> Vec<u32> {
    let folder = folder.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let id = path.file_name()?.to_str()?.parse().ok()?;
            (std::fs::read_link(path.join("cwd")).ok()? == folder).then_some(id)
        })
        .collect()
}

#[track_caller]
fn wait_until_none(folder: &Path) {
    let limit = Instant::now() + Duration::from_secs(5);
    loop {
        let left = processes_in(folder);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn proc_is_missing() -> bool {
    let missing = !Path::new("/proc/self/cwd").exists();
    if missing {
        skip("no /proc on this system");
    }
    missing
}

#[test]
fn a_dropped_board_leaves_nothing() {
    if proc_is_missing() {
        return;
    }
    for code in [
        "print('ya')",
        "print('ya')\nwhile True: pass",
        "print('ya')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "print('ya')\nx = pow(7, 10 ** 7)",
        "import _thread, time\n_thread.start_new_thread(lambda: time.sleep(60), ())\nprint('ya')\ntime.sleep(60)",
        "print('ya')\nwhile True: print('x' * 1000)",
        "print('ya')\nimport machine\nmachine.deepsleep()",
    ] {
        let Some(mut bench) = Bench::raw() else {
            return;
        };
        bench.client.start(code);
        bench.client.until(b"ya");
        let device = bench.board.device().to_path_buf();
        let start = Instant::now();
        drop(bench.board);
        assert!(start.elapsed() < Duration::from_secs(10), "{code}");
        wait_until_none(bench.folder.path());
        drop(bench.client);
        assert!(!device.exists(), "{code}");
    }
}

#[test]
fn soft_resets_leave_one_process() {
    if proc_is_missing() {
        return;
    }
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    for _ in 0..20 {
        bench.client.send(b"\x04");
        bench.client.until(b"exit\r\n>");
    }
    assert_eq!(processes_in(bench.folder.path()).len(), 1);
}

#[test]
fn a_process_killed_from_outside_is_replaced() {
    if proc_is_missing() {
        return;
    }
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    for i in 0..5 {
        let id = processes_in(bench.folder.path())[0];
        if i % 2 == 0 {
            bench.client.start("import time\ntime.sleep(60)");
        }
        let id = rustix::process::Pid::from_raw(id as i32).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        bench.client.until(b"Rebooting");
        bench.client.until(b">>> ");
        bench.client.enter_raw();
        assert_eq!(bench.run("print(1)"), "1\n");
    }
}

#[test]
fn a_killed_owner_takes_its_board_along() {
    if proc_is_missing() || micropython().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "processes::owner_for_another_test",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("BOARD_SIM_TEST_FOLDER", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Instant::now() + Duration::from_secs(10);
    while processes_in(folder.path()).is_empty() {
        assert!(Instant::now() < limit, "the board does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until_none(folder.path());
}

/// Holds a board whose script never ends until it is killed.
#[test]
#[ignore = "started by a_killed_owner_takes_its_board_along"]
fn owner_for_another_test() {
    let folder = std::env::var("BOARD_SIM_TEST_FOLDER").expect("a folder");
    std::fs::write(Path::new(&folder).join("main.py"), "while True: pass\n").unwrap();
    let board = SimBoard::start(SimConfig::new(folder, micropython().unwrap())).unwrap();
    std::thread::sleep(Duration::from_secs(60));
    drop(board);
}

#[test]
fn what_cannot_start_says_why() {
    let Some(micropython) = micropython() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let start = |root: &Path| SimBoard::start(SimConfig::new(root, micropython.clone()));
    for root in [folder.path().join("no"), {
        let file = folder.path().join("fichero");
        std::fs::write(&file, "").unwrap();
        file
    }] {
        match start(&root) {
            Err(e @ SimError::Root { .. }) => {
                assert!(e.to_string().contains(&root.display().to_string()), "{e}");
            }
            other => panic!("{:?}", other.err()),
        }
    }
    // A program that passes for MicroPython when asked for its version, and is none.
    let program = folder.path().join("micropython");
    let script = "#!/bin/sh\ncase \"$2\" in *umqtt-probe*) echo umqtt-probe micropython 1.25.0 2822 linux ;;\n\
                  *) echo no soy una placa >&2 ;; esac\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = FindOptions {
        program: Some(program),
        ..FindOptions::default()
    };
    let impostor = MicroPython::find(&options, &mut |_| ()).unwrap();
    match SimBoard::start(SimConfig::new(folder.path(), impostor)) {
        Err(e @ SimError::Start { .. }) => {
            assert!(e.to_string().contains("no soy una placa"), "{e}");
        }
        other => panic!("{:?}", other.err()),
    }
}
