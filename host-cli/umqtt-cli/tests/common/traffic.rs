//! What a run sends, as others see it: its system calls under strace, and the segments that tcpdump captures on the
//! loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The same command under strace, which writes a file for each process into this folder.
pub fn traced(command: &Command, folder: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced
        .args(["--follow-forks", "--output-separately", "--decode-fds=all"])
        // All bytes of all strings.
        .args(["-xx", "--string-limit=100000"])
        .arg("--trace=write,writev,sendto,sendmsg,sendmmsg")
        .arg("--output")
        .arg(folder.join("trace"))
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    traced
}

/// The bytes of one direction of a connection, with the pieces in which they went.
#[derive(Debug, Default)]
pub struct Stream {
    /// The port to which they went.
    pub to: u16,
    bytes: Vec<u8>,
    /// Where each piece begins.
    pieces: Vec<usize>,
}

/// An MQTT packet of a stream.
#[derive(Debug)]
pub struct Packet<'a> {
    pub first: u8,
    /// What is behind its length.
    pub body: &'a [u8],
    /// How many pieces carried a part of it.
    pub pieces: usize,
}

impl Packet<'_> {
    pub fn is_publish(&self) -> bool {
        self.first >> 4 == 3
    }

    pub fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }

    /// A PUBLISH's topic (section 3.3).
    pub fn topic(&self) -> String {
        let length = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        String::from_utf8_lossy(&self.body[2..2 + length]).into_owned()
    }

    /// Bytes of a PUBLISH's payload.
    pub fn payload(&self) -> usize {
        self.body.len() - 2 - self.topic().len() - if self.qos() > 0 { 2 } else { 0 }
    }
}

impl Stream {
    fn to(port: u16) -> Stream {
        Stream {
            to: port,
            ..Stream::default()
        }
    }

    fn add(&mut self, piece: &[u8]) {
        self.pieces.push(self.bytes.len());
        self.bytes.extend_from_slice(piece);
    }

    /// All whole packets; what is no MQTT gives some nonsense.
    pub fn packets(&self) -> Vec<Packet<'_>> {
        let mut packets = Vec::new();
        let mut at = 0;
        while let Some(packet) = self.packet(at) {
            at = self.end(&packet);
            packets.push(packet);
        }
        packets
    }

    fn end(&self, packet: &Packet) -> usize {
        packet.body.as_ptr() as usize + packet.body.len() - self.bytes.as_ptr() as usize
    }

    fn packet(&self, at: usize) -> Option<Packet<'_>> {
        let first = *self.bytes.get(at)?;
        let (mut length, mut behind) = (0, at + 1);
        for shift in [0, 7, 14, 21] {
            let byte = *self.bytes.get(behind)?;
            behind += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = self.bytes.get(behind..behind + length)?;
        // The piece in which it begins, and all that begin before its end.
        let begun = self.pieces.partition_point(|piece| *piece <= at);
        let ended = self
            .pieces
            .partition_point(|piece| *piece < behind + length);
        Some(Packet {
            first,
            body,
            pieces: ended - begun + 1,
        })
    }

    /// How many pieces begin behind the first packet.
    pub fn pieces_behind_first(&self) -> usize {
        let end = self.packet(0).map_or(0, |packet| self.end(&packet));
        let before = self.pieces.partition_point(|piece| *piece < end);
        self.pieces.len() - before
    }

    /// Whose it is: the client identifier of its CONNECT, behind protocol name, level, flags and keep alive (section 3.1).
    pub fn client(&self) -> Option<String> {
        let packet = self.packet(0).filter(|packet| packet.first == 0x10)?;
        let length = usize::from(u16::from_be_bytes(*packet.body.get(10..)?.first_chunk()?));
        let name = packet.body.get(12..12 + length)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

/// What the clients of this computer wrote to TCP connections, by connection: strace's files in this folder.
pub fn written(folder: &Path) -> Vec<Stream> {
    let mut streams = Vec::new();
    for file in std::fs::read_dir(folder).expect("strace's files").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("strace writes ASCII");
        // One process has a connection open under one name; the next with that name begins with its own CONNECT.
        let mut open: BTreeMap<String, Stream> = BTreeMap::new();
        for (connection, bytes) in text.lines().filter_map(write) {
            let port = connection
                .rsplit_once(':')
                .and_then(|(_, port)| port.parse().ok());
            let port = port.expect("an address");
            let stream = open.entry(connection).or_insert_with(|| Stream::to(port));
            if bytes.first() == Some(&0x10) && stream.client().is_some() && bytes.len() > 1 {
                streams.push(std::mem::replace(stream, Stream::to(port)));
            }
            stream.add(&bytes);
        }
        streams.extend(open.into_values());
    }
    streams
}

/// `write(7<TCP:[127.0.0.1:1->127.0.0.1:2]>, "\x10…", 33) = 33`
fn write(line: &str) -> Option<(String, Vec<u8>)> {
    let line = line
        .strip_prefix("write(")
        .or_else(|| line.strip_prefix("sendto("))?;
    let (_, rest) = line.split_once("<TCP:[")?;
    let (connection, rest) = rest.split_once("]>")?;
    let (_, rest) = rest.split_once('"')?;
    let (text, result) = rest.split_once('"')?;
    let taken: usize = result.rsplit_once("= ")?.1.parse().ok()?;
    let bytes: Option<Vec<u8>> = text
        .split("\\x")
        .skip(1)
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    let mut bytes = bytes?;
    bytes.truncate(taken);
    Some((connection.to_owned(), bytes))
}

