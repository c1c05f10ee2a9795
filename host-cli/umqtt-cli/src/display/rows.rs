//! Decides how a run looks to a person: the script on the left and the packets on the right, or one
//! below the other with their source in front.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use unicode_width::UnicodeWidthChar;

use super::clean::Cleaner;
use super::{Form, Message, Renderer, text};

/// Terminals from this width on get columns.
const WIDE_ENOUGH: usize = 80;

/// Width of the time in front of a row of columns: `  12.3 `.
const TIME: usize = 7;

/// What stands between the columns.
const BETWEEN: &str = " │ ";

/// What the output can show.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub colours: bool,
    /// Whether the output is a terminal, whose width decides about columns.
    pub terminal: bool,
}

impl Style {
    pub fn of_stdout() -> Self {
        Self {
            colours: super::colours_wanted(),
            terminal: io::stdout().is_terminal(),
        }
    }
}

pub struct Rows {
    form: Form,
    style: Style,
    width: Box<dyn Fn() -> Option<usize> + Send>,
    started: Instant,
    cleaner: Cleaner,
    /// The script's row that is not ended yet: its columns used, and the layout it began with.
    open: Option<(usize, Layout)>,
    headed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Width of the left and of the right column.
    Columns(usize, usize),
    Lines,
}

/// Whose row it is, in the layout of lines.
#[derive(Debug, Clone, Copy)]
enum Source {
    Script,
    Mqtt,
    Umqtt,
}

