//! Several boards at once: two that talk to each other, and as many as a class has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lab::Lab;
use serde_json::{Value, json};
use testkit::need;

use crate::client::{LONG, Page, lab_with, micropython};

/// Waits until so many boards are at their prompts.
fn boards_of(page: &mut Page, count: usize) -> Vec<u64> {
    let mut idle = BTreeSet::new();
    // Thirty interpreters start one after the other, on a computer that may have other things to do.
    let deadline = Instant::now() + 5 * LONG;
    while idle.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", idle.len());
        let message = page.next();
        let boards = match message["type"].as_str() {
            Some("hello") => message["boards"].as_array().expect("boards").clone(),
            Some("board") => vec![message],
            _ => continue,
        };
        let ready = boards.iter().filter(|board| board["state"] == "idle");
        idle.extend(ready.filter_map(|board| board["id"].as_u64()));
    }
    idle.into_iter().collect()
}

#[test]
fn two_boards_talk_to_each_other_and_one_can_go() {
    let maker = need!("two boards", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let one = page.wait_for_board();
    page.send(&json!({"type": "add_board", "kind": "sim"}));
    let other = page.wait_for_board_but(one);
    page.run(
        one,
        "from umqtt.simple import MQTTClient
c = MQTTClient('uno', 'broker.hivemq.com')
c.set_callback(lambda t, m: print('uno oye', m))
c.connect()
c.subscribe('clase')
print('escuchando')
c.wait_msg()
",
    );
    page.wait_for_text(one, "escuchando");
    page.run(
        other,
        "from umqtt.simple import MQTTClient
c = MQTTClient('otro', 'test.mosquitto.org')
c.connect()
c.publish('clase', 'hola de la otra')
c.disconnect()
",
    );
    page.wait_for_text(one, "uno oye b'hola de la otra'");
    page.send(&json!({"type": "remove_board", "id": other}));
    page.wait("board_gone", |message| message["id"] == other);
    page.send(&json!({"type": "run", "board": other, "files": [], "main": ""}));
    page.wait("notice", |notice| notice["level"] == "error");
}

/// What each board publishes, once a second: its number and a count.
fn program(board: u64, seconds: u64) -> String {
    format!(
        "import time
from umqtt.simple import MQTTClient
c = MQTTClient('placa-{board}', 'test.mosquitto.org', keepalive=60)
c.connect()
for n in range({seconds}):
    c.publish('clase/{board}', str(n), qos=1)
    time.sleep(1)
c.disconnect()
"
    )
}

/// Kilobytes of memory that this process has.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Runs the class; answers how often each board was heard, and the process's memory now and then.
fn class(lab: &Lab, count: usize, seconds: u64) -> (BTreeMap<u64, BTreeSet<u64>>, Vec<u64>) {
    let mut page = Page::open(lab);
    let boards = boards_of(&mut page, count);
    for board in &boards {
        page.run(*board, &program(*board, seconds));
    }
    let mut heard: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let mut measured = Vec::new();
    let (deadline, mut measure_at) = (
        Instant::now() + 5 * LONG + Duration::from_secs(seconds),
        Instant::now() + Duration::from_secs(60),
    );
    let all = count * seconds as usize;
    while ended.len() < count || heard.values().map(BTreeSet::len).sum::<usize>() < all {
        assert!(
            Instant::now() < deadline,
            "{} boards ended, {} of {all} messages came",
            ended.len(),
            heard.values().map(BTreeSet::len).sum::<usize>()
        );
        if Instant::now() >= measure_at {
            measure_at += Duration::from_secs(60);
            measured.push(memory());
        }
        let message = page.next();
        match message["type"].as_str() {
            Some("mqtt") => {
                assert_eq!(message["dropped"], 0, "the page missed packets");
                for event in message["events"].as_array().expect("events") {
                    if event["direction"] == "ToBroker" {
                        note(&mut heard, &event["packet"]["Publish"]);
                    }
                }
            }
            Some("ended") => {
                assert_eq!(message["how"], "finished", "{message}");
                ended.insert(message["board"].as_u64().expect("a number"));
            }
            Some("hello") => panic!("the page fell behind"),
            _ => {}
        }
    }
    (heard, measured)
}

fn note(heard: &mut BTreeMap<u64, BTreeSet<u64>>, publish: &Value) {
    let topic = publish["topic"].as_str();
    let Some(board) = topic.and_then(|topic| topic.strip_prefix("clase/")?.parse().ok()) else {
        return;
    };
    let payload = publish["payload"].as_array().expect("bytes");
    let digits = payload.iter().filter_map(Value::as_u64);
    let number = digits.fold(0, |number, digit| 10 * number + (digit - 48));
    heard.entry(board).or_default().insert(number);
}

/// So many seconds, unless `UMQTT_LAB_SECONDS` says how many; `cargo xtask bench lab` has ten minutes.
const SECONDS: u64 = 20;

#[test]
fn thirty_boards_publish_once_a_second_and_nothing_is_lost() {
    let maker = need!("thirty boards", micropython());
    let seconds = match std::env::var("UMQTT_LAB_SECONDS") {
        Ok(text) => text.parse().expect("UMQTT_LAB_SECONDS is a number"),
        Err(_) => SECONDS,
    };
    let lab = lab_with(maker, 30);
    let begun = Instant::now();
    let (heard, memory) = class(&lab, 30, seconds);
    let messages: usize = heard.values().map(BTreeSet::len).sum();
    println!("messages: {messages} of {}", 30 * seconds);
    println!("seconds: {}", begun.elapsed().as_secs());
    println!("memory of the laboratory, each minute, kB: {memory:?}");
    assert_eq!(heard.len(), 30);
    for (board, numbers) in heard {
        assert_eq!(numbers.len() as u64, seconds, "board {board}: {numbers:?}");
    }
}
