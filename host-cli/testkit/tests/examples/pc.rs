//! The lesson without a board: `examples/paho`, with both versions of paho-mqtt.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use broker::{Broker, BrokerConfig};
use testkit::{need, paho};

use crate::classroom::read;

/// Far more than anything here takes on a busy computer.
const LIMIT: Duration = Duration::from_secs(300);

/// A running program of the lesson. One that goes on for longer than [`LIMIT`] is killed, which ends its output.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Dropped at the program's end, before its number can be another's.
    running: Sender<()>,
}

impl Program {
    fn start(version: &str, folder: &Path, name: &str, broker: SocketAddr) -> Program {
        let mut child = paho::pointed(version, folder, &["localhost"], broker)
            .expect("paho-mqtt is here")
            .arg(name)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (running, over) = channel();
        let id = child.id();
        std::thread::spawn(move || {
            if over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                signal("-KILL", id);
            }
        });
        Program {
            child,
            output,
            running,
        }
    }

    /// The next line it prints; nothing if it has ended.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// Waits for its end; its exit status and what it complained of.
    fn end(mut self) -> (Option<i32>, String) {
        let mut complaint = String::new();
        let errors = self.child.stderr.as_mut().expect("its errors");
        errors.read_to_string(&mut complaint).expect("UTF-8");
        drop(self.running);
        (self.child.wait().expect("its end").code(), complaint)
    }
}

fn signal(which: &str, id: u32) {
    let sent = Command::new("kill").args([which, &id.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[test]
fn paho_with_both_versions() {
    for version in paho::VERSIONS {
        drop(need!("paho_with_both_versions", paho::python(version)));
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["config.py", "cliente.py", "consumidor.py", "publicador.py"] {
            let text = read(&format!("examples/paho/{name}"));
            std::fs::write(folder.path().join(name), text).expect("a copy");
        }
        let mut config = BrokerConfig::default();
        config.listen.set_port(0);
        let broker = Broker::start(config).expect("a broker");
        let address = broker.addr();
        let start = |name| Program::start(version, folder.path(), name, address);

        let mut consumer = start("consumidor.py");
        assert_eq!(consumer.line(), "Conectado con localhost", "{version}");
        assert_eq!(consumer.line(), "Escucho clase/mensajes", "{version}");
        let mut publisher = start("publicador.py");
        assert_eq!(publisher.line(), "Conectado con localhost", "{version}");
        for number in 1..=5 {
            assert_eq!(publisher.line(), format!("Enviado: mensaje {number}"));
            assert_eq!(
                consumer.line(),
                format!("Recibido en clase/mensajes -> mensaje {number}")
            );
        }
        let (status, complaint) = publisher.end();
        assert_eq!(status, Some(0), "{version}: {complaint}");
        // Ctrl-C.
        signal("-INT", consumer.child.id());
        let (status, complaint) = consumer.end();
        assert_eq!(status, Some(0), "{version}: {complaint}");

        drop(broker);
        let (status, complaint) = start("publicador.py").end();
        assert_eq!(status, Some(1), "{version}: {complaint}");
        assert!(
            complaint.contains("No hay un broker en localhost"),
            "{complaint}"
        );
    }
}

/// pip's own reading of the file: both versions of the tests fit it, and the next one, which nobody has tried, does not.
#[test]
fn requirements_fit_what_is_tested() {
    let program = "import sys\n\
         from pip._vendor.packaging.requirements import Requirement\n\
         lines = [line for line in open(sys.argv[1]) if line.strip() and not line.startswith('#')]\n\
         [wanted] = map(Requirement, lines)\n\
         print(wanted.name, *[wanted.specifier.contains(v) for v in sys.argv[2:]])";
    let has_pip = |python: &&str| {
        let imports = Command::new(python).args(["-c", "import pip"]).output();
        imports.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(has_pip);
    let python = need!(
        "requirements_fit_what_is_tested",
        python.ok_or("no python3 with pip; on Debian: apt-get install python3-pip")
    );
    let file = testkit::repository().join("examples/paho/requirements.txt");
    let output = Command::new(python)
        .args(["-c", program])
        .arg(file)
        .args(paho::VERSIONS)
        .arg("3.0.0")
        .output()
        .expect("python3 runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "paho-mqtt True True False\n",
        "{output:?}"
    );
}
