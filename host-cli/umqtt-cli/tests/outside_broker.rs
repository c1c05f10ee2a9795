//! A script and the command together on a broker that somebody else runs: Debian's Mosquitto, open, with
//! a user and password, and over TLS.
#![cfg(unix)]

mod common;

use common::{Done, Home, expect_no_process, finish, micropython};
use testkit::{Access, Certificates, Mosquitto, need};

/// A script that publishes with both QoS through a client made with `arguments`.
fn script(arguments: &str) -> String {
    format!(
        "from umqtt.simple import MQTTClient\nclient = MQTTClient('board', {arguments})\nclient.connect()\n\
         client.publish('aula/ñ', '21,5 °C')\nclient.publish('aula/ñ', 'uno', qos=1)\nclient.disconnect()\nprint('done')\n"
    )
}

#[track_caller]
fn expect_both_messages(done: &Done) {
    done.expect_status(0);
    assert_eq!(done.script_output(), "done\n");
    let expected = ["21,5 °C", "uno"].map(|payload| ("aula/ñ".to_owned(), payload.to_owned()));
    assert_eq!(
        done.published("to_client"),
        expected,
        "what the observer saw: {done:#?}"
    );
}

#[test]
fn an_open_mosquitto_stands_in_for_public_brokers() {
    let test = "an_open_mosquitto_stands_in_for_public_brokers";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
    let home = Home::new();
    home.script("main.py", script("'broker.emqx.io'"));
    let address = mosquitto.address().to_string();
    expect_both_messages(&home.run([
        "run", "main.py", "--port", "sim", "--broker", &address, "--json",
    ]));
    expect_no_process();
}

#[test]
fn a_user_and_password_are_passed_on() {
    let test = "a_user_and_password_are_passed_on";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::User("ana", "se@cre:ta")));
    let home = Home::new();
    home.script(
        "main.py",
        script("'test.mosquitto.org', user='ana', password='se@cre:ta'"),
    );
    let run = |login: &str| {
        let broker = format!("mqtt://{login}@{}", mosquitto.address());
        home.run([
            "run", "main.py", "--port", "sim", "--broker", &broker, "--json",
        ])
    };
    expect_both_messages(&run("ana:se@cre:ta"));
    let refused = run("ana:wrong");
    refused.expect_status(1);
    assert!(
        refused.stderr.contains("refused") && refused.stderr.contains("password"),
        "{refused:#?}"
    );
    assert!(
        !refused.stderr.contains("wrong"),
        "the password is not shown: {refused:#?}"
    );
}

#[test]
fn tls_trusts_only_the_right_authority() {
    let test = "tls_trusts_only_the_right_authority";
    need!(test, micropython());
    let certificates = need!(test, Certificates::generate());
    let mosquitto = need!(test, Mosquitto::start(&Access::Tls(&certificates)));
    let home = Home::new();
    let port = mosquitto.address().port();
    let context = "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\ncontext.verify_mode = ssl.CERT_REQUIRED\n\
                   with open('/authority.pem', 'rb') as file:\n    context.load_verify_locations(file.read() + b'\\0')\n";
    home.script(
        "main.py",
        format!(
            "{context}{}",
            script(&format!("'localhost', {port}, ssl=context"))
        ),
    );
    let run = |boards: &str, observers: &str| {
        std::fs::write(home.flash().join("authority.pem"), boards).expect("the board's authority");
        let observers = home.script("authority.pem", observers);
        let broker = format!("mqtts://localhost:{port}");
        let mut command = home.umqtt([
            "run", "main.py", "--port", "sim", "--broker", &broker, "--json",
        ]);
        finish(
            command
                .env("SSL_CERT_FILE", observers)
                .spawn()
                .expect("umqtt starts"),
        )
    };
    let (right, wrong) = (
        &certificates.authority_pem,
        &certificates.other_authority_pem,
    );
    expect_both_messages(&run(right, right));
    let observer = run(right, wrong);
    observer.expect_status(1);
    assert!(
        observer.stderr.contains("TLS") && observer.stderr.contains("SSL_CERT_FILE"),
        "{observer:#?}"
    );
    let board = run(wrong, right);
    board.expect_status(1);
    assert!(
        board.stdout.contains("trusted CA") && board.published("to_client").is_empty(),
        "{board:#?}"
    );
}

/// What the lesson about reconnecting does: the broker ends while a script runs, and comes back.
#[test]
fn messages_are_shown_again_when_the_broker_is_back() {
    use std::io::{BufRead, BufReader};

    need!(
        "messages_are_shown_again_when_the_broker_is_back",
        micropython()
    );
    let home = Home::new();
    home.script(
        "main.py",
        "from umqtt.simple import MQTTClient\nimport time\n\
         client = MQTTClient('board', 'test.mosquitto.org', keepalive=30, reconnect=(0.1, 0.5))\n\
         client.connect()\nnumber = 0\n\
         while True:\n    number += 1\n    client.publish('n', str(number), qos=1)\n    time.sleep_ms(200)\n",
    );
    let mut config = broker::BrokerConfig::default();
    config.listen.set_port(0);
    let first = broker::Broker::start(config.clone()).expect("a broker on a free port");
    config.listen = first.addr();
    let address = first.addr().to_string();
    let mut child = home
        .umqtt([
            "run",
            "main.py",
            "--port",
            "sim",
            "--broker",
            &address,
            "--json",
            "--lang",
            "es",
            "--seconds",
            "90",
        ])
        .spawn()
        .expect("umqtt starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut lines = lines.map_while(Result::ok);
    let mut wait_for = |what: &str| {
        let found = lines.any(|line| line.contains(what));
        assert!(found, "it ended without {what}");
    };
    wait_for("\"PUBLISH\"");
    drop(first);
    wait_for("se perdió la conexión");
    let _second = broker::Broker::start(config).expect("the same port");
    wait_for("ha vuelto");
    wait_for("\"PUBLISH\"");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::INT,
    )
    .expect("Ctrl-C");
    drop(lines);
    finish(child);
    expect_no_process();
}
