//! Decides how Debian's Mosquitto is started for a test: on a free port of the loopback, with a configuration and
//! files of its own, ended when dropped.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Certificates;

/// Whether Mosquitto's clients are there.
///
/// # Errors
/// Says which is missing, and Debian's package that has it.
pub fn mosquitto_clients() -> Result<(), String> {
    crate::installed(&["mosquitto_pub", "mosquitto_sub"], "mosquitto-clients")
}

/// Who may come in.
#[derive(Debug)]
pub enum Access<'a> {
    /// Everybody.
    Anonymous,
    /// Only this user with this password.
    User(&'a str, &'a str),
    /// Everybody, over TLS with this server certificate.
    Tls(&'a Certificates),
}

/// A running broker.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Mosquitto {
    /// Starts one and waits until it accepts connections.
    ///
    /// # Errors
    /// Where Mosquitto is not installed, or does not come up; the text carries what it wrote.
    pub fn start(access: &Access) -> Result<Mosquitto, String> {
        let program = Self::program()?;
        let folder = tempfile::tempdir().map_err(|error| format!("no scratch folder: {error}"))?;
        let port = free_port()?;
        let mut config = format!(
            "listener {port} 127.0.0.1\npersistence false\nlog_dest stderr\nallow_anonymous {}\nset_tcp_nodelay true\n\
             max_queued_messages 0\nmax_inflight_messages 0\n",
            !matches!(access, Access::User(..))
        );
        // Started as root, Mosquitto changes to a user that cannot read the scratch folder.
        if let Some(user) = current_user() {
            let _ = writeln!(config, "user {user}");
        }
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))
                .map(|()| path)
        };
        match access {
            Access::Anonymous => {}
            Access::User(user, password) => {
                let path = folder.path().join("passwords");
                let made = Command::new("mosquitto_passwd")
                    .args(["-b", "-c"])
                    .arg(&path)
                    .args([user, password])
                    .output()
                    .map_err(|error| format!("mosquitto_passwd does not run: {error}"))?;
                if !made.status.success() {
                    return Err(format!(
                        "mosquitto_passwd failed: {}",
                        String::from_utf8_lossy(&made.stderr)
                    ));
                }
                let _ = writeln!(config, "password_file {}", path.display());
            }
            Access::Tls(certificates) => {
                let certificate = write("server.pem", &certificates.server_pem)?;
                let key = write("server.key", &certificates.server_key_pem)?;
                let _ = writeln!(
                    config,
                    "certfile {}\nkeyfile {}",
                    certificate.display(),
                    key.display()
                );
            }
        }
        let config = write("mosquitto.conf", &config)?;
        let log = std::fs::File::create(folder.path().join("log"))
            .map_err(|error| format!("no log file: {error}"))?;
        let child = Command::new(program)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("mosquitto does not start: {error}"))?;
        let mut broker = Mosquitto {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            folder,
        };
        broker.await_listening()?;
        Ok(broker)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn program() -> Result<&'static str, String> {
        [
            "/usr/sbin/mosquitto",
            "/usr/local/sbin/mosquitto",
            "/opt/homebrew/sbin/mosquitto",
        ]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .ok_or_else(|| "Mosquitto is not installed; on Debian: apt-get install mosquitto".into())
    }

    fn await_listening(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("mosquitto ended with {status}: {}", self.log()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!(
            "mosquitto does not listen on {} after 10 s: {}",
            self.address,
            self.log()
        ))
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // Either fails only where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback that nobody uses now.
fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// The name of the user that runs the test.
fn current_user() -> Option<String> {
    let output = Command::new("id").arg("-un").output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}
