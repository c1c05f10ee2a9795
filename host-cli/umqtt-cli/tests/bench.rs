//! `umqtt bench` on the simulated board: what it measures is what others count, and its pages hold whatever a run was like.
//! No test here looks at how fast anything was.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};

use common::{Done, Home, expect_no_process, finish, micropython};
use serde_json::{Value, json};
use testkit::{Access, Mosquitto, need};

/// A baseline that lacks QoS 2 and whose fifth message fails.
const BASELINE: &str = include_str!("../../../python/tests/bench_baseline.py");

/// What a run with `BASELINE` was told to do.
const SMALL: [&str; 11] = [
    "bench",
    "--port",
    "sim",
    "--baseline",
    "baseline.py",
    "--sizes",
    "16",
    "--rounds",
    "9",
    "--messages",
    "200",
];

fn measured<'a>(lines: &'a [Value], task: &str, qos: Option<u64>) -> &'a Value {
    let found = lines.iter().find(|line| {
        line["event"] == "measured" && line["task"] == task && line["qos"].as_u64() == qos
    });
    found.unwrap_or_else(|| panic!("no {task} with {qos:?} in {lines:#?}"))
}

fn counted<'a>(lines: &'a [Value], quantity: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["quantity"] == quantity);
    &found.unwrap_or_else(|| panic!("no {quantity} in {lines:#?}"))["values"]
}

/// The tags of a file of XML or of our HTML are closed in the order in which they were opened.
#[track_caller]
fn expect_balanced(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, after) = behind.split_once('>').expect("a tag's end");
        rest = after;
        let name = tag.split([' ', '/']).find(|word| !word.is_empty());
        let name = name.unwrap_or_default();
        let alone =
            ["meta", "br", "link"].contains(&name) || tag.ends_with('/') || tag.starts_with('!');
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{text}");
        } else if !alone {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0], "{text}");
}

#[test]
fn all_is_measured_and_a_failed_round_and_a_missing_qos_are_said() {
    let test = "all_is_measured_and_a_failed_round_and_a_missing_qos_are_said";
    need!(test, micropython());
    let home = Home::new();
    home.script("baseline.py", BASELINE);
    let done = home.run(
        SMALL
            .iter()
            .chain(&["--json", "--html", "r.html", "--svg", "r.svg"]),
    );
    done.expect_status(0);
    let lines = done.json();
    let publish = measured(&lines, "publish", Some(0));
    assert_eq!(publish["complete"], true, "{done:#?}");
    let baseline = &publish["runs"]["baseline"];
    assert_eq!(
        baseline["failed"].as_array().map(Vec::len),
        Some(1),
        "{done:#?}"
    );
    assert_eq!(baseline["rounds"], 9, "{done:#?}");
    // Nine rounds less the failed one are too few.
    let refused = &publish["baseline_to_native"]["refused"];
    assert_eq!(
        *refused,
        json!({ "why": "too_few", "pairs": 8 }),
        "{done:#?}"
    );
    let second = measured(&lines, "publish", Some(2));
    assert_eq!(second["runs"]["baseline"]["cannot"], "AssertionError");
    assert_eq!(second["runs"]["baseline"]["rounds"], 0);
    assert_eq!(second["baseline_to_native"], Value::Null);
    for task in [
        "delivered",
        "round_trip",
        "receive",
        "connect",
        "connect_tls",
    ] {
        let of = measured(&lines, task, None);
        assert_eq!(of["complete"], true, "{done:#?}");
        for who in ["floor", "baseline", "native"] {
            let quartiles = of["runs"][who]["quartiles_us"].as_array();
            let quartiles = quartiles.unwrap_or_else(|| panic!("{who} of {of}"));
            let numbers: Vec<f64> = quartiles.iter().filter_map(Value::as_f64).collect();
            assert!(numbers.is_sorted() && numbers[0] > 0.0, "{who} of {of}");
        }
    }
    measured(&lines, "import", None);
    let writes = counted(&lines, "writes_per_message");
    assert_eq!(
        (&writes["floor"], &writes["native"]),
        (&1.0.into(), &1.0.into())
    );
    assert_eq!(counted(&lines, "heap_per_message")["native"], 0.0);
    for quantity in ["file_size", "ram_after_import", "largest_block_lost"] {
        assert!(counted(&lines, quantity)["native"].is_number(), "{done:#?}");
    }
    if cfg!(target_os = "linux") {
        assert!(counted(&lines, "segments_per_message")["native"].is_number());
    }
    let page = std::fs::read_to_string(home.path().join("r.html")).expect("a page");
    let picture = std::fs::read_to_string(home.path().join("r.svg")).expect("a picture");
    for text in [&page, &picture] {
        expect_balanced(text);
        assert!(!text.contains("INTERRUPTED"), "{text}");
        assert!(text.contains("cannot do this"), "{text}");
    }
    assert!(page.contains("1 of 9 rounds"), "{page}");
    // Nothing is fetched by who opens it.
    assert!(
        !page
            .replace("http://www.w3.org/2000/svg", "")
            .contains("://")
    );
    assert!(
        !page.contains("<script") && !page.contains("src="),
        "{page}"
    );
    expect_left_alone(&home);
}

/// The board has no file of the run.
#[track_caller]
fn expect_left_alone(home: &Home) {
    let files = std::fs::read_dir(home.flash()).expect("the flash");
    let names: Vec<_> = files.flatten().map(|file| file.file_name()).collect();
    assert!(names.is_empty(), "{names:?}");
    expect_no_process();
}

