//! Decides whether our `umqtt.simple` does what umqtt.simple 1.3.4 does: the same generated scripts on both, over a
//! recording socket, must give the same bytes, returns, exceptions, callbacks and attributes.
//!
//! Where ours means to differ, `python/tests/differences.toml` says so with a reason. A difference that no rule
//! allows fails the test, and so does a rule that allows nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use testkit::{Implementation, Interpreter, Module, Program, Version, need};

/// Scripts per run; each is a client's life of 5 to 15 operations.
const SCRIPTS: usize = 1000;

/// One operation's line, as `python/tests/differential.py` prints it.
#[derive(Debug, Deserialize, PartialEq)]
struct Line {
    seed: usize,
    step: usize,
    op: String,
    tags: Vec<String>,
    outcome: String,
    written: String,
    unread: usize,
    events: Vec<String>,
    callbacks: Vec<String>,
    state: std::collections::BTreeMap<String, String>,
}

/// An intended difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// What reports call it.
    name: String,
    /// Why ours differs.
    reason: String,
    /// The operations it allows; none for all.
    #[serde(default)]
    ops: Vec<String>,
    /// Marks of the script's generator, all of which the operation must bear.
    #[serde(default)]
    tags: Vec<String>,
    /// Marks of which it must bear at least one; none for any.
    #[serde(default)]
    any_tag: Vec<String>,
    /// How upstream's outcome begins; none for any.
    #[serde(default)]
    upstream: Vec<String>,
    /// How ours begins; none for any.
    #[serde(default)]
    ours: Vec<String>,
    /// What may differ: outcome, written, unread, events, callbacks or the name of an attribute.
    fields: BTreeSet<String>,
    /// Whether the two are in the same state afterwards, so that the rest of the script is compared too.
    #[serde(default)]
    continues: bool,
}

/// The whole list; the other kind is `faults.rs`'s.
#[derive(Debug, Deserialize)]
struct Rules {
    #[serde(default)]
    difference: Vec<Rule>,
}

impl Line {
    /// Where two lines differ.
    fn differing(&self, other: &Line) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        let mut differ = |name: &str, same: bool| {
            if !same {
                fields.insert(name.to_string());
            }
        };
        differ("outcome", self.outcome == other.outcome);
        differ("written", self.written == other.written);
        differ("unread", self.unread == other.unread);
        differ("events", self.events == other.events);
        differ("callbacks", self.callbacks == other.callbacks);
        for (name, value) in &self.state {
            differ(name, other.state.get(name) == Some(value));
        }
        fields
    }
}

impl Rule {
    /// Whether it has anything to say about this pair of outcomes.
    fn applies(&self, upstream: &Line, ours: &Line) -> bool {
        let begins = |patterns: &[String], outcome: &str| {
            patterns.is_empty()
                || patterns
                    .iter()
                    .any(|pattern| outcome.starts_with(pattern.as_str()))
        };
        (self.ops.is_empty() || self.ops.contains(&upstream.op))
            && self.tags.iter().all(|tag| upstream.tags.contains(tag))
            && (self.any_tag.is_empty()
                || self.any_tag.iter().any(|tag| upstream.tags.contains(tag)))
            && begins(&self.upstream, &upstream.outcome)
            && begins(&self.ours, &ours.outcome)
    }
}

/// The rules that together allow a difference: each field by the first rule that does. `None` where a field is left.
fn allowing(
    rules: &[Rule],
    upstream: &Line,
    ours: &Line,
    differing: &BTreeSet<String>,
) -> Option<BTreeSet<usize>> {
    let applicable: Vec<usize> = (0..rules.len())
        .filter(|&rule| rules[rule].applies(upstream, ours))
        .collect();
    differing
        .iter()
        .map(|field| {
            applicable
                .iter()
                .copied()
                .find(|&rule| rules[rule].fields.contains(field))
        })
        .collect()
}

/// What comparing two runs found.
#[derive(Debug, Default)]
struct Comparison {
    /// Operations that were the same.
    same: usize,
    /// How often each rule was needed.
    used: Vec<usize>,
    /// Differences that no rule allows, ready to be read.
    unexpected: Vec<String>,
}

fn compare(rules: &[Rule], upstream: &[Vec<Line>], ours: &[Vec<Line>]) -> Comparison {
    let mut found = Comparison {
        used: vec![0; rules.len()],
        ..Comparison::default()
    };
    for (upstream, ours) in upstream.iter().zip(ours) {
        for (theirs, mine) in upstream.iter().zip(ours) {
            let differing = theirs.differing(mine);
            if differing.is_empty() && (&theirs.op, &theirs.tags) == (&mine.op, &mine.tags) {
                found.same += 1;
                continue;
            }
            let Some(needed) = allowing(rules, theirs, mine, &differing) else {
                found.unexpected.push(report(theirs, mine, &differing));
                break;
            };
            for &rule in &needed {
                found.used[rule] += 1;
            }
            if !needed.iter().all(|&rule| rules[rule].continues) {
                break;
            }
        }
    }
    found
}

