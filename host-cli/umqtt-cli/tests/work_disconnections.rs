//! The line breaks or falls silent under the commands that use a board for work of their own: `build --port` asks it what
//! it is, `bench --port` measures on it, `lab --port` lends it to a page. No hang, what to try, nothing half done.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::path::Path;

use board_sim::{MicroPython, SimBoard};
use common::breaking::{LIMIT, board_and_line, expect_no_board, expect_works, places};
use common::laboratory::Laboratory;
use common::{Home, finish, micropython};
use serde_json::{Value, json};
use testkit::{Access, Break, How, Mosquitto, Proxy, need};

/// Places where each conversation breaks, either way.
const BREAKS: usize = 5;

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The board is asked before anything is built, so that whatever breaks leaves no file.
#[test]
fn building_for_a_board_that_goes_away() {
    let micropython = need!("building_for_a_board_that_goes_away", micropython());
    let home = Home::new();
    let (_board, proxy) = board_and_line(&home, 1, &micropython);
    home.run(["new", "mi-modulo"]).expect_status(0);
    let folder = home.path().join("mi-modulo");
    let port = proxy.port();
    let build = || {
        let mut command = home.umqtt(["build", "--port", &port]);
        // Builds go into the project's own folder, wherever the tests' own build goes.
        command.current_dir(&folder).env_remove("CARGO_TARGET_DIR");
        finish(command.spawn().expect("umqtt starts"))
    };
    let module = folder.join("release/x64/mi_modulo.mpy");
    proxy.arm(Break::Never, How::HangUp);
    build().expect_status(0);
    let built = std::fs::read(&module).expect("the module");
    let places = places(proxy.passed(), BREAKS);
    let mut failed = 0;
    for (number, at) in places.into_iter().enumerate() {
        let silence = (number % BREAKS == 2).then_some(How::Silence);
        for how in [Some(How::HangUp), silence].into_iter().flatten() {
            if folder.join("release").exists() {
                std::fs::remove_dir_all(folder.join("release")).expect("it goes");
            }
            proxy.arm(at, how);
            let done = build();
            let what = format!("{at:?} {how:?}");
            if done.status == Some(0) {
                // What broke was nothing that it still needed.
                assert_eq!(std::fs::read(&module).ok().as_ref(), Some(&built), "{what}");
            } else {
                expect_no_board(&done, &what);
                assert!(proxy.broke(), "{what}: {done:#?}");
                assert!(!folder.join("release").exists(), "{what}: {done:#?}");
                failed += 1;
            }
            expect_works(&home, &proxy, &what);
        }
    }
    assert!(failed >= BREAKS, "only {failed} failed");
}

/// What was measured whole, and what was counted.
fn found(lines: &[Value]) -> Vec<(&Value, &Value)> {
    let of = |line: &&Value| line["complete"] == true || line["event"] == "counted";
    let found = lines.iter().filter(of);
    found
        .map(|line| (&line["task"], &line["quantity"]))
        .collect()
}

