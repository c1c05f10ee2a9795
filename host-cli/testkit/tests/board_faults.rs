//! No fault of the line between the command and a board leads to a hang, half a file or a wedged board: random schedules
//! against simulated boards, which are real MicroPython behind pseudo-terminals.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use board_link::{Board, FileState, Lang, LinkError, NewFile, PortSpec, Timeouts, Transport, open};
use board_sim::{SimBoard, SimConfig};
use testkit::{Faults, Faulty, Interpreter, Random, Version, need};

/// Schedules in all; those of one board come one after the other.
const SCHEDULES: u64 = 1000;
/// They wait for time-outs nearly all of the time.
const BOARDS: u64 = 20;

/// Short, so that a thousand time-outs pass in seconds.
fn short() -> Timeouts {
    Timeouts {
        enter: Duration::from_millis(1500),
        quiet: Duration::from_millis(5),
        reply: Duration::from_millis(150),
        boot: Duration::from_millis(1500),
        exec: Duration::from_millis(400),
        stop: Duration::from_millis(500),
        write: Duration::from_millis(500),
    }
}

/// All time-outs of one schedule together, retries included, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn schedule(random: &mut Random) -> Faults {
    let rare = |random: &mut Random| 40 + random.below(4000);
    let mut faults = Faults::default();
    match random.below(9) {
        0 => faults.crumbs = 1,
        1 => faults.delays = 2 + random.below(3),
        2 => faults.noise = 2 + random.below(20),
        3 => faults.losses = rare(random),
        4 => faults.losses_to_board = rare(random),
        5 => faults.doubles = rare(random),
        6 => faults.break_after_read = Some(random.below(4000)),
        7 => faults.overruns = Some(260 + random.below(4000)),
        _ => faults.break_after_written = Some(random.below(12_000)),
    }
    // Most lines have more than one thing wrong with them.
    if random.one_in(3) {
        faults.crumbs = 1 + random.below(4);
    }
    faults
}

fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.number() as u8).collect()
}

/// The board's part of every command: enter, run code, look, make folders, write, read, list, rename, remove, restart.
fn work(board: &mut Board, old: &[u8], new: &[u8]) -> Result<(), LinkError> {
    board.exec("print('hello')")?.into_stdout()?;
    board.states(&["/f", "/folder", "/no"])?;
    board.mkdir_p("/folder")?;
    let files = [
        NewFile {
            path: "/f",
            content: new,
            replaces: Some(old.len() as u64),
        },
        NewFile::new("/folder/g", old),
    ];
    board.put_all(&files, &mut |_| {})?;
    assert_eq!(board.get("/f")?, new, "what was read is what was written");
    board.ls("/folder")?;
    board.mv("/folder/g", "/folder/h")?;
    board.rm("/folder/h", false)?;
    board.soft_reset()?;
    board.exit_raw()
}

