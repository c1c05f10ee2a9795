//! Decides how a program's whole output is caught, and that no program runs without an end.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `command` in `folder`, for at most `limit`. Returns what it printed on stdout and stderr in the order in which
/// it did, with how it ended behind it in brackets if not well. The output goes through a file of that folder, so that
/// no amount of it fills a pipe.
///
/// # Panics
/// Where the program cannot be started or the file not be made.
pub fn printed(command: &mut Command, folder: &Path, limit: Duration) -> String {
    let path = folder.join("output.txt");
    let output = File::create(&path).expect("the output file can be made");
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let start = Instant::now();
    let end = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status.to_string();
        }
        if start.elapsed() > limit {
            child.kill().expect("the child can be ended");
            child.wait().expect("the child can be waited for");
            break format!("no end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let printed = std::fs::read(path).unwrap_or_default();
    let mut printed = String::from_utf8_lossy(&printed).into_owned();
    if end != "exit status: 0" {
        printed += &format!("[{end}]\n");
    }
    printed
}
