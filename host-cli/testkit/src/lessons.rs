//! Decides where the texts of the lessons are found, which are other people's and not part of this repository, and what
//! a test does where they are not: it says so by name, and the full run counts it.

use std::path::{Path, PathBuf};

/// Names the folder of the lesson texts; else it is `shared/lessons` beside the checkout.
pub const LESSONS: &str = "UMQTT_LESSONS";

/// How a line begins by which a test says that what it is about is not on this computer and cannot be fetched. `xtask`
/// counts these lines; unlike a skip, which setting things up would cure, this is no failure of the full run.
pub const NOT_HERE: &str = "not here: ";

/// One lesson's text.
#[derive(Debug)]
pub struct Lesson {
    /// The file's name without its ending.
    pub name: String,
    /// The text between the code blocks.
    pub prose: String,
    /// Its code blocks, in order.
    pub blocks: Vec<Block>,
}

/// A code block.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// What stands behind the fence, such as `python`.
    pub language: String,
    /// The lines between the fences, each with its end.
    pub text: String,
}

/// The texts, by name; None where they are not here, which `test` has then said.
///
/// # Panics
/// Where [`LESSONS`] names a folder that is not there or holds no lesson.
pub fn lessons(test: &str) -> Option<Vec<Lesson>> {
    let folder = match std::env::var_os(LESSONS).filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let beside = crate::repository().join("../shared/lessons");
            if !beside.is_dir() {
                println!(
                    "{NOT_HERE}{test}: the texts of the lessons, which are not part of this repository; {LESSONS} names their folder"
                );
                return None;
            }
            beside
        }
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{LESSONS}, {}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no lesson in {}", folder.display());
    Some(files.iter().map(|path| read(path)).collect())
}

fn read(path: &Path) -> Lesson {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_stem().expect("a name").to_string_lossy();
    let (prose, blocks) = split(&text);
    Lesson {
        name: name.into_owned(),
        prose,
        blocks,
    }
}

/// What stands outside the fences, and the blocks between them.
fn split(text: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim().strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.trim().to_owned(),
                    text: String::new(),
                });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a code block without an end");
    (prose, blocks)
}

impl Lesson {
    /// The block with this number, counted from 1 as docs/LECCIONES.md counts them.
    ///
    /// # Panics
    /// Where there is none.
    pub fn block(&self, number: usize) -> &Block {
        let block = number
            .checked_sub(1)
            .and_then(|index| self.blocks.get(index));
        block.unwrap_or_else(|| panic!("{} has no block {number}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, split};

    #[test]
    fn blocks_are_cut_at_their_fences() {
        let (prose, blocks) = split("uno\n```python\nif x:\n    y\n```\ndos\n```\nz\n```");
        let block = |language: &str, text: &str| Block {
            language: language.into(),
            text: text.into(),
        };
        assert_eq!(prose, "uno\ndos\n");
        assert_eq!(
            blocks,
            [block("python", "if x:\n    y\n"), block("", "z\n")]
        );
    }
}
