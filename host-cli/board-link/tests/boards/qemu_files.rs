//! Files on real MicroPython (QEMU), on littlefs and on FAT in the board's memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use board_link::{
    Board, Digest, Entry, FileState, LinkError, NewFile, Timeouts, Traced, Transport, Way, open,
};
use testkit::{Faults, Faulty, Random};

use crate::support::patient;
use crate::support::qemu::QemuBoard;

/// An empty filesystem of `blocks` blocks of 512 bytes as the root.
fn with_disk(qemu: &QemuBoard, kind: &str, blocks: usize) -> Board {
    let transport = open(&qemu.spec).expect("the board's port opens");
    with_disk_over(transport, kind, blocks)
}

fn with_disk_over(transport: Box<dyn Transport>, kind: &str, blocks: usize) -> Board {
    let mut board = Board::connect(transport, patient()).expect("the board answers");
    board.soft_reset().unwrap();
    let code = format!(
        "import vfs,ramdisk\nvfs.umount('/')\nramdisk.resize({blocks})\nvfs.{kind}.mkfs(ramdisk)\n\
         vfs.mount(vfs.{kind}(ramdisk),'/')\n"
    );
    let made = board.exec(&code).unwrap();
    assert_eq!(made.into_stdout().unwrap(), "");
    board
}

fn names(board: &mut Board, folder: &str) -> Vec<String> {
    let entries = board.ls(folder).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..length).map(|_| random.number() as u8).collect()
}

/// Any content, any name, on both filesystems: what was put is what is there.
#[test]
fn put_and_get() {
    let Some(qemu) = QemuBoard::on_socket("put_and_get") else {
        return;
    };
    for kind in ["VfsLfs2", "VfsFat"] {
        let mut board = with_disk(&qemu, kind, 400);
        let text = "print('año')\r\n# \"quoted\" \\ 'x'\n"
            .repeat(40)
            .into_bytes();
        let every: Vec<u8> = (0..=255).collect();
        let quoted = if kind == "VfsFat" {
            "it's a ñame (1).py"
        } else {
            "it's \"a\" \\ñame\n.py"
        };
        for (name, data) in [
            ("empty", &b""[..]),
            ("one", b"x"),
            (quoted, &text),
            ("/every", &every),
            ("large.bin", &bytes(1, 40_001)),
        ] {
            board
                .put(name, data)
                .unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
            assert_eq!(board.get(name).unwrap(), data, "{kind} {name}");
            match board.state(name).unwrap() {
                FileState::File { size, digest } => {
                    assert_eq!(size, data.len() as u64);
                    assert!(matches!(digest, Digest::Sha256(_)) && digest.matches(data));
                }
                other => panic!("{other:?}"),
            }
        }
        // Replacing: longer by shorter, and back.
        for length in [10, 5000, 1] {
            let data = bytes(length as u64, length);
            board.put("one", &data).unwrap();
            assert_eq!(board.get("one").unwrap(), data);
        }
        let there = names(&mut board, "/");
        assert_eq!(there.len(), 5, "no temporary file stays: {there:?}");
        let left = board
            .exec("print([n for n in globals() if n[:2] in ('_u', '_f')])")
            .unwrap();
        assert_eq!(left.stdout, "[]\n", "no names stay");
    }
}

