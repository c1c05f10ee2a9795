//! Decides whether the client says, returns, raises and calls back what the conversations in `host-cli/testkit/cases`
//! say, on real MicroPython over TCP: every case with the broker's bytes whole and one by one.

use std::thread;

use testkit::case::{Case, read_folder};
use testkit::scripted::{Pieces, play};
use testkit::{Implementation, Interpreter, Version, need};

/// Groups of cases that are played at the same time.
const PARALLEL: usize = 4;

fn cases() -> Vec<Case> {
    let folder = testkit::repository().join("host-cli/testkit/cases");
    let cases = read_folder(&folder).unwrap_or_else(|error| panic!("{error}"));
    // To look at a few: a part of their names.
    match std::env::var("UMQTT_CASES") {
        Ok(part) => cases
            .into_iter()
            .filter(|case| case.name.contains(&part))
            .collect(),
        Err(_) => cases,
    }
}

fn scripted(test: &str, version: Version, pieces: Pieces) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let robust = testkit::repository().join("python/umqtt/robust.py");
    need!(test, module.add(&robust, "robust.py"));
    let cases = cases();
    // Dealt out like cards, so that those which have to wait are not all in one hand.
    let hands: Vec<Vec<Case>> = (0..PARALLEL)
        .map(|hand| cases.iter().skip(hand).step_by(PARALLEL).cloned().collect())
        .collect();
    let failures: Vec<String> = thread::scope(|scope| {
        let playing: Vec<_> = hands
            .iter()
            .map(|hand| scope.spawn(|| play(&interpreter, &module, hand, pieces)))
            .collect();
        playing
            .into_iter()
            .flat_map(|hand| hand.join().expect("the cases are played"))
            .collect()
    });
    assert!(
        failures.is_empty(),
        "{} of {} cases failed on MicroPython {}:\n\n{}\n",
        failures.len(),
        cases.len(),
        version.name(),
        failures.join("\n\n")
    );
    println!("{} cases", cases.len());
}

#[test]
fn whole_on_1_25() {
    scripted("whole_on_1_25", Version::V1_25, Pieces::Whole);
}

#[test]
fn whole_on_1_26() {
    scripted("whole_on_1_26", Version::V1_26, Pieces::Whole);
}

#[test]
fn byte_by_byte_on_1_25() {
    scripted("byte_by_byte_on_1_25", Version::V1_25, Pieces::Bytes);
}

#[test]
fn byte_by_byte_on_1_26() {
    scripted("byte_by_byte_on_1_26", Version::V1_26, Pieces::Bytes);
}
