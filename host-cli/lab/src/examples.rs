//! Which examples can be opened, and what is in them.

use crate::assets::EXAMPLES;
use crate::protocol::{ExampleView, Project, SourceFile};

/// The program of an example.
const MAIN: &str = "main.py";

/// Its parts and wires, in Wokwi's form.
const DIAGRAM: &str = "diagram.json";

/// The examples that run on a board, by name.
pub fn list() -> Vec<ExampleView> {
    EXAMPLES
        .iter()
        .filter_map(|(path, _)| path.strip_suffix(MAIN)?.strip_suffix('/'))
        .map(|name| ExampleView {
            name: name.to_owned(),
            title: title(name).unwrap_or_else(|| name.to_owned()),
        })
        .collect()
}

/// The first heading of its LEEME.md.
fn title(name: &str) -> Option<String> {
    let text = text(&format!("{name}/LEEME.md"))?;
    let heading = text.lines().find_map(|line| line.strip_prefix("# "))?;
    Some(heading.replace('`', ""))
}

fn text(path: &str) -> Option<&'static str> {
    let (_, content) = EXAMPLES.iter().find(|(known, _)| *known == path)?;
    std::str::from_utf8(content).ok()
}

/// The files and the wiring of an example: its program first.
pub fn open(name: &str) -> Option<Project> {
    let main = text(&format!("{name}/{MAIN}"))?;
    let mut project = Project {
        files: vec![SourceFile {
            name: MAIN.to_owned(),
            text: main.to_owned(),
        }],
        main: MAIN.to_owned(),
        can_save: false,
        diagram: None,
    };
    for (path, _) in EXAMPLES {
        let Some(file) = path
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        let (Some(text), false) = (text(path), file.contains('/')) else {
            continue;
        };
        match file {
            MAIN => {}
            DIAGRAM => project.diagram = serde_json::from_str(text).ok(),
            _ => project.files.push(SourceFile {
                name: file.to_owned(),
                text: text.to_owned(),
            }),
        }
    }
    Some(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_has_a_title_and_opens_with_its_program() {
        let examples = list();
        assert!(examples.len() >= 10, "{examples:?}");
        for example in examples {
            assert_ne!(example.title, example.name, "LEEME.md has a heading");
            let project = open(&example.name).expect("an example that is listed");
            assert_eq!(project.files[0].name, MAIN);
            assert!(project.files[0].text.contains("import"));
        }
        assert!(open("..").is_none() && open("").is_none() && open("publicar/main.py").is_none());
    }

    #[test]
    fn an_example_is_not_mixed_with_one_whose_name_begins_alike() {
        let names = |name| -> Vec<String> {
            let project = open(name).expect("an example");
            project.files.into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names("publicar"), ["main.py", "LEEME.md"]);
    }
}
