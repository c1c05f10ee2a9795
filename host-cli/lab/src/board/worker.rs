//! A board's thread: it alone speaks on the board's line, and does what pages ask for, one thing after the other.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use board_link::{Board, Ending, Event, LinkError, PortSpec, Timeouts, Traceback};

use crate::board::files;
use crate::board::line::{Line, Typing};
use crate::board::outfit::Loan;
use crate::board::text::Decoder;
use crate::protocol::{Activity, BoardId, How, Kind, Level, SourceFile, ToPage, TracebackView};
use crate::view::View;
use crate::words::Words;

/// How long a read at the prompt waits: what is typed and asked for waits as long.
const AT_PROMPT: Duration = Duration::from_millis(20);

/// How often a board that is gone is asked for its orders.
const GONE: Duration = Duration::from_millis(200);

/// What a page asks of a board.
pub enum Order {
    Run {
        files: Vec<SourceFile>,
        main: String,
    },
    Reset,
    End,
}

/// Why boards could not be left as they were found.
pub type Regrets = Mutex<Vec<LinkError>>;

/// The thread's own.
pub struct Worker {
    pub id: BoardId,
    pub kind: Kind,
    pub port: PortSpec,
    pub line: Arc<Line>,
    pub orders: Receiver<Order>,
    pub view: Arc<View>,
    pub loan: Box<dyn Loan>,
    pub timeouts: Timeouts,
    pub regrets: Arc<Regrets>,
    /// Something was lent to a real board and has not been taken back.
    pub lent: bool,
}

impl Worker {
    /// Works until it is told to end; the board is left as it was found, if it is still there.
    pub fn run(mut self) {
        let mut lost = None;
        while let Some(mut board) = self.reach() {
            match self.serve(&mut board) {
                Ok(()) => {
                    self.leave(&mut board);
                    return;
                }
                Err(error) => {
                    self.lost(&error);
                    lost = Some(error);
                }
            }
        }
        if let Some(error) = lost.filter(|_| self.lent) {
            self.regret(error);
        }
    }

    fn regret(&self, error: LinkError) {
        let mut regrets = self.regrets.lock().unwrap_or_else(PoisonError::into_inner);
        regrets.push(error);
    }

    fn lost(&self, error: &LinkError) {
        self.line.open(false);
        self.view.error(Some(self.id), Words::of_link(error));
        self.view.activity(self.id, Activity::Gone);
    }

