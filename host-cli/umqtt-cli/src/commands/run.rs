//! `umqtt run`: decides how a script is run on a board beside its broker, and how that ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use board_link::{Board, Ending, Event, Fault, Lang, LinkError, Run, Traceback};
use broker::network::Network;
use broker::{Broker, BrokerConfig, BrokerError, DEFAULT_PORT, TapOptions};

use crate::broker_choice::{self, BrokerChoice, StandIn};
use crate::cli::RunOptions;
use crate::commands::broker as broker_command;
use crate::display::{Display, Form, Message, Sender};
use crate::failure::{Failure, Status};
use crate::lan::{self, Announcement};
use crate::lines;
use crate::loan::Loan;
use crate::module::InstallError;
use crate::observer::Observer;
use crate::script::Script;
use crate::script_error;
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::target::{self, Target};

/// How long packets that are on their way when the script ends may take to be shown.
const LAST_PACKETS: Duration = Duration::from_millis(200);

/// Runs the script; the word says how it ended well.
pub fn run(options: &RunOptions, lang: Lang) -> Result<&'static str, Failure> {
    let script = Script::read(&options.script, lang)?;
    let broker = options
        .broker
        .as_deref()
        .map(|text| broker_choice::named(text, lang))
        .transpose()?;
    let lan = lan::wanted(options.lan.as_deref(), broker.as_ref(), lang)?;
    let stop = Stop::on_signals(lang)?;
    let display = Display::start(
        Form {
            json: lines::wanted(),
            all_packets: false,
            lang,
        },
        &stop,
    );
    let sender = display.sender();
    let done = Session {
        options,
        script: &script,
        broker,
        lan,
        display: &sender,
        stop: &stop,
        lang,
    }
    .run();
    drop(sender);
    display.finish();
    done
}

/// One run, with all that its steps need.
struct Session<'a> {
    options: &'a RunOptions,
    script: &'a Script,
    /// What `--broker` says.
    broker: Option<BrokerChoice>,
    /// Where boards of the local network find the broker, if `--lan` says so.
    lan: Option<Ipv4Addr>,
    display: &'a Sender,
    stop: &'a Stop,
    lang: Lang,
}

/// Whoever shows the packets; dropping it ends that.
enum Watch {
    Embedded {
        broker: Option<Broker>,
        forwarding: Option<JoinHandle<()>>,
        /// With `--lan`, where mDNS works.
        _announcement: Option<Announcement>,
    },
    Outside {
        _observer: Observer,
        /// The bad network in front of it, where one was asked for.
        _network: Option<Network>,
    },
    Nobody,
}

/// Why a script did not come to its end.
enum Unwell {
    Link(LinkError),
    Said(Failure),
}

impl From<LinkError> for Unwell {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Self::Embedded {
            broker, forwarding, ..
        } = self
        {
            // The thread ends with the broker's tap.
            drop(broker.take());
            if let Some(forwarding) = forwarding.take() {
                let _ = forwarding.join();
            }
        }
    }
}

