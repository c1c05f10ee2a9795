//! Decides how a conversation between a client and a scripted broker is written down: the `.case` files of
//! `host-cli/testkit/cases`.
//!
//! A file is read line by line; indentation and empty lines mean nothing. What the client does and what the broker
//! does stand in the order in which they happen:
//!
//! ```text
//! # a comment
//! prelude NAME          lines that other cases take over
//! case NAME             a case; its full name is FILE/NAME
//! each NAME-$x          a template: a case for every row of the table that ends it
//! rows x | y            the table's columns; every line until the next case is a row
//!
//! use NAME              the lines of a prelude
//! py CODE               the client runs this line of Python (helpers: python/tests/scripted.py)
//! = REPR                … and returns this; without it, None
//! ! Type(args) ~ words  … or raises this; arguments and words of its text are optional
//! cb ARGUMENTS          … and calls the callback with this, in order
//! takes LOW..HIGH       … and takes so many milliseconds
//! C BYTES               the broker expects these bytes
//! C closed              … or the end of the stream
//! S BYTES               the broker sends these bytes
//! S close               … closes the connection; S reset: aborts it; S end: closes its sending side only
//! S wait MS             … does nothing for so many milliseconds
//! S accept              … waits for the client's next connection
//! sync                  the broker waits until the client has run the lines above
//! ```
//!
//! A row's cells stand between `|`, may be empty, and replace `$NAME` in the template's lines. Bytes are pairs of hexadecimal digits, `"text"` in UTF-8, `N*HH` for a byte N times and `??` for any byte. In
//! lines of bytes `#` begins a comment, in all others only with two spaces before and one after.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// One conversation.
#[derive(Clone, Debug)]
pub struct Case {
    /// `FILE/NAME`, unique.
    pub name: String,
    /// Where it stands: file and line.
    pub place: String,
    /// Both sides, in the order in which they are written.
    pub steps: Vec<Step>,
}

/// One line of a conversation.
#[derive(Clone, Debug)]
pub enum Step {
    /// The client runs a line of Python.
    Client(Line),
    /// The broker does something.
    Broker(Act),
}

/// A line of Python and what must come of it.
#[derive(Clone, Debug)]
pub struct Line {
    pub code: String,
    pub outcome: Outcome,
    /// The arguments of each call of the callback.
    pub callbacks: Vec<String>,
    /// Milliseconds.
    pub takes: Option<RangeInclusive<u64>>,
}

/// What a line of Python comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returns a value with this `repr`.
    Returns(String),
    /// It raises an exception of this type, with these arguments and these words in its text.
    Raises {
        kind: String,
        arguments: Option<String>,
        words: Option<String>,
    },
}

/// What the broker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reads exactly these bytes; `None` is any byte.
    Expect(Vec<Option<u8>>),
    /// Sees the end of the stream.
    ExpectClosed,
    Send(Vec<u8>),
    Close,
    Reset,
    /// Closes its sending side.
    End,
    Wait(Duration),
    Accept,
    /// Goes on when the client has finished so many lines.
    Sync(usize),
}

/// Reads every `.case` file of a folder, in order of their names.
///
/// # Errors
/// What is wrong with one of them: file, line and reason.
pub fn read_folder(folder: &Path) -> Result<Vec<Case>, String> {
    let listing = std::fs::read_dir(folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut files: Vec<_> = listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "case"))
        .collect();
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        cases.extend(parse(&stem, &text)?);
    }
    let mut seen = BTreeMap::new();
    for case in &cases {
        if let Some(other) = seen.insert(&case.name, &case.place) {
            return Err(format!(
                "{}: {} stands already at {other}",
                case.place, case.name
            ));
        }
    }
    Ok(cases)
}

