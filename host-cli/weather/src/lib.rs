//! A stand-in for Open-Meteo's forecast (`api.open-meteo.com/v1/forecast`), so that a lesson that asks for the
//! temperature runs without Internet.
//!
//! The answers have the real service's shape; the weather in them is made up, and every answer says so in the header
//! [`SIMULATED`]. `forecast` decides what is answered, this file how it gets over the wire: one port for HTTP and HTTPS,
//! one answer for each connection. Dropping the [`Weather`] ends it.

mod forecast;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The name that leads to this server on the simulated board.
pub const HOST: &str = "api.open-meteo.com";

/// The header that every answer carries, and no answer of the real service.
pub const SIMULATED: &str = "X-Simulated-By: umqtt";

/// The longest request that is read, in bytes; the real service takes a few thousand.
const LONGEST: usize = 8192;

/// How long a client may take over its whole request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections at a time; one more is closed at once. A class of boards asks once in a while.
const MOST: usize = 64;

/// The first byte of a TLS handshake (RFC 8446, 5.1), which no HTTP request begins with.
const HANDSHAKE: u8 = 0x16;

/// A running stand-in.
pub struct Weather {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Arc<ServerConfig>,
    temperature: Mutex<Option<f64>>,
    ended: AtomicBool,
    connected: AtomicUsize,
    /// Told of the first request.
    first: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Weather {
    /// Starts it on a free port of the loopback. `first` is called once, when somebody asks for the weather: whoever
    /// started this owes its user a word that the answer is made up.
    ///
    /// # Errors
    /// Where no port can be had, or no certificate be made.
    pub fn start(first: impl FnOnce() + Send + 'static) -> io::Result<Weather> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            tls: Arc::new(certificate().map_err(io::Error::other)?),
            temperature: Mutex::new(None),
            ended: AtomicBool::new(false),
            connected: AtomicUsize::new(0),
            first: Mutex::new(Some(Box::new(first))),
        });
        let thread = std::thread::Builder::new()
            .name("simulated weather".to_owned())
            .spawn({
                let shared = shared.clone();
                move || accept(&listener, &shared)
            })?;
        Ok(Weather {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// Where it listens, for HTTP and HTTPS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The temperature of every place and hour from now on, in degrees Celsius; None gives the made-up course of the
    /// year and day back.
    pub fn set_temperature(&self, celsius: Option<f64>) {
        *lock(&self.shared.temperature) = celsius;
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // What it holds must not wait for the last slow client.
        drop(lock(&self.shared.first).take());
        // The listener sees it with the next connection. Threads that still answer end by themselves.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take()
            && woken
        {
            // Its panic, if any, has been printed.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every change is complete in itself, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A certificate for the real name, which nobody trusts: boards ask for no proof unless a script makes them.
fn certificate() -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            break;
        }
        let Ok(stream) = stream else {
            // Too many open files, or a client that has gone: neither is helped by asking again at once.
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        if shared.connected.load(Ordering::Relaxed) >= MOST {
            continue;
        }
        shared.connected.fetch_add(1, Ordering::Relaxed);
        let own = shared.clone();
        let started = std::thread::Builder::new()
            .name("simulated weather, one request".to_owned())
            .spawn(move || {
                // A client that goes away, or speaks something else, is told nothing and disturbs nobody.
                let _ = serve(stream, &own);
                own.connected.fetch_sub(1, Ordering::Relaxed);
            });
        if started.is_err() {
            shared.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Without it only the pace suffers.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    stream.peek(&mut first)?;
    if first[0] == HANDSHAKE {
        let connection = ServerConnection::new(shared.tls.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        exchange(&mut stream, shared)?;
        stream.conn.send_close_notify();
        stream.flush()?;
        finish(&mut stream.sock)
    } else {
        let mut stream = stream;
        exchange(&mut stream, shared)?;
        finish(&mut stream)
    }
}

/// Lets the client read to the end: a socket closed with bytes of the client's unread would be reset, and the answer
/// lost with it.
fn finish(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut rest = [0; 512];
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && stream.read(&mut rest)? > 0 {}
    Ok(())
}

fn exchange(stream: &mut (impl Read + Write), shared: &Shared) -> io::Result<()> {
    let begun = Instant::now();
    let mut request = Vec::new();
    let (status, body) = loop {
        let mut part = [0; 1024];
        let count = stream.read(&mut part)?;
        request.extend_from_slice(&part[..count]);
        if let Some(answer) = answer(&request, shared) {
            break answer;
        }
        if count == 0 || request.len() > LONGEST || begun.elapsed() > PATIENCE {
            break (
                "400 Bad Request",
                forecast::refusal("the request is no HTTP request"),
            );
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\
         {SIMULATED}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    stream.flush()
}

/// Status and body for a request; None while its head is not all there.
fn answer(request: &[u8], shared: &Shared) -> Option<(&'static str, String)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(request) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(error) => return Some(("400 Bad Request", forecast::refusal(&error.to_string()))),
    }
    if let Some(tell) = lock(&shared.first).take() {
        tell();
    }
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != "/v1/forecast" || parsed.method != Some("GET") {
        return Some(("404 Not Found", forecast::refusal("Not Found")));
    }
    let fixed = *lock(&shared.temperature);
    Some(match forecast::forecast(query, fixed, chrono::Utc::now()) {
        Ok(body) => ("200 OK", body),
        Err(reason) => ("400 Bad Request", forecast::refusal(&reason)),
    })
}
