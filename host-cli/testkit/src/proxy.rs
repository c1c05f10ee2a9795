//! Decides where the line between the command and a board breaks: a TCP port in front of a board's, which lets a stated
//! number of bytes through and then hangs up, or falls silent.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use board_link::{LinkError, PortSpec, Transport, open};

/// After which byte the line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Never,
    /// From the board to the command, counted over all connections since [`Proxy::arm`].
    FromBoard(usize),
    ToBoard(usize),
}

/// What happens to the line then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    HangUp,
    /// It stays open, and nothing comes through any more.
    Silence,
}

#[derive(Debug)]
struct State {
    at: Break,
    how: How,
    from_board: usize,
    to_board: usize,
    broken: bool,
}

impl State {
    /// How many of `count` bytes get through; the line breaks behind them where that is not all.
    fn pass(&mut self, from_board: bool, count: usize) -> usize {
        let so_far = if from_board {
            &mut self.from_board
        } else {
            &mut self.to_board
        };
        let left = match self.at {
            Break::FromBoard(at) if from_board => at.saturating_sub(*so_far),
            Break::ToBoard(at) if !from_board => at.saturating_sub(*so_far),
            _ => usize::MAX,
        };
        *so_far += count.min(left);
        self.broken |= count > left;
        count.min(left)
    }
}

/// The port; it closes on drop.
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
    /// A connection is open.
    busy: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    /// What is between two pieces on their way to the board, in milliseconds.
    pause: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Stands in front of the board at `board`, which is opened for each connection.
    ///
    /// # Errors
    /// The system's, where there is no free TCP port.
    pub fn start(board: PortSpec) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State {
            at: Break::Never,
            how: How::HangUp,
            from_board: 0,
            to_board: 0,
            broken: false,
        }));
        let (busy, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (shared, working, end) = (state.clone(), busy.clone(), ended.clone());
        let pause = Arc::<AtomicU64>::default();
        let pausing = pause.clone();
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                if let Ok((stream, _)) = listener.accept() {
                    working.store(true, Ordering::SeqCst);
                    // Its end is all that a connection has to say.
                    let _ = relay(&board, stream, &shared, &pausing, &end);
                    working.store(false, Ordering::SeqCst);
                } else {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Ok(Proxy {
            port,
            state,
            busy,
            ended,
            pause,
            thread: Some(thread),
        })
    }

    /// What `--port` takes.
    pub fn port(&self) -> String {
        format!("socket://127.0.0.1:{}", self.port)
    }

    /// From now on the line is whole, and breaks there.
    pub fn arm(&self, at: Break, how: How) {
        while self.busy.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        *locked(&self.state) = State {
            at,
            how,
            from_board: 0,
            to_board: 0,
            broken: false,
        };
    }

    /// From now on the line takes at least so long for each piece that goes to the board.
    pub fn slow_down(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.pause.store(pause, Ordering::SeqCst);
    }

    /// Bytes that came through since then: from the board, to the board.
    pub fn passed(&self) -> (usize, usize) {
        let state = locked(&self.state);
        (state.from_board, state.to_board)
    }

    /// Whether it broke since then.
    pub fn broke(&self) -> bool {
        locked(&self.state).broken
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed by itself.
            let _ = thread.join();
        }
    }
}

/// Carries bytes until somebody hangs up.
fn relay(
    board: &PortSpec,
    mut stream: TcpStream,
    state: &Mutex<State>,
    pause: &AtomicU64,
    end: &AtomicBool,
) -> io::Result<()> {
    if locked(state).broken {
        // Where the plug is pulled there is no port.
        return Ok(());
    }
    let mut board = opened(board, end)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    let mut buffer = [0; 4096];
    while !end.load(Ordering::SeqCst) {
        let count = board.read(&mut buffer, Duration::from_millis(1))?;
        let through = passes(state, true, count);
        stream.write_all(&buffer[..through])?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let through = passes(state, false, count);
        if count > 0 {
            std::thread::sleep(Duration::from_millis(pause.load(Ordering::SeqCst)));
        }
        board.write(&buffer[..through], Duration::from_secs(60))?;
        let (broken, how) = {
            let state = locked(state);
            (state.broken, state.how)
        };
        if broken && how == How::HangUp {
            return Ok(());
        }
    }
    Ok(())
}

fn passes(state: &Mutex<State>, from_board: bool, count: usize) -> usize {
    let mut state = locked(state);
    if state.broken {
        return 0;
    }
    state.pass(from_board, count)
}

/// Programs that this process starts hold its open ports for a moment.
fn opened(board: &PortSpec, end: &AtomicBool) -> io::Result<Box<dyn Transport>> {
    loop {
        match open(board) {
            Ok(transport) => return Ok(transport),
            Err(LinkError::PortBusy { .. }) if !end.load(Ordering::SeqCst) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
    }
}