/// Text goes in one deflated stream, files and other orders in between; on a board with less memory in several.
#[test]
fn deflated_files() {
    let Some(qemu) = QemuBoard::on_socket("deflated_files") else {
        return;
    };
    let mut random = Random(11);
    let mut text = |length: usize| -> Vec<u8> {
        let words = [
            "import", "self", "año", " = ", "\r\n", "(", "):\n    ", "\x03", "0.5",
        ];
        let mut text = String::new();
        while text.len() < length {
            text.push_str(words[random.below(words.len())]);
        }
        text.into_bytes()
    };
    for free in [None, Some(130_000), Some(95_000), Some(60_000)] {
        // Where the line keeps what is not read, nothing is deflated; how fast it is, is the computer's affair.
        let overruns = Faults {
            overruns: Some(260),
            ..Faults::default()
        };
        let transport = open(&qemu.spec).expect("the board's port opens");
        let mut board = with_disk_over(Faulty::new(transport, overruns, 0), "VfsLfs2", 400);
        if let Some(free) = free {
            let code =
                format!("import gc\ngc.collect()\nkeep = bytearray(gc.mem_free() - {free})\n");
            assert_eq!(board.exec(&code).unwrap().into_stdout().unwrap(), "");
        }
        let contents = [
            text(20_000),
            text(300),
            bytes(12, 9000),
            text(9000),
            text(0),
            text(17_000),
        ];
        let names: Vec<String> = (0..contents.len()).map(|n| format!("/{n}.py")).collect();
        let files: Vec<NewFile<'_>> = (names.iter().zip(&contents))
            .map(|(path, content)| NewFile::new(path, content))
            .collect();
        let mut sent = 0;
        board
            .put_all(&files[..4], &mut |now| sent = now.sent)
            .unwrap();
        assert!(sent < 25_000, "{free:?}: {sent} bytes were sent");
        board.put_all(&files[4..], &mut |_| {}).unwrap();
        for (name, content) in names.iter().zip(&contents) {
            assert!(board.state(name).unwrap().is(content), "{free:?} {name}");
        }
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let states = board.states_briefly(&paths).unwrap();
        for (content, state) in contents.iter().zip(states) {
            assert!(state.is(content) && !state.is(b"other"), "{state:?}");
            assert_eq!(state.replaced(), Some(content.len() as u64));
            assert!(matches!(
                state,
                FileState::File {
                    digest: Digest::Brief(_),
                    ..
                }
            ));
        }
    }
}

#[test]
fn folders() {
    let Some(qemu) = QemuBoard::on_socket("folders") else {
        return;
    };
    for kind in ["VfsLfs2", "VfsFat"] {
        let mut board = with_disk(&qemu, kind, 200);
        board.mkdir_p("/lib/umqtt/año nuevo/").unwrap();
        board.mkdir_p("lib/umqtt").unwrap();
        board.put("/lib/umqtt/simple.py", b"pass\n").unwrap();
        board.put("lib/z", b"12").unwrap();
        assert_eq!(
            board.ls("/lib").unwrap(),
            [
                Entry {
                    name: "umqtt".into(),
                    is_folder: true,
                    size: 0
                },
                Entry {
                    name: "z".into(),
                    is_folder: false,
                    size: 2
                },
            ]
        );
        assert_eq!(names(&mut board, ""), ["lib"]);
        let states = board
            .states(&["/lib", "/lib/z", "/no", "/lib/z/no", "/"])
            .unwrap();
        assert_eq!(states[0], FileState::Folder);
        assert!(matches!(states[1], FileState::File { size: 2, .. }));
        assert_eq!(
            states[2..],
            [FileState::Missing, FileState::Missing, FileState::Folder]
        );

        let error = |result: Result<(), LinkError>| result.unwrap_err();
        assert!(matches!(
            error(board.put("/no/x", b"1")),
            LinkError::FileMissing { .. }
        ));
        assert!(matches!(
            error(board.put("/lib", b"1")),
            LinkError::IsFolder { .. }
        ));
        assert!(matches!(
            error(board.put("/lib/", b"1")),
            LinkError::IsFolder { .. }
        ));
        assert!(matches!(
            error(board.mkdir_p("/lib/z")),
            LinkError::NotFolder { .. }
        ));
        assert!(matches!(
            error(board.rm("/no", false)),
            LinkError::FileMissing { .. }
        ));
        assert!(matches!(board.get("/lib"), Err(LinkError::IsFolder { .. })));
        assert!(matches!(
            board.get("/no"),
            Err(LinkError::FileMissing { .. })
        ));
        assert!(matches!(
            board.ls("/no"),
            Err(LinkError::FileMissing { .. })
        ));
        assert!(board.rm("/lib", false).is_err(), "it is not empty");
        assert_eq!(names(&mut board, "/lib"), ["umqtt", "z"]);
        board.rm("/lib/z", false).unwrap();
        board.rm("/lib/", true).unwrap();
        assert_eq!(names(&mut board, "/"), [""; 0]);
    }
}

