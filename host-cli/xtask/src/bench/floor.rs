//! Decides what the least is that an exchange with a board has to take: the raw REPL, a program whose bytes are prepared,
//! and what it reads, with nothing checked and nothing in between.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::termios::{OptionalActions, SpecialCodeIndex};

use crate::slow_line;

/// A program, and what it reads when it has printed [`GO`].
pub struct Exchange {
    code: String,
    input: Vec<u8>,
    /// What ends it before the program's end: its first output.
    until: Option<&'static [u8]>,
}

const BANNER: &[u8] = b"raw REPL; CTRL-B to exit\r\n>";
const GO: &[u8] = b"go\r\n";
/// Output, no traceback, the raw REPL's prompt.
const DONE: &[u8] = b"\x04\x04>";

impl Exchange {
    /// `print(1)`, until its output comes.
    pub fn print() -> Self {
        Exchange {
            code: "print(1)".to_owned(),
            input: Vec::new(),
            until: Some(b"1"),
        }
    }

    /// The first eight bytes of each file's SHA-256. `name` is Python for the name of file `i`.
    pub fn hash(name: &str, count: usize) -> Self {
        let code = format!(
            "from hashlib import sha256\n\
             def T():\n \
              B=memoryview(bytearray(1024))\n \
              a=[]\n \
              for i in range({count}):\n  \
               h=sha256()\n  \
               with open({name},'rb') as f:\n   \
                while 1:\n    \
                 n=f.readinto(B)\n    \
                 if not n:break\n    \
                 h.update(B[:n])\n  \
               a.append(h.digest()[:8])\n \
              print(a)\n\
             T()\n"
        );
        Exchange {
            code,
            input: Vec::new(),
            until: None,
        }
    }

    /// Files of the same size each, in a folder that is made first. Ctrl-C means nothing meanwhile, so that the bytes go
    /// over the line as they are.
    pub fn write(folder: Option<&str>, name: &str, files: &[Vec<u8>]) -> Self {
        let make = folder.map_or(String::new(), |folder| format!("os.mkdir('{folder}')\n"));
        let (count, size) = (files.len(), files.first().map_or(0, Vec::len));
        let code = format!(
            "import os,sys,micropython\n\
             {make}def T():\n \
              R=getattr(sys.stdin,'buffer',sys.stdin).readinto\n \
              B=memoryview(bytearray(4096))\n \
              micropython.kbd_intr(-1)\n \
              print('go')\n \
              for i in range({count}):\n  \
               s={size}\n  \
               with open({name},'wb') as f:\n   \
                while s:\n    \
                 n=R(B[:min(s,4096)])\n    \
                 f.write(B[:n])\n    \
                 s-=n\n \
              micropython.kbd_intr(3)\n\
             T()\n"
        );
        Exchange {
            code,
            input: files.concat(),
            until: None,
        }
    }

    /// Has it with a board at its ordinary prompt, which is there again afterwards. Returns when it began and ended.
    pub fn run(&self, device: &Path) -> Result<(Instant, Instant)> {
        let mut line = open(device)?;
        let started = Instant::now();
        line.write_all(b"\x03\x01")?;
        read_until(&mut line, BANNER)?;
        line.write_all(&[self.code.as_bytes(), b"\x04"].concat())?;
        read_until(&mut line, b"OK")?;
        if !self.input.is_empty() {
            read_until(&mut line, GO)?;
            line.write_all(&self.input)?;
        }
        let mut ended = None;
        if let Some(until) = self.until {
            read_until(&mut line, until)?;
            ended = Some(Instant::now());
        }
        read_until(&mut line, DONE)?;
        line.write_all(b"\x02")?;
        read_until(&mut line, b">>> ")?;
        Ok((started, ended.unwrap_or_else(Instant::now)))
    }
}

/// A terminal whose reads end after 25 seconds without a byte.
fn open(device: &Path) -> Result<File> {
    let line = slow_line::open(device)?;
    let mut settings = rustix::termios::tcgetattr(&line).context("tcgetattr")?;
    settings.special_codes[SpecialCodeIndex::VMIN] = 0;
    settings.special_codes[SpecialCodeIndex::VTIME] = 250;
    rustix::termios::tcsetattr(&line, OptionalActions::Now, &settings).context("tcsetattr")?;
    Ok(line)
}

fn read_until(line: &mut File, end: &[u8]) -> Result<()> {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !heard.ends_with(end) {
        if line.read(&mut byte)? == 0 {
            bail!(
                "the board has not said {}, but {}",
                end.escape_ascii(),
                heard.escape_ascii()
            );
        }
        heard.push(byte[0]);
        if heard.ends_with(b"Traceback") {
            bail!("the board cannot run what the floor is measured with");
        }
    }
    Ok(())
}