/// What was measured until then is kept, in files too, and marked.
#[test]
fn measuring_on_a_board_that_goes_away() {
    let test = "measuring_on_a_board_that_goes_away";
    let micropython = need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
    let home = Home::new();
    let (_board, proxy) = board_and_line(&home, 1, &micropython);
    let flash = home.flash_of(1);
    let before = names(&flash);
    let port = proxy.port();
    // Behind a port the command takes the board for one that has a network of its own, to which this computer's loopback
    // says nothing; this address leads there all the same.
    let broker = format!("0.0.0.0:{}", mosquitto.address().port());
    let page = home.path().join("r.html");
    let bench = || {
        let _ = std::fs::remove_file(&page);
        home.run([
            "bench",
            "--port",
            &port,
            "--baseline",
            "none",
            "--broker",
            &broker,
            "--sizes",
            "16",
            "--qos",
            "0",
            "--rounds",
            "1",
            "--messages",
            "20",
            "--html",
            "r.html",
            "--json",
        ])
    };
    proxy.arm(Break::Never, How::HangUp);
    let whole = bench();
    whole.expect_status(0);
    assert_eq!(names(&flash), before);
    let places = places(proxy.passed(), BREAKS);
    let (mut failed, mut kept) = (0, 0);
    for (number, at) in places.into_iter().enumerate() {
        // While the module goes to the board; in the middle of a round it would be given a minute and a half.
        let silence = (number == BREAKS + 1).then_some(How::Silence);
        for how in [Some(How::HangUp), silence].into_iter().flatten() {
            proxy.arm(at, how);
            let done = bench();
            let what = format!("{at:?} {how:?}");
            println!("{what}: {:?}", done.elapsed);
            let lines = done.json();
            let setting = lines.iter().find(|line| line["event"] == "setting");
            if done.status == Some(0) {
                assert_eq!(setting.expect("a setting")["interrupted"], false, "{what}");
            } else {
                expect_no_board(&done, &what);
                assert!(proxy.broke(), "{what}: {done:#?}");
                failed += 1;
            }
            // The page is there whole if and only if there is something to show.
            let shown = std::fs::read_to_string(&page).ok();
            assert_eq!(shown.is_some(), setting.is_some(), "{what}: {done:#?}");
            if let Some(setting) = setting.filter(|_| done.status != Some(0)) {
                let shown = shown.expect("a page");
                assert!(shown.ends_with("</html>\n"), "{what}");
                // A board that goes away when all is measured leaves nothing to mark.
                let marked = found(&lines) != found(&whole.json());
                assert_eq!(setting["interrupted"], marked, "{what}: {done:#?}");
                assert_eq!(shown.contains("INTERRUPTED"), marked, "{what}");
                kept += usize::from(marked);
            }
            let left = names(home.path());
            assert!(
                !left.iter().any(|name| name.starts_with(".umqtt-")),
                "{what}: {left:?}"
            );
            expect_works(&home, &proxy, &what);
        }
    }
    assert!(failed >= BREAKS, "only {failed} failed");
    assert!(kept > 0, "nothing was ever kept");
    // What a broken run left on the board, the next one removes.
    proxy.arm(Break::Never, How::HangUp);
    bench().expect_status(0);
    assert_eq!(names(&flash), before);
}

/// What the board runs by itself.
const OWN: &str = "print('its own')\n";

/// Board 1 and the line to it, and the files that it has before anything happens.
fn board_with_its_own_program(
    home: &Home,
    micropython: &MicroPython,
) -> (SimBoard, Proxy, Vec<(String, Option<String>)>) {
    let (board, proxy) = board_and_line(home, 1, micropython);
    let flash = home.flash_of(1);
    std::fs::write(flash.join("main.py"), OWN).expect("a file");
    (board, proxy, contents(&flash))
}

/// The files of a folder of text, and what they say.
fn contents(folder: &Path) -> Vec<(String, Option<String>)> {
    let read = |name: &String| std::fs::read_to_string(folder.join(name)).ok();
    let with_text = |name: String| (name.clone(), read(&name));
    let mut all: Vec<_> = names(folder).into_iter().map(with_text).collect();
    all.sort();
    all
}

const PROGRAM: &str = "import beside\nprint('it is', beside.N)\n";

fn run(lab: &mut Laboratory) {
    lab.send(&json!({
        "type": "run", "board": 1, "main": "main.py",
        "files": [{"name": "main.py", "text": PROGRAM}, {"name": "beside.py", "text": "N = 42\n"}],
    }));
}

fn has_state(message: &Value, state: &str) -> bool {
    let boards = message["boards"].as_array();
    let told = boards.into_iter().flatten().chain([message]);
    let known = ["hello", "board"].contains(&message["type"].as_str().unwrap_or_default());
    known
        && told
            .into_iter()
            .any(|board| board["id"] == 1 && board["state"] == state)
}