/// Opens a board's port. Boards of this process start programs, which hold its open ports for a moment.
fn port(spec: &PortSpec) -> Box<dyn Transport> {
    let started = Instant::now();
    loop {
        match open(spec) {
            Err(LinkError::PortBusy { .. }) if started.elapsed() < LIMIT => {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => return opened.expect("the board's port opens"),
        }
    }
}

/// One after the other, on one board.
fn schedules(spec: &PortSpec, folder: &Path, seeds: impl Iterator<Item = u64>) -> [usize; 2] {
    let mut outcomes = [0; 2];
    let old = b"print('old')\r\n\x03".repeat(60);
    for seed in seeds {
        let mut random = Random(seed);
        std::fs::write(folder.join("f"), &old).expect("the board's folder");
        let length = 1 + random.below(9000);
        let new = bytes(&mut random, length);
        let faults = schedule(&mut random);
        let started = Instant::now();
        let transport = port(spec);
        let outcome = Board::connect(Faulty::new(transport, faults.clone(), seed), short())
            .and_then(|mut board| work(&mut board, &old, &new));
        let taken = started.elapsed();
        assert!(taken < LIMIT, "seed {seed}: {taken:?} {faults:?}");
        if let Err(error) = &outcome {
            for lang in [Lang::En, Lang::Es] {
                assert!(!error.message(lang).is_empty(), "seed {seed}: {error:?}");
                assert!(error.help(lang).len() > 20, "seed {seed}: {error:?}");
            }
        }
        outcomes[usize::from(outcome.is_ok())] += 1;
        // Whatever happened: the next one who comes finds a board that answers, and a whole file.
        let transport = port(spec);
        let mut board = Board::connect(transport, Timeouts::default())
            .unwrap_or_else(|error| panic!("seed {seed}: {error} {faults:?} {outcome:?}"));
        let now = board
            .get("/f")
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(
            now == old || now == new,
            "seed {seed}: half a file {faults:?}"
        );
        board
            .put("/f", &new)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(board.state("/f").is_ok_and(|state| state.is(&new)));
        let left = board.state("/.umqtt-part");
        assert!(
            left.is_ok_and(|state| state == FileState::Missing),
            "seed {seed}"
        );
        board
            .leave()
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    outcomes
}

#[test]
fn a_thousand_bad_lines() {
    const NAME: &str = "a_thousand_bad_lines";
    need!(NAME, Interpreter::find(Version::V1_26));
    let micropython = need!(NAME, simulated());
    let outcomes: Vec<[usize; 2]> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..BOARDS)
            .map(|number| {
                let micropython = micropython.clone();
                scope.spawn(move || {
                    let folder = tempfile::tempdir().expect("a folder");
                    let board = SimBoard::start(SimConfig::new(folder.path(), micropython))
                        .expect("a simulated board");
                    let spec = PortSpec::Device(board.device().display().to_string());
                    let seeds = (0..SCHEDULES).filter(|seed| seed % BOARDS == number);
                    schedules(&spec, folder.path(), seeds)
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let sum = |which: usize| outcomes.iter().map(|counts| counts[which]).sum::<usize>();
    let (failed, done) = (sum(0), sum(1));
    println!(
        "{done} of {SCHEDULES} schedules on the simulated board did their work, {failed} ended in an error"
    );
    assert_eq!(done + failed, SCHEDULES as usize);
    // Else the faults are not faults, or nothing is made good. On a busy machine the short time-outs end more of them.
    assert!(done > 50 && failed > 200, "{done} {failed}");
}

/// A line as fast as native USB whose board loses what its input buffer has no room for: that is found out before
/// anything relies on it, and no file takes harm.
#[test]
fn a_fast_line_without_flow_control() {
    const NAME: &str = "a_fast_line_without_flow_control";
    let micropython = need!(NAME, simulated());
    let folder = tempfile::tempdir().expect("a folder");
    let board =
        SimBoard::start(SimConfig::new(folder.path(), micropython)).expect("a simulated board");
    let spec = PortSpec::Device(board.device().display().to_string());
    let content = bytes(&mut Random(1), 40_000);
    let mut tried = 0;
    // On a busy machine a line may look slow, and then is not tried.
    for attempt in 0..100 {
        let faults = Faults {
            overruns: Some(260),
            ..Faults::default()
        };
        let longest = Arc::new(AtomicUsize::new(0));
        let transport = Longest {
            inner: Faulty::new(port(&spec), faults, attempt),
            written: longest.clone(),
        };
        let mut board = Board::connect(Box::new(transport), Timeouts::default()).expect("a board");
        board.put("/f", &content).expect("the file is written");
        assert!(std::fs::read(folder.path().join("f")).is_ok_and(|now| now == content));
        board.leave().expect("the board answers");
        tried += usize::from(longest.load(Ordering::Relaxed) > 260);
        if tried > 2 {
            return;
        }
    }
    panic!("the line was tried {tried} times");
}

/// Notes the longest write.
struct Longest {
    inner: Box<dyn Transport>,
    written: Arc<AtomicUsize>,
}

impl Transport for Longest {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> std::io::Result<usize> {
        self.inner.read(buffer, timeout)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> std::io::Result<()> {
        self.written.fetch_max(data.len(), Ordering::Relaxed);
        self.inner.write(data, timeout)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

/// As `SimBoard` takes it.
fn simulated() -> Result<board_sim::MicroPython, String> {
    board_sim::MicroPython::find(&Version::V1_26.find_options(), &mut |_| {})
        .map_err(|error| error.to_string())
}

/// Ten thousand names, on a simulated board with room for them: each file is written, looked at and read by its name.
#[test]
fn ten_thousand_names() {
    let micropython = need!("ten_thousand_names", simulated());
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = SimConfig::new(folder.path(), micropython);
    config.flash = 256 << 20;
    let board = SimBoard::start(config).expect("a simulated board");
    let spec = PortSpec::Device(board.device().display().to_string());
    let mut random = Random(10);
    let mut names = std::collections::BTreeSet::new();
    let pieces = [
        " ", "ñ", "'", "\"", "\\", "€", "😀", "a", "b", ".", "..", "-", "%", "{}", "\t", "\n",
        "\r", "\x03", "\x04", "\x1f", "\x7f", "#", ";", "$(x)", "`", "*", "?", "~",
    ];
    while names.len() < 10_000 {
        let mut name = String::new();
        let length = if random.one_in(50) {
            255
        } else {
            1 + random.below(20)
        };
        while name.len() < length {
            let piece = pieces[random.below(pieces.len())];
            if name.len() + piece.len() > length {
                break;
            }
            name.push_str(piece);
        }
        if !name.is_empty() && name != "." && name != ".." {
            names.insert(format!("/{name}"));
        }
    }
    let names: Vec<String> = names.into_iter().collect();
    let contents: Vec<Vec<u8>> = (names.iter().enumerate())
        .map(|(index, _)| bytes(&mut random, index % 7))
        .collect();
    let files: Vec<NewFile<'_>> = (names.iter().zip(&contents))
        .map(|(path, content)| NewFile::new(path, content))
        .collect();
    let mut link =
        Board::connect(open(&spec).expect("a port"), Timeouts::default()).expect("a board");
    link.put_all(&files, &mut |_| {}).expect("all are written");
    let paths: Vec<&str> = names.iter().map(String::as_str).collect();
    let states = link.states(&paths).expect("one exchange");
    for ((name, content), state) in names.iter().zip(&contents).zip(&states) {
        assert!(state.is(content), "{name:?}: {state:?}");
    }
    for name in names.iter().step_by(997) {
        assert!(link.get(name).is_ok(), "{name:?}");
    }
    let listed: Vec<String> = (link.ls("/").expect("a listing").into_iter())
        .map(|entry| format!("/{}", entry.name))
        .collect();
    assert_eq!(listed, names);
    // Names that lead elsewhere stay in the board's filesystem; those that nothing can store are refused.
    link.put("/../../outside", b"x")
        .expect("a name like another");
    assert!(folder.path().join("outside").is_file());
    assert!(!folder.path().join("../outside").exists());
    for bad in ["", "/", "a\0b"] {
        assert!(
            matches!(link.put(bad, b"x"), Err(LinkError::BadName { .. })),
            "{bad:?}"
        );
    }
    let long = format!("/{}", "x".repeat(256));
    assert!(
        link.put(&long, b"x").is_err(),
        "no filesystem has names of 256 bytes"
    );
}
