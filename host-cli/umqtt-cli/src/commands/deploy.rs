//! `umqtt deploy`: decides what is written to which boards, says what was done, and starts it.

use std::time::{Duration, Instant};

use board_link::{Board, Lang, LinkError, PortInfo, Step, Transport};
use serde_json::json;

use crate::commands::shown;
use crate::display::{Message, Sender};
use crate::failure::{Failure, Status};
use crate::module::{self, InstallError, Item};
use crate::options::board::DeployOptions;
use crate::package::Package;
use crate::progress::{Progress, Waiting, speed};
use crate::settings;
use crate::simulated::Simulated;
use crate::source;
use crate::stop::Stop;
use crate::target::{self, Target};

/// Between two looks at the files that `--watch` watches.
const LOOK: Duration = Duration::from_millis(400);
const SLICE: Duration = Duration::from_millis(50);

pub fn run(options: &DeployOptions, lang: Lang) -> Result<(), Failure> {
    let work = Work {
        package: source::read(&options.source, lang)?,
        settings: (options.settings.as_deref())
            .map(|path| settings::read(path, lang))
            .transpose()?,
        options,
        lang,
    };
    if options.watch && options.port.len() > 1 {
        let message = lang.pick("--watch is for one board", "--watch es para una sola placa");
        let help = lang.pick("give one --port", "indica un solo --port");
        return Err(Failure::new(Status::Usage, message, help));
    }
    shown(lang, |display, stop| {
        let ports = work.ports()?;
        match ports.as_slice() {
            [] => {
                let message = lang.pick("no board is attached", "no hay ninguna placa conectada");
                let help = lang.pick(
                    "plug one in; umqtt ports lists them",
                    "conecta una; umqtt ports las lista",
                );
                Err(Failure::new(Status::NoBoard, message, help))
            }
            [port] => work.one(port.as_deref(), display, stop),
            ports => work.many(ports, display, stop),
        }
    })
}

struct Work<'a> {
    package: Package,
    settings: Option<Item>,
    options: &'a DeployOptions,
    lang: Lang,
}

/// What was done to one board.
struct Done {
    written: Vec<String>,
    bytes: usize,
    time: Duration,
    unchanged: usize,
    started: bool,
}