fn report(theirs: &Line, mine: &Line, differing: &BTreeSet<String>) -> String {
    let mut text = format!(
        "script {} step {}: {} {:?}",
        theirs.seed, theirs.step, theirs.op, theirs.tags
    );
    for field in differing {
        let shown = |line: &Line| match field.as_str() {
            "outcome" => line.outcome.clone(),
            "written" => line.written.clone(),
            "unread" => line.unread.to_string(),
            "events" => format!("{:?}", line.events),
            "callbacks" => format!("{:?}", line.callbacks),
            name => line.state.get(name).cloned().unwrap_or_default(),
        };
        text += &format!(
            "\n    {field}: upstream {}\n    {:width$}  ours     {}",
            shown(theirs),
            "",
            shown(mine),
            width = field.len()
        );
    }
    if !differing.contains("outcome") {
        text += &format!("\n    (both {})", theirs.outcome);
    }
    text
}

/// The lines of every script, by script.
fn run(interpreter: &Interpreter, module: &Module) -> Vec<Vec<Line>> {
    let text = Program::new(interpreter, module, "differential")
        .argument(1)
        .argument(SCRIPTS)
        // Seconds, where nothing else runs.
        .limit(Duration::from_secs(300))
        .run()
        .expect_success("the differential scripts");
    let mut scripts: Vec<Vec<Line>> = Vec::new();
    for line in text.lines() {
        let line: Line =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        if line.step == 0 {
            scripts.push(Vec::new());
        }
        scripts
            .last_mut()
            .expect("a script begins with step 0")
            .push(line);
    }
    assert_eq!(scripts.len(), SCRIPTS, "every script must have run");
    scripts
}

fn rules() -> Vec<Rule> {
    let path = testkit::repository().join("python/tests/differences.toml");
    let text = std::fs::read_to_string(&path).expect("python/tests/differences.toml");
    let rules: Rules =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for rule in &rules.difference {
        assert!(
            !rule.reason.is_empty(),
            "the difference {} gives no reason",
            rule.name
        );
    }
    rules.difference
}

fn same_but_for_intended_differences(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let upstream = need!(test, Implementation::Upstream.module());
    let ours = need!(test, Implementation::Ours.module());
    let rules = rules();
    let upstream = run(&interpreter, &upstream);
    let found = compare(&rules, &upstream, &run(&interpreter, &ours));
    let operations: usize = upstream.iter().map(Vec::len).sum();
    println!("{} of {operations} operations the same", found.same);
    for (rule, used) in rules.iter().zip(&found.used) {
        println!("{used:6} {}", rule.name);
    }
    assert!(
        found.unexpected.is_empty(),
        "{} differences that no rule allows, the first of them:\n{}",
        found.unexpected.len(),
        found.unexpected[..found.unexpected.len().min(25)].join("\n")
    );
    let idle: Vec<_> = rules
        .iter()
        .zip(&found.used)
        .filter(|(_, used)| **used == 0)
        .map(|(rule, _)| &rule.name)
        .collect();
    assert!(
        idle.is_empty(),
        "rules that allow nothing; remove them: {idle:?}"
    );
    assert!(
        found.same * 2 > operations,
        "only {} of {operations} operations could be compared",
        found.same
    );
}

#[test]
fn differential_on_1_25() {
    same_but_for_intended_differences("differential_on_1_25", Version::V1_25);
}

#[test]
fn differential_on_1_26() {
    same_but_for_intended_differences("differential_on_1_26", Version::V1_26);
}

/// The test itself is put to the test: upstream with one thing changed is not upstream.
#[test]
fn a_changed_implementation_is_noticed() {
    const TEST: &str = "a_changed_implementation_is_noticed";
    let interpreter = need!(TEST, Interpreter::find(Version::V1_25));
    let file = need!(TEST, Implementation::Upstream.file());
    let module = need!(TEST, Implementation::Upstream.module());
    let upstream = run(&interpreter, &module);
    assert!(
        compare(&[], &upstream, &run(&interpreter, &module))
            .unexpected
            .is_empty(),
        "upstream differs from itself"
    );
    let source = std::fs::read_to_string(&file).expect("upstream's source");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    for (what, from, to) in [
        (
            "a byte of PUBACK",
            "b\"\\x40\\x02\\0\\0\"",
            "b\"\\x41\\x02\\0\\0\"",
        ),
        (
            "an exception's type",
            "raise OSError(-1)",
            "raise ValueError(-1)",
        ),
        ("a return value", "return resp[2] & 1", "return resp[2]"),
        (
            "an attribute's name",
            "self.lw_retain = retain",
            "self.lw_retained = retain",
        ),
        (
            "a byte read too many",
            "msg = self.sock.read(sz)",
            "msg = self.sock.read(sz + 1)[:sz]",
        ),
        (
            "an override that is not called",
            "op = self.wait_msg()",
            "op = MQTTClient.wait_msg(self)",
        ),
    ] {
        let changed = source.replace(from, to);
        assert_ne!(
            changed, source,
            "{what}: {from} is not in upstream's source"
        );
        let path = scratch.path().join("simple.py");
        std::fs::write(&path, changed).expect("writing the changed copy");
        module.add(&path, "simple.py").expect("copying it");
        let found = compare(&[], &upstream, &run(&interpreter, &module));
        assert!(!found.unexpected.is_empty(), "{what} was not noticed");
    }
}
