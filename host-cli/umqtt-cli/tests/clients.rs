//! `umqtt pub` and `umqtt sub` against the embedded broker, against Mosquitto, and beside Mosquitto's own clients.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command};
use std::time::Duration;

use broker::{Broker, BrokerConfig, TapOptions, TapPacket};
use common::{Home, feed, finish, free_port};
use testkit::{Access, Certificates, Mosquitto, Peer, Step, mosquitto_clients, need};

fn embedded() -> Broker {
    let mut config = BrokerConfig::default();
    config.listen.set_port(0);
    Broker::start(config).expect("a broker on a free port")
}

/// `umqtt sub` whose subscription stands.
struct Subscriber {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Subscriber {
    fn start(home: &Home, broker: &Broker, arguments: &[&str]) -> Self {
        let tap = broker.tap(TapOptions::default());
        let port = broker.addr().port().to_string();
        let mut command = home.umqtt(["sub", "-h", "127.0.0.1", "-p", &port, "-W", "80"]);
        let mut child = command.args(arguments).spawn().expect("umqtt starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let subscriber = Self { child, output };
        loop {
            let event = tap.next(Duration::from_secs(60)).expect("it subscribes");
            if matches!(event.packet, TapPacket::SubAck { .. }) {
                return subscriber;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim_end_matches('\n').to_owned()
    }

    fn finish(self) -> common::Done {
        finish(self.child)
    }
}

fn publish(home: &Home, port: u16, arguments: &[&str], input: &str) -> common::Done {
    let port = port.to_string();
    let mut command = home.umqtt(["pub", "-h", "127.0.0.1", "-p", &port]);
    command.args(arguments);
    feed(&mut command, input)
}

#[test]
fn every_form_of_a_message_arrives_at_every_qos() {
    let home = Home::new();
    std::fs::write(home.path().join("f"), "from a\nfile").expect("a file");
    let broker = embedded();
    let port = broker.addr().port();
    for qos in ["0", "1", "2"] {
        let format = ["-t", "casa/#", "-q", qos, "-C", "9", "-F", "%q %t %l %p;"];
        let mut subscriber = Subscriber::start(&home, &broker, &format);
        for (form, input, expected) in [
            (&["-m", "21,5 °C"][..], "", &["8 21,5 °C;"][..]),
            (&["-m", "-3"], "", &["2 -3;"]),
            (&["-n"], "", &["0 ;"]),
            (&["-f", "f"], "", &["11 from a", "file;"]),
            (&["-s"], "all of it", &["9 all of it;"]),
            (
                &["-l"],
                "one\ntwo\r\nthree",
                &["3 one;", "3 two;", "5 three;"],
            ),
            (&["-m", "again", "--repeat", "1"], "", &["5 again;"]),
        ] {
            let mut arguments = vec!["-t", "casa/salón", "-q", qos];
            arguments.extend(form);
            publish(&home, port, &arguments, input).expect_status(0);
            for (index, line) in expected.iter().enumerate() {
                let begins = index == 0 || form == ["-l"];
                let wanted = match begins {
                    true => format!("{qos} casa/salón {line}"),
                    false => (*line).to_owned(),
                };
                assert_eq!(subscriber.line(), wanted, "{form:?} at QoS {qos}");
            }
        }
        subscriber.finish().expect_status(0);
    }
}

#[test]
fn what_is_printed_can_be_chosen() {
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    publish(
        &home,
        port,
        &["-t", "a/kept", "-m", "1", "-r", "-q", "1"],
        "",
    )
    .expect_status(0);

    // -v, and what is retained.
    let mut all = Subscriber::start(&home, &broker, &["-t", "a/+", "-v", "-C", "2"]);
    assert_eq!(all.line(), "a/kept 1");
    let mut fresh = Subscriber::start(
        &home,
        &broker,
        &["-t", "a/#", "-R", "-T", "a/no", "-C", "1"],
    );
    let only = Subscriber::start(&home, &broker, &["-t", "a/#", "--retained-only"]);
    publish(&home, port, &["-t", "a/no", "-m", "x"], "").expect_status(0);
    publish(&home, port, &["-t", "a/new", "-m", "2"], "").expect_status(0);
    assert_eq!(all.line(), "a/no x");
    assert_eq!(fresh.line(), "2");
    all.finish().expect_status(0);
    fresh.finish().expect_status(0);
    let mut only = only;
    assert_eq!((only.line(), only.line()), ("1".to_owned(), String::new()));
    only.finish().expect_status(0);

    // Cleared, so that there is nothing, and the time is over.
    let mut clear = Subscriber::start(&home, &broker, &["-t", "#", "--remove-retained", "-C", "1"]);
    assert_eq!(clear.line(), "1");
    clear.finish().expect_status(0);
    let port = port.to_string();
    let done = home.run(["sub", "-p", &port, "-h", "127.0.0.1", "-t", "#", "-W", "1"]);
    done.expect_status(27);
    assert_eq!(done.stdout, "");
}

#[test]
fn a_session_and_a_will_are_as_asked_for() {
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    let text = port.to_string();
    let lasting = [
        "sub",
        "-h",
        "127.0.0.1",
        "-p",
        &text,
        "-t",
        "later",
        "-q",
        "2",
        "-c",
        "-i",
        "lasting",
    ];
    home.run(lasting.iter().chain(&["-E"])).expect_status(0);
    publish(&home, port, &["-t", "later", "-m", "uno", "-q", "1"], "").expect_status(0);
    publish(&home, port, &["-t", "later", "-m", "dos", "-q", "2"], "").expect_status(0);
    let done = home.run(lasting.iter().chain(&["-C", "2", "-F", "%q%p"]));
    done.expect_status(0);
    assert_eq!(done.stdout, "1uno\n2dos\n");
    // Both exchanges came to their end: nothing is sent again.
    let done = home.run(lasting.iter().chain(&["-W", "1"]));
    done.expect_status(27);
    assert_eq!(done.stdout, "");

    let mut watcher = Subscriber::start(&home, &broker, &["-t", "will", "-v", "-C", "1"]);
    let will = [
        "-t",
        "x",
        "--will-topic",
        "will",
        "--will-payload",
        "adiós",
        "--will-qos",
        "1",
    ];
    let mut gone = Subscriber::start(&home, &broker, &will);
    gone.child.kill().expect("it is ended");
    gone.child.wait().expect("its end");
    assert_eq!(watcher.line(), "will adiós");
    watcher.finish().expect_status(0);
}

#[test]
fn against_mosquitto_with_a_password_and_over_tls() {
    let name = "against_mosquitto_with_a_password_and_over_tls";
    let home = Home::new();
    let closed = need!(name, Mosquitto::start(&Access::User("ana", "una clave")));
    let port = closed.address().port();
    let login = ["-t", "t", "-m", "x", "-q", "2", "-u", "ana", "-P"];
    let with = |password| [&login[..], &[password]].concat();
    publish(&home, port, &with("una clave"), "").expect_status(0);
    for (lang, words) in [("en", "USER:PASSWORD"), ("es", "USUARIO:CONTRASEÑA")] {
        let done = publish(
            &home,
            port,
            &[&with("falsa")[..], &["--lang", lang]].concat(),
            "",
        );
        done.expect_status(1);
        assert!(done.stderr.contains(words), "{done:#?}");
    }
    let url = format!("mqtt://ana:una clave@127.0.0.1:{port}/t");
    home.run(["pub", "-L", &url, "-m", "x"]).expect_status(0);

    let certificates = need!(name, Certificates::generate());
    let secure = need!(name, Mosquitto::start(&Access::Tls(&certificates)));
    let port = secure.address().port().to_string();
    for (file, authority) in [
        ("ca.pem", &certificates.authority_pem),
        ("other.pem", &certificates.other_authority_pem),
        ("text", &"hola".to_owned()),
    ] {
        std::fs::write(home.path().join(file), authority).expect("a file");
    }
    let publish = [
        "pub",
        "-h",
        "localhost",
        "-p",
        &port,
        "-t",
        "t",
        "-m",
        "x",
        "-q",
        "1",
        "--cafile",
    ];
    home.run(publish.iter().chain(&["ca.pem"])).expect_status(0);
    let done = home.run(publish.iter().chain(&["other.pem"]));
    done.expect_status(1);
    assert!(done.stderr.contains("--cafile"), "{done:#?}");
    home.run(publish.iter().chain(&["text"])).expect_status(2);
    for version in ["tlsv1.2", "tlsv1.3"] {
        home.run(publish.iter().chain(&["ca.pem", "--tls-version", version]))
            .expect_status(0);
    }
}

/// A computer's address changes, and the certificate of its broker is for the old one.
#[test]
fn a_certificate_for_another_host_is_taken_where_that_is_asked_for() {
    let home = Home::new();
    let names = ["otro.example".to_owned()];
    let (identity, trust) =
        broker::Identity::make(home.path(), &names, &[]).expect("a certificate");
    let strangers = tempfile::tempdir().expect("a folder");
    let (_, stranger) =
        broker::Identity::make(strangers.path(), &names, &[]).expect("a certificate");
    let mut config = BrokerConfig::default();
    config.listen.set_port(0);
    config.tls = Some((config.listen, identity));
    let broker = Broker::start(config).expect("a broker on a free port");
    let port = broker.tls_addr().expect("TLS").port().to_string();
    let publish = |authority: &std::path::Path, more: &[&str]| {
        let mut arguments = vec!["pub", "-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "x"];
        let authority = authority.display().to_string();
        arguments.extend(["-q", "1", "--cafile", &authority]);
        arguments.extend(more);
        home.run(arguments).status
    };
    assert_eq!(publish(&trust.pem, &[]), Some(1));
    assert_eq!(publish(&trust.pem, &["--insecure"]), Some(0));
    assert_eq!(
        publish(&trust.pem, &["--insecure", "--tls-version", "tlsv1.2"]),
        Some(0)
    );
    // Whoever signed it counts as ever.
    assert_eq!(publish(&stranger.pem, &["--insecure"]), Some(1));
}

#[test]
fn it_prints_what_mosquitto_sub_prints() {
    let name = "it_prints_what_mosquitto_sub_prints";
    need!(name, mosquitto_clients());
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    for (topic, payload) in [
        ("a", "21"),
        ("casa/cocina", "{\"t\": 21.0, \"ñ\": 1}"),
        ("z", ""),
    ] {
        let message = match payload {
            "" => vec!["-t", topic, "-m", " ", "-r", "-q", "1"],
            payload => vec!["-t", topic, "-m", payload, "-r", "-q", "1"],
        };
        publish(&home, port, &message, "").expect_status(0);
    }
    let text = port.to_string();
    for format in [
        "%t %p",
        "%q %r %l",
        "%x|%X",
        "%12t|%-12t|%.2t|",
        "%06l|%-6l|%6q|",
        "%%@@\\\\\\t\\e",
        "@Y",
        "[%R%E]",
    ] {
        let arguments = [
            "-h",
            "127.0.0.1",
            "-p",
            &text,
            "-t",
            "#",
            "-C",
            "3",
            "-W",
            "60",
            "-F",
            format,
        ];
        let theirs = Command::new("mosquitto_sub")
            .args(arguments)
            .output()
            .expect("mosquitto_sub runs");
        let ours = home.run(["sub"].iter().chain(&arguments));
        ours.expect_status(0);
        assert_eq!(
            ours.stdout,
            String::from_utf8_lossy(&theirs.stdout),
            "{format}"
        );
    }
}

#[test]
fn json_has_the_message_and_the_end() {
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    let arguments = [
        "-t",
        "casa/salón",
        "-m",
        "21,5 °C",
        "-q",
        "2",
        "-r",
        "--json",
    ];
    let done = publish(&home, port, &arguments, "");
    done.expect_status(0);
    let lines = done.json();
    assert_eq!(
        (&lines[0]["event"], &lines[0]["messages"]),
        (&"published".into(), &1.into())
    );
    assert_eq!(lines[1]["event"], "end");
    let port = port.to_string();
    let done = home.run([
        "sub",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "#",
        "-C",
        "1",
        "--json",
    ]);
    done.expect_status(0);
    assert_eq!(
        done.published("to_client"),
        [("casa/salón".to_owned(), "21,5 °C".to_owned())]
    );
    let lines = done.json();
    assert_eq!(
        (&lines[0]["source"], &lines[0]["retain"]),
        (&"mqtt".into(), &true.into())
    );
    assert_eq!(lines[1]["event"], "end");
}

#[test]
fn what_cannot_be_done_is_explained() {
    let home = Home::new();
    let port = free_port().to_string();
    for (line, status, words) in [
        ("pub -p PORT -t t -m x", 1, "nobody listens"),
        ("sub -p PORT -t t", 1, "nobody listens"),
        ("pub -t t/# -m x", 2, "no topic to publish to"),
        ("pub -t t", 2, "missing"),
        ("pub -m x", 2, "missing"),
        ("sub -t t/#/x", 2, "no topic filter"),
        ("sub -t t -F %z", 2, "stands for nothing"),
        ("sub -t t -V mqttv5", 2, "3.1.1 only"),
        ("sub -t t -D connect x y", 2, "MQTT 5"),
        ("sub -t t --insecure", 2, "--cafile"),
        ("sub -t t --tls-version tlsv1.1", 2, "tlsv1.2"),
        ("pub -t t -m x --unix /x", 2, "TCP"),
        ("pub -t t -m x --nothing", 2, "there is no option --nothing"),
        ("pub -t t -f nothing", 1, "nothing cannot be read"),
        (
            "pub -t t -m x --cafile nothing",
            2,
            "nothing cannot be read",
        ),
        ("pub -L mqtt://ana:secreta@host -m x", 2, "names no broker"),
        ("sub -t t -q 3", 2, "3"),
    ] {
        let line = line.replace("PORT", &port);
        let done = home.run(line.split(' '));
        done.expect_status(status);
        assert!(
            done.stderr.contains(words) && !done.stderr.contains("secreta"),
            "{line}: {done:#?}"
        );
        let quiet = home.run(line.split(' ').chain(["--quiet"]));
        if status == 1 {
            quiet.expect_status(1);
            assert_eq!(quiet.stderr, "", "{line}");
        }
    }
}

/// A broker on the other side of the world, or one that takes its time over a password.
#[test]
fn a_broker_that_takes_its_time_is_waited_for() {
    let home = Home::new();
    // CONNECT with the identifier "slow" has 18 bytes.
    let let_in = [
        Step::Read(18),
        Step::Stall(Duration::from_secs(1)),
        Step::Send(vec![0x20, 2, 0, 0]),
    ];
    let play = |rest: &[Step], arguments: &[&str]| {
        let peer = Peer::start(vec![[&let_in, rest].concat()]);
        let port = peer.address().port().to_string();
        let start = [arguments, &["-h", "127.0.0.1", "-p", &port, "-i", "slow"]].concat();
        let done = home.run(start);
        done.expect_status(0);
        (done.stdout, peer.finish().remove(0))
    };
    let (_, received) = play(&[Step::ReadToEnd], &["pub", "-t", "a", "-m", "x"]);
    assert!(
        received.ends_with(&[0x30, 4, 0, 1, b'a', b'x', 0xe0, 0]),
        "{received:x?}"
    );
    let answers = [
        Step::Read(8),
        Step::Send(vec![0x90, 3, 0, 1, 0]),
        Step::Send(vec![0x30, 4, 0, 1, b'a', b'x']),
        Step::ReadToEnd,
    ];
    let (printed, received) = play(&answers, &["sub", "-t", "a", "-C", "1"]);
    assert_eq!(printed, "x\n");
    assert!(
        received[18..].starts_with(&[0x82, 6, 0, 1, 0, 1, b'a', 0]),
        "{received:x?}"
    );
}
