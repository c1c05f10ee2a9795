//! The student's own folder on the page: opened, changed, saved, and nothing else.

use std::sync::Arc;

use board_link::PortSpec;
use lab::{Folder, Lab};
use serde_json::json;
use testkit::need;

use crate::client::{Page, config, micropython};

#[test]
fn a_folder_is_opened_changed_and_saved_and_an_example_does_not_overwrite_it() {
    let maker = need!("a folder on the page", micropython());
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("main.py");
    std::fs::write(&main, "print('mío')\n").expect("a file");
    std::fs::write(
        folder.path().join("diagram.json"),
        "{\"version\": 1, \"parts\": [], \"connections\": []}",
    )
    .expect("a file");
    let mut config = config(Some(maker));
    config.boards = vec![PortSpec::Sim];
    config.folder = Some(Arc::new(Folder::open(folder.path()).expect("a program")));
    let lab = Lab::start(config).expect("a laboratory");
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    let mut page = Page::open(&lab);
    let hello = page.next();
    let shown = &hello["boards"][0];
    assert_eq!(shown["files"][0]["text"], "print('mío')\n");
    assert_eq!(shown["diagram"]["version"], 1);
    assert_eq!(
        (&shown["main"], &shown["can_save"]),
        (&json!("main.py"), &json!(true))
    );
    let save = |name: &str, text: &str| json!({"type": "save", "board": board, "name": name, "text": text});
    page.send(&save("main.py", "print('cambiado')\n"));
    let saved = page.wait("saved", |_| true);
    assert_eq!(saved["name"], "main.py");
    let read = || std::fs::read_to_string(&main).expect("a file");
    assert_eq!(read(), "print('cambiado')\n");
    for name in [
        "../fuera.py",
        "/tmp/fuera.py",
        "a/../../fuera.py",
        ".bashrc",
        "",
    ] {
        page.send(&save(name, "roto"));
        page.wait("notice", |notice| notice["level"] == "error");
    }
    assert!(!folder.path().with_file_name("fuera.py").exists());
    page.send(&json!({"type": "open_example", "board": board, "name": "publicar"}));
    let opened = page.wait("board", |message| message["files"].is_array());
    assert_eq!(opened["can_save"], false);
    page.send(&save("main.py", "el ejemplo"));
    page.wait("notice", |notice| notice["level"] == "error");
    assert_eq!(read(), "print('cambiado')\n");
}
