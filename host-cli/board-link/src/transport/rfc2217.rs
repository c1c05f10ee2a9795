//! A serial port behind a telnet server, RFC 2217: `rfc2217://HOST:PORT`.
//!
//! ```text
//! IAC option-verb option              negotiation (RFC 854); options: BINARY 0, SGA 3, COM-PORT 44
//! IAC SB 44 command value… IAC SE     serial line (RFC 2217); the server's answer is command + 100
//! IAC IAC                             the data byte 0xFF
//! ```

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Transport;
use super::socket;
use crate::error::LinkError;

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;

const BINARY: u8 = 0;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;

const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
/// What the server adds to a command's number in its answer.
const ANSWER: u8 = 100;

const CONTROL_NO_FLOW: u8 = 1;
const CONTROL_DTR_ON: u8 = 8;
const CONTROL_DTR_OFF: u8 = 9;
const CONTROL_RTS_ON: u8 = 11;
const CONTROL_RTS_OFF: u8 = 12;

/// How long to wait for the answer about a modem line, so that the next step comes after it.
const CONTROL_PATIENCE: Duration = Duration::from_millis(300);

/// Where the decoder stands between two bytes.
#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Data,
    Iac,
    Verb(u8),
    Sub,
    SubIac,
}

/// The telnet side of the connection, without I/O: bytes in, data and replies out.
#[derive(Debug, Default)]
struct Telnet {
    state: State,
    sub: Vec<u8>,
    /// Options that the server performs (we said DO and it said WILL).
    theirs: Vec<u8>,
    /// Options that we perform (we said WILL and it said DO).
    ours: Vec<u8>,
    refused: Vec<(u8, u8)>,
    /// Serial answers that nobody has looked at yet: command without [`ANSWER`], value.
    answers: Vec<(u8, Vec<u8>)>,
}

/// The options we ask for on both sides. Anything else is refused.
const WANTED: [u8; 3] = [BINARY, SUPPRESS_GO_AHEAD, COM_PORT];

impl Telnet {
    /// What to send first: the offers and requests of [`WANTED`].
    fn greeting() -> Vec<u8> {
        let mut out = Vec::new();
        for option in WANTED {
            out.extend([IAC, WILL, option]);
            if option != COM_PORT {
                out.extend([IAC, DO, option]);
            }
        }
        out
    }

    /// Takes bytes from the network; appends the board's bytes to `data` and what must be
    /// sent back to `reply`.
    fn feed(&mut self, input: &[u8], data: &mut Vec<u8>, reply: &mut Vec<u8>) {
        for &byte in input {
            self.state = match std::mem::take(&mut self.state) {
                State::Data if byte == IAC => State::Iac,
                State::Data => {
                    data.push(byte);
                    State::Data
                }
                State::Iac => match byte {
                    IAC => {
                        data.push(IAC);
                        State::Data
                    }
                    WILL | WONT | DO | DONT => State::Verb(byte),
                    SB => {
                        self.sub.clear();
                        State::Sub
                    }
                    // The other commands (NOP, AYT, …) carry nothing and ask nothing of us.
                    _ => State::Data,
                },
                State::Verb(verb) => {
                    self.negotiate(verb, byte, reply);
                    State::Data
                }
                State::Sub if byte == IAC => State::SubIac,
                State::Sub => {
                    self.sub.push(byte);
                    State::Sub
                }
                State::SubIac if byte == IAC => {
                    self.sub.push(IAC);
                    State::Sub
                }
                State::SubIac => {
                    if byte == SE {
                        self.end_of_sub();
                    }
                    State::Data
                }
            };
        }
    }

    /// Answers only what changes something, so that two sides can never echo each other
    /// for ever (RFC 854's rule). Our own requests went out with the greeting.
    fn negotiate(&mut self, verb: u8, option: u8, reply: &mut Vec<u8>) {
        let wanted = WANTED.contains(&option);
        match verb {
            WILL if wanted => insert(&mut self.theirs, option),
            WILL => reply.extend([IAC, DONT, option]),
            DO if wanted => insert(&mut self.ours, option),
            DO => reply.extend([IAC, WONT, option]),
            _ if wanted => self.refused.push((verb, option)),
            _ => {}
        }
    }