/// The page says what is wrong and what to try; once the board is back, reset and run work as before.
#[test]
fn a_page_whose_board_goes_away() {
    let micropython = need!("a_page_whose_board_goes_away", micropython());
    let home = Home::new();
    let (_board, proxy, before) = board_with_its_own_program(&home, &micropython);
    let flash = home.flash_of(1);
    let port = proxy.port();
    let start = || {
        let mut lab = Laboratory::start(&home, &["--port", &port], None);
        lab.wait(|message| has_state(message, "idle") || has_state(message, "gone"));
        lab
    };
    let well = |lab: &mut Laboratory| {
        run(lab);
        let ended = lab.wait(|message| message["type"] == "ended");
        assert_eq!(ended["how"], "finished", "{ended}");
    };
    proxy.arm(Break::Never, How::HangUp);
    let mut lab = start();
    well(&mut lab);
    // What comes later is the board's end, and not the page's.
    let places = places(proxy.passed(), BREAKS);
    lab.end().expect_status(0);
    assert_eq!(contents(&flash), before);
    let mut broken = 0;
    for (number, at) in places.into_iter().enumerate() {
        let how = match number % BREAKS {
            2 => How::Silence,
            _ => How::HangUp,
        };
        let what = format!("{at:?} {how:?}");
        proxy.arm(at, how);
        let mut lab = start();
        run(&mut lab);
        let told = lab.wait(|message| message["level"] == "error" || message["how"] == "finished");
        if told["level"] == "error" {
            let text = told["text"].as_str().expect("words");
            assert!(proxy.broke() && text.contains(". "), "{what}: {told}");
            lab.wait(|message| has_state(message, "gone"));
            proxy.arm(Break::Never, How::HangUp);
            lab.send(&json!({"type": "reset", "board": 1}));
            lab.wait(|message| has_state(message, "idle"));
            well(&mut lab);
            broken += 1;
        }
        let done = lab.end();
        assert!(done.elapsed < LIMIT, "{what}: {done:#?}");
        if told["level"] == "error" {
            done.expect_status(0);
            assert_eq!(contents(&flash), before, "{what}");
        }
        let main = std::fs::read_to_string(flash.join("main.py"));
        assert_eq!(main.expect("it is there"), OWN, "{what}");
        expect_works(&home, &proxy, &what);
    }
    assert!(broken >= BREAKS, "only {broken} broke");
}

/// The line breaks while the page's program gives the board back: it ends all the same, says so where the board is not as it
/// was, and the next page puts the board in order.
#[test]
fn a_page_that_ends_as_its_board_goes_away() {
    let micropython = need!("a_page_that_ends_as_its_board_goes_away", micropython());
    let home = Home::new();
    let (_board, proxy, before) = board_with_its_own_program(&home, &micropython);
    let flash = home.flash_of(1);
    let port = proxy.port();
    let with_a_run = |at, how| {
        proxy.arm(at, how);
        let mut lab = Laboratory::start(&home, &["--port", &port], None);
        lab.wait(|message| has_state(message, "idle"));
        run(&mut lab);
        lab.wait(|message| message["how"] == "finished");
        lab
    };
    let lab = with_a_run(Break::Never, How::HangUp);
    let (from, to) = proxy.passed();
    lab.end().expect_status(0);
    assert_eq!(contents(&flash), before);
    let (all_from, all_to) = proxy.passed();
    let mut broken = 0;
    for part in 1..4 {
        let at_part = |from: usize, to: usize| from + (to - from) * part / 4;
        let how = match part {
            2 => How::Silence,
            _ => How::HangUp,
        };
        let from_board = Break::FromBoard(at_part(from, all_from));
        for at in [from_board, Break::ToBoard(at_part(to, all_to))] {
            let what = format!("{at:?} {how:?}");
            let done = with_a_run(at, how).end();
            assert!(done.elapsed < LIMIT, "{what}: {done:#?}");
            if proxy.broke() {
                expect_no_board(&done, &what);
                assert!(done.stderr.contains("not as it was before"), "{done:#?}");
                broken += 1;
            } else {
                done.expect_status(0);
            }
            expect_works(&home, &proxy, &what);
            with_a_run(Break::Never, how).end().expect_status(0);
            assert_eq!(contents(&flash), before, "{what}");
        }
    }
    assert!(broken >= 4, "only {broken} broke");
}