#[test]
fn a_run_that_is_interrupted_keeps_what_it_has_and_marks_it() {
    let test = "a_run_that_is_interrupted_keeps_what_it_has_and_marks_it";
    need!(test, micropython());
    let home = Home::new();
    let mut child = home
        .umqtt([
            "bench",
            "--port",
            "sim",
            "--baseline",
            "none",
            "--rounds",
            "999",
            "--messages",
            "1000000",
            "--html",
            "r.html",
            "--svg",
            "r.svg",
        ])
        .spawn()
        .expect("umqtt starts");
    let mut errors = BufReader::new(child.stderr.take().expect("its errors"));
    let mut line = String::new();
    while !line.contains("this takes about") {
        line.clear();
        assert_ne!(errors.read_line(&mut line).expect("a line"), 0, "it ended");
    }
    // SAFETY: sends a signal to a child of ours that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let rest = std::thread::spawn(move || std::io::read_to_string(errors).expect("the rest"));
    let done = finish(child);
    let errors = rest.join().expect("no panic");
    done.expect_status(1);
    assert!(errors.contains("interrupted"), "{errors}");
    assert!(done.stdout.contains("INTERRUPTED"), "{done:#?}");
    assert!(done.stdout.contains("import the module"), "{done:#?}");
    let page = std::fs::read_to_string(home.path().join("r.html")).expect("a page");
    let picture = std::fs::read_to_string(home.path().join("r.svg")).expect("a picture");
    for text in [page, picture] {
        assert!(text.contains("INTERRUPTED"), "{text}");
        // Where it was measured is in each of them.
        assert!(text.contains("MicroPython 1."), "{text}");
        expect_balanced(&text);
    }
    expect_left_alone(&home);
}

#[test]
fn many_boards_load_a_broker_and_nothing_is_lost() {
    let test = "many_boards_load_a_broker_and_nothing_is_lost";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
    let home = Home::new();
    let broker = mosquitto.address().to_string();
    let done = home.run([
        "bench",
        "--scale",
        "3",
        "--messages",
        "50",
        "--qos",
        "1",
        "--silent",
        "4",
        "--rounds",
        "2",
        "--broker",
        "embedded",
        "--broker",
        &broker,
        "--json",
    ]);
    done.expect_status(0);
    let lines = done.json();
    let loads: Vec<&Value> = lines
        .iter()
        .filter(|line| line["event"] == "load")
        .collect();
    assert_eq!(loads.len(), 2, "{done:#?}");
    for load in loads {
        assert_eq!(
            (&load["messages"], &load["lost"]),
            (&150.into(), &0.into()),
            "{load}"
        );
        assert_eq!(
            (&load["boards"], &load["rounds"]),
            (&3.into(), &2.into()),
            "{load}"
        );
        assert_eq!(load["silent"], 4, "{load}");
        if cfg!(target_os = "linux") {
            let processor = load["processor_us"].as_f64().expect("a number");
            assert!(processor > 0.0, "{load}");
        }
        for name in ["per_second", "processor_us"] {
            let rounds = load["of_rounds"][name].as_array();
            assert_eq!(rounds.map(Vec::len), Some(2), "{load}");
        }
        let latency = |name: &str| load["latency_us"][name].as_f64().expect("a number");
        assert!(
            0.0 < latency("p50") && latency("p50") <= latency("p99"),
            "{load}"
        );
        // A minute for a message is a clock that was read wrongly.
        assert!(latency("p99") < 60e6, "{load}");
    }
    expect_left_alone(&home);
}

#[test]
fn bad_input_is_refused_before_anything_is_measured() {
    let test = "bad_input_is_refused_before_anything_is_measured";
    need!(test, micropython());
    let home = Home::new();
    home.script("empty.py", "");
    home.script("text.txt", "x");
    let expect = |arguments: &[&str], status: i32, says: &str| {
        let done: Done = home.run([&["bench", "--port", "sim"], arguments].concat());
        done.expect_status(status);
        assert!(done.stderr.contains(says), "{says}: {done:#?}");
        assert!(done.stdout.is_empty(), "{done:#?}");
    };
    expect(&["--sizes", "16,x"], 2, "x");
    expect(&["--qos", "3"], 2, "3");
    expect(&["--rounds", "0"], 2, "0");
    expect(&["--baseline", "text.txt"], 2, "neither a .py nor a .mpy");
    expect(&["--baseline", "none.py"], 2, "cannot be read");
    expect(&["--baseline", "frozen"], 1, "no umqtt.simple of its own");
    expect(&["--html", "none/r.html"], 1, "cannot be written");
    expect(&["--broker", "a", "--broker", "b"], 2, "--scale only");
    // A file without the class, and a broker that is not there: the board says so, and is left as it was.
    let nobody = format!("127.0.0.1:{}", common::free_port());
    let unreachable = home.run([
        "bench",
        "--port",
        "sim",
        "--baseline",
        "none",
        "--broker",
        &nobody,
        "--messages",
        "0",
        "--sizes",
        "16",
    ]);
    unreachable.expect_status(1);
    assert!(
        unreachable.stderr.contains("ECONNREFUSED"),
        "{unreachable:#?}"
    );
    let classless = home.run(SMALL.map(|word| match word {
        "baseline.py" => "empty.py",
        word => word,
    }));
    classless.expect_status(0);
    assert!(
        classless.stdout.contains("AttributeError"),
        "{classless:#?}"
    );
    let scale = home.run(["bench", "--scale", "2", "--sizes", "1,2"]);
    scale.expect_status(2);
    let many = ["bench", "--scale", "200", "--silent", "500"];
    let many = home.run(many);
    many.expect_status(2);
    assert!(many.stderr.contains("fewer of either"), "{many:#?}");
    let lonely = home.run(["bench", "--silent", "3"]);
    lonely.expect_status(2);
    assert!(lonely.stderr.contains("--scale"), "{lonely:#?}");
    expect(&["--silent", "3"], 2, "--silent");
    expect_left_alone(&home);
}
