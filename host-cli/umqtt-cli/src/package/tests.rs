//! What a lesson's file must hold, and everything that somebody may do to one.

use std::fs;
use std::io::{Cursor, Read, Write};

use board_link::{BoardInfo, MpyVersion};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::manifest::sha256;
use super::paths::{BadPath, check, check_together};
use super::*;

/// A lesson's folder with what may lie in one.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("its folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("main.py", "import ayuda\nprint('ñ')\n");
    write("ayuda.py", "x = 1\n");
    write("datos/vacío.bin", "");
    write("LEEME.md", "para personas");
    write("diagram.json", "{}");
    write(".git/config", "[core]");
    write("__pycache__/ayuda.pyc", "x");
    folder
}

fn packed(archs: &[Arch]) -> Package {
    collect(folder().path(), archs, Lang::En)
        .expect("a lesson")
        .0
}

fn board(arch: Arch) -> BoardInfo {
    BoardInfo {
        implementation: "micropython".to_owned(),
        version: (1, 26, 0),
        version_text: String::new(),
        platform: "esp32".to_owned(),
        machine: String::new(),
        mpy: Some(MpyVersion::from_bits(
            6 | 3 << 8 | u32::from(arch.number()) << 10,
        )),
        unique_id: None,
        free_heap: None,
    }
}

#[test]
fn a_folder_becomes_a_lesson_and_comes_back_whole() {
    let archs = [Arch::Xtensawin, Arch::Armv6m];
    let folder = folder();
    let (lesson, left) = collect(folder.path(), &archs, Lang::En).expect("a lesson");
    assert_eq!(
        left.out,
        [".git", "LEEME.md", "__pycache__", "diagram.json"]
    );
    let paths: Vec<&String> = lesson.files.keys().collect();
    assert_eq!(
        paths,
        [
            "ayuda.py",
            "datos/vacío.bin",
            "main.py",
            "umqtt/aio.py",
            "umqtt/robust.py",
            "upip.py"
        ]
    );

    let bytes = bytes(&lesson, None).expect("a file");
    assert_eq!(read::package(&bytes).expect("the lesson"), lesson);

    let items = lesson
        .items(&board(Arch::Xtensawin), Lang::En)
        .expect("its files");
    let simple = items
        .iter()
        .find(|item| item.path == "/umqtt/simple.mpy")
        .expect("the module");
    let file = fit::File::read(&simple.content).expect("a module");
    assert_eq!(file.arch, Some(Arch::Xtensawin));
    // An armv7m takes armv6m's module; a RISC-V board takes none of these.
    assert!(lesson.items(&board(Arch::Armv7m), Lang::En).is_ok());
    let refused = lesson
        .items(&board(Arch::Rv32imc), Lang::Es)
        .expect_err("none");
    assert!(
        refused.to_string().contains("armv6m, xtensawin"),
        "{refused}"
    );
}

#[test]
fn the_same_lesson_is_the_same_bytes() {
    let once = bytes(&packed(&[Arch::X64, Arch::Rv32imc]), None).expect("a file");
    let again = bytes(&packed(&[Arch::X64, Arch::Rv32imc]), None).expect("a file");
    // The folder's name is the lesson's, and each temporary folder has another one.
    let name = |package: &Package| Package {
        name: "lesson".to_owned(),
        ..package.clone()
    };
    let [first, second] = [once, again].map(|bytes| read::package(&bytes).expect("a lesson"));
    assert_eq!(
        bytes_of(&name(&first)),
        bytes_of(&name(&second)),
        "the same lesson, packed twice"
    );
    let bytes = bytes_of(&name(&first));
    let mut zip = ZipArchive::new(Cursor::new(bytes)).expect("a zip file");
    for index in 0..zip.len() {
        let member = zip.by_index(index).expect("a member");
        assert_eq!(member.last_modified().map(|time| time.year()), Some(1980));
        assert_eq!(member.unix_mode().map(|mode| mode & 0o777), Some(0o644));
    }
}

fn bytes_of(package: &Package) -> Vec<u8> {
    bytes(package, None).expect("a file")
}

