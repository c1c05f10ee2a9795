//! Serial devices and pseudo-terminals, through the `serialport` crate's portable interface.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serialport::SerialPort;

use super::{Transport, is_pause};
use crate::error::LinkError;

/// Speed of MicroPython's REPL on boards with a USB-to-serial chip, in bits per second.
pub const DEFAULT_BAUD: u32 = 115_200;

/// An open serial device. Nobody else can open it meanwhile (exclusive access is asked for).
pub struct SerialTransport {
    port: Box<dyn SerialPort>,
    device: String,
}

impl SerialTransport {
    /// Opens `device` at `baud` bits per second, eight data bits, no parity, no flow control.
    ///
    /// # Errors
    /// [`LinkError::PortMissing`], [`LinkError::PortBusy`], [`LinkError::PortDenied`], or
    /// [`LinkError::PortFailed`] with what the system said.
    pub fn open(device: &str, baud: u32) -> Result<SerialTransport, LinkError> {
        let builder = serialport::new(device, baud).timeout(Duration::from_millis(50));
        // On Windows the lines are raised below, in the order that keeps a board from resetting.
        #[cfg(windows)]
        let builder = builder.dtr_on_open(false);
        let port = open_port(builder).map_err(|error| classify(device, error))?;
        #[allow(unused_mut, reason = "only Windows moves the lines here")]
        let mut transport = SerialTransport {
            port,
            device: device.to_owned(),
        };
        // The auto-reset circuit of ESP32 boards resets while RTS is on and DTR off, so DTR
        // goes first; boards with native USB print nothing until DTR is on.
        #[cfg(windows)]
        transport
            .set_lines(Some(true), Some(true))
            .map_err(|source| LinkError::PortFailed {
                port: device.to_owned(),
                source,
            })?;
        Ok(transport)
    }
}

/// On Unix the descriptor is made non-blocking: the crate waits with `poll` before each call,
/// but a blocking `write` would still wait, without limit, for room for the last byte.
#[cfg(unix)]
fn open_port(builder: serialport::SerialPortBuilder) -> serialport::Result<Box<dyn SerialPort>> {
    use std::os::fd::{AsRawFd, BorrowedFd};

    let port = builder.open_native()?;
    // SAFETY: `port` owns the descriptor and outlives the borrow.
    let fd = unsafe { BorrowedFd::borrow_raw(port.as_raw_fd()) };
    let flags = rustix::fs::fcntl_getfl(fd).map_err(io::Error::from)?;
    rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK).map_err(io::Error::from)?;
    Ok(Box::new(port))
}

#[cfg(not(unix))]
fn open_port(builder: serialport::SerialPortBuilder) -> serialport::Result<Box<dyn SerialPort>> {
    builder.open()
}

fn classify(device: &str, error: serialport::Error) -> LinkError {
    use serialport::ErrorKind;
    let port = device.to_owned();
    match error.kind {
        ErrorKind::Io(io::ErrorKind::NotFound) => LinkError::PortMissing { port },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => LinkError::PortDenied { port },
        // The crate says NoDevice for "in use" on Unix; on Windows also for "no such port",
        // where the list of ports tells the two apart.
        ErrorKind::NoDevice if cfg!(unix) || crate::ports::exists(device) => LinkError::PortBusy {
            holder: holder(device),
            port,
        },
        ErrorKind::NoDevice => LinkError::PortMissing { port },
        _ => LinkError::PortFailed {
            port,
            source: error.into(),
        },
    }
}

/// The program that holds `device` open, as "name (pid)", where the system lets us see it.
#[cfg(target_os = "linux")]
pub(crate) fn holder(device: &str) -> Option<String> {
    let device = std::fs::canonicalize(device).ok()?;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for file in files.flatten() {
            if std::fs::read_link(file.path()).is_ok_and(|target| target == device) {
                let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
                return Some(format!("{} ({pid})", name.trim()));
            }
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_device: &str) -> Option<String> {
    None
}

impl Transport for SerialTransport {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.port.set_timeout(timeout.max(MIN_WAIT))?;
        match self.port.read(buffer) {
            // A terminal whose other side is gone reads as its end.
            Ok(0) if cfg!(unix) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(count),
            Err(error) if is_pause(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, mut data: &[u8], timeout: Duration) -> io::Result<()> {
        let deadline = Instant::now() + timeout;
        while !data.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.port.set_timeout(left.max(MIN_WAIT))?;
            match self.port.write(data) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => data = &data[count..],
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.device.clone()
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        Ok(self.port.set_baud_rate(baud)?)
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        if let Some(level) = dtr {
            self.port.write_data_terminal_ready(level)?;
        }
        if let Some(level) = rts {
            self.port.write_request_to_send(level)?;
        }
        Ok(())
    }
}

/// Windows takes a time-out of zero for "no time-out".
const MIN_WAIT: Duration = Duration::from_millis(if cfg!(windows) { 1 } else { 0 });

/// Closing lowers both lines. RTS has to go off before DTR, else the auto-reset circuit sees
/// RTS on and DTR off for a moment and resets the board. Unix drops both in one step.
#[cfg(windows)]
impl Drop for SerialTransport {
    fn drop(&mut self) {
        // The port may be gone already; then there is no line left to lower.
        let _ = self.set_lines(None, Some(false));
        let _ = self.set_lines(Some(false), None);
    }
}