impl Rows {
    pub fn new(form: Form, style: Style) -> Self {
        let width =
            Box::new(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)));
        Self::with_width(form, style, width)
    }

    fn with_width(form: Form, style: Style, width: Box<dyn Fn() -> Option<usize> + Send>) -> Self {
        Self {
            form,
            style,
            width,
            started: Instant::now(),
            cleaner: Cleaner::default(),
            open: None,
            headed: false,
        }
    }

    /// The layout of a row that begins now; terminals change their width.
    fn layout(&self) -> Layout {
        let width = if self.style.terminal {
            (self.width)()
        } else {
            None
        };
        match width {
            Some(width) if width >= WIDE_ENOUGH => {
                let columns = width - TIME - BETWEEN.chars().count();
                // The last column of the terminal stays free: writing there may wrap the row.
                let left = (columns - 1) / 2;
                Layout::Columns(left, columns - 1 - left)
            }
            _ => Layout::Lines,
        }
    }

    fn dim(&self, text: &str) -> String {
        if self.style.colours {
            format!("\x1b[2m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Goes to the begin of a row, over the `^C` that the terminal has perhaps put there.
    fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.style.terminal {
            write!(out, "\r")
        } else {
            Ok(())
        }
    }

    /// What stands in front of a row.
    fn front(&self, layout: Layout, source: Source) -> String {
        match layout {
            Layout::Columns(..) => {
                let seconds = self.started.elapsed().as_secs_f64();
                self.dim(&format!("{seconds:>width$.1} ", width = TIME - 1))
            }
            Layout::Lines => match source {
                Source::Script => "script | ",
                Source::Mqtt => "mqtt   | ",
                Source::Umqtt => "umqtt  | ",
            }
            .to_owned(),
        }
    }

    /// Writes what the script printed; a row stays open until its line end comes or it is full.
    fn script(&mut self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        let cleaned = self.cleaner.clean(text);
        for letter in cleaned.chars() {
            if letter == '\n' {
                if self.open.is_none() {
                    self.begin_script_row(out)?;
                }
                self.end_row(out)?;
                continue;
            }
            let needed = letter.width().unwrap_or(0);
            if let Some((used, Layout::Columns(left, right))) = self.open
                && used + needed > left
            {
                self.end_row(out)?;
                // The rest of a line has no time of its own.
                write!(out, "{}", " ".repeat(TIME))?;
                self.open = Some((0, Layout::Columns(left, right)));
            }
            let (used, layout) = match self.open {
                Some(open) => open,
                None => self.begin_script_row(out)?,
            };
            write!(out, "{letter}")?;
            self.open = Some((used + needed, layout));
        }
        Ok(())
    }

    fn begin_script_row(&mut self, out: &mut dyn Write) -> io::Result<(usize, Layout)> {
        let layout = self.layout();
        self.begin(out)?;
        self.head(out, layout)?;
        write!(out, "{}", self.front(layout, Source::Script))?;
        self.open = Some((0, layout));
        Ok((0, layout))
    }

    fn end_row(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if let Some((used, layout)) = self.open.take() {
            if let Layout::Columns(left, _) = layout {
                write!(
                    out,
                    "{}{}",
                    " ".repeat(left - used.min(left)),
                    self.dim(BETWEEN.trim_end())
                )?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Writes a packet, beside the script's open row if there is one.
    fn mqtt(&mut self, out: &mut dyn Write, line: &str) -> io::Result<()> {
        let open = self.open.take();
        let layout = open.map_or_else(|| self.layout(), |(_, layout)| layout);
        let Layout::Columns(left, right) = layout else {
            if open.is_some() {
                writeln!(out)?;
            }
            self.begin(out)?;
            return writeln!(out, "{}{line}", self.front(layout, Source::Mqtt));
        };
        self.head(out, layout)?;
        let mut used = match open {
            Some((used, _)) => used.min(left),
            None => {
                self.begin(out)?;
                write!(out, "{}", self.front(layout, Source::Mqtt))?;
                0
            }
        };
        for (index, piece) in wrap(line, right).into_iter().enumerate() {
            if index > 0 {
                write!(out, "{}", " ".repeat(TIME))?;
                used = 0;
            }
            writeln!(
                out,
                "{}{}{}",
                " ".repeat(left - used),
                self.dim(BETWEEN),
                piece.trim_end()
            )?;
        }
        Ok(())
    }

    /// Writes lines over the whole width.
    fn across(&mut self, out: &mut dyn Write, text: &str, source: Source) -> io::Result<()> {
        self.end_row(out)?;
        self.begin(out)?;
        let layout = self.layout();
        for line in text.lines() {
            match layout {
                Layout::Columns(..) => writeln!(out, "{line}")?,
                Layout::Lines => writeln!(out, "{}{line}", self.front(layout, source))?,
            }
        }
        Ok(())
    }

    /// Says once what the columns are.
    fn head(&mut self, out: &mut dyn Write, layout: Layout) -> io::Result<()> {
        if let Layout::Columns(left, _) = layout
            && !self.headed
        {
            self.headed = true;
            let (script, packets) = self.form.lang.pick(
                (
                    "what the script prints",
                    "what the broker receives (→) and sends on (←)",
                ),
                (
                    "lo que imprime el programa",
                    "lo que recibe el broker (→) y reenvía (←)",
                ),
            );
            let row = format!("{}{script:left$}{BETWEEN}{packets}", " ".repeat(TIME));
            writeln!(out, "{}", self.dim(&row))?;
        }
        Ok(())
    }
}

impl Renderer for Rows {
    fn show(&mut self, out: &mut dyn Write, message: &Message) -> io::Result<()> {
        match message {
            Message::Script(text) => self.script(out, text),
            Message::Traceback(text) => {
                let text = Cleaner::default().clean(text);
                self.across(out, &text, Source::Script)
            }
            Message::Mqtt(event) => {
                match text::line(event, self.form.all_packets, self.form.lang) {
                    Some(line) => self.mqtt(out, &line),
                    None => Ok(()),
                }
            }
            Message::Note(text) | Message::Result { text, .. } => {
                let text = text.clone();
                self.across(out, &text, Source::Umqtt)
            }
        }
    }

    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.end_row(out)
    }
}

/// Cuts a line into pieces of at most `width` columns, at blanks where there are any.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let needed: usize = word
            .trim_end()
            .chars()
            .filter_map(UnicodeWidthChar::width)
            .sum();
        if used > 0 && used + needed > width && needed <= width {
            pieces.push("  ".to_owned());
            used = 2;
        }
        for letter in word.chars() {
            let needed = letter.width().unwrap_or(0);
            if used + needed > width {
                if letter == ' ' {
                    continue;
                }
                pieces.push("  ".to_owned());
                used = 2;
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(letter);
            }
            used += needed;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use board_link::Lang;
    use broker::{Direction, TapEvent, TapPacket};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn published(payload: &str) -> Message {
        Message::Mqtt(TapEvent {
            time: SystemTime::now(),
            connection: 1,
            client_id: Arc::from("c"),
            direction: Direction::ToBroker,
            packet: TapPacket::Publish {
                topic: "t".to_owned(),
                payload: payload.to_owned().into(),
                length: payload.len(),
                qos: 0,
                retain: false,
                duplicate: false,
                packet_id: None,
            },
        })
    }

    fn shown(width: Option<usize>, messages: &[Message]) -> String {
        let form = Form {
            json: false,
            all_packets: false,
            lang: Lang::En,
        };
        let style = Style {
            colours: false,
            terminal: width.is_some(),
        };
        let mut rows = Rows::with_width(form, style, Box::new(move || width));
        let mut out = Vec::new();
        for message in messages {
            rows.show(&mut out, message)
                .expect("memory takes everything");
        }
        rows.finish(&mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text").replace('\r', "")
    }

    fn script(text: &str) -> Message {
        Message::Script(text.to_owned())
    }

    #[test]
    fn lines_carry_their_source() {
        let messages = [
            Message::Note("begin".to_owned()),
            script("one\ntw"),
            script("o\n\nopen"),
            published("x"),
            script("rest\n"),
            Message::Traceback("Traceback\n  boom".to_owned()),
        ];
        let expected = "umqtt  | begin\nscript | one\nscript | two\nscript | \nscript | open\nmqtt   | → PUBLISH t: x\n\
                        script | rest\nscript | Traceback\nscript |   boom\n";
        assert_eq!(shown(None, &messages), expected);
        assert_eq!(shown(Some(79), &messages), expected);
    }

    #[test]
    fn columns_keep_left_and_right_apart() {
        let long = "ñandú ".repeat(30);
        let messages = [
            script("short\n"),
            script("open"),
            published("beside"),
            script(&long),
            published(&long),
        ];
        let text = shown(Some(100), &messages);
        let rows: Vec<&str> = text.lines().collect();
        assert!(
            rows[0].contains("what the script prints")
                && rows[0].contains("what the broker receives")
        );
        assert!(
            rows[2].contains("open") && rows[2].contains("PUBLISH t: beside"),
            "{text}"
        );
        for row in &rows {
            assert!(row.width() < 100, "{row:?} is too wide");
            let place = row.chars().position(|letter| letter == '│');
            assert_eq!(place, Some(TIME + 44 + 1), "{row:?}");
        }
        let left: String = rows[3..]
            .iter()
            .map(|row| row.chars().skip(TIME).take(44).collect::<String>())
            .collect();
        assert_eq!(left.replace(' ', ""), long.replace(' ', ""));
    }
}