impl Session<'_> {
    /// Runs the script; the word says how it ended well.
    fn run(&self) -> Result<&'static str, Failure> {
        let target = Target::choose(self.options.port.port.as_deref(), self.display, self.lang)?;
        let (watch, stand_in) = self.start_broker(matches!(target, Target::Simulated))?;
        self.stop.interrupted(self.lang)?;
        // Declared before the board, so that it outlives the connection to it.
        let simulated;
        let simulated_here = matches!(target, Target::Simulated);
        let transport = match target {
            Target::Real(transport) => transport,
            Target::Simulated => {
                simulated = Simulated::start(stand_in, self.display, self.stop, self.lang)?;
                self.stop.interrupted(self.lang)?;
                simulated.open(self.lang)?
            }
        };
        let board = target::connect(transport, self.lang)?;
        self.on(board, &watch, simulated_here)
    }

    /// Runs the script on the board, which is left as it was found.
    fn on(
        &self,
        mut board: Board,
        watch: &Watch,
        simulated: bool,
    ) -> Result<&'static str, Failure> {
        let mut loan = Loan::default();
        let (done, answers) = match self.execute(&mut board, &mut loan, watch) {
            Ok(run) => (self.judge(&run), true),
            Err(Unwell::Said(failure)) => (Err(failure), true),
            // A board that was lost cannot be asked for anything, one that does not stop neither.
            Err(Unwell::Link(error)) => (
                Err(Failure::from_link(&error, self.lang)),
                matches!(error.fault(), Fault::Script | Fault::Files),
            ),
        };
        if answers && let Err(error) = self.leave(&mut board, &mut loan, simulated) {
            let label = self.lang.pick(
                "the board is not as it was before",
                "la placa no queda como estaba",
            );
            self.display
                .note(format!("{label}: {}", error.message(self.lang)));
            // The script's own failure comes first.
            return done.and_then(|_| Err(Failure::from_link(&error, self.lang)));
        }
        done
    }

    fn execute(&self, board: &mut Board, loan: &mut Loan, watch: &Watch) -> Result<Run, Unwell> {
        self.prepare(board, loan)?;
        if let Watch::Embedded {
            broker: Some(broker),
            ..
        } = watch
            && self.lan.is_some()
        {
            self.tell_script(board, broker.addr())?;
        }
        self.stop.interrupted(self.lang).map_err(Unwell::Said)?;
        if let Some(seconds) = self.options.seconds {
            self.stop.request_after(seconds);
        }
        let ended = board.exec_streaming(
            &self.script.text,
            &mut |event| {
                if let Event::Stdout(text) = event {
                    self.display.show(Message::Script(text.to_owned()));
                }
            },
            self.stop.flag(),
        );
        std::thread::sleep(LAST_PACKETS);
        Ok(ended?)
    }

    /// Ends what the script left running (timers, sockets), takes back what was lent, and starts the program that was
    /// interrupted for the script.
    fn leave(&self, board: &mut Board, loan: &mut Loan, simulated: bool) -> Result<(), LinkError> {
        board.soft_reset()?;
        loan.take_back(board)?;
        if simulated {
            // It ends with this run.
            return board.exit_raw();
        }
        board.leave()?;
        if board.found_running() {
            self.display.note(self.lang.pick(
                "the board starts again what it was running before (main.py)",
                "la placa vuelve a arrancar lo que ejecutaba antes (main.py)",
            ));
        }
        Ok(())
    }

    /// Lends umqtt to the board and gives the script a fresh interpreter.
    fn prepare(&self, board: &mut Board, loan: &mut Loan) -> Result<(), LinkError> {
        let info = board.info()?;
        match loan.give(board, &info, self.display, self.lang) {
            Ok(false) => {}
            Ok(true) => self.display.note(self.lang.pick(
                "the board has umqtt for this run; umqtt install puts it there for good",
                "la placa tiene umqtt durante esta ejecución; umqtt install lo deja puesto",
            )),
            // The script may do well with what the firmware brings.
            Err(InstallError::Unfit(finding)) => self.display.note(finding.message),
            Err(InstallError::Link(error)) => return Err(error),
        }
        board.soft_reset()?;
        loan.show(board)
    }

    /// Gives the script the broker's address as settings, in the interpreter that will run it.
    fn tell_script(&self, board: &mut Board, broker: SocketAddr) -> Result<(), LinkError> {
        board
            .exec(&lan::settings(broker))
            .and_then(board_link::Execution::into_stdout)?;
        lan::say_settings(broker, self.display, self.lang);
        Ok(())
    }

    fn judge(&self, run: &Run) -> Result<&'static str, Failure> {
        let traceback = Traceback::parse(&run.stderr, &self.script.name, 0);
        if !run.stderr.trim().is_empty() {
            self.display.show(Message::Traceback(traceback.to_string()));
        }
        match run.ending {
            Ending::Finished => Ok("finished"),
            Ending::Stopped => Ok("stopped"),
            Ending::Exited => Ok("exited"),
            Ending::Raised => {
                if let Some(words) = script_error::explain(&traceback, self.lang) {
                    self.display.note(words);
                }
                Err(Failure::shown(Status::Failed))
            }
            Ending::Restarted => Err(Failure::new(
                Status::NoBoard,
                self.lang.pick(
                    "the board restarted while the script ran: machine.reset(), a crash or its reset button",
                    "la placa se reinició mientras corría el programa: machine.reset(), un fallo o su botón de reset",
                ),
                self.lang.pick(
                    "run it again; a script that resets the board cannot be followed",
                    "ejecútalo otra vez; no se puede seguir a un programa que reinicia la placa",
                ),
            )),
        }
    }

    /// Starts or finds the broker, and says where public brokers' names lead on the simulated board.
    fn start_broker(&self, simulated: bool) -> Result<(Watch, Option<StandIn>), Failure> {
        let (watch, broker) = match (&self.broker, simulated) {
            (Some(BrokerChoice::Outside(broker)), _) => {
                let hosts = broker_choice::stand_in(broker, self.lang)?;
                let (hosts, network) = self.worsen(hosts, simulated)?;
                let observer = Observer::start(broker, self.display.clone(), self.stop, self.lang)?;
                let label = self
                    .lang
                    .pick("watching the broker", "observando el broker");
                self.display.note(format!("{label} {broker}"));
                (
                    Watch::Outside {
                        _observer: observer,
                        _network: network,
                    },
                    Some(hosts),
                )
            }
            (None | Some(BrokerChoice::Embedded), true) => {
                let (watch, address) = self.embed(self.lan.unwrap_or(Ipv4Addr::LOCALHOST))?;
                (
                    watch,
                    Some(StandIn {
                        tcp: address,
                        tls: None,
                    }),
                )
            }
            (None, false) if self.lan.is_none() => {
                if !self.options.network.conditions().is_clear() {
                    return Err(self.no_network());
                }
                self.display.note(self.lang.pick(
                    "the script talks to the broker it names; --broker shows what arrives there",
                    "el programa habla con el broker que nombra; --broker muestra lo que llega allí",
                ));
                (Watch::Nobody, None)
            }
            (None | Some(BrokerChoice::Embedded), false) => {
                let ip = self.lan.unwrap_or(Ipv4Addr::UNSPECIFIED);
                (self.embed(ip)?.0, None)
            }
        };
        Ok((watch, broker.filter(|_| !self.options.online)))
    }

    /// Puts the network that was asked for in front of an outside broker.
    fn worsen(
        &self,
        hosts: StandIn,
        simulated: bool,
    ) -> Result<(StandIn, Option<Network>), Failure> {
        let conditions = self.options.network.conditions();
        if conditions.is_clear() {
            return Ok((hosts, None));
        }
        if !simulated || self.options.online {
            return Err(self.no_network());
        }
        let others = hosts.tls.as_slice();
        let network = Network::with_others(hosts.tcp, others).map_err(|error| {
            let label = self.lang.pick(
                "the network cannot be made worse",
                "no se puede empeorar la red",
            );
            Failure::complete(Status::Failed, format!("{label}: {error}"))
        })?;
        network.set_delay(conditions.delay);
        network.set_loss(conditions.loss);
        let hosts = StandIn {
            tcp: network.address(),
            tls: network.others().first().copied(),
        };
        Ok((hosts, Some(network)))
    }

    /// Where what the script sends does not pass through this command.
    fn no_network(&self) -> Failure {
        Failure::new(
            Status::Usage,
            self.lang.pick(
                "--loss and --delay are for what passes through this computer, and here the board talks to its broker itself",
                "--loss y --delay son para lo que pasa por este equipo, y aquí la placa habla sola con su broker",
            ),
            self.lang.pick(
                "--lan, which gives the board this computer's broker, or --port sim",
                "--lan, que da a la placa el broker de este equipo, o --port sim",
            ),
        )
    }

    /// Starts the broker on MQTT's own port, or on a free one where that is taken.
    fn embed(&self, ip: Ipv4Addr) -> Result<(Watch, SocketAddr), Failure> {
        let start = |port| {
            Broker::start(BrokerConfig {
                listen: SocketAddr::from((ip, port)),
                // A board comes in by its network, and the lesson's script knows no password.
                anonymous: true,
                network: self.options.network.conditions(),
                ..BrokerConfig::default()
            })
        };
        let broker = match start(DEFAULT_PORT) {
            Err(BrokerError::Taken { owner, .. }) => {
                let broker =
                    start(0).map_err(|error| broker_command::explain(&error, self.lang))?;
                let address = broker.addr();
                self.display.note(match self.lang {
                    Lang::En => format!(
                        "port {DEFAULT_PORT} belongs to {}: the broker listens on {address}",
                        owner.map_or("another program".to_owned(), |owner| owner.to_string())
                    ),
                    Lang::Es => format!(
                        "el puerto {DEFAULT_PORT} es de {}: el broker escucha en {address}",
                        owner.map_or("otro programa".to_owned(), |owner| owner.to_spanish())
                    ),
                });
                broker
            }
            started => {
                let broker = started.map_err(|error| broker_command::explain(&error, self.lang))?;
                let address = broker.addr();
                self.display.note(match self.lang {
                    Lang::En => format!("the broker listens on {address}"),
                    Lang::Es => format!("el broker escucha en {address}"),
                });
                broker
            }
        };
        let address = broker.addr();
        broker_command::warn_if_open(address, self.display, self.lang);
        let announcement = self
            .lan
            .and_then(|_| lan::announce(address, self.display, self.lang));
        let tap = broker.tap(TapOptions::default());
        let forwarding = broker_command::forward(tap, self.display.clone(), self.lang);
        Ok((
            Watch::Embedded {
                broker: Some(broker),
                forwarding: Some(forwarding),
                _announcement: announcement,
            },
            address,
        ))
    }
}
