//! `umqtt doctor` in each broken state, which each test brings about: real MicroPython in the simulated board with a full
//! filesystem, a module for another architecture, an unset clock, an old version; a fake port where no board here can be
//! broken so. What a cable, a driver and a group look like is tested where they are read, on a folder in the place of
//! Linux's `/sys`.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use board_sim::{MicroPython, SimBoard, SimConfig};
use common::{Done, Home, finish, micropython, repository};
use serde_json::Value;
use testkit::{FakePort, need};

/// The line of one check.
#[track_caller]
fn check(done: &Done, name: &str) -> Value {
    let lines = done.json();
    let found = lines.iter().find(|line| line["check"] == name);
    found
        .cloned()
        .unwrap_or_else(|| panic!("nothing about {name}: {done:#?}"))
}

/// Expects this one problem and no other, with these words in the help, in both languages.
#[track_caller]
fn expect_problem(home: &Home, arguments: &[&str], name: &str, help: [&str; 2]) {
    let run = |extra: &[&str]| {
        let all: Vec<&str> = ["doctor"]
            .iter()
            .chain(arguments)
            .chain(extra)
            .copied()
            .collect();
        let done = home.run(all);
        done.expect_status(1);
        done
    };
    let done = run(&["--json"]);
    let problems: Vec<Value> = done
        .json()
        .into_iter()
        .filter(|line| line["verdict"] == "problem")
        .collect();
    assert_eq!(problems.len(), 1, "{done:#?}");
    let found = check(&done, name);
    assert_eq!(found["verdict"], "problem", "{done:#?}");
    let said = found["help"].as_str().unwrap_or_default();
    assert!(said.contains(help[0]), "{:?} is not in {said:?}", help[0]);
    let spanish = run(&["--lang", "es"]);
    assert!(spanish.stdout.contains("PROBLEMA"), "{spanish:#?}");
    assert!(
        spanish.stdout.contains(help[1]),
        "{:?}: {spanish:#?}",
        help[1]
    );
    assert!(spanish.stdout.contains("problemas: 1"), "{spanish:#?}");
}

/// A simulated board as an attached one, with 256 KiB of files, whose boot.py has set the clock.
fn board(home: &Home, micropython: MicroPython) -> (SimBoard, String) {
    fs::write(
        home.flash().join("boot.py"),
        "import ntptime\nntptime.settime()\nopen('set', 'w').close()\n",
    )
    .expect("boot.py");
    let started = start(home, micropython);
    // Whoever connects before interrupts boot.py.
    let begun = Instant::now();
    while fs::remove_file(home.flash().join("set")).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no boot.py runs");
        std::thread::sleep(Duration::from_millis(10));
    }
    started
}

/// The same with whatever its files are.
fn start(home: &Home, micropython: MicroPython) -> (SimBoard, String) {
    let config = SimConfig {
        flash: 256 * 1024,
        ..SimConfig::new(home.flash(), micropython)
    };
    let board = SimBoard::start(config).expect("a board");
    let device = board.device().display().to_string();
    (board, device)
}

#[test]
fn a_board_that_is_well_is_said_to_be() {
    let micropython = need!("a_board_that_is_well_is_said_to_be", micropython());
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    home.run(["install", "--port", &device]).expect_status(0);
    let done = home.run([
        "doctor",
        "--port",
        &device,
        "--wifi",
        "Wokwi-GUEST",
        "--json",
    ]);
    done.expect_status(0);
    for name in [
        "permission",
        "other programs",
        "firmware",
        "version",
        "modules",
        "filesystem",
        "clock",
        "wifi",
    ] {
        assert_eq!(check(&done, name)["verdict"], "well", "{done:#?}");
    }
    let end = done.said("summary");
    assert_eq!(
        (&end["problems"], &end["not_looked_at"]),
        (&0.into(), &serde_json::json!(["cable", "driver"]))
    );
    let text = home.run(["doctor", "--port", "sim", "--lang", "es"]);
    text.expect_status(0);
    assert!(text.stdout.contains("nada lo impide"), "{text:#?}");
}