impl Work<'_> {
    /// The ports, `None` for the one that no `--port` means.
    fn ports(&self) -> Result<Vec<Option<String>>, Failure> {
        if self.options.all {
            let ports =
                board_link::list().map_err(|error| Failure::from_link(&error, self.lang))?;
            let boards = ports.into_iter().filter(PortInfo::may_be_a_board);
            return Ok(boards.map(|port| Some(port.device)).collect());
        }
        if self.options.port.is_empty() {
            return Ok(vec![None]);
        }
        Ok(self.options.port.iter().cloned().map(Some).collect())
    }

    fn link(&self) -> impl Fn(LinkError) -> Failure {
        let lang = self.lang;
        move |error| Failure::from_link(&error, lang)
    }

    fn open(
        &self,
        port: Option<&str>,
        display: &Sender,
        stop: &Stop,
    ) -> Result<(Board, Option<Simulated>), Failure> {
        let (transport, simulated) = match Target::choose(port, display, self.lang)? {
            Target::Real(transport) => (transport, None),
            Target::Simulated => {
                let simulated = Simulated::start(None, display, stop, self.lang)?;
                (simulated.open(self.lang)?, Some(simulated))
            }
        };
        let mut board = if self.options.all || self.options.port.len() > 1 {
            Board::connect(transport, target::timeouts()).map_err(self.link())?
        } else {
            target::connect(transport, self.lang)?
        };
        board.stop_on(stop.shared());
        Ok((board, simulated))
    }

    fn one(&self, port: Option<&str>, display: &Sender, stop: &Stop) -> Result<(), Failure> {
        let (mut board, simulated) = self.open(port, display, stop)?;
        // A simulated board of ours ends with this command.
        let start = simulated.is_none() || self.options.watch;
        let done = self.deploy(&mut board, &self.package, display, true, start)?;
        self.tell(&board.port(), &done, display);
        if self.options.watch {
            return self.watch(board, display, stop);
        }
        Ok(())
    }

    /// Each board has a thread of its own: nearly all of the time goes by on the wires.
    fn many(&self, ports: &[Option<String>], display: &Sender, stop: &Stop) -> Result<(), Failure> {
        let started = Instant::now();
        let waiting = Waiting::new(match self.lang {
            Lang::En => format!("{} boards", ports.len()),
            Lang::Es => format!("{} placas", ports.len()),
        });
        let outcomes: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
            let threads: Vec<_> = ports
                .iter()
                .map(|port| {
                    let name = port.clone().unwrap_or_default();
                    let display = display.clone();
                    let thread = scope.spawn(move || {
                        let (mut board, simulated) = self.open(port.as_deref(), &display, stop)?;
                        let start = simulated.is_none();
                        let done =
                            self.deploy(&mut board, &self.package, &display, false, start)?;
                        self.tell(&name, &done, &display);
                        Ok(())
                    });
                    (port, thread)
                })
                .collect();
            let join = |(port, thread): (&Option<String>, std::thread::ScopedJoinHandle<'_, _>)| {
                let outcome = thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                if let Err(failure) = &outcome {
                    self.tell_failure(port.as_deref().unwrap_or_default(), failure, display);
                }
                outcome
            };
            threads.into_iter().map(join).collect()
        });
        drop(waiting);
        let failed = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        let worst = failed.clone().map(Failure::kind).max();
        let (all, failed) = (outcomes.len(), failed.count());
        let (ready, seconds) = (all - failed, started.elapsed().as_secs_f64());
        let text = match self.lang {
            Lang::En => {
                format!("{ready} of {all} boards are ready, {failed} failed; {seconds:.1} s")
            }
            Lang::Es => {
                format!("{ready} de {all} placas listas, {failed} fallaron; {seconds:.1} s")
            }
        };
        display.show(Message::Result {
            text,
            fields: json!({ "event": "summary", "boards": all, "ready": ready, "failed": failed, "seconds": seconds }),
        });
        worst.map_or(Ok(()), |status| Err(Failure::shown(status)))
    }

    /// Makes the board's files what they should be, and starts the script.
    fn deploy(
        &self,
        board: &mut Board,
        package: &Package,
        display: &Sender,
        bar: bool,
        start: bool,
    ) -> Result<Done, Failure> {
        let refuse = |error: InstallError| error.into_failure(self.lang);
        let info = board.info().map_err(self.link())?;
        let mut items = package.items(&info, self.lang)?;
        items.extend(self.settings.clone());
        let plan = module::plan(board, &info, &items, display, self.lang).map_err(refuse)?;
        let done = |time| Done {
            written: plan
                .differing
                .iter()
                .map(|(item, _)| item.path.clone())
                .collect(),
            bytes: plan.bytes(),
            time,
            unchanged: items.len() - plan.differing.len(),
            started: false,
        };
        if self.options.dry_run {
            board.leave().map_err(self.link())?;
            return Ok(done(Duration::ZERO));
        }
        let mut progress = Progress::new(plan.bytes(), board.port());
        let mut show = |now: board_link::PutProgress| {
            if bar {
                progress.at(now.taken);
            }
        };
        module::apply(board, &plan, display, &mut show, self.lang).map_err(refuse)?;
        let time = progress.finish();
        if start {
            board.restart().map_err(self.link())?;
        }
        Ok(Done {
            started: start,
            ..done(time)
        })
    }

    fn tell(&self, port: &str, done: &Done, display: &Sender) {
        let (files, bytes, same) = (done.written.len(), done.bytes, done.unchanged);
        let (names, seconds) = (done.written.join(", "), done.time.as_secs_f64());
        let rate = speed(bytes, done.time);
        let started = match (done.started, self.lang) {
            (true, Lang::En) => "started",
            (true, Lang::Es) => "en marcha",
            (false, Lang::En) => {
                "not started: this simulated board ends here, umqtt run starts one"
            }
            (false, Lang::Es) => {
                "sin arrancar: esta placa simulada acaba aquí, umqtt run arranca una"
            }
        };
        let text = match (self.options.dry_run, files, self.lang) {
            (true, _, Lang::En) => format!(
                "{port}: would write {files} files, {bytes} bytes: {names}; unchanged: {same}"
            ),
            (true, _, Lang::Es) => format!(
                "{port}: se escribirían {files} ficheros, {bytes} bytes: {names}; sin cambios: {same}"
            ),
            (_, 0, Lang::En) => format!("{port}: nothing changed ({same} files); {started}"),
            (_, 0, Lang::Es) => format!("{port}: nada cambió ({same} ficheros); {started}"),
            (_, _, Lang::En) => format!(
                "{port}: {files} files, {bytes} bytes in {seconds:.1} s ({rate}): {names}; unchanged: {same}; {started}"
            ),
            (_, _, Lang::Es) => format!(
                "{port}: {files} ficheros, {bytes} bytes en {seconds:.1} s ({rate}): {names}; sin cambios: {same}; {started}"
            ),
        };
        display.show(Message::Result {
            text,
            fields: json!({
                "event": if self.options.dry_run { "plan" } else { "deployed" }, "port": port,
                "files": done.written, "bytes": bytes, "seconds": seconds, "unchanged": same,
            }),
        });
    }

    fn tell_failure(&self, port: &str, failure: &Failure, display: &Sender) {
        let message = failure.message().unwrap_or_default();
        display.show(Message::Result {
            text: format!("{port}: {message}"),
            fields: json!({ "event": "failed", "port": port, "status": failure.status(), "error": message }),
        });
        failure.print(self.lang);
    }

    /// Shows what the board prints; whenever a file has changed, deploys and starts again.
    fn watch(&self, mut board: Board, display: &Sender, stop: &Stop) -> Result<(), Failure> {
        let mut last = self.package.clone();
        loop {
            display.note(self.lang.pick(
                "watching the files; Ctrl-C ends this, the board goes on",
                "atento a los ficheros; Ctrl-C termina, la placa sigue",
            ));
            let mut transport = board.into_transport();
            let Some(package) = self.until_changed(&mut *transport, &last, display, stop)? else {
                return Ok(());
            };
            board = Board::new(transport, target::timeouts());
            board.stop_on(stop.shared());
            let done = self.deploy(&mut board, &package, display, true, true)?;
            self.tell(&board.port(), &done, display);
            last = package;
        }
    }

    /// What is to be deployed next; `None` at Ctrl-C.
    fn until_changed(
        &self,
        transport: &mut dyn Transport,
        last: &Package,
        display: &Sender,
        stop: &Stop,
    ) -> Result<Option<Package>, Failure> {
        let mut looked = Instant::now();
        let mut complaint = String::new();
        let mut buffer = [0; 1024];
        let mut text = Vec::new();
        while !stop.is_requested() {
            let count = transport.read(&mut buffer, SLICE).map_err(|source| {
                let port: String = transport.describe();
                Failure::from_link(
                    &LinkError::Lost {
                        port,
                        step: Step::Run,
                        source,
                    },
                    self.lang,
                )
            })?;
            text.extend_from_slice(&buffer[..count]);
            // What ends inside a character waits for its rest, unless it is none.
            let whole = match std::str::from_utf8(&text) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => text.len(),
            };
            if whole > 0 {
                let piece: Vec<u8> = text.drain(..whole).collect();
                let piece = String::from_utf8_lossy(&piece).replace("\r\n", "\n");
                display.show(Message::Script(piece));
            }
            if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            match source::read(&self.options.source, self.lang) {
                Ok(package) if package != *last => return Ok(Some(package)),
                Ok(_) => complaint.clear(),
                // An editor may be in the middle of writing it.
                Err(failure) => {
                    let said = failure.to_string();
                    if said != complaint {
                        display.note(&said);
                        complaint = said;
                    }
                }
            }
        }
        Ok(None)
    }
}