/// Too large: refused before anything is written, and the old file stays.
#[test]
fn a_full_filesystem() {
    let Some(qemu) = QemuBoard::on_socket("a_full_filesystem") else {
        return;
    };
    for kind in ["VfsLfs2", "VfsFat"] {
        let mut board = with_disk(&qemu, kind, 100);
        let old = bytes(1, 20_000);
        board.put("f", &old).unwrap();
        match board.put("f", &bytes(2, 45_000)) {
            Err(
                error @ LinkError::NoSpace {
                    free: Some(free), ..
                },
            ) => {
                assert!(
                    free < 45_000 && error.to_string().contains("45000"),
                    "{error}"
                );
            }
            other => panic!("{kind}: {other:?}"),
        }
        // Where the board cannot tell, the refusal comes while writing.
        board.exec("import os\nclass Os:\n pass\n").unwrap();
        board
            .exec("import sys\nfor n in dir(os):\n if n not in ('statvfs','__name__'): setattr(Os,n,getattr(os,n))\nsys.modules['os']=Os\n")
            .unwrap();
        match board.put("f", &bytes(2, 45_000)) {
            Err(LinkError::NoSpace { free: None, .. }) => {}
            other => panic!("{kind}: {other:?}"),
        }
        assert_eq!(board.get("f").unwrap(), old, "{kind}");
        assert_eq!(names(&mut board, "/"), ["f"], "{kind}");
    }
}

/// A board without `hashlib`, without `binascii` as well, without that alone: CRC, hexadecimal, literals.
#[test]
fn boards_that_lack_modules() {
    let Some(qemu) = QemuBoard::on_socket("boards_that_lack_modules") else {
        return;
    };
    let data = bytes(3, 3000);
    for missing in [&["hashlib"][..], &["hashlib", "binascii"], &["binascii"]] {
        let mut board = with_disk(&qemu, "VfsLfs2", 200);
        for module in missing {
            // A module without names, as a build without it has none to import.
            let hide =
                format!("import sys\nclass Nothing: pass\nsys.modules['{module}'] = Nothing\n");
            assert_eq!(
                board.exec(&hide).unwrap().ending,
                board_link::Ending::Finished
            );
        }
        board.put("f", &data).unwrap();
        assert_eq!(board.get("f").unwrap(), data);
        match board.state("f").unwrap() {
            FileState::File {
                size: 3000,
                digest: digest @ Digest::Crc32(_),
            } => {
                assert!(digest.matches(&data));
            }
            other => panic!("{missing:?}: {other:?}"),
        }
        board.rm("f", false).unwrap();
    }
}