#[test]
fn a_module_for_another_architecture_is_found() {
    let micropython = need!("a_module_for_another_architecture_is_found", micropython());
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    fs::create_dir(home.flash().join("umqtt")).expect("a folder");
    let module = repository().join("native-module/prebuilt/xtensawin/umqtt/simple.mpy");
    fs::copy(module, home.flash().join("umqtt/simple.mpy")).expect("the wrong module");
    expect_problem(
        &home,
        &["--port", &device],
        "modules",
        ["umqtt install", "umqtt install"],
    );
    // Half a file that a broken copy left.
    fs::write(home.flash().join("umqtt/simple.mpy"), b"M\x06").expect("half a module");
    expect_problem(
        &home,
        &["--port", &device],
        "modules",
        ["umqtt install", "está a medias"],
    );
}

#[test]
fn a_full_filesystem_is_found() {
    let micropython = need!("a_full_filesystem_is_found", micropython());
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    fs::write(home.flash().join("datos.bin"), vec![7; 240 * 1024]).expect("a large file");
    expect_problem(
        &home,
        &["--port", &device],
        "filesystem",
        ["umqtt fs rm", "umqtt fs rm"],
    );
}

#[test]
fn a_clock_that_is_not_set_is_found() {
    let micropython = need!("a_clock_that_is_not_set_is_found", micropython());
    let home = Home::new();
    let (_board, device) = start(&home, micropython);
    // A board without a battery believes to be in 2000 after power came, and no boot.py has set it right.
    home.run(["install", "--port", &device]).expect_status(0);
    expect_problem(
        &home,
        &["--port", &device],
        "clock",
        ["ntptime.settime()", "ntptime.settime()"],
    );
}

#[test]
fn a_micropython_that_is_too_old_is_found() {
    let micropython = need!("a_micropython_that_is_too_old_is_found", micropython());
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    // What `sys.implementation` of MicroPython 1.22 says on an ESP32: .mpy 6.2.
    let old = "import sys, collections\n\
               fields = ('name', 'version', '_machine', '_mpy')\n\
               values = ('micropython', (1, 22, 2, ''), 'Generic ESP32 module with ESP32', 0x2a06)\n\
               sys.implementation = collections.namedtuple('implementation', fields)(*values)\n\
               import ntptime\nntptime.settime()\n";
    fs::write(home.flash().join("boot.py"), old).expect("boot.py");
    // A soft reset, so that boot.py runs.
    home.run(["install", "--port", &device]);
    expect_problem(
        &home,
        &["--port", &device],
        "version",
        ["umqtt flash --board esp32", "demasiado antiguo"],
    );
}

#[test]
fn a_network_that_the_board_does_not_see_is_found() {
    let micropython = need!(
        "a_network_that_the_board_does_not_see_is_found",
        micropython()
    );
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    let arguments = ["--port", &device, "--wifi", "Aula"];
    let again = "umqtt doctor --wifi \"Aula\"";
    expect_problem(&home, &arguments, "wifi", [again, again]);
    // A fake nmcli in the place of this computer's own view of the air.
    let folder = home.path().join("bin");
    fs::create_dir(&folder).expect("a folder");
    let nmcli = folder.join("nmcli");
    fs::write(
        &nmcli,
        "#!/bin/sh\necho '2437 MHz:Casa'\necho '5180 MHz:Aula'\n",
    )
    .expect("a script");
    fs::set_permissions(&nmcli, fs::Permissions::from_mode(0o755)).expect("it may run");
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = home.umqtt(["doctor", "--json"].iter().chain(&arguments));
    let done = finish(command.env("PATH", path).spawn().expect("umqtt starts"));
    let found = check(&done, "wifi");
    let message = found["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("Aula is on 5 GHz alone") && message.contains("Wokwi-GUEST"),
        "{found}"
    );
}

#[test]
fn a_port_that_another_program_has_is_found() {
    let home = Home::new();
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    let held = fs::File::open(&device).expect("it opens");
    let kill = format!("kill {}", std::process::id());
    if cfg!(target_os = "linux") {
        expect_problem(
            &home,
            &["--port", &device],
            "other programs",
            [&kill, &kill],
        );
    }
    drop(held);
}

#[test]
fn a_board_in_its_bootloader_or_without_firmware_is_found() {
    let home = Home::new();
    let cases: [(&[u8], [&str; 2]); 2] = [
        (
            b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n",
            ["let go of BOOT", "suelta BOOT"],
        ),
        (
            b"invalid header: 0xffffffff\r\n",
            ["umqtt flash", "umqtt flash"],
        ),
    ];
    for (says, help) in cases {
        let port = FakePort::start(move |_| says.to_vec()).expect("a pseudo-terminal");
        let device = port.device().display().to_string();
        expect_problem(&home, &["--port", &device], "firmware", help);
    }
}

