//! The board in the hands of this project's own client, board-link: the pair that every command uses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use board_link::{Board, Ending, Event, PortSpec, Timeouts};
use board_sim::{SimBoard, SimConfig};

use crate::bench::micropython;

/// A board and a client on it; the folder goes last.
fn linked() -> Option<(Board, SimBoard, tempfile::TempDir)> {
    let micropython = micropython()?;
    let folder = tempfile::tempdir().unwrap();
    let board = SimBoard::start(SimConfig::new(folder.path(), micropython)).unwrap();
    let port = PortSpec::Device(board.device().display().to_string());
    let transport = board_link::open(&port).unwrap();
    let link = Board::connect(transport, Timeouts::default()).unwrap();
    Some((link, board, folder))
}

#[test]
fn says_what_it_is_and_runs_code() {
    let Some((mut link, _board, _folder)) = linked() else {
        return;
    };
    let info = link.info().unwrap();
    assert_eq!(info.platform, "esp32");
    assert_eq!(info.machine, "Simulated ESP32 module with ESP32");
    let mpy = info.mpy.unwrap();
    assert_eq!((mpy.version, mpy.sub), (6, 3));
    assert_eq!(info.unique_id.unwrap().len(), 12);
    let out = link.exec("print('año', 1)").unwrap();
    assert_eq!(
        (out.stdout.as_str(), out.ending),
        ("año 1\n", Ending::Finished)
    );
    assert_eq!(link.raw_paste(), Some(true));
    let out = link.exec("1/0").unwrap();
    assert_eq!(out.ending, Ending::Raised);
    assert_eq!(
        link.exec("import sys\nsys.exit()").unwrap().ending,
        Ending::Exited
    );
    assert_eq!(
        link.exec("import machine\nmachine.reset()").unwrap().ending,
        Ending::Restarted
    );
    assert_eq!(link.exec("print(2)").unwrap().stdout, "2\n");
}

#[test]
fn stops_what_runs() {
    let Some((mut link, _board, _folder)) = linked() else {
        return;
    };
    let stop = AtomicBool::new(false);
    let mut seen = 0;
    let run = link
        .exec_streaming(
            "import time\nwhile True:\n    print('.')\n    time.sleep_ms(10)",
            &mut |event| {
                if let Event::Stdout(text) = event {
                    seen += text.len();
                }
                stop.store(seen > 20, Ordering::Relaxed);
            },
            &stop,
        )
        .unwrap();
    assert_eq!(run.ending, Ending::Stopped);
    assert!(run.stderr.contains("KeyboardInterrupt"), "{}", run.stderr);
}

#[test]
fn moves_files() {
    let Some((mut link, _board, folder)) = linked() else {
        return;
    };
    let bytes: Vec<u8> = (0..100_000u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect();
    link.mkdir_p("/lib/paquete").unwrap();
    link.put("/lib/paquete/datos.bin", &bytes).unwrap();
    assert!(std::fs::read(folder.path().join("lib/paquete/datos.bin")).unwrap() == bytes);
    assert!(link.get("/lib/paquete/datos.bin").unwrap() == bytes);
    let names: Vec<_> = link
        .ls("/lib")
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(names, ["paquete"]);
    link.rm("/lib", true).unwrap();
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn a_full_flash_is_an_error_and_leaves_the_old_file() {
    let Some((mut link, _board, _folder)) = linked() else {
        return;
    };
    link.put("/a", b"viejo").unwrap();
    let error = link.put("/a", &vec![7; 3_000_000]).unwrap_err();
    assert!(!error.to_string().is_empty());
    assert_eq!(link.get("/a").unwrap(), b"viejo");
    link.timeouts_mut().exec = Duration::from_secs(5);
    assert_eq!(
        link.exec("import os\nprint(os.listdir())").unwrap().stdout,
        "['a']\n"
    );
}
