//! `umqtt broker` as a teacher runs it: with passwords, for the local network, over TLS, and keeping what it must through
//! any end. The other side is Mosquitto's, where there is one.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Home, feed, finish, free_port};
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent};
use serde_json::Value;
use testkit::need;

/// A running `umqtt broker`; killed when the test is over.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Running {
    /// Starts it with `--json` on a free port and waits for its first line.
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = home.umqtt(["broker", "--json", "--listen", &port.to_string()]);
        let mut child = command
            .args(arguments)
            .env("XDG_DATA_HOME", home.path().join("data"))
            .spawn()
            .expect("umqtt starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut running = Self {
            child,
            output,
            port,
        };
        running.note(&port.to_string());
        running
    }

    /// The next note that holds `word`.
    fn note(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.output.read_line(&mut line).expect("a line");
            if count == 0 {
                let mut error = String::new();
                let stderr = self.child.stderr.as_mut().expect("its errors");
                let _ = stderr.read_to_string(&mut error);
                panic!("it ended before it said {word}: {error}");
            }
            let line: Value = serde_json::from_str(&line).expect("JSON");
            let message = line["message"].as_str().unwrap_or_default();
            if message.contains(word) {
                return message.to_owned();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether Mosquitto with its programs is there.
fn mosquitto() -> Result<(), String> {
    testkit::installed(
        &["mosquitto_pub", "mosquitto_passwd"],
        "mosquitto mosquitto-clients",
    )
}

fn passwd(home: &Home, arguments: &[&str], input: &str) -> common::Done {
    let mut command = home.umqtt(["broker", "passwd"]);
    command.args(arguments);
    feed(&mut command, input)
}

/// How mosquitto_pub ends, with this user and password.
fn publishes(port: u16, login: &[&str]) -> bool {
    let arguments = ["-h", "127.0.0.1", "-t", "t", "-m", "x", "-q", "1", "-p"];
    let done = Command::new("mosquitto_pub")
        .args(arguments)
        .arg(port.to_string())
        .args(login)
        .output()
        .expect("mosquitto_pub runs");
    done.status.success()
}

#[test]
fn passwords_are_set_changed_and_removed() {
    let home = Home::new();
    passwd(&home, &["users", "ana"], "una clave\n").expect_status(0);
    let done = passwd(&home, &["-b", "users", "eva", "otra"], "");
    done.expect_status(0);
    assert!(done.stderr.contains("history"), "{done:#?}");
    let path = home.path().join("users");
    let text = fs::read_to_string(&path).expect("the file");
    assert!(
        text.starts_with("ana:$7$") && text.contains("\neva:$7$"),
        "{text}"
    );
    assert!(!text.contains("clave") && !text.contains("otra"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    passwd(&home, &["-D", "users", "eva", "--lang", "es"], "").expect_status(0);
    assert!(!fs::read_to_string(&path).expect("the file").contains("eva"));
    let text = fs::read_to_string(&path).expect("the file");
    for (arguments, input, status, words) in [
        (&["-D", "users", "eva"][..], "", 1, "no user eva"),
        (&["users", "a:b"], "x\n", 2, "no user name"),
        (&["users", "eva"], "\n", 2, "empty"),
        (&["-b", "users", "eva"], "", 2, "-b needs the password"),
        (&["users"], "", 2, "missing"),
        (&["users", "eva", "clave"], "", 2, ""),
        (&["-D", "nothing", "eva"], "", 1, "cannot read"),
        (&["no/folder", "eva"], "x\n", 1, "cannot be written"),
    ] {
        let done = passwd(&home, arguments, input);
        done.expect_status(status);
        assert!(done.stderr.contains(words), "{arguments:?}: {done:#?}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), text);
    }
}

/// At a terminal the password is asked for twice and not shown.
#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_twice_and_nothing_is_shown() {
    let home = Home::new();
    for (answers, status, there) in [
        (["una clave", "una clave"], 0, true),
        (["otra", "distinta"], 1, false),
    ] {
        let _ = fs::remove_file(home.path().join("users"));
        let (status_there, shown) = typed(&home, &answers);
        assert_eq!(status_there, Some(status), "{shown}");
        assert!(
            !shown.contains("clave") && !shown.contains("otra"),
            "{shown}"
        );
        assert_eq!(home.path().join("users").exists(), there, "{shown}");
    }
}

/// Runs `umqtt broker passwd users ana` on a terminal of its own and types each answer when it is asked for, as a person
/// does: when the terminal shows no letters any more. How it ended, and what the terminal showed.
#[cfg(target_os = "linux")]
fn typed(home: &Home, answers: &[&str; 2]) -> (Option<i32>, String) {
    use rustix::termios::LocalModes;

    let command = home.umqtt(["broker", "passwd", "users", "ana"]);
    let mut terminal = common::terminal::Terminal::of(command, 80);
    for (question, answer) in ["): ", "more: "].iter().zip(answers) {
        terminal.wait_for(question);
        let deadline = Instant::now() + Duration::from_secs(60);
        while terminal.settings().local_modes.contains(LocalModes::ECHO) {
            assert!(Instant::now() < deadline, "the terminal shows letters");
            std::thread::sleep(Duration::from_millis(5));
        }
        terminal.type_in(format!("{answer}\n").as_bytes());
    }
    let status = terminal.end_within(Duration::from_secs(60));
    (status, std::mem::take(&mut terminal.heard))
}

#[test]
fn mosquitto_and_the_broker_read_each_others_password_files() {
    let name = "mosquitto_and_the_broker_read_each_others_password_files";
    need!(name, mosquitto());
    let home = Home::new();
    let ours = home.path().join("ours");
    let theirs = home.path().join("theirs");
    passwd(&home, &["ours", "ana"], "contraseña\n").expect_status(0);
    for (user, arguments) in [("eva", &["-c"][..]), ("leo", &["-H", "sha512"])] {
        let done = Command::new("mosquitto_passwd")
            .args(arguments)
            .arg("-b")
            .arg(&theirs)
            .args([user, "otra clave"])
            .output()
            .expect("mosquitto_passwd runs");
        assert!(done.status.success(), "{done:?}");
    }
    // Ours adds to a file of theirs, and theirs removes from a file of ours.
    passwd(&home, &["theirs", "ana"], "contraseña\n").expect_status(0);
    passwd(&home, &["ours", "nadie"], "x\n").expect_status(0);
    let done = Command::new("mosquitto_passwd")
        .arg("-D")
        .arg(&ours)
        .arg("nadie")
        .output()
        .expect("mosquitto_passwd runs");
    assert!(done.status.success(), "{done:?}");

    let broker = Running::start(&home, &["--password-file", "theirs"]);
    for (user, password, expected) in [
        ("ana", "contraseña", true),
        ("eva", "otra clave", true),
        ("leo", "otra clave", true),
        ("leo", "otra", false),
        ("nadie", "x", false),
    ] {
        let login = ["-u", user, "-P", password];
        assert_eq!(
            publishes(broker.port, &login),
            expected,
            "{user} {password}"
        );
    }
    assert!(!publishes(broker.port, &[]));
    // A user who is added while it runs comes in.
    passwd(&home, &["theirs", "sol"], "nueva\n").expect_status(0);
    assert!(publishes(broker.port, &["-u", "sol", "-P", "nueva"]));

    let mosquitto = Mosquitto::start(&ours);
    assert!(publishes(
        mosquitto.port,
        &["-u", "ana", "-P", "contraseña"]
    ));
    assert!(!publishes(mosquitto.port, &["-u", "ana", "-P", "falsa"]));
    assert!(!publishes(mosquitto.port, &["-u", "nadie", "-P", "x"]));
}

/// Mosquitto with a password file that another program wrote.
struct Mosquitto {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Mosquitto {
    fn start(passwords: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = folder.path().join("mosquitto.conf");
        let user = Command::new("id").arg("-un").output().expect("id runs");
        let user = String::from_utf8_lossy(&user.stdout).into_owned();
        let text = format!(
            "listener {port} 127.0.0.1\npassword_file {}\nuser {user}",
            passwords.display()
        );
        fs::write(&config, text).expect("a file");
        let child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Mosquitto starts");
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "Mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            port,
            _folder: folder,
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_open_broker_is_one_that_was_asked_for() {
    let home = Home::new();
    for (arguments, words) in [
        (&["--listen", "0.0.0.0:0"][..], "--anonymous"),
        (
            &["--listen", "0.0.0.0:0", "--lang", "es"],
            "--password-file",
        ),
        (&["--lan=127.0.0.1", "--listen", "0.0.0.0:1883"], "--listen"),
        (&["--cert", "x", "--key", "y"], "--tls"),
        (&["--password-file", "nothing"], "cannot read nothing"),
    ] {
        let done = home.run(["broker"].iter().chain(arguments));
        assert!(done.status != Some(0), "{done:#?}");
        assert!(done.stderr.contains(words), "{done:#?}");
    }
}

#[test]
fn the_local_network_is_told_where_it_is() {
    let home = Home::new();
    let mut broker = Running::start(&home, &["--lan=127.0.0.1"]);
    broker.note("umqtt.local");
    let daemon = ServiceDaemon::new().expect("mDNS");
    daemon
        .enable_interface(IfKind::LoopbackV4)
        .expect("the loopback");
    let found = daemon.browse("_mqtt._tcp.local.").expect("a search");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut announced = false;
    while !announced && Instant::now() < deadline {
        // Other tests may announce brokers of their own at this moment.
        announced = matches!(
            found.recv_timeout(Duration::from_millis(200)),
            Ok(ServiceEvent::ServiceResolved(service)) if service.get_port() == broker.port
        );
    }
    assert!(announced);
    // A search that has ended needs no answer.
    let _ = daemon.shutdown();
}

#[test]
fn it_says_which_file_makes_clients_trust_it() {
    let name = "it_says_which_file_makes_clients_trust_it";
    need!(name, mosquitto());
    let home = Home::new();
    let tls_port = free_port().to_string();
    let mut broker = Running::start(&home, &[&format!("--tls={tls_port}")]);
    let note = broker.note("--cafile");
    let file = note
        .split_whitespace()
        .map(|word| word.trim_end_matches([';', ':']))
        .find(|word| word.ends_with("ca.crt"))
        .expect("a file");
    let arguments = ["-h", "localhost", "-t", "t", "-m", "x", "-q", "2", "-p"];
    let done = Command::new("mosquitto_pub")
        .args(arguments)
        .args([&tls_port, "--cafile", file])
        .output()
        .expect("mosquitto_pub runs");
    assert!(done.status.success(), "{note}: {done:?}");
    assert!(note.contains("ca.der"), "{note}");
}

/// CONNECT without clean session, and the answer.
#[cfg(unix)]
fn connect(port: u16, client_id: &str) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let mut packet = vec![0x10, 12 + client_id.len() as u8];
    packet.extend(b"\x00\x04MQTT\x04\x00\x00\x00\x00");
    packet.push(client_id.len() as u8);
    packet.extend(client_id.as_bytes());
    stream.write_all(&packet).expect("it takes it");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!((answer[0], answer[3]), (0x20, 0));
    (stream, answer[2])
}

/// A broker that is killed while messages pour in has kept each that it acknowledged.
#[cfg(unix)]
#[test]
fn nothing_that_was_acknowledged_is_lost_when_it_is_killed() {
    let home = Home::new();
    let keep = ["--persist", "kept"];
    let mut broker = Running::start(&home, &keep);
    let (mut reader, _) = connect(broker.port, "reader");
    // SUBSCRIBE to n with QoS 1.
    reader
        .write_all(b"\x82\x06\x00\x01\x00\x01n\x01")
        .expect("it takes it");
    reader.read_exact(&mut [0; 5]).expect("SUBACK");
    drop(reader);
    let mut acknowledged = 0_u32;
    let mut next = 0_u32;
    for round in 0..6_u32 {
        let (stream, _) = connect(broker.port, "writer");
        let mut acks = stream.try_clone().expect("a second handle");
        let first = next;
        let writing = std::thread::spawn(move || {
            let mut stream = stream;
            let mut number = first;
            loop {
                let mut packet = b"\x32\x09\x00\x01n".to_vec();
                packet.extend((number as u16 | 1).to_be_bytes());
                packet.extend(number.to_be_bytes());
                if stream.write_all(&packet).is_err() {
                    return number;
                }
                number += 1;
            }
        });
        // Killed after some acknowledgements, another number in each round.
        let wanted = 50 + round * 37;
        let mut answer = [0; 4];
        let mut count = 0;
        while count < wanted && acks.read_exact(&mut answer).is_ok() {
            assert_eq!(answer[0], 0x40);
            count += 1;
        }
        broker.child.kill().expect("SIGKILL");
        broker.child.wait().expect("its end");
        while acks.read_exact(&mut answer).is_ok() {
            count += 1;
        }
        assert!(count >= wanted);
        acknowledged = first + count;
        next = writing.join().expect("writing");
        broker = Running::start(&home, &keep);
        // What was not acknowledged may be there or not; from here on it counts as new.
        assert!(acknowledged <= next);
        let (mut reader, present) = connect(broker.port, "reader");
        assert_eq!(present, 1, "the session is there");
        let mut seen = first;
        while seen < acknowledged {
            let mut packet = [0; 11];
            reader.read_exact(&mut packet).expect("a message");
            assert!(matches!(packet[0], 0x32 | 0x3a), "{packet:?}");
            let number = u32::from_be_bytes([packet[7], packet[8], packet[9], packet[10]]);
            // In order, each once.
            assert_eq!(number, seen, "round {round}");
            seen += 1;
            reader
                .write_all(&[0x40, 2, packet[5], packet[6]])
                .expect("PUBACK");
        }
        // The rest of this round, so that the next one begins with nothing; UNSUBSCRIBE and SUBSCRIBE do not drop it.
        drop(reader);
        drain(broker.port);
    }
    assert!(acknowledged > 300);
}

/// Reads and acknowledges all that waits for the reader.
#[cfg(unix)]
fn drain(port: u16) {
    let (mut reader, _) = connect(port, "reader");
    reader.write_all(b"\xc0\x00").expect("PINGREQ");
    let mut pings = 1;
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head).expect("a packet");
        if head[0] == 0xd0 {
            // What came before the answer is acknowledged; a ping after the last message finds nothing more.
            pings -= 1;
            if pings == 0 {
                return;
            }
            continue;
        }
        let mut body = vec![0; usize::from(head[1])];
        reader.read_exact(&mut body).expect("a message");
        reader
            .write_all(&[0x40, 2, body[3], body[4], 0xc0, 0])
            .expect("PUBACK and PINGREQ");
        pings += 1;
    }
}

/// A broker that cannot write ends and says why, and does not acknowledge what it could not keep.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_it_before_it_promises_anything() {
    let home = Home::new();
    let port = free_port();
    // A file can have 100 blocks of 512 bytes or of 1 KiB; beyond that writing fails, as on a full disk.
    let line = format!(
        "trap '' XFSZ; ulimit -f 100; exec {} broker --listen {port} --persist kept",
        env!("CARGO_BIN_EXE_umqtt")
    );
    let child = home
        .umqtt(["--version"])
        .get_current_dir()
        .map(|folder| {
            Command::new("sh")
                .args(["-c", &line])
                .current_dir(folder)
                .env("LC_ALL", "C.UTF-8")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("sh starts")
        })
        .expect("a folder");
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < deadline, "it does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (mut writer, _) = connect(port, "writer");
    let mut acknowledged = 0;
    loop {
        // PUBLISH with QoS 1, retained: 1,000 bytes of payload under one of 1,000 topics.
        let mut packet = vec![0x33, 0xf0, 0x07, 0, 4];
        packet.extend(format!("{acknowledged:04}").bytes());
        packet.extend([0, 1]);
        packet.extend([b'x'; 1000]);
        let mut answer = [0; 4];
        if writer.write_all(&packet).is_err() || writer.read_exact(&mut answer).is_err() {
            break;
        }
        assert_eq!(answer, [0x40, 2, 0, 1]);
        acknowledged += 1;
    }
    let done = finish(child);
    done.expect_status(1);
    assert!(
        done.stderr.contains("cannot write") && done.stderr.contains("room on the disk"),
        "{done:#?}"
    );
    // With room, all that it had acknowledged is there.
    let broker = Running::start(&home, &["--persist", "kept"]);
    let (mut reader, _) = connect(broker.port, "reader");
    reader
        .write_all(b"\x82\x06\x00\x01\x00\x01#\x00\xc0\x00")
        .expect("SUBSCRIBE and PINGREQ");
    reader.read_exact(&mut [0; 5]).expect("SUBACK");
    let mut retained = 0;
    loop {
        let mut first = [0];
        reader.read_exact(&mut first).expect("a packet");
        if first == [0xd0] {
            break;
        }
        assert_eq!(first, [0x31]);
        reader
            .read_exact(&mut [0; 2 + 6 + 1000])
            .expect("a message");
        retained += 1;
    }
    assert!(acknowledged > 10);
    assert_eq!(retained, acknowledged);
}