/// The address is part of the bytes; the lesson that is read from them has none.
#[test]
fn an_address_goes_with_the_lesson_and_is_checked() {
    let lesson = packed(&[Arch::Xtensawin, Arch::Armv6m]);
    let address = Address::parse("https://example.org/3º").expect("an address");
    let with = |address| bytes(&lesson, address).expect("a file");
    assert_eq!(with(Some(&address)), with(Some(&address)));
    assert_ne!(with(Some(&address)), with(None));
    assert_eq!(
        read::package(&with(Some(&address))).expect("the lesson"),
        lesson
    );
    let mut zip = ZipArchive::new(Cursor::new(with(Some(&address)))).expect("a zip file");
    for name in ["package.json", "package-armv6m.json"] {
        let mut text = String::new();
        let mut member = zip.by_name(name).expect(name);
        member.read_to_string(&mut text).expect(name);
        let said: Value = serde_json::from_str(&text).expect(name);
        for pair in said["urls"].as_array().expect("urls") {
            let url = pair[1].as_str().unwrap_or_default();
            assert!(url.starts_with("https://example.org/3%C2%BA/"), "{pair}");
            assert!(url.is_ascii() && !url.contains(' '), "{pair}");
        }
    }

    // Somebody else's package: another address than the manifest's, and one that is none.
    let changed = |member: usize, from: &str, to: &str| {
        let mut members = members("a.py", b"a = 1\n");
        for (number, text) in [
            (0, r#""mpy":"6.3","url":"http://h/x""#),
            (
                1,
                r#"["main.py","http://h/x/files/main.py"],["a.py","http://h/x/files/a.py"]"#,
            ),
        ] {
            let old = match number {
                0 => r#""mpy":"6.3""#,
                _ => r#"["main.py","files/main.py"],["a.py","files/a.py"]"#,
            };
            let said = String::from_utf8(members[number].1.clone()).expect("text");
            assert!(said.contains(old), "{said}");
            members[number].1 = said.replace(old, text).into_bytes();
        }
        let said = String::from_utf8(members[member].1.clone()).expect("text");
        members[member].1 = said.replace(from, to).into_bytes();
        read::package(&zipped(&members))
    };
    assert!(changed(0, "", "").is_ok());
    let other = changed(1, "http://h/x/files/a.py", "http://evil/x/files/a.py");
    assert!(matches!(other, Err(read::Bad::Differs(_))), "{other:?}");
    let relative = changed(1, "http://h/x/files/a.py", "files/a.py");
    assert!(
        matches!(relative, Err(read::Bad::Differs(_))),
        "{relative:?}"
    );
    for wrong in ["file:///etc", "http://h/../x", ""] {
        let read = changed(0, "http://h/x", wrong);
        assert!(matches!(read, Err(read::Bad::Manifest(_))), "{read:?}");
    }
}

#[test]
fn mip_gets_what_the_manifest_names() {
    let read = |bytes: &[u8], name: &str| -> Value {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).expect("a zip file");
        let mut text = String::new();
        zip.by_name(name)
            .expect(name)
            .read_to_string(&mut text)
            .expect(name);
        serde_json::from_str(&text).expect("JSON")
    };
    let one = bytes_of(&packed(&[Arch::Xtensa]));
    let urls = read(&one, "package.json")["urls"].clone();
    assert!(
        urls.as_array()
            .is_some_and(|urls| urls.contains(&json!(["main.py", "files/main.py"]))
                && urls.contains(&json!([
                    "umqtt/simple.mpy",
                    "modules/xtensa/umqtt/simple.mpy"
                ]))),
        "{urls}"
    );

    let two = bytes_of(&packed(&[Arch::Xtensa, Arch::Armv6m]));
    let portable = read(&two, "package.json");
    assert_eq!(portable["deps"], json!([["umqtt.simple", "latest"]]));
    assert!(!portable.to_string().contains("modules/"), "{portable}");
    assert!(
        read(&two, "package-armv6m.json")
            .to_string()
            .contains("modules/armv6m/")
    );
}

#[test]
fn a_lesson_with_its_own_umqtt_keeps_it() {
    let folder = folder();
    fs::create_dir(folder.path().join("umqtt")).expect("a folder");
    fs::write(
        folder.path().join("umqtt/simple.py"),
        "class MQTTClient: pass\n",
    )
    .expect("a file");
    let (lesson, left) = collect(folder.path(), &[Arch::X64], Lang::En).expect("a lesson");
    assert!(left.own_umqtt && lesson.modules.is_empty());
    assert!(!lesson.files.contains_key("umqtt/robust.py"));
    assert_eq!(
        lesson
            .items(&board(Arch::X64), Lang::En)
            .expect("its files")
            .len(),
        4
    );
}

