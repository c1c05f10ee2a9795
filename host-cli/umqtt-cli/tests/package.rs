//! `umqtt package` from the outside: the file it writes, what it says, and who takes it: `umqtt install`, and mpremote's
//! `mip install` from a web server and from a folder.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use board_sim::{MicroPython, SimBoard, SimConfig};
use common::{Home, micropython, repository};
use testkit::{Version, need};

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
    unpacked(home, "clase.zip", "www")
}

fn unpacked(home: &Home, name: &str, folder: &str) -> PathBuf {
    let folder = home.path().join(folder);
    let file = fs::File::open(home.path().join(name)).expect("the file");
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
            let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
            let (status, body) = match fs::read(folder.join(&*path)) {
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

/// A lesson with names that an address cannot have as they are.
fn odd_lesson(home: &Home) {
    let folder = home.path().join("lección 1");
    fs::create_dir_all(folder.join("más datos")).expect("folders");
    let every: Vec<u8> = (0..=255).cycle().take(5000).collect();
    for (name, content) in [
        ("main.py", "import ayuda\n".as_bytes()),
        ("ayuda.py", b"print('ayuda')\n"),
        ("más datos/50% \"ñ\"?#.bin", &every),
        ("vacío.txt", b""),
    ] {
        fs::write(folder.join(name), content).expect("a file");
    }
}

/// MicroPython's own mip, on the board: it fetches what `--url` says, and says itself what it makes of a package without.
#[test]
fn a_board_fetches_a_package_that_names_its_address() {
    let name = "a_board_fetches_a_package_that_names_its_address";
    for version in Version::ALL {
        let found = MicroPython::find(&version.find_options(), &mut |_| {});
        let micropython = need!(name, found.map_err(|error| error.to_string()));
        fetched_by(name, version, &micropython);
    }
}

fn fetched_by(name: &str, version: Version, micropython: &MicroPython) {
    let mpremote = need!(
        name,
        testkit::mpremote(Path::new(env!("CARGO_TARGET_TMPDIR")))
    );
    let home = Home::new();
    odd_lesson(&home);
    let www = home.path().join("www");
    fs::create_dir(&www).expect("a folder");
    let port = serve(&www);
    let at = format!("http://127.0.0.1:{port}");
    let lesson = home.path().join("lección 1");
    let pack = |more: &[&str]| {
        let arguments = ["package", "lección 1", "-o", "con.zip", "--board", "sim"];
        let done = home.run(arguments.iter().chain(more));
        done.expect_status(0);
        done
    };
    let install = |board: &SimBoard, url: &str| {
        let code = format!("import mip; mip.install({url:?}, target=\"/\")");
        let device = board.device().display().to_string();
        home.run(["exec", &code, "--port", &device])
    };
    let boards = |flash: &str| {
        let flash = home.path().join(flash);
        fs::create_dir(&flash).expect("a folder");
        let board = SimBoard::start(SimConfig::new(&flash, micropython.clone())).expect("a board");
        (board, flash)
    };

    let done = pack(&["--url", &format!("{at}/mi clase/")]);
    let url = format!("{at}/mi%20clase/package.json");
    assert!(
        done.stdout
            .contains(&format!("mip.install({url:?}, target=\"/\")")),
        "{done:#?}"
    );
    let once = fs::read(home.path().join("con.zip")).expect("the file");
    pack(&["--url", &format!("{at}/mi%20clase")]);
    assert_eq!(once, fs::read(home.path().join("con.zip")).expect("again"));
    let folder = unpacked(&home, "con.zip", "www/mi clase");
    let (board, flash) = boards("flash1");
    let device = board.device().display().to_string();
    let code = "import sys; print('%d.%d' % sys.implementation[1][:2])";
    let said = home.run(["exec", code, "--port", &device]);
    assert_eq!(said.stdout.trim(), version.name(), "{said:#?}");
    let done = install(&board, &url);
    done.expect_status(0);
    assert!(done.stdout.ends_with("Done\n"), "{done:#?}");
    expect_same(&flash, &folder, &lesson);
    // What it installed is what the board can use.
    let done = home.run(["exec", "import main, umqtt.simple", "--port", &device]);
    done.expect_status(0);
    assert_eq!(done.stdout, "ayuda\n");

    // The zip is also a lesson as any other.
    let (board, flash) = boards("flash2");
    let device = board.device().display().to_string();
    home.run(["install", "con.zip", "--port", &device])
        .expect_status(0);
    expect_same(&flash, &folder, &lesson);

    // mpremote takes it as well.
    let (board, flash) = boards("flash3");
    let run = Command::new(&mpremote)
        .arg("connect")
        .arg(board.device())
        .args(["mip", "install", "--target", "/", &url])
        .output()
        .expect("mpremote starts");
    assert!(run.status.success(), "{run:?}");
    expect_same(&flash, &folder, &lesson);

    // Without an address: nothing is written, and mip's own words are those that the help names.
    pack(&[]);
    unpacked(&home, "con.zip", "www/sin");
    let (board, flash) = boards("flash4");
    let done = install(&board, &format!("{at}/sin/package.json"));
    if done.status == Some(0) {
        // A newer mip.
        expect_same(&flash, &home.path().join("www/sin"), &lesson);
    } else {
        assert!(done.stderr.contains("ValueError"), "{done:#?}");
        assert_eq!(fs::read_dir(&flash).expect("it").count(), 0);
    }
}

/// A flash holds what was packed, byte by byte, and the packed files are the lesson's.
#[track_caller]
fn expect_same(flash: &Path, folder: &Path, lesson: &Path) {
    let listed = |path: &str| fs::read(folder.join(path)).expect(path);
    let manifest: serde_json::Value =
        serde_json::from_slice(&listed("manifest.json")).expect("a manifest");
    let entries = manifest["files"].as_array().expect("files");
    let paths: Vec<&str> = (entries.iter())
        .filter_map(|entry| entry["path"].as_str())
        .collect();
    for path in &paths {
        let packed = listed(&format!("files/{path}"));
        assert_eq!(fs::read(flash.join(path)).expect(path), packed, "{path}");
        if !path.starts_with("umqtt/") && *path != "upip.py" {
            assert_eq!(fs::read(lesson.join(path)).expect(path), packed, "{path}");
        }
    }
    assert!(paths.contains(&"más datos/50% \"ñ\"?#.bin") && paths.contains(&"vacío.txt"));
    let module = fs::read(flash.join("umqtt/simple.mpy")).expect("the module");
    assert_eq!(module, listed("modules/x64/umqtt/simple.mpy"));
}

#[test]
fn an_address_that_mip_cannot_use_is_refused() {
    let home = Home::new();
    odd_lesson(&home);
    for (url, lang, why) in [
        (
            "ftp://h/x",
            "en",
            "mip takes http://, https://, github: and gitlab:",
        ),
        (
            "github:ana",
            "es",
            "debe seguir un usuario y un repositorio",
        ),
        ("http://h:x/", "en", "the port is no number"),
        ("http://h/?a", "es", "su ruta tiene"),
        ("", "en", "mip takes"),
    ] {
        let arguments = [
            "package",
            "lección 1",
            "-o",
            "x.zip",
            "--url",
            url,
            "--lang",
            lang,
        ];
        let done = home.run(arguments);
        done.expect_status(2);
        assert!(done.stderr.contains(why), "{done:#?}");
        assert!(done.stderr.contains("--url github:"), "{done:#?}");
        assert!(!home.path().join("x.zip").exists());
    }
    let arguments = [
        "package",
        "lección 1",
        "--url",
        "gitlab:ana/clase",
        "--json",
    ];
    let done = home.run(arguments);
    done.expect_status(0);
    let fetched = done.said("package")["mip"].clone();
    assert!(
        fetched.as_array().is_some_and(|urls| urls.len() == 6
            && urls.contains(&"gitlab:ana/clase/package-xtensawin.json".into())),
        "{done:#?}"
    );
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