    /// Opens the board's line; tries again when a page says so. None when it is time to end.
    fn reach(&mut self) -> Option<Board> {
        let mut first = self.view_state() != Some(Activity::Gone);
        loop {
            if first {
                match board_link::open(&self.port) {
                    Ok(transport) => {
                        let transport = Typing::new(transport, Arc::clone(&self.line));
                        let mut board = Board::new(Box::new(transport), self.timeouts.clone());
                        board.stop_on(Arc::clone(self.line.stop_flag()));
                        return Some(board);
                    }
                    Err(error) => self.lost(&error),
                }
            }
            first = match self.orders.recv_timeout(GONE) {
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(Order::Reset) => true,
                Ok(Order::Run { .. }) => {
                    self.view.error(
                        Some(self.id),
                        Words::new(
                            "the board is gone: plug it in and press reset, then run",
                            "la placa no está: conéctala y pulsa reiniciar, y después ejecuta",
                        ),
                    );
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
            };
        }
    }

    fn view_state(&self) -> Option<Activity> {
        self.view.state_of(self.id)
    }

    /// Shows what the board prints and does what it is asked for, until the end.
    fn serve(&mut self, board: &mut Board) -> Result<(), LinkError> {
        let mut decoder = Decoder::default();
        let mut buffer = [0; 4096];
        self.idle();
        loop {
            match self.orders.try_recv() {
                Ok(Order::Run { files, main }) => {
                    self.run_program(board, &files, &main)?;
                    self.idle();
                    decoder = Decoder::default();
                }
                Ok(Order::Reset) => {
                    self.reset(board)?;
                    self.idle();
                }
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {}
            }
            match board.transport_mut().read(&mut buffer, AT_PROMPT) {
                Ok(count) => self.line.print(&decoder.feed(&buffer[..count])),
                Err(source) => {
                    return Err(LinkError::Lost {
                        port: board.port(),
                        step: board_link::Step::Read,
                        source,
                    });
                }
            }
        }
    }

    fn idle(&self) {
        self.line.begin();
        self.line.open(true);
        self.view.activity(self.id, Activity::Idle);
    }

    /// Starts a real board's Python anew, `main.py` included; the simulated one has a button for that.
    fn reset(&mut self, board: &mut Board) -> Result<(), LinkError> {
        if self.kind == Kind::Real {
            self.line.open(false);
            self.view.activity(self.id, Activity::Starting);
            board.enter_raw()?;
            board.restart()?;
        }
        Ok(())
    }

    /// Runs a program from a fresh start and tells how it ended.
    ///
    /// # Errors
    /// Those after which the line must be opened anew.
    fn run_program(
        &mut self,
        board: &mut Board,
        files: &[SourceFile],
        main: &str,
    ) -> Result<(), LinkError> {
        self.line.open(false);
        self.view.activity(self.id, Activity::Starting);
        let (how, traceback, restarted) = match self.execute(board, files, main) {
            Ok(ended) => ended,
            Err(LinkError::Interrupted { .. }) => (How::Stopped, None, false),
            Err(error) if needs_new_line(&error) => {
                self.ended(How::Error, None);
                return Err(error);
            }
            Err(error) => {
                self.view.error(Some(self.id), Words::of_link(&error));
                (How::Error, None, false)
            }
        };
        self.line.open(false);
        self.ended(how, traceback);
        if restarted {
            // It boots, and what it says then is shown as it comes.
            return Ok(());
        }
        // The program's names are there to be looked at, at the prompt.
        board.exit_raw()?;
        self.line.print(">>> ");
        Ok(())
    }

    fn ended(&self, how: How, traceback: Option<TracebackView>) {
        // What it printed comes before how it ended.
        self.view.console(self.id, &self.line.printed());
        self.view.event(&ToPage::Ended {
            board: self.id,
            how,
            traceback,
        });
    }

    /// How the program ended, what it raised, and whether the board restarted.
    fn execute(
        &mut self,
        board: &mut Board,
        files: &[SourceFile],
        main: &str,
    ) -> Result<(How, Option<TracebackView>, bool), LinkError> {
        board.enter_raw()?;
        let info = board.info()?;
        let (major, minor, patch) = info.version;
        self.view
            .micropython(self.id, &format!("{major}.{minor}.{patch}"));
        let (view, id) = (Arc::clone(&self.view), self.id);
        let with_files = self.kind == Kind::Real && files.len() > 1;
        let real = self.kind == Kind::Real;
        self.lent |= real;
        self.loan.give(board, with_files, &mut |words| {
            // What a simulated board is lent goes with it: nobody has to think about installing.
            if real {
                view.notice(Level::Info, Some(id), words);
            }
        })?;
        files::put(board, self.kind, files, main)?;
        board.soft_reset()?;
        self.loan.show(board)?;
        if self.line.is_stopped() {
            return Ok((How::Stopped, None, false));
        }
        let Some(program) = files.iter().find(|file| file.name == main) else {
            return Ok((How::Error, None, false));
        };
        self.view.activity(self.id, Activity::Running);
        self.line.open(true);
        let line = Arc::clone(&self.line);
        let run = board.exec_streaming(
            &program.text,
            &mut |event| {
                if let Event::Stdout(text) = event {
                    line.print(text);
                }
            },
            &self.line.stop_flag().clone(),
        )?;
        let traceback = traceback(&run.stderr, files, main);
        if let Some(traceback) = &traceback {
            self.line.print(&format!("{}\n", traceback.text));
        }
        Ok(match run.ending {
            Ending::Finished => (How::Finished, None, false),
            Ending::Stopped => (How::Stopped, None, false),
            Ending::Raised => (How::Error, traceback, false),
            Ending::Exited => (How::Exited, traceback, false),
            Ending::Restarted => (How::Exited, traceback, true),
        })
    }

    /// Takes back what was lent, and starts what a real board ran before.
    fn leave(&mut self, board: &mut Board) {
        self.line.open(false);
        self.line.begin();
        if self.kind == Kind::Sim {
            // It ends with this, and its folder too.
            return;
        }
        let mut leave = || {
            board.enter_raw()?;
            board.soft_reset()?;
            self.loan.take_back(board)?;
            board.leave()
        };
        if let Err(error) = leave() {
            let why = Words::of_link(&error);
            let words = Words::new(
                format!("the board is not as it was before: {}", why.en),
                format!("la placa no queda como estaba: {}", why.es),
            );
            self.view.error(Some(self.id), words);
            self.regret(error);
        }
    }
}

/// Whether nothing more can be said on this line.
fn needs_new_line(error: &LinkError) -> bool {
    use board_link::Fault;
    !matches!(error.fault(), Fault::Script | Fault::Files | Fault::Usage)
}

/// What the board wrote to standard error, with the page's names for its files.
fn traceback(stderr: &str, files: &[SourceFile], main: &str) -> Option<TracebackView> {
    if stderr.trim().is_empty() {
        return None;
    }
    let parsed = Traceback::parse(stderr, main, 0);
    let place = parsed.frames.iter().rev().find_map(|frame| {
        let file = files::name_on_page(&frame.file, files)?;
        Some((file, frame.line))
    });
    let message = match (parsed.exception.as_str(), parsed.message.as_str()) {
        (exception, "") => exception.to_owned(),
        (exception, message) => format!("{exception}: {message}"),
    };
    Some(TracebackView {
        file: place.as_ref().map(|(file, _)| file.clone()),
        line: place.map(|(_, line)| line),
        message,
        text: parsed.to_string(),
    })
}
