//! Every way out of the board's folder that is known, tried.

use std::os::unix::fs::symlink;

use crate::bench::Bench;

/// A board whose folder lies in a folder with a secret beside it.
fn walled() -> Option<(Bench, tempfile::TempDir)> {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("placa");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(outside.path().join("secreto"), "secreto").unwrap();
    std::fs::create_dir(outside.path().join("placa-2")).unwrap();
    std::fs::write(outside.path().join("placa-2/secreto"), "secreto").unwrap();
    std::fs::write(root.join("propio"), "propio").unwrap();
    symlink("../secreto", root.join("enlace")).unwrap();
    symlink("..", root.join("arriba")).unwrap();
    symlink(outside.path().join("nuevo"), root.join("colgado")).unwrap();
    symlink("propio", root.join("dentro")).unwrap();
    let mut bench = Bench::with(|config| config.root = root)?;
    bench.client.enter_raw();
    Some((bench, outside))
}

#[test]
fn no_path_leads_out() {
    let Some((mut bench, outside)) = walled() else {
        return;
    };
    let host = outside.path().display();
    for path in [
        "../secreto",
        "/../secreto",
        "sub/../../secreto",
        "/sub/../../secreto",
        "./../secreto",
        "//../secreto",
        "enlace",
        "/enlace",
        "arriba/secreto",
        "arriba/placa-2/secreto",
        "sub/../enlace",
        "propio\\0/../../secreto",
        "/etc/passwd",
        "../../../../../../../../etc/passwd",
        "/proc/self/environ",
        "/dev/null",
        &format!("{host}/secreto"),
    ] {
        for code in [
            format!("print(open('{path}').read())"),
            format!("import os\nprint(os.stat('{path}'))"),
            format!("import os\nos.remove('{path}')"),
            format!("import os\nos.rename('{path}', 'robado')"),
            format!("execfile('{path}')"),
        ] {
            if path.starts_with("enlace") || path.ends_with("/enlace") {
                // The link itself may go; what it points to may not be seen.
                if code.contains("remove") || code.contains("rename") {
                    continue;
                }
            }
            if path.contains("\\0") {
                continue;
            }
            let (out, err) = bench.client.exec(&code);
            assert!(err.contains("OSError"), "{code}: {out} {err}");
            assert!(!out.contains("secreto"), "{code}: {out}");
        }
    }
    for code in [
        "import os\nos.chdir('arriba')",
        "import os\nos.chdir('..')\nassert os.getcwd() == '/'\nos.chdir('/sub/../..')\nassert os.getcwd() == '/'\nraise OSError",
        "import os\nos.listdir('arriba')",
        "import os\nos.mkdir('arriba/nueva')",
        "import os\nos.rmdir('arriba/placa-2')",
        "open('colgado', 'w').write('x')",
        "open('arriba/nuevo', 'w').write('x')",
        "open('enlace', 'w').write('x')",
        "open('enlace', 'a').write('x')",
        "import os\nos.rename('propio', 'arriba/robado')",
    ] {
        let (out, err) = bench.client.exec(code);
        assert!(err.contains("OSError"), "{code}: {out} {err}");
    }
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secreto")).unwrap(),
        "secreto"
    );
    assert!(!outside.path().join("nuevo").exists());
    assert!(!outside.path().join("robado").exists());
    // What is inside works, links included, and links that lead out do not show.
    let out = bench.run(
        "import os\nos.chdir('/sub')\nprint(open('../dentro').read(), os.getcwd())\nos.chdir('/')\nprint(sorted(os.listdir()))\n\
         open('sub/x', 'w').write('1')\nprint(os.stat('sub/x')[6], [e for e in os.ilistdir('sub')])",
    );
    assert_eq!(
        out,
        "propio /sub\n['dentro', 'propio', 'sub']\n1 [('x', 32768, 0, 1)]\n"
    );
}

#[test]
fn no_module_leads_out() {
    let Some((mut bench, _outside)) = walled() else {
        return;
    };
    for code in [
        "import ffi\nffi.open",
        "import uffi\nuffi.open",
        "import jni\njni.cls",
        "import termios\ntermios.tcgetattr",
        "from ffi import open",
        "import _sim",
        "import sim_os",
        "import _files",
        "from os import system",
        "from os import getenv",
        "from os import VfsPosix",
        "from vfs import VfsPosix",
        "from uos import VfsPosix",
        "from machine import mem32",
        "import sys\nsys.executable",
        "import socket\nsocket.AF_UNIX",
        "import socket\nsocket.socket(1)",
        "open(3)",
        "open(0)",
        "open(True)",
        "import io\nio.open(3)",
        "import builtins\nbuiltins.open(3)",
        "import vfs\nvfs.mount('x', '/y')",
        "type(open('propio'))('/etc/passwd')",
        "import os\n(type(os.ilistdir('/')))('/etc')",
    ] {
        let (out, err) = bench.client.exec(code);
        assert!(!err.is_empty(), "{code}: {out}");
        for wanted in ["ImportError", "AttributeError", "TypeError", "OSError"] {
            if err.contains(wanted) {
                break;
            }
            assert_ne!(wanted, "OSError", "{code}: {err}");
        }
    }
    // No attribute of the board's modules hands out what stands behind them.
    let out = bench.run(
        "import os, io, vfs, sys, socket, machine, network, micropython, ssl, dht, neopixel, esp32\nbad = []\n\
         for m in (os, io, vfs, sys, socket, machine, network, micropython, ssl, dht, neopixel, esp32):\n\
         \x20   for name in dir(m):\n        v = getattr(m, name)\n\
         \x20       for danger in ('system', 'VfsPosix', 'AF_UNIX', 'func', 'native'):\n\
         \x20           try:\n                if hasattr(v, danger) or danger in dir(v): bad.append((m.__name__, name, danger))\n\
         \x20           except Exception: pass\nprint(bad)\nprint(sorted(k for k in sys.modules if k[0] == '_' or '\\x01' in k or 'sim' in k))\n\
         print(sys.path, '\\x01' in ''.join(os.listdir('/')))",
    );
    assert_eq!(out, "[]\n[]\n['', '.frozen', '/lib'] False\n");
}
