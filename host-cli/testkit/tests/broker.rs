//! Decides whether our client gets along with Debian's Mosquitto: QoS 0 and 1, user and password, TLS with a context.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::native::Arch;
use testkit::{
    Access, Certificates, Finished, Implementation, Interpreter, Module, Mosquitto, Program,
    Version, need, ran, skip,
};

/// Mosquitto's own client, which is nobody's but Mosquitto's idea of MQTT.
fn mosquitto_client(
    program: &str,
    address: SocketAddr,
    options: &[&str],
    arguments: &[&str],
) -> Result<Child, String> {
    Command::new(program)
        .args([
            "-h",
            if options.contains(&"--cafile") {
                "localhost"
            } else {
                "127.0.0.1"
            },
        ])
        .args(["-p", &address.port().to_string()])
        .args(options)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "{program} does not run ({error}); on Debian: apt-get install mosquitto-clients"
            )
        })
}

/// [`converse`] on this computer's own MicroPython.
fn exchange(test: &str, version: Version, access: &Access, python: &[&str], options: &[&str]) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let what = format!("MicroPython {}, against Mosquitto", version.name());
    if converse(test, &interpreter, &module, access, python, options) {
        ran(Arch::X64, &what);
    }
}

/// Runs `python/tests/broker.py` beside Mosquitto's clients and checks both sides. False where it had to be skipped.
fn converse(
    test: &str,
    interpreter: &Interpreter,
    module: &Module,
    access: &Access,
    python: &[&str],
    options: &[&str],
) -> bool {
    let broker = match Mosquitto::start(access) {
        Ok(broker) => broker,
        Err(reason) => {
            skip(test, reason);
            return false;
        }
    };
    let address = broker.address();
    let listener_arguments = [
        "-t", "test/out", "-q", "1", "-C", "3", "-F", "%q %r %p", "-W", "30",
    ];
    let listener = mosquitto_client("mosquitto_sub", address, options, &listener_arguments);
    // A retained message reaches the client whenever it subscribes.
    let sender_arguments = ["-t", "test/in", "-q", "1", "-r", "-m", "desde fuera: ñ"];
    let sender = mosquitto_client("mosquitto_pub", address, options, &sender_arguments);
    let (mut listener, mut sender) = match (listener, sender) {
        (Ok(listener), Ok(sender)) => (listener, sender),
        (Err(reason), _) | (_, Err(reason)) => {
            skip(test, reason);
            return false;
        }
    };
    let sent = sender.wait().expect("waiting for mosquitto_pub");
    assert!(sent.success(), "mosquitto_pub failed: {}", broker.log());
    let mut output = String::new();
    let finished = run(interpreter, module, address, python);
    let printed = finished.expect_success(&format!("broker.py {python:?}\n{}", broker.log()));
    listener
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut output)
        .expect("reading mosquitto_sub");
    listener.wait().expect("waiting for mosquitto_sub");
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "connected 0",
            "subscribed",
            "loop works",
            "identifiers wrap",
            "reads one message at a time [(b'test/loop', b'first'), (b'test/loop', b'second')]",
            "check_msg (b'test/loop', b'checked')",
            "unsubscribed",
            "received (b'test/in', b'desde fuera: \\xc3\\xb1')",
            "ping None",
            "disconnected",
        ]
    );
    assert_eq!(output, "0 0 con QoS 0\n1 0 con QoS 1\n1 0 retenido\n");
    true
}

fn run(
    interpreter: &Interpreter,
    module: &Module,
    address: SocketAddr,
    python: &[&str],
) -> Finished {
    let host = if python[0] == "TLS" {
        "localhost"
    } else {
        "127.0.0.1"
    };
    let mut program = Program::new(interpreter, module, "broker")
        .argument(host)
        .argument(address.port())
        .limit(Duration::from_secs(30));
    for argument in python {
        program = program.argument(argument);
    }
    program.run()
}

#[test]
fn mosquitto_on_1_25() {
    exchange(
        "mosquitto_on_1_25",
        Version::V1_25,
        &Access::Anonymous,
        &["PLAIN"],
        &[],
    );
}

#[test]
fn mosquitto_on_1_26() {
    exchange(
        "mosquitto_on_1_26",
        Version::V1_26,
        &Access::Anonymous,
        &["PLAIN"],
        &[],
    );
}

#[test]
fn mosquitto_on_x86() {
    let test = "mosquitto_on_x86";
    let interpreter = need!(test, Interpreter::x86());
    let module = need!(test, Module::empty());
    let file = testkit::repository().join("native-module/prebuilt/x86/umqtt/simple.mpy");
    need!(test, module.add(&file, "simple.mpy"));
    if converse(
        test,
        &interpreter,
        &module,
        &Access::Anonymous,
        &["PLAIN"],
        &[],
    ) {
        ran(
            Arch::X86,
            "MicroPython 1.26 for 32-bit x86, against Mosquitto",
        );
    }
}

#[test]
fn mosquitto_with_user_on_1_25() {
    with_user("mosquitto_with_user_on_1_25", Version::V1_25);
}

#[test]
fn mosquitto_with_user_on_1_26() {
    with_user("mosquitto_with_user_on_1_26", Version::V1_26);
}

fn with_user(test: &str, version: Version) {
    let access = Access::User("alumna", "contraseña");
    exchange(
        test,
        version,
        &access,
        &["USER", "alumna", "contraseña"],
        &["-u", "alumna", "-P", "contraseña"],
    );
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let broker = need!(test, Mosquitto::start(&access));
    for wrong in [["USER", "alumna", "otra"], ["USER", "otra", "contraseña"]] {
        let printed =
            run(&interpreter, &module, broker.address(), &wrong).expect_success("broker.py");
        assert_eq!(
            printed, "refused MQTTException (5, 'not authorized')\n",
            "{wrong:?}"
        );
    }
}

#[test]
fn mosquitto_over_tls_on_1_25() {
    over_tls("mosquitto_over_tls_on_1_25", Version::V1_25);
}

#[test]
fn mosquitto_over_tls_on_1_26() {
    over_tls("mosquitto_over_tls_on_1_26", Version::V1_26);
}

fn over_tls(test: &str, version: Version) {
    let certificates = need!(test, Certificates::generate());
    let folder = tempfile::tempdir().expect("a scratch folder");
    let authority = folder.path().join("ca.pem").display().to_string();
    let other = folder.path().join("other.pem").display().to_string();
    std::fs::write(&authority, &certificates.authority_pem).expect("writing the authority");
    std::fs::write(&other, &certificates.other_authority_pem).expect("writing the other authority");
    let access = Access::Tls(&certificates);
    exchange(
        test,
        version,
        &access,
        &["TLS", &authority],
        &["--cafile", &authority],
    );
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let broker = need!(test, Mosquitto::start(&access));
    let printed =
        run(&interpreter, &module, broker.address(), &["TLS", &other]).expect_success("broker.py");
    assert!(
        printed.starts_with("refused "),
        "a server signed by another authority was accepted:\n{printed}"
    );
}