/// A capture of all that goes over the loopback by TCP.
pub struct Capture {
    tcpdump: Child,
    /// What it wrote so far.
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
    errors: BufReader<std::process::ChildStderr>,
}

impl Capture {
    /// Starts tcpdump on all but the connections of the one at this port, and waits until it listens.
    ///
    /// # Errors
    /// Where it is missing or may not capture.
    pub fn start(but: u16) -> Result<Capture, String> {
        let mut tcpdump = Command::new("tcpdump")
            // Unbuffered; 64 MiB for what it has not written yet, since other tests are talking too.
            .args(["-i", "lo", "-U", "-B", "65536", "-w", "-"])
            .arg(format!("tcp and not port {but}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("tcpdump does not run: {error}; on Debian: apt-get install tcpdump")
            })?;
        let mut stdout = tcpdump.stdout.take().expect("its output");
        let mut errors = BufReader::new(tcpdump.stderr.take().expect("its errors"));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reading = std::thread::spawn(move || {
            let mut piece = [0; 65536];
            loop {
                match stdout.read(&mut piece).expect("its output") {
                    0 => break,
                    read => shared
                        .lock()
                        .expect("no panic")
                        .extend_from_slice(&piece[..read]),
                }
            }
        });
        let mut said = String::new();
        while !said.contains("listening on") {
            let read = errors.read_line(&mut said).expect("its errors");
            if read == 0 {
                let _ = tcpdump.wait();
                return Err(format!("tcpdump cannot capture here: {}", said.trim()));
            }
        }
        Ok(Capture {
            tcpdump,
            bytes,
            reading,
            errors,
        })
    }

    /// Ends it; what clients sent, by connection, in segments. What was sent twice is there twice.
    ///
    /// # Errors
    /// In tcpdump's words, where a computer that is busy did not let it see every packet.
    pub fn finish(mut self) -> Result<Vec<Stream>, String> {
        self.catch_up();
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        unsafe { libc::kill(self.tcpdump.id() as i32, libc::SIGINT) };
        let mut said = String::new();
        self.errors.read_to_string(&mut said).expect("its errors");
        self.tcpdump.wait().expect("it ends");
        let mut words = said.lines().map(|line| line.split_whitespace());
        let whole = words.any(|words| words.eq(["0", "packets", "dropped", "by", "kernel"]));
        self.reading.join().expect("no panic");
        if !whole {
            return Err(said);
        }
        Ok(segments(&self.bytes.lock().expect("no panic")))
    }

    /// A signal makes tcpdump forget what it has not read yet; so something is sent behind all that counts, and waited for.
    fn catch_up(&self) {
        let mark = format!("the end of capture {}", self.tcpdump.id());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(mark.as_bytes()).expect("it is sent");
        let deadline = Instant::now() + Duration::from_secs(60);
        // Where the mark may begin: what other tests send may come between two looks.
        let mut unseen = 0;
        loop {
            let bytes = self.bytes.lock().expect("no panic");
            let mut windows = bytes[unseen..].windows(mark.len());
            if windows.any(|found| found == mark.as_bytes()) {
                return;
            }
            unseen = bytes.len().saturating_sub(mark.len());
            drop(bytes);
            assert!(Instant::now() < deadline, "tcpdump does not show its end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Reads a file of libpcap's first format, in this computer's byte order, with Ethernet's headers.
fn segments(file: &[u8]) -> Vec<Stream> {
    let number = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(
        (number(0), number(20)),
        (0xa1b2_c3d4, 1),
        "a capture of the loopback"
    );
    let mut streams = Vec::new();
    let mut open: BTreeMap<Vec<u8>, Stream> = BTreeMap::new();
    let mut at = 24;
    while at + 16 <= file.len() {
        let length = number(at + 8) as usize;
        let Some(frame) = file.get(at + 16..at + 16 + length) else {
            break;
        };
        at += 16 + length;
        // Ethernet's 14 bytes, then IPv4.
        if frame.get(12..14) != Some(&[8, 0][..]) {
            continue;
        }
        let ip = &frame[14..];
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let head = usize::from(ip[0] & 0xf) * 4;
        let tcp = &ip[head..total.max(head)];
        let data = &tcp[usize::from(tcp[12] >> 4) * 4..];
        // Both addresses and both ports.
        let connection = [&ip[12..20], &tcp[..4]].concat();
        const SYN: u8 = 2;
        if tcp[13] & SYN != 0
            && let Some(stream) = open.remove(&connection)
        {
            streams.push(stream);
        }
        if !data.is_empty() {
            let port = u16::from_be_bytes([tcp[2], tcp[3]]);
            let stream = open.entry(connection).or_insert_with(|| Stream::to(port));
            stream.add(data);
        }
    }
    streams.extend(open.into_values());
    streams
}