#[test]
fn a_rust_project_gives_what_it_built() {
    let folder = folder();
    let project = folder.path();
    fs::write(project.join("Cargo.toml"), "").expect("a file");
    for arch in ["x64", "armv6m"] {
        let place = project.join("release").join(arch);
        fs::create_dir_all(&place).expect("a folder");
        let module = module::umqtt_for(
            Arch::ALL
                .into_iter()
                .find(|a| a.name() == arch)
                .expect("it"),
        )
        .0;
        fs::write(place.join("mio.mpy"), module.expect("a module").content).expect("a file");
    }
    let (lesson, _) = collect(project, &[Arch::X64], Lang::En).expect("a lesson");
    assert_eq!(lesson.modules.len(), 1);
    let own: Vec<&String> = lesson.modules[&Arch::X64].keys().collect();
    assert_eq!(own, ["mio.mpy", "umqtt/simple.mpy"]);
    assert!(
        !lesson.files.contains_key("Cargo.toml")
            && !lesson.files.keys().any(|path| path.contains("release"))
    );
    assert!(read::package(&bytes_of(&lesson)).is_ok());
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_is_not_followed() {
    let folder = folder();
    let outside = tempfile::NamedTempFile::new().expect("a file");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("clave.txt")).expect("a link");
    let refused = collect(folder.path(), &[], Lang::En).expect_err("it leads out");
    assert!(refused.to_string().contains("clave.txt"), "{refused}");
    fs::remove_file(folder.path().join("clave.txt")).expect("it goes");
    std::os::unix::fs::symlink(".", folder.path().join("circle")).expect("a link");
    assert!(collect(folder.path(), &[], Lang::En).is_err());
}

#[test]
fn paths_that_leave_the_board_or_hide_each_other_are_refused() {
    for path in [
        "main.py",
        "a/b/c.py",
        "año/ñ.txt",
        "with blank.py",
        "'quoted'.py",
        "..hidden",
        "a..b",
    ] {
        assert_eq!(check(path), Ok(()), "{path}");
    }
    for path in [
        "/main.py",
        "../main.py",
        "a/../../b",
        "\\\\server\\x",
        "C:\\x",
        "c:x",
        "a/..",
    ] {
        assert_eq!(check(path), Err(BadPath::Outside), "{path}");
    }
    let long = "x".repeat(256);
    let deep = ["a"; 17].join("/");
    for path in [
        "", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0b", &long, &deep,
    ] {
        assert_eq!(check(path), Err(BadPath::Strange), "{path:?}");
    }
    assert_eq!(
        check_together(["a.py", "A.py"]),
        Err(("A.py", BadPath::Twice))
    );
    assert_eq!(
        check_together(["a", "b", "a/b"]),
        Err(("a/b", BadPath::InFile))
    );
    assert_eq!(check_together(["a/b", "a/c", "ab"]), Ok(()));
}

/// A file with these members, made as a stranger would.
fn forged(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in members {
        zip.start_file(*name, options).expect("a member");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("a zip file").into_inner()
}

/// A lesson of `main.py` and one more file, as members that a test spoils.
fn members(path: &str, content: &[u8]) -> Vec<(String, Vec<u8>)> {
    let main = b"print(1)\n";
    let entry = |path: &str, content: &[u8]| json!({ "path": path, "size": content.len(), "sha256": sha256(content) });
    let manifest = json!({
        "format": "umqtt-lesson", "version": 1, "name": "x", "made_by": "a stranger", "mpy": "6.3",
        "files": [entry("main.py", main), entry(path, content)], "modules": {},
    });
    let mip = json!({ "deps": [], "version": "1",
        "urls": [["main.py", "files/main.py"], [path, format!("files/{path}")]] });
    vec![
        (
            "manifest.json".to_owned(),
            manifest.to_string().into_bytes(),
        ),
        ("package.json".to_owned(), mip.to_string().into_bytes()),
        ("files/main.py".to_owned(), main.to_vec()),
        (format!("files/{path}"), content.to_vec()),
    ]
}

fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let borrowed: Vec<(&str, Vec<u8>)> = members
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    forged(&borrowed)
}

/// What reading says in both languages, through a real file.
#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lesson.zip");
    fs::write(&path, bytes).expect("a file");
    let english = Package::open(&path, Lang::En).expect_err(words).to_string();
    let spanish = Package::open(&path, Lang::Es).expect_err(words).to_string();
    assert!(english.contains(words), "{words:?} is not in {english:?}");
    assert!(spanish.starts_with("no se usa"), "{spanish}");
    let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder").collect();
    assert_eq!(left.len(), 1, "something was unpacked");
}

#[test]
fn a_forged_lesson_that_is_in_order_is_read() {
    let bytes = zipped(&members("datos/x.bin", b"\0\xff"));
    assert_eq!(
        read::package(&bytes).expect("a lesson").files["datos/x.bin"],
        b"\0\xff"
    );
}

#[test]
fn a_file_that_climbs_out_is_refused() {
    for path in ["../boot.py", "/boot.py", "a/../../boot.py", "C:\\boot.py"] {
        refused(
            &zipped(&members(path, b"x")),
            "leads out of the board's folder",
        );
    }
    refused(&zipped(&members("..\\boot.py", b"x")), "no board can store");
    refused(&zipped(&members("MAIN.PY", b"x")), "no board can store");
    refused(&zipped(&members("main.py/x", b"x")), "no board can store");
    // It is not in the manifest, so that other programs than this one would unpack it.
    let mut extra = members("a.py", b"x");
    extra.push(("../../boot.py".to_owned(), b"x".to_vec()));
    refused(&zipped(&extra), "its manifest does not name");
}

