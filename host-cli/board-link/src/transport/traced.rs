//! A transport whose traffic somebody watches: `--trace`.

use std::io;
use std::time::Duration;

use super::Transport;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToBoard,
    FromBoard,
}

/// Gets every piece of traffic as it passes.
pub type Watcher = Box<dyn FnMut(Way, &[u8]) + Send>;

/// Passes everything on, and tells.
pub struct Traced {
    inner: Box<dyn Transport>,
    watcher: Watcher,
}

impl Traced {
    pub fn new(inner: Box<dyn Transport>, watcher: Watcher) -> Traced {
        Traced { inner, watcher }
    }
}

impl Transport for Traced {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let count = self.inner.read(buffer, timeout)?;
        if count > 0 {
            (self.watcher)(Way::FromBoard, &buffer[..count]);
        }
        Ok(count)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        (self.watcher)(Way::ToBoard, data);
        self.inner.write(data, timeout)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        self.inner.set_baud(baud)
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        self.inner.set_lines(dtr, rts)
    }
}