    fn end_of_sub(&mut self) {
        if let [COM_PORT, command, value @ ..] = self.sub.as_slice()
            && *command >= ANSWER
        {
            self.answers.push((command - ANSWER, value.to_vec()));
        }
    }

    /// Takes the answer to `command` out of the queue. Older answers of the same command go too.
    fn take_answer(&mut self, command: u8) -> Option<Vec<u8>> {
        let mut found = None;
        self.answers.retain(|(number, value)| {
            if *number == command {
                found = Some(value.clone());
            }
            *number != command
        });
        // Notices of line and modem state come unasked and would pile up.
        self.answers.retain(|(number, _)| *number <= SET_CONTROL);
        found
    }
}

fn insert(set: &mut Vec<u8>, option: u8) {
    if !set.contains(&option) {
        set.push(option);
    }
}

/// Doubles every 0xFF. In binary mode nothing else needs care (RFC 856).
fn escape(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for &byte in data {
        out.push(byte);
        if byte == IAC {
            out.push(IAC);
        }
    }
    out
}

fn subnegotiation(command: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![IAC, SB, COM_PORT, command];
    out.extend(escape(value));
    out.extend([IAC, SE]);
    out
}

/// A remote serial port. The server must do binary transmission both ways and RFC 2217.
pub struct Rfc2217Transport {
    stream: TcpStream,
    telnet: Telnet,
    pending: Vec<u8>,
    name: String,
    /// How long the server may take for an answer.
    patience: Duration,
}

impl Rfc2217Transport {
    /// Connects, negotiates and sets `baud`, 8N1, no flow control, each step within `timeout`.
    /// The lines DTR and RTS stay as the server has them.
    ///
    /// # Errors
    /// [`LinkError::Unreachable`], also when the server refuses binary mode or RFC 2217.
    pub fn connect(host: &str, port: u16, baud: u32, timeout: Duration) -> Result<Self, LinkError> {
        let name = format!("rfc2217://{}", socket::join(host, port));
        Self::try_connect(host, port, baud, timeout, &name)
            .map_err(|source| LinkError::Unreachable { port: name, source })
    }

    fn try_connect(
        host: &str,
        port: u16,
        baud: u32,
        patience: Duration,
        name: &str,
    ) -> io::Result<Self> {
        let mut transport = Rfc2217Transport {
            stream: socket::connect(host, port, patience)?,
            telnet: Telnet::default(),
            pending: Vec::new(),
            name: name.to_owned(),
            patience,
        };
        socket::write(&mut transport.stream, &Telnet::greeting(), patience)?;
        transport.negotiated()?;
        transport.set_baud(baud)?;
        transport.command(SET_DATASIZE, &[8])?;
        transport.command(SET_PARITY, &[1])?;
        transport.command(SET_STOPSIZE, &[1])?;
        transport.control(CONTROL_NO_FLOW)?;
        Ok(transport)
    }

    fn negotiated(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some((_, option)) =
                (self.telnet.refused.iter()).find(|(_, option)| [BINARY, COM_PORT].contains(option))
            {
                let what = if *option == BINARY {
                    "binary transmission"
                } else {
                    "control of the serial port (RFC 2217)"
                };
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("the server refuses {what}"),
                ));
            }
            let ours = &self.telnet.ours;
            if ours.contains(&COM_PORT)
                && ours.contains(&BINARY)
                && self.telnet.theirs.contains(&BINARY)
            {
                return Ok(());
            }
            if !self.pump(deadline)? {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the server does not answer as an RFC 2217 server; for a plain TCP connection use socket://",
                ));
            }
        }
    }

    /// Sends a serial command and waits for its answer, whose value is returned.
    fn command(&mut self, command: u8, value: &[u8]) -> io::Result<Vec<u8>> {
        self.telnet.take_answer(command);
        let message = subnegotiation(command, value);
        socket::write(&mut self.stream, &message, self.patience)?;
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(answer) = self.telnet.take_answer(command) {
                return Ok(answer);
            }
            if !self.pump(deadline)? {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("the RFC 2217 server does not answer command {command}"),
                ));
            }
        }
    }

    /// Sets flow control or a modem line. Servers stay silent about lines that their device does
    /// not have (ser2net on a pseudo-terminal does), so a missing answer is no error.
    fn control(&mut self, value: u8) -> io::Result<()> {
        self.telnet.take_answer(SET_CONTROL);
        let message = subnegotiation(SET_CONTROL, &[value]);
        socket::write(&mut self.stream, &message, self.patience)?;
        let deadline = Instant::now() + self.patience.min(CONTROL_PATIENCE);
        while self.telnet.take_answer(SET_CONTROL).is_none() && self.pump(deadline)? {}
        Ok(())
    }

    /// Reads once from the network. False when the deadline has passed.
    fn pump(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut buffer = [0; 1024];
        let count = socket::read(&mut self.stream, &mut buffer, left)?;
        let mut reply = Vec::new();
        self.telnet
            .feed(&buffer[..count], &mut self.pending, &mut reply);
        if !reply.is_empty() {
            socket::write(&mut self.stream, &reply, self.patience)?;
        }
        Ok(true)
    }
}