/// A case, a template or a prelude as it stands in the file.
struct Block<'a> {
    kind: &'a str,
    name: &'a str,
    line: usize,
    lines: Vec<(usize, &'a str)>,
    columns: Vec<&'a str>,
    rows: Vec<(usize, Vec<&'a str>)>,
}

/// Reads the text of the file that is called `stem`.
///
/// # Errors
/// What is wrong, with file and line.
pub fn parse(stem: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut preludes: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    let mut cases = Vec::new();
    for block in blocks(stem, text)? {
        match block.kind {
            "prelude" => {
                preludes.insert(block.name, block.lines);
            }
            "case" => {
                let lines = owned(&block.lines);
                cases.push(case(stem, block.name, block.line, &lines, &preludes)?);
            }
            _ => {
                if block.rows.is_empty() {
                    return Err(format!("{stem}:{}: a template without rows", block.line));
                }
                for (line, row) in &block.rows {
                    let fill = |text: &str| {
                        // The longest names first, so that $id does not eat the beginning of $idle.
                        let mut pairs: Vec<_> = block.columns.iter().zip(row).collect();
                        pairs.sort_by_key(|(column, _)| std::cmp::Reverse(column.len()));
                        pairs
                            .into_iter()
                            .fold(text.to_owned(), |text, (column, cell)| {
                                text.replace(&format!("${column}"), cell)
                            })
                    };
                    let lines: Vec<_> = block
                        .lines
                        .iter()
                        .map(|(line, text)| (*line, fill(text)))
                        .collect();
                    cases.push(case(stem, &fill(block.name), *line, &lines, &preludes)?);
                }
            }
        }
    }
    Ok(cases)
}

fn owned(lines: &[(usize, &str)]) -> Vec<(usize, String)> {
    lines
        .iter()
        .map(|(line, text)| (*line, (*text).to_owned()))
        .collect()
}

fn blocks<'a>(stem: &str, text: &'a str) -> Result<Vec<Block<'a>>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut in_rows = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.split("  # ").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if matches!(word, "case" | "each" | "prelude") {
            in_rows = false;
            blocks.push(Block {
                kind: word,
                name: rest.trim(),
                line: number,
                lines: Vec::new(),
                columns: Vec::new(),
                rows: Vec::new(),
            });
            continue;
        }
        let block = blocks
            .last_mut()
            .ok_or_else(|| format!("{stem}:{number}: a line before the first case"))?;
        let cells = |text: &'a str| text.split('|').map(str::trim).collect::<Vec<_>>();
        if word == "rows" {
            if block.kind != "each" {
                return Err(format!("{stem}:{number}: rows belong to `each`"));
            }
            in_rows = true;
            block.columns = cells(rest);
        } else if in_rows {
            let row = cells(line);
            if row.len() != block.columns.len() {
                return Err(format!(
                    "{stem}:{number}: {} cells for {} columns",
                    row.len(),
                    block.columns.len()
                ));
            }
            block.rows.push((number, row));
        } else {
            block.lines.push((number, line));
        }
    }
    Ok(blocks)
}

fn case(
    stem: &str,
    name: &str,
    line: usize,
    lines: &[(usize, String)],
    preludes: &BTreeMap<&str, Vec<(usize, &str)>>,
) -> Result<Case, String> {
    let mut flat = Vec::new();
    for (number, text) in lines {
        match text.strip_prefix("use ") {
            Some(prelude) => {
                flat.extend(owned(preludes.get(prelude.trim()).ok_or_else(|| {
                    format!("{stem}:{number}: there is no prelude {prelude}")
                })?))
            }
            None => flat.push((*number, text.clone())),
        }
    }
    let mut steps = Vec::new();
    let mut finished = 0;
    for (number, text) in &flat {
        let wrong = |what: String| format!("{stem}:{number}: {what}");
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        match word {
            "py" => {
                finished += 1;
                steps.push(Step::Client(Line {
                    code: rest.to_owned(),
                    outcome: Outcome::Returns("None".into()),
                    callbacks: Vec::new(),
                    takes: None,
                }));
            }
            "=" | "!" | "cb" | "takes" => {
                let line = steps
                    .iter_mut()
                    .rev()
                    .find_map(|step| match step {
                        Step::Client(line) => Some(line),
                        Step::Broker(_) => None,
                    })
                    .ok_or_else(|| wrong(format!("`{word}` without `py` before it")))?;
                expectation(line, word, rest).map_err(wrong)?;
            }
            "C" if rest == "closed" => steps.push(Step::Broker(Act::ExpectClosed)),
            "C" => steps.push(Step::Broker(Act::Expect(bytes(rest).map_err(wrong)?))),
            "S" => steps.push(Step::Broker(act(rest).map_err(wrong)?)),
            "sync" => steps.push(Step::Broker(Act::Sync(finished))),
            other => return Err(wrong(format!("`{other}` begins no line of a case"))),
        }
    }
    if finished == 0 {
        return Err(format!("{stem}:{line}: {name} never runs a line of Python"));
    }
    Ok(Case {
        name: format!("{stem}/{name}"),
        place: format!("{stem}.case:{line}"),
        steps,
    })
}

fn expectation(line: &mut Line, word: &str, rest: &str) -> Result<(), String> {
    match word {
        "=" => line.outcome = Outcome::Returns(rest.to_owned()),
        "cb" => line.callbacks.push(rest.to_owned()),
        "!" => {
            let (what, words) = match rest.split_once(" ~ ") {
                Some((what, words)) => (what.trim(), Some(words.trim().to_owned())),
                None => (rest, None),
            };
            let (kind, arguments) = match what.find('(') {
                Some(at) => (&what[..at], Some(what[at..].to_owned())),
                None => (what, None),
            };
            line.outcome = Outcome::Raises {
                kind: kind.to_owned(),
                arguments,
                words,
            };
        }
        _ => {
            let (low, high) = rest.split_once("..").ok_or("a time is LOW..HIGH")?;
            let number = |text: &str| {
                text.trim()
                    .parse()
                    .map_err(|_| format!("{text} is no number"))
            };
            line.takes = Some(number(low)?..=number(high)?);
        }
    }
    Ok(())
}

