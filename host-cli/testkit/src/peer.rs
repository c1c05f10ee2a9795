//! Decides how a peer behaves that follows a script instead of MQTT: it sends given bytes, waits for given numbers
//! of bytes, stalls, dribbles or closes, at exactly the places a test names.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One step of a peer's script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Read exactly so many bytes and keep them.
    Read(usize),
    /// Send these bytes in one piece.
    Send(Vec<u8>),
    /// Send these bytes one by one, each in a segment of its own, with this pause between.
    Dribble(Vec<u8>, Duration),
    /// Send and read no more, for so long or until [`Peer::finish`].
    Stall(Duration),
    /// Close the sending side; the client sees the end of the stream.
    Close,
    /// Read to the end of the stream and keep it.
    ReadToEnd,
}

/// A listening peer; the first connection is played by the first script, and so on, each for itself.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    thread: JoinHandle<Vec<Vec<u8>>>,
    end: Arc<End>,
}

/// Whether the test has done its part, so that no peer need stall any longer.
#[derive(Debug, Default)]
struct End {
    here: Mutex<bool>,
    changed: Condvar,
}

impl End {
    fn declare(&self) {
        *self.here.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for it, for so long at most.
    fn wait(&self, time: Duration) {
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.changed.wait_timeout_while(here, time, |here| !*here);
    }
}

impl Peer {
    /// Listens on a free port of the loopback and plays each script on one connection, in order of connecting. A
    /// client may come back before the script of its last connection has ended.
    ///
    /// # Panics
    /// Where no port can be had.
    pub fn start(scripts: Vec<Vec<Step>>) -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let end = Arc::new(End::default());
        let ends = Arc::clone(&end);
        let thread = thread::spawn(move || {
            let connections: Vec<_> = scripts
                .into_iter()
                .map(|script| match listener.accept() {
                    Ok((stream, _)) => {
                        let end = Arc::clone(&ends);
                        thread::spawn(move || play(stream, script, &end))
                    }
                    Err(error) => panic!("the scripted peer cannot accept: {error}"),
                })
                .collect();
            connections
                .into_iter()
                .map(|connection| connection.join().expect("a scripted connection"))
                .collect()
        });
        Peer {
            address,
            thread,
            end,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What each connection received, once all scripts are played. Waits for as many connections as there are
    /// scripts. Nobody stalls from now on.
    ///
    /// # Panics
    /// Where the peer itself failed.
    pub fn finish(self) -> Vec<Vec<u8>> {
        self.end.declare();
        self.thread.join().expect("the scripted peer")
    }
}

/// Plays a script; a client that goes away early ends it without complaint, since tests look at the client.
fn play(mut stream: TcpStream, script: Vec<Step>, end: &End) -> Vec<u8> {
    let mut received = Vec::new();
    // No step may wait for ever for a client that hangs; the test's own limit is far below.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let _ = stream.set_nodelay(true);
    for step in script {
        let done = match step {
            Step::Read(count) => {
                let before = received.len();
                received.resize(before + count, 0);
                let mut filled = before;
                loop {
                    if filled == received.len() {
                        break Ok(());
                    }
                    match stream.read(&mut received[filled..]) {
                        Ok(0) => break Err(std::io::ErrorKind::UnexpectedEof.into()),
                        Ok(count) => filled += count,
                        Err(error) => break Err(error),
                    }
                }
                .inspect_err(|_: &std::io::Error| received.truncate(filled))
            }
            Step::Send(bytes) => stream.write_all(&bytes),
            Step::Dribble(bytes, pause) => bytes.iter().try_for_each(|byte| {
                thread::sleep(pause);
                stream.write_all(&[*byte])
            }),
            Step::Stall(time) => {
                end.wait(time);
                Ok(())
            }
            Step::Close => stream.shutdown(Shutdown::Write),
            Step::ReadToEnd => stream.read_to_end(&mut received).map(drop),
        };
        if done.is_err() {
            break;
        }
    }
    received
}