impl Transport for Rfc2217Transport {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + timeout.max(Duration::from_millis(1));
        while self.pending.is_empty() {
            if !self.pump(deadline)? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.pending.len());
        buffer[..count].copy_from_slice(&self.pending[..count]);
        self.pending.drain(..count);
        Ok(count)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        socket::write(&mut self.stream, &escape(data), timeout)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        let answer = self.command(SET_BAUDRATE, &baud.to_be_bytes())?;
        if answer != baud.to_be_bytes() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the server does not set {baud} bits per second"),
            ));
        }
        Ok(())
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        if let Some(level) = dtr {
            let value = if level {
                CONTROL_DTR_ON
            } else {
                CONTROL_DTR_OFF
            };
            self.control(value)?;
        }
        if let Some(level) = rts {
            let value = if level {
                CONTROL_RTS_ON
            } else {
                CONTROL_RTS_OFF
            };
            self.control(value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream cut at every position gives the same data, replies and answers.
    #[test]
    fn decoding_does_not_depend_on_where_the_stream_is_cut() {
        let input = [
            b'a', IAC, IAC, b'b', IAC, WILL, 1, IAC, DO, 24, IAC, DO, COM_PORT, IAC, SB, COM_PORT,
            101, 0, 1, IAC, IAC, 0, IAC, SE, IAC, 241, b'c',
        ];
        for cut in 0..=input.len() {
            let mut telnet = Telnet::default();
            let (mut data, mut reply) = (Vec::new(), Vec::new());
            telnet.feed(&input[..cut], &mut data, &mut reply);
            telnet.feed(&input[cut..], &mut data, &mut reply);
            assert_eq!(data, [b'a', IAC, b'b', b'c'], "cut at {cut}");
            assert_eq!(reply, [IAC, DONT, 1, IAC, WONT, 24]);
            assert_eq!(telnet.ours, [COM_PORT]);
            assert_eq!(telnet.take_answer(SET_BAUDRATE), Some(vec![0, 1, IAC, 0]));
            assert_eq!(telnet.take_answer(SET_BAUDRATE), None);
        }
    }

    /// The example of RFC 2217: the value 255 inside a command is doubled.
    #[test]
    fn values_and_data_are_escaped() {
        assert_eq!(
            subnegotiation(SET_BAUDRATE, &[0, 0, 255, 1]),
            [IAC, SB, 44, 1, 0, 0, 255, 255, 1, IAC, SE]
        );
        assert_eq!(escape(&[1, 255, 2]), [1, 255, 255, 2]);
    }

    /// Repeating what is already agreed must not be answered, else two sides never stop.
    #[test]
    fn agreement_is_silent() {
        let mut telnet = Telnet::default();
        let (mut data, mut reply) = (Vec::new(), Vec::new());
        let yes = [IAC, DO, BINARY, IAC, WILL, BINARY, IAC, DO, BINARY];
        telnet.feed(&yes, &mut data, &mut reply);
        assert_eq!((data.len(), reply.len()), (0, 0));
        telnet.feed(&[IAC, WONT, BINARY], &mut data, &mut reply);
        assert_eq!(telnet.refused, [(WONT, BINARY)]);
        assert!(reply.is_empty());
    }
}
