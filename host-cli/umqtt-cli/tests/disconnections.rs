//! The line breaks or falls silent at every stage of every command that works on a board: no hang, an exit status and a
//! message that says what to try, no half file, and the next command works.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use board_sim::{MicroPython, SimBoard, SimConfig};
use common::breaking::{LIMIT, expect_no_board, expect_works, line_to, places};
use common::{Done, Home, finish, micropython, repository};
use testkit::{Break, How, Proxy, need};

/// Places where each conversation breaks, either way.
const BREAKS: usize = 8;

/// Boards that work side by side. A run is mostly the half second in which the line is tried, and the processor is idle.
const BOARDS: usize = 12;

/// Names and contents below a folder; folders have none.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

struct Command {
    arguments: &'static [&'static str],
    /// Doing it again ends where doing it once does.
    again: bool,
}

const fn once(arguments: &'static [&'static str]) -> Command {
    Command {
        arguments,
        again: false,
    }
}

const fn again(arguments: &'static [&'static str]) -> Command {
    Command {
        arguments,
        again: true,
    }
}

const COMMANDS: &[Command] = &[
    again(&["exec", "for i in range(20): print('line', i)"]),
    again(&["fs", "ls", "/"]),
    again(&["fs", "cat", "/f.txt"]),
    again(&["fs", "cp", "local.bin", ":/f.txt"]),
    again(&["fs", "cp", "-r", "tree", ":/"]),
    again(&["fs", "cp", ":/f.txt", "got.bin"]),
    once(&["fs", "mv", "/f.txt", "/g.txt"]),
    once(&["fs", "rm", "-r", "/d"]),
    again(&["fs", "mkdir", "/n/m"]),
    again(&["fs", "tree"]),
    again(&["fs", "df"]),
    again(&["fs", "sha256", "/f.txt", "/d/a.py"]),
    again(&["fs", "edit", "/d/a.py"]),
    again(&["check", "module.mpy"]),
    again(&["deploy", "lesson.py"]),
    again(&["deploy", "lesson.zip"]),
    again(&["deploy", "lesson"]),
    again(&["install"]),
    again(&["install", "module.mpy"]),
    again(&["install", "lesson.zip"]),
    again(&["reset"]),
    again(&["reset", "--hard"]),
    again(&["run", "alone.py"]),
    again(&[
        "mount",
        "tree",
        "--exec",
        "print(open('a.py').read())\nopen('/remote/new', 'w').write('n' * 900)",
    ]),
];

/// A board, the line to it, and a home for the command.
struct World {
    home: Home,
    proxy: Proxy,
    _board: SimBoard,
    shelf: tempfile::TempDir,
}

impl World {
    fn new(micropython: MicroPython) -> World {
        let home = Home::new();
        let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
        let world = World {
            proxy: line_to(&home, &board),
            home,
            _board: board,
            shelf: tempfile::tempdir().expect("a folder"),
        };
        world.restore();
        std::fs::create_dir(world.home.path().join("packed")).expect("a folder");
        world.home.script("packed/main.py", "print('packed')\n");
        let arguments = ["package", "packed", "-o", "flash.zip", "--board", "sim"];
        world.home.run(arguments).expect_status(0);
        std::fs::rename(world.home.path().join("flash.zip"), world.zip()).expect("it moves");
        world
    }

    /// A packed lesson, out of the way of what is compared.
    fn zip(&self) -> std::path::PathBuf {
        self.shelf.path().join("lesson.zip")
    }

    /// Everything as it was before any command.
    fn restore(&self) {
        for entry in std::fs::read_dir(self.home.path())
            .expect("the home")
            .flatten()
        {
            if entry.file_name() != "flash" {
                removed(&entry.path());
            }
        }
        for entry in std::fs::read_dir(self.home.flash())
            .expect("the flash")
            .flatten()
        {
            removed(&entry.path());
        }
        let old: Vec<u8> = (0..=255).cycle().take(1500).collect();
        let new: Vec<u8> = (0..=255).rev().cycle().take(6000).collect();
        let (here, flash) = (self.home.path(), self.home.flash());
        let module = repository().join("native-module/prebuilt/x64/umqtt/simple.mpy");
        std::fs::copy(module, here.join("module.mpy")).expect("a module");
        if self.zip().exists() {
            std::fs::copy(self.zip(), here.join("lesson.zip")).expect("a lesson");
        }
        for (path, content) in [
            (flash.join("f.txt"), &old[..]),
            (flash.join("d/a.py"), b"A = 1\n"),
            (flash.join("d/b.py"), b"B = 1\n"),
            (here.join("local.bin"), &new),
            (here.join("got.bin"), b"before"),
            (here.join("tree/a.py"), b"print('a')\n"),
            (here.join("tree/b.bin"), &new[..2000]),
            (here.join("lesson.py"), b"import beside\nprint(beside.N)\n"),
            (here.join("beside.py"), b"N = 42\n"),
            (here.join("lesson/main.py"), b"from parts import one\n"),
            (here.join("lesson/parts/one.py"), &new[..3000]),
            (here.join("alone.py"), b"print('alone')\n"),
        ] {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let port = self.proxy.port();
        let arguments = arguments.iter().copied();
        let mut command = self.home.umqtt(arguments.clone().chain(["--port", &port]));
        command.env("VISUAL", "").env("EDITOR", "sed -i s/1/2/");
        let done = finish(command.spawn().expect("umqtt starts"));
        let arguments: Vec<&str> = arguments.collect();
        assert!(done.elapsed < LIMIT, "{arguments:?}: {done:#?}");
        done
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(self.home.path(), "", &mut tree);
        tree
    }
}

fn removed(path: &Path) {
    let done = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    done.expect("it can be removed");
}

fn collect(folder: &Path, front: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = format!("{front}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            tree.insert(name.clone(), None);
            collect(&entry.path(), &name, tree);
        } else {
            tree.insert(name, std::fs::read(entry.path()).ok());
        }
    }
}

