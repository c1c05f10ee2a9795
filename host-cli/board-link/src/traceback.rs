//! The board's traceback: taken apart, and shown with the script's own file name.

use std::fmt;

/// The name that MicroPython gives to code from the raw REPL.
const STDIN: &str = "<stdin>";

/// One line of a traceback that names a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub file: String,
    /// Counts from 1.
    pub line: u32,
    /// `<module>`, a function's name, or nothing in a SyntaxError.
    pub function: Option<String>,
}

/// An exception as the board printed it. `Display` gives the text back, file names replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceback {
    /// The frames, outermost first.
    pub frames: Vec<Frame>,
    /// `OSError`, `ValueError`, …; empty if the text holds none.
    pub exception: String,
    /// What stands after the colon.
    pub message: String,
    lines: Vec<String>,
}

impl Traceback {
    /// Takes apart what the board wrote to standard error. `script` is shown in place of
    /// `<stdin>`; `skip` is the number of lines that were put in front of the script.
    pub fn parse(stderr: &str, script: &str, skip: u32) -> Traceback {
        let mut frames = Vec::new();
        let mut lines = Vec::new();
        for line in stderr.trim_end().lines() {
            let line = line.trim_end_matches('\r');
            // Frames come before the exception; a message that looks like one must stay as it is.
            match parse_frame(line) {
                Some(mut frame) => {
                    if frame.file == STDIN {
                        frame.file = script.to_owned();
                        frame.line = frame.line.saturating_sub(skip).max(1);
                    }
                    lines.push(frame.to_string());
                    frames.push(frame);
                }
                None => lines.push(line.to_owned()),
            }
        }
        let (exception, message) = exception_of(&lines);
        Traceback {
            frames,
            exception,
            message,
            lines,
        }
    }

    /// The innermost frame in `file`: where the script itself was.
    pub fn line_in(&self, file: &str) -> Option<u32> {
        let mut frames = self.frames.iter().rev();
        frames.find(|frame| frame.file == file).map(|f| f.line)
    }
}

/// The first line after the frames: `OSError: [Errno 2] ENOENT`, `KeyboardInterrupt:`.
fn exception_of(lines: &[String]) -> (String, String) {
    let after = lines.iter().rposition(|line| parse_frame(line).is_some());
    let Some(line) = lines.get(after.map_or(0, |at| at + 1)) else {
        return Default::default();
    };
    let (name, message) = line.split_once(':').unwrap_or((line, ""));
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_alphanumeric() || "_.".contains(c))
    {
        return Default::default();
    }
    (name.to_owned(), message.trim().to_owned())
}

/// `  File "NAME", line N[, in FUNCTION]`.
fn parse_frame(line: &str) -> Option<Frame> {
    let rest = line.strip_prefix("  File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, Some(function.to_owned())),
        None => (rest, None),
    };
    Some(Frame {
        file: file.to_owned(),
        line: number.trim().parse().ok()?,
        function,
    })
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  File \"{}\", line {}", self.file, self.line)?;
        match &self.function {
            Some(function) => write!(f, ", in {function}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_shows_the_scripts_name() {
        let stderr = "Traceback (most recent call last):\r\n  File \"<stdin>\", line 12, in <module>\r\n  File \"umqtt/simple.py\", line 68, in connect\r\nOSError: [Errno 113] EHOSTUNREACH\r\n";
        let traceback = Traceback::parse(stderr, "lección uno/main.py", 2);
        assert_eq!(
            traceback.to_string(),
            "Traceback (most recent call last):\n  File \"lección uno/main.py\", line 10, in <module>\n  File \"umqtt/simple.py\", line 68, in connect\nOSError: [Errno 113] EHOSTUNREACH"
        );
        assert_eq!(traceback.exception, "OSError");
        assert_eq!(traceback.message, "[Errno 113] EHOSTUNREACH");
        assert_eq!(traceback.line_in("lección uno/main.py"), Some(10));
        assert_eq!(traceback.frames[1].function.as_deref(), Some("connect"));
    }

    #[test]
    fn a_syntax_error_has_a_place_and_no_function() {
        let stderr = "Traceback (most recent call last):\n  File \"<stdin>\", line 3\nSyntaxError: invalid syntax\n";
        let traceback = Traceback::parse(stderr, "main.py", 0);
        assert_eq!(traceback.line_in("main.py"), Some(3));
        assert_eq!(traceback.exception, "SyntaxError");
        assert_eq!(traceback.frames[0].function, None);
    }

    #[test]
    fn other_text_is_kept_as_it_is() {
        let stderr = "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nValueError: see File \"<stdin>\", line 1\n";
        let traceback = Traceback::parse(stderr, "m.py", 0);
        assert!(
            traceback
                .to_string()
                .ends_with("ValueError: see File \"<stdin>\", line 1")
        );
        let nothing = Traceback::parse("", "m.py", 0);
        assert_eq!((nothing.exception.as_str(), nothing.frames.len()), ("", 0));
    }
}