#[test]
fn contents_that_differ_from_the_manifest_are_refused() {
    let spoilt = |index: usize, content: &[u8]| {
        let mut members = members("a.py", b"x = 1");
        members[index].1 = content.to_vec();
        zipped(&members)
    };
    refused(
        &spoilt(3, b"x = 2"),
        "files/a.py is not what its manifest says",
    );
    refused(&spoilt(3, b""), "files/a.py is not what its manifest says");
    refused(
        &spoilt(3, b"x = 1 and more"),
        "files/a.py is not what its manifest says",
    );
    refused(
        &spoilt(1, b"{\"urls\":[[\"boot.py\",\"https://example.org/x\"]]}"),
        "package.json is not what",
    );
    let mut missing = members("a.py", b"x");
    missing.pop();
    refused(&zipped(&missing), "files/a.py is missing");
}

#[test]
fn a_manifest_with_wrong_types_is_refused() {
    let with = |from: &str, to: &str, words: &str| {
        let mut members = members("a.py", b"x");
        let text = String::from_utf8(members[0].1.clone()).expect("JSON");
        let spoilt = text.replacen(from, to, 1);
        assert_ne!(spoilt, text, "{from} stands in {text}");
        members[0].1 = spoilt.into_bytes();
        refused(&zipped(&members), words);
    };
    with(
        "\"version\":1",
        "\"version\":\"one\"",
        "manifest.json is wrong",
    );
    with("\"version\":1", "\"version\":2", "it has format 2");
    with("umqtt-lesson", "other", "manifest.json is wrong");
    with(
        "\"modules\":{}",
        "\"modules\":[1]",
        "manifest.json is wrong",
    );
    with(
        "\"modules\":{}",
        "\"modules\":{\"mips\":[]}",
        "manifest.json is wrong",
    );
    with(
        "\"made_by\"",
        "\"run_this\":1,\"made_by\"",
        "manifest.json is wrong",
    );
    with("\"size\":1", "\"size\":-1", "manifest.json is wrong");
    with(
        "\"size\":1",
        "\"size\":18446744073709551615",
        "more than any board does",
    );
    with("\"name\":\"x\"", "\"name\":\"\"", "manifest.json is wrong");
    let mut deep = members("a.py", b"x");
    deep[0].1 = "[".repeat(100_000).into_bytes();
    refused(&zipped(&deep), "manifest.json is wrong");
}

#[test]
fn a_bomb_is_not_unpacked() {
    // 20 MiB of zeros are 20 kB in the zip file; the manifest says one byte.
    let mut bomb = members("a.bin", b"x");
    bomb[3].1 = vec![0; 20 << 20];
    refused(&zipped(&bomb), "files/a.bin is not what its manifest says");
    // A manifest that is one.
    let mut bomb = members("a.bin", b"x");
    bomb[0].1 = vec![b' '; 20 << 20];
    refused(&zipped(&bomb), "more than any board does");
    // One that admits it.
    let mut bomb = members("a.bin", &vec![0; 17 << 20]);
    refused(&zipped(&bomb), "more than any board does");
    bomb.truncate(1);
    let many: Vec<(String, Vec<u8>)> = (0..5_000)
        .map(|n| (format!("files/{n}"), Vec::new()))
        .collect();
    bomb.extend(many);
    refused(&zipped(&bomb), "more than any board does");
}

#[test]
fn a_module_for_another_architecture_is_refused() {
    let mut lesson = packed(&[Arch::Armv6m]);
    let xtensa = module::umqtt_for(Arch::Xtensa)
        .0
        .expect("a module")
        .content
        .into_owned();
    for wrong in [xtensa, b"print(1)".to_vec()] {
        let modules = lesson.modules.get_mut(&Arch::Armv6m).expect("them");
        modules.insert("umqtt/simple.mpy".to_owned(), wrong);
        refused(&bytes_of(&lesson), "is no module for that architecture");
    }
}

#[test]
fn what_is_no_zip_file_or_half_of_one_is_refused() {
    let whole = bytes_of(&packed(&[Arch::X64]));
    refused(b"", "no whole zip file");
    refused(b"print(1)", "no whole zip file");
    // Cuts of a download that broke off, and one byte in five hundred spoilt: an answer, and never a lesson that differs.
    let lesson = read::package(&whole).expect("a lesson");
    for cut in (0..whole.len()).step_by(997) {
        assert!(read::package(&whole[..cut]).is_err(), "{cut}");
    }
    for at in (0..whole.len()).step_by(499) {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x55;
        if let Ok(read) = read::package(&spoilt) {
            assert_eq!(
                read,
                Package {
                    name: read.name.clone(),
                    ..lesson.clone()
                },
                "{at}"
            );
        }
    }
}
