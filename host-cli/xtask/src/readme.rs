//! Decides whether the READMEs tell the truth: every command in their code blocks exists, and every file they name.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// The files that are read.
const READMES: [&str; 2] = ["README.md", "README.es.md"];

/// One check per README: its name and outcome.
pub fn check() -> Vec<(String, Result<bool>)> {
    READMES
        .into_iter()
        .map(|name| (format!("the commands in {name}"), check_file(name)))
        .collect()
}

fn check_file(name: &str) -> Result<bool> {
    let text = std::fs::read_to_string(testkit::repository().join(name))
        .with_context(|| format!("cannot read {name}"))?;
    let lines = code_lines(&text);
    let subcommands: BTreeSet<_> = lines.iter().filter_map(|line| subcommand(line)).collect();
    if subcommands.is_empty() {
        bail!("{name} shows no command");
    }
    for subcommand in subcommands {
        let help = cargo()
            .args([
                "run",
                "--quiet",
                "--package",
                "umqtt-cli",
                "--",
                subcommand,
                "--help",
            ])
            .output()
            .context("cannot run cargo")?;
        if !help.status.success() {
            bail!(
                "`umqtt {subcommand}` does not exist: {}",
                String::from_utf8_lossy(&help.stderr).trim()
            );
        }
    }
    for line in &lines {
        for word in line
            .split_whitespace()
            .filter(|word| word.starts_with("examples/"))
        {
            if !testkit::repository().join(Path::new(word)).exists() {
                bail!("`{line}` names {word}, which does not exist");
            }
        }
    }
    Ok(true)
}

/// The lines of fenced code blocks.
fn code_lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            inside && !fence
        })
        .map(str::trim)
        .collect()
}

/// The subcommand of `umqtt` that a line runs: `umqtt run …` or `cargo run … -- run …`.
fn subcommand(line: &str) -> Option<&str> {
    let line = line.trim_start_matches("$ ");
    let arguments = match line.strip_prefix("umqtt ") {
        Some(arguments) => arguments,
        None => line.strip_prefix("cargo run ")?.split_once("-- ")?.1,
    };
    arguments
        .split_whitespace()
        .next()
        .filter(|word| !word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::{code_lines, subcommand};

    #[test]
    fn finds_the_commands() {
        let text =
            "words\n```sh\ncargo run --release -- run a.py\numqtt ports\n```\numqtt not-this\n";
        let found: Vec<_> = code_lines(text)
            .into_iter()
            .filter_map(subcommand)
            .collect();
        assert_eq!(found, ["run", "ports"]);
    }
}