fn act(text: &str) -> Result<Act, String> {
    Ok(match text.split_once(' ').unwrap_or((text, "")) {
        ("close", _) => Act::Close,
        ("reset", _) => Act::Reset,
        ("end", _) => Act::End,
        ("accept", _) => Act::Accept,
        ("wait", ms) => Act::Wait(Duration::from_millis(
            ms.trim()
                .parse()
                .map_err(|_| format!("{ms} is no number of milliseconds"))?,
        )),
        _ => {
            let bytes: Option<Vec<u8>> = bytes(text)?.into_iter().collect();
            Act::Send(bytes.ok_or("`??` can be expected, not sent")?)
        }
    })
}

/// Reads a line of bytes.
fn bytes(text: &str) -> Result<Vec<Option<u8>>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, behind) = quoted.split_once('"').ok_or("a quote is not closed")?;
            bytes.extend(word.bytes().map(Some));
            rest = behind.trim_start();
            continue;
        }
        let end = rest.find([' ', '"']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match word.split_once('*') {
            Some((count, byte)) => {
                let count: usize = count
                    .parse()
                    .map_err(|_| format!("{count} is no number of bytes"))?;
                bytes.extend(std::iter::repeat_n(Some(hex(byte)?), count));
            }
            None => {
                if !word.is_ascii() || word.len() % 2 != 0 {
                    return Err(format!("{word} is no pairs of hexadecimal digits"));
                }
                for at in (0..word.len()).step_by(2) {
                    bytes.push(match &word[at..at + 2] {
                        "??" => None,
                        pair => Some(hex(pair)?),
                    });
                }
            }
        }
        rest = behind.trim_start();
    }
    if bytes.is_empty() {
        return Err("a line of bytes has none".into());
    }
    Ok(bytes)
}

fn hex(pair: &str) -> Result<u8, String> {
    u8::from_str_radix(pair, 16).map_err(|_| format!("{pair} is no pair of hexadecimal digits"))
}

/// Bytes as a report shows them; of many, the first.
pub fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 120;
    let mut text = String::new();
    for byte in bytes.iter().take(MOST) {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x} ");
    }
    if bytes.len() > MOST {
        let _ = write!(text, "… {} in all", bytes.len());
    }
    let readable: String = bytes
        .iter()
        .take(MOST)
        .map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        })
        .collect();
    format!("{} |{readable}|", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cases_templates_and_preludes() {
        let text = "prelude hello\n  py c = client()\n  S 20 02 # CONNACK\ncase a/#\n use hello\n py c.f(\"a/#\")  # no comment\n\
             = b'x'\n cb b't' 1\n C \"a#b\" 3*ff ??\neach r-$x\n py c.g($x)\n ! OSError(5,) ~ no $word\n takes 10..90\n sync\n\
             rows x | word\n 1 | one\n 2 | two\n";
        let cases = parse("f", text).expect("it is well written");
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["f/a/#", "f/r-1", "f/r-2"]);
        assert_eq!(cases[0].place, "f.case:4");
        let [
            Step::Client(_),
            Step::Broker(Act::Send(sent)),
            Step::Client(line),
            Step::Broker(expected),
        ] = &cases[0].steps[..]
        else {
            panic!("{:?}", cases[0].steps);
        };
        assert_eq!(sent, &[0x20, 2]);
        assert_eq!(line.code, "c.f(\"a/#\")");
        assert_eq!(line.outcome, Outcome::Returns("b'x'".into()));
        assert_eq!(line.callbacks, ["b't' 1"]);
        let mut wanted: Vec<_> = b"a#b\xff\xff\xff".iter().copied().map(Some).collect();
        wanted.push(None);
        assert_eq!(expected, &Act::Expect(wanted));
        let [Step::Client(line), Step::Broker(Act::Sync(1))] = &cases[2].steps[..] else {
            panic!("{:?}", cases[2].steps);
        };
        assert_eq!(line.takes, Some(10..=90));
        assert_eq!(
            line.outcome,
            Outcome::Raises {
                kind: "OSError".into(),
                arguments: Some("(5,)".into()),
                words: Some("no two".into()),
            }
        );
    }

    #[test]
    fn says_where_a_case_is_wrong() {
        for (text, wrong) in [
            ("py c", "f:1: a line before the first case"),
            ("case a\nS 2", "f:2: 2 is no pairs of hexadecimal digits"),
            ("case a\nS ??", "f:2: `??` can be expected, not sent"),
            ("case a\n= 5", "f:2: `=` without `py` before it"),
            ("case a\nuse b", "f:2: there is no prelude b"),
            ("case a\npyc", "f:2: `pyc` begins no line of a case"),
            ("case a\nC 00", "f:1: a never runs a line of Python"),
            ("each a\nrows x | y\n1", "f:3: 1 cells for 2 columns"),
            ("each a\npy c", "f:1: a template without rows"),
        ] {
            assert_eq!(parse("f", text).expect_err(text), wrong);
        }
    }
}
