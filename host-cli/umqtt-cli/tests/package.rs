//! `umqtt package` from the outside: the file it writes, what it says, and who takes it: `umqtt install`, and mpremote's
//! `mip install` from a web server and from a folder.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use board_sim::{SimBoard, SimConfig};
use common::{Home, micropython, repository};
use testkit::need;

/// Packs the lesson `publicar` for the simulated board, and unpacks the file as a web server's owner would.
fn packed(home: &Home) -> PathBuf {
    let lesson = repository().join("examples/publicar");
    let done = home.run([
        "package".as_ref(),
        lesson.as_os_str(),
        "-o".as_ref(),
        "clase.zip".as_ref(),
        "--board".as_ref(),
        "sim".as_ref(),
    ]);
    done.expect_status(0);
    assert!(
        done.stdout.contains("main.py") && done.stdout.contains("x64"),
        "{done:#?}"
    );
    let folder = home.path().join("www");
    let file = fs::File::open(home.path().join("clase.zip")).expect("the file");
    zip::ZipArchive::new(file)
        .expect("a zip file")
        .extract(&folder)
        .expect("it unpacks");
    folder
}

#[test]
fn a_package_is_written_whole_and_the_same_every_time() {
    let home = Home::new();
    let lesson = repository().join("examples/publicar");
    let pack = |name: &str| {
        home.run([
            "package".as_ref(),
            lesson.as_os_str(),
            "-o".as_ref(),
            name.as_ref(),
        ])
        .expect_status(0);
        fs::read(home.path().join(name)).expect("the file")
    };
    assert_eq!(pack("a.zip"), pack("b.zip"));
    let done = home.run(["package".as_ref(), lesson.as_os_str(), "--json".as_ref()]);
    done.expect_status(0);
    let object = done.json().remove(0);
    assert_eq!(object["file"], "publicar.zip");
    assert_eq!(
        object["left_out"],
        serde_json::json!(["LEEME.md", "diagram.json"])
    );
    assert!(
        object["modules"]
            .as_array()
            .is_some_and(|archs| archs.len() == 6),
        "{object}"
    );
    let left: Vec<_> = fs::read_dir(home.path())
        .expect("it")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left.len(), 4, "a temporary file stayed: {left:?}");
}

#[test]
fn what_cannot_be_packed_is_said() {
    let home = Home::new();
    home.run(["package", "nowhere"]).expect_status(1);
    fs::create_dir(home.path().join("leer")).expect("a folder");
    let done = home.run(["package", "leer", "--lang", "es"]);
    done.expect_status(2);
    assert!(done.stderr.contains("no hay main.py"), "{done:#?}");
    fs::write(home.path().join("leer/main.py"), "").expect("a file");
    fs::write(home.path().join("leer/secrets.py"), "WIFI = 'x'").expect("a file");
    home.run(["package", "leer", "--board", "esp64"])
        .expect_status(2);
    home.run(["package", "leer", "-o", "no/such/folder/x.zip"])
        .expect_status(1);
    let done = home.run(["package", "leer"]);
    done.expect_status(0);
    assert!(done.stderr.contains("secrets.py goes with it"), "{done:#?}");
}

/// Serves a folder's files over HTTP on the loopback until the process ends; gives the port.
fn serve(folder: &Path) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .trim_start_matches('/');
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            // A client that goes away is its own affair.
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    port
}

#[test]
fn mpremote_installs_what_the_package_says() {
    let name = "mpremote_installs_what_the_package_says";
    let micropython = need!(name, micropython());
    let mpremote = need!(
        name,
        testkit::mpremote(Path::new(env!("CARGO_TARGET_TMPDIR")))
    );
    let home = Home::new();
    let folder = packed(&home);
    let port = serve(&folder);
    // From the web server, as a board's own mip does, and from the folder itself.
    let sources = [
        format!("http://127.0.0.1:{port}/package.json"),
        folder.join("package.json").display().to_string(),
    ];
    for (number, source) in sources.iter().enumerate() {
        let board = home.board(number, &micropython);
        let flash = home.flash_of(number);
        let run = Command::new(&mpremote)
            .arg("connect")
            .arg(board.device())
            .args(["mip", "install", "--target", "/", source])
            .output()
            .expect("mpremote starts");
        let text = String::from_utf8_lossy(&run.stdout).into_owned()
            + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && text.contains("Done"), "{text}");
        expect_lesson(&flash, &folder);
    }
}

#[test]
fn install_takes_a_lesson() {
    let micropython = need!("install_takes_a_lesson", micropython());
    let home = Home::new();
    let folder = packed(&home);
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    home.run(["install", "clase.zip", "--port", &device])
        .expect_status(0);
    expect_lesson(&home.flash(), &folder);
    let again = home.run(["install", "clase.zip", "--port", &device]);
    assert!(again.stdout.contains("nothing was written"), "{again:#?}");

    // One byte of a compressed file: refused, and the board is as it was.
    let mut bytes = fs::read(home.path().join("clase.zip")).expect("the file");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(home.path().join("clase.zip"), &bytes).expect("the file");
    fs::remove_file(home.flash().join("main.py")).expect("it goes");
    let refused = home.run(["install", "clase.zip", "--port", &device, "--lang", "es"]);
    refused.expect_status(1);
    assert!(refused.stderr.contains("no se usa"), "{refused:#?}");
    assert!(!home.flash().join("main.py").exists());
}

/// The lesson is on this flash as it was packed.
fn expect_lesson(flash: &Path, folder: &Path) {
    for path in ["main.py", "umqtt/robust.py", "umqtt/aio.py", "upip.py"] {
        let packed = fs::read(folder.join("files").join(path)).expect(path);
        assert_eq!(fs::read(flash.join(path)).expect(path), packed);
    }
    let module = fs::read(flash.join("umqtt/simple.mpy")).expect("the module");
    let committed = repository().join("native-module/prebuilt/x64/umqtt/simple.mpy");
    assert_eq!(module, fs::read(committed).expect("the committed module"));
}