/// Every file is as it was before or as it is after the work, and there is no other. While the board still waits in
/// the middle of a transfer, its unfinished file has a name of its own.
#[track_caller]
fn nothing_is_half_done(now: &Tree, [before, after]: [&Tree; 2], unfinished: bool, what: &str) {
    for (name, content) in now {
        // What a run lent to the board is taken back by the next one.
        if unfinished && name.ends_with("/.umqtt-part") || name.starts_with("/flash/.umqtt-run") {
            continue;
        }
        let known = [before.get(name), after.get(name)];
        // A file that the board itself opens for writing is empty until it has written.
        let opened = name == "/tree/new" && content.as_ref().is_some_and(Vec::is_empty);
        assert!(
            known.contains(&Some(content)) || opened,
            "{what}: {name} is neither old nor new: {:?}",
            content.as_ref().map(Vec::len)
        );
    }
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        assert!(!after.contains_key(name), "{what}: {name} is gone");
    }
}

/// Breaks one command everywhere; answers how many of its runs failed.
fn break_everywhere(world: &World, command: &Command) -> usize {
    let arguments = command.arguments;
    world.restore();
    let before = world.tree();
    world.proxy.arm(Break::Never, How::HangUp);
    let whole = world.run(arguments);
    whole.expect_status(0);
    let places = places(world.proxy.passed(), BREAKS);
    let after = world.tree();
    let mut failed = 0;
    for at in places {
        let what = format!("{arguments:?} {at:?}");
        world.restore();
        world.proxy.arm(at, How::HangUp);
        let done = world.run(arguments);
        let now = world.tree();
        nothing_is_half_done(&now, [&before, &after], true, &what);
        if done.status == Some(0) {
            // What broke was nothing that the command still needed.
            assert_eq!(now, after, "{what}: {done:#?}");
            assert!(done.stdout.len() >= whole.stdout.len(), "{what}: {done:#?}");
        } else {
            assert!(world.proxy.broke(), "{what}: {done:#?}");
            expect_no_board(&done, &what);
            failed += 1;
        }
        expect_works(&world.home, &world.proxy, &format!("after {what}"));
        nothing_is_half_done(&world.tree(), [&before, &after], false, &what);
        if command.again {
            let redone = world.run(arguments);
            assert_eq!(redone.status, Some(0), "again, after {what}: {redone:#?}");
            assert_eq!(world.tree(), after, "again, after {what}");
        }
    }
    failed
}

#[test]
fn a_line_that_breaks_anywhere() {
    let micropython = need!("a_line_that_breaks_anywhere", micropython());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..BOARDS)
            .map(|number| {
                let micropython = micropython.clone();
                scope.spawn(move || {
                    let world = World::new(micropython);
                    for command in COMMANDS.iter().skip(number).step_by(BOARDS) {
                        let failed = break_everywhere(&world, command);
                        println!("{:?}: {failed} of {}", command.arguments, 2 * BREAKS);
                        // Else nothing broke.
                        assert!(failed >= BREAKS, "{:?}: {failed}", command.arguments);
                    }
                })
            })
            .collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// A place in a conversation of so many bytes from the board and to it.
type Somewhere = fn(usize, usize) -> Break;

/// Nothing says that a line is dead but time, and every stage has its limit.
#[test]
fn a_line_that_falls_silent() {
    let micropython = need!("a_line_that_falls_silent", micropython());
    let cases: [(&[&str], Somewhere); 6] = [
        (&["exec", "print(1)"], |_, _| Break::ToBoard(0)),
        (&["fs", "ls", "/"], |from, _| Break::FromBoard(from / 2)),
        (&["fs", "cp", "local.bin", ":/f.txt"], |_, to| {
            Break::ToBoard(to * 3 / 4)
        }),
        (&["deploy", "lesson.py"], |from, _| {
            Break::FromBoard(from / 2)
        }),
        (&["reset"], |from, _| Break::FromBoard(from / 2)),
        (
            &["mount", "tree", "--exec", "open('b.bin', 'rb').read()"],
            |_, to| Break::ToBoard(to / 2),
        ),
    ];
    std::thread::scope(|scope| {
        for (arguments, at) in cases {
            let micropython = micropython.clone();
            scope.spawn(move || {
                let world = World::new(micropython);
                world.restore();
                let before = world.tree();
                world.proxy.arm(Break::Never, How::HangUp);
                world.run(arguments).expect_status(0);
                let after = world.tree();
                let (from_board, to_board) = world.proxy.passed();
                // A computer that was busy may have made the first run longer than those that follow.
                let mut share = 1;
                let done = loop {
                    world.restore();
                    let place = at(from_board / share, to_board / share);
                    world.proxy.arm(place, How::Silence);
                    let done = world.run(arguments);
                    if world.proxy.broke() {
                        break done;
                    }
                    done.expect_status(0);
                    share *= 2;
                };
                let what = format!("{arguments:?}");
                expect_no_board(&done, &what);
                nothing_is_half_done(&world.tree(), [&before, &after], true, &what);
                expect_works(&world.home, &world.proxy, &format!("after {what}"));
                nothing_is_half_done(&world.tree(), [&before, &after], false, &what);
                println!("{what}: {:?}", done.elapsed);
            });
        }
    });
}