#[test]
fn a_board_that_says_nothing_is_found() {
    let home = Home::new();
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    let done = home.run(["doctor", "--port", &device, "--json"]);
    done.expect_status(1);
    let last = done
        .json()
        .into_iter()
        .rfind(|line| line["check"] == "firmware")
        .expect("it is named");
    assert_eq!(last["verdict"], "problem", "{done:#?}");
    assert!(
        last["help"]
            .as_str()
            .is_some_and(|help| help.contains("reset button")),
        "{last}"
    );
}

#[test]
fn a_port_without_permission_is_found() {
    let home = Home::new();
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    fs::set_permissions(&device, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Root may open everything, so root's tests ask as somebody else, who needs a copy of the program to reach.
    let shared = tempfile::Builder::new()
        .prefix("umqtt-test-")
        .tempdir()
        .expect("a folder");
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let program = shared.path().join("umqtt");
    fs::copy(env!("CARGO_BIN_EXE_umqtt"), &program).expect("a copy");
    for (lang, words) in [("en", "sudo "), ("es", "PROBLEMA")] {
        let mut command = std::process::Command::new(&program);
        command
            .args(["doctor", "--port", &device, "--lang", lang])
            .current_dir(shared.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        let done = finish(command.spawn().expect("umqtt starts"));
        done.expect_status(1);
        let label = if lang == "es" {
            "permiso: "
        } else {
            "permission: "
        };
        assert!(
            done.stdout.contains(label)
                && done.stdout.contains(words)
                && done.stdout.contains("sudo "),
            "{done:#?}"
        );
    }
    drop(home);
}

/// A folder in the place of Linux's root, with one USB device that no driver has made a port of.
fn root_with(home: &Home, device: Option<(&str, &str)>) -> std::path::PathBuf {
    let root = home.path().join("root");
    let devices = root.join("sys/bus/usb/devices");
    fs::create_dir_all(&devices).expect("a folder");
    if let Some((vendor, product)) = device {
        let device = devices.join("1-2");
        fs::create_dir_all(&device).expect("a folder");
        fs::write(device.join("idVendor"), vendor).expect("a file");
        fs::write(device.join("idProduct"), product).expect("a file");
        fs::create_dir_all(devices.join("1-2:1.0/power")).expect("a folder");
    }
    root
}

#[test]
fn a_cable_that_only_charges_and_a_driver_that_is_missing_are_found() {
    const NAME: &str = "a_cable_that_only_charges_and_a_driver_that_is_missing_are_found";
    let ports = board_link::list().expect("the ports");
    if ports.iter().any(|port| port.usb.is_some()) {
        return testkit::skip(NAME, "a board is attached, whose cable and driver are well");
    }
    let cases = [
        (None, "cable", ["only charges", "solo carga"], "umqtt ports"),
        (
            Some(("10c4", "ea60")),
            "driver",
            ["has no serial port", "no tiene puerto serie"],
            "sudo modprobe cp210x",
        ),
    ];
    for (device, name, messages, command) in cases {
        let home = Home::new();
        let root = root_with(&home, device);
        for (lang, message) in ["en", "es"].into_iter().zip(messages) {
            let run = |extra: &[&str]| {
                let mut doctor = home.umqtt(["doctor", "--lang", lang].iter().chain(extra));
                doctor.env("UMQTT_TEST_ROOT", &root);
                let done = finish(doctor.spawn().expect("umqtt starts"));
                done.expect_status(1);
                done
            };
            let done = run(&["--json"]);
            let found = check(&done, name);
            assert_eq!(found["verdict"], "problem", "{done:#?}");
            let said = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            assert!(said("message").contains(message), "{found}");
            assert!(said("help").contains(command), "{found}");
            let text = run(&[]).stdout;
            assert!(text.contains(message) && text.contains(command), "{text}");
        }
    }
}

#[test]
fn a_port_that_is_not_there_is_a_problem_of_the_cable() {
    let home = Home::new();
    expect_problem(
        &home,
        &["--port", "/dev/ttyUSB99"],
        "cable",
        ["umqtt ports", "umqtt ports"],
    );
    home.run(["doctor", "--port", "socket://x"])
        .expect_status(2);
}
