//! Decides whether docs/NORMATIVE.md is complete and true: every numbered statement of MQTT 3.1.1 stands in it once, and
//! whatever is said to show one exists.

use std::collections::BTreeSet;
use std::path::Path;

use testkit::case::read_folder;

/// How many numbered statements each section of Appendix B has: section, highest number.
const APPENDIX_B: [(&str, u32); 36] = [
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
];
/// The last chapter's sections begin anew.
const CHAPTER_7: [(&str, u32); 3] = [("7.0.0", 2), ("7.1.1", 1), ("7.1.2", 1)];

/// Every number of Appendix B.
fn all_numbers() -> BTreeSet<String> {
    APPENDIX_B
        .iter()
        .chain(&CHAPTER_7)
        .flat_map(|(section, last)| (1..=*last).map(move |n| format!("MQTT-{section}-{n}")))
        .collect()
}

fn text() -> String {
    let path = testkit::repository().join("docs/NORMATIVE.md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_statement_of_appendix_b_stands_once() {
    let text = text();
    let mut seen = BTreeSet::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))) {
        let number = word.trim_end_matches('.');
        if number.starts_with("MQTT-") {
            assert!(seen.insert(number.to_owned()), "{number} stands twice");
        }
    }
    let all = all_numbers();
    let missing: Vec<_> = all.difference(&seen).collect();
    let unknown: Vec<_> = seen.difference(&all).collect();
    assert!(missing.is_empty(), "not in docs/NORMATIVE.md: {missing:?}");
    assert!(unknown.is_empty(), "not in Appendix B: {unknown:?}");
}

/// True for `FILE::FUNCTION` where that test file has a test of that name.
fn is_test(folder: &Path, name: &str) -> bool {
    let Some((file, function)) = name.split_once("::") else {
        return false;
    };
    let source = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_default();
    source.contains(&format!("fn {function}()"))
}

#[test]
fn every_statement_in_the_tables_is_shown_by_something_that_exists() {
    let cases: BTreeSet<String> =
        read_folder(&testkit::repository().join("host-cli/testkit/cases"))
            .unwrap_or_else(|error| panic!("{error}"))
            .into_iter()
            .map(|case| case.name)
            .collect();
    assert!(cases.len() >= 500, "only {} cases", cases.len());
    let tests = testkit::repository().join("host-cli/testkit/tests");
    let mut rows = 0;
    for line in text().lines().filter(|line| line.starts_with("| MQTT-")) {
        rows += 1;
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [number, demand, shown_by] = &cells[..] else {
            panic!("a row has three cells: {line}");
        };
        assert!(!demand.trim().is_empty(), "{number} says nothing");
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing shows {number}");
        for name in names {
            assert!(
                cases.contains(name) || is_test(&tests, name),
                "{number} is shown by {name}, which does not exist"
            );
        }
    }
    assert!(rows > 60, "only {rows} rows were found");
}