/// Replies come together, but in order, whatever stands between the files; who expects to write sends no program that can
/// only look.
#[test]
fn many_files_in_one_exchange() {
    let Some(qemu) = QemuBoard::on_socket("many_files_in_one_exchange") else {
        return;
    };
    let said = Arc::new(Mutex::new(Vec::new()));
    let hearer = said.clone();
    let watcher = move |way: Way, bytes: &[u8]| {
        if way == Way::FromBoard {
            hearer.lock().unwrap().extend_from_slice(bytes);
        }
    };
    // As a UART does, which this one does or not, as the computer has time.
    let overruns = Faults {
        overruns: Some(260),
        ..Faults::default()
    };
    let transport = open(&qemu.spec).expect("the board's port opens");
    let transport = Traced::new(Faulty::new(transport, overruns, 0), Box::new(watcher));
    let mut board = with_disk_over(Box::new(transport), "VfsLfs2", 600);
    let contents: Vec<Vec<u8>> = (0..30)
        .map(|n| bytes(n, 1 + 173 * (n as usize % 20)))
        .chain([bytes(99, 40_000)])
        .collect();
    let names: Vec<String> = (0..contents.len()).map(|n| format!("file{n}")).collect();
    let files: Vec<NewFile<'_>> = (names.iter().zip(&contents))
        .map(|(path, content)| NewFile::new(path, content))
        .collect();
    let mut paths: Vec<&str> = names.iter().map(String::as_str).collect();
    paths.insert(0, "/");
    paths.push("missing");
    for expected in [true, false] {
        said.lock().unwrap().clear();
        if expected {
            board.expect_to_write().unwrap();
        }
        let there = board.states_briefly(&paths).unwrap();
        assert_eq!(there[0], FileState::Folder);
        let only_looks = b"\x1fI9 0 0";
        let greeted =
            (said.lock().unwrap().windows(only_looks.len())).any(|bytes| bytes == only_looks);
        assert_ne!(greeted, expected);
        board.put_all(&files, &mut |_| {}).unwrap();
        let states = board.states_briefly(&paths).unwrap();
        assert_eq!(states[0], FileState::Folder);
        for (content, state) in contents.iter().zip(&states[1..]) {
            assert!(state.is(content), "{state:?}");
        }
        assert_eq!(states.last(), Some(&FileState::Missing));
        // Ends the program that is there.
        assert!(board.exec("pass").unwrap().stderr.is_empty());
    }
}

/// The connection breaks somewhere in a transfer: the old file or the new one, never a half one,
/// and the next transfer leaves nothing of the broken one.
#[test]
fn a_break_in_a_transfer() {
    let Some(qemu) = QemuBoard::on_socket("a_break_in_a_transfer") else {
        return;
    };
    let mut board = with_disk(&qemu, "VfsLfs2", 200);
    let (old, new) = (bytes(4, 9_000), bytes(5, 12_000));
    board.put("f", &old).unwrap();
    drop(board);
    let mut random = Random(7);
    let mut outcomes = [0; 2];
    for round in 0..24 {
        let faults = Faults {
            break_after_written: Some(random.below(22_000)),
            ..Faults::default()
        };
        let transport = Faulty::new(open(&qemu.spec).unwrap(), faults, round);
        let broken =
            Board::connect(transport, patient()).and_then(|mut board| board.put("f", &new));
        if let Err(error) = broken {
            assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
        }
        let mut board = Board::connect(open(&qemu.spec).unwrap(), patient()).unwrap();
        let now = board.get("f").unwrap();
        assert!(now == old || now == new, "round {round}: half a file");
        outcomes[usize::from(now == new)] += 1;
        board.put("f", &old).unwrap();
        assert_eq!(names(&mut board, "/"), ["f"], "round {round}");
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
}

/// Output of timers and threads in the middle of replies: right or an error, never wrong data.
#[test]
fn noise_in_a_transfer() {
    let Some(qemu) = QemuBoard::on_socket("noise_in_a_transfer") else {
        return;
    };
    drop(with_disk(&qemu, "VfsLfs2", 200));
    let data = bytes(6, 3000);
    let mut right = 0;
    for seed in 0..20 {
        let faults = Faults {
            noise_by_bytes: 16_000,
            ..Faults::default()
        };
        let transport = Faulty::new(open(&qemu.spec).unwrap(), faults, seed);
        let timeouts = Timeouts {
            reply: Duration::from_secs(2),
            ..patient()
        };
        let result = Board::connect(transport, timeouts).and_then(|mut board| {
            board.put("f", &data)?;
            board.get("f")
        });
        if let Ok(got) = result {
            assert_eq!(got, data);
            right += 1;
        }
    }
    println!("{right} of 20 transfers survived noise in every 16,000th byte");
    assert!(right > 10, "{right} transfers survived");
}
