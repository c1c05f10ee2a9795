//! The serial protocol, byte for byte, against what shared/runtime/pyexec.c and ports/esp32/main.c send.

use std::time::Duration;

use crate::bench::{Bench, show};

const BANNER_END: &str =
    "; Simulated ESP32 module with ESP32\r\nType \"help()\" for more information.\r\n>>> ";

/// Sends bytes and compares all that comes back.
#[track_caller]
fn exchange(bench: &mut Bench, sent: &[u8], expected: &str) {
    bench.client.send(sent);
    let mut got = bench
        .client
        .until_within(expected.as_bytes(), Duration::from_secs(5))
        .unwrap_or_else(|seen| panic!("wanted {expected:?}, got {:?}", show(&seen)));
    got.extend(bench.client.listen(Duration::from_millis(30)));
    assert_eq!(show(&got), expected, "after {:?}", show(sent));
}

#[test]
fn raw_repl_transcript() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    for (sent, expected) in [
        (&b"print('ol\xc3\xa9')\x04"[..], "OKolé\r\n\x04\x04>"),
        (b"x = 1\x04", "OK\x04\x04>"),
        (b"x\x04", "OK\x04\x04>"),
        (
            b"print('a')\n1/0\x04",
            "OKa\r\n\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 2, in <module>\r\nZeroDivisionError: divide by zero\r\n\x04>",
        ),
        (
            b"def f(:\n\x04",
            "OK\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 1\r\nSyntaxError: invalid syntax\r\n\x04>",
        ),
        // Ctrl-C clears what was typed, Ctrl-A says the banner again.
        (b"nonsense\x03print(x)\x04", "OK1\r\n\x04\x04>"),
        (b"more nonsense\x01", "raw REPL; CTRL-B to exit\r\n>"),
        // An unknown command of the Ctrl-E family.
        (b"\x05Z\x01", "R\x00>"),
        // Code that never ends its string is the compiler's business.
        (
            b"'abc\x04",
            "OK\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 1\r\nSyntaxError: invalid syntax\r\n\x04>",
        ),
        // Soft reset.
        (
            b"\x04",
            "OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>",
        ),
        (
            b"x\x04",
            "OK\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\nNameError: name 'x' isn't defined\r\n\x04>",
        ),
        // SystemExit ends the session without a prompt of its own.
        (
            b"print(1)\nraise SystemExit\x04",
            "OK1\r\n\x04\x04MPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>",
        ),
    ] {
        exchange(&mut bench, sent, expected);
    }
}

#[test]
fn raw_paste_grants_windows_and_runs() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.send(b"\x05A\x01");
    assert_eq!(
        bench.client.until(b"R\x01\x80\x00\x01"),
        b"R\x01\x80\x00\x01"
    );
    // 300 bytes: a grant after each full window of 128.
    let code = format!("print('{}')", "n".repeat(300 - 9));
    for part in code.as_bytes().chunks(128) {
        bench.client.send(part);
        if part.len() == 128 {
            assert_eq!(bench.client.until(b"\x01"), b"\x01");
        }
    }
    bench.client.send(b"\x04");
    let end = bench.client.until(b">");
    assert_eq!(
        show(&end),
        format!("\x04{}\r\n\x04\x04>", "n".repeat(300 - 9))
    );
    // Ctrl-C gives it up.
    bench.client.send(b"\x05A\x01print(1)\x03");
    let end = show(&bench.client.until(b"\n\x04>"));
    assert!(
        end.ends_with("\x04\x04KeyboardInterrupt: \r\n\x04>"),
        "{end:?}"
    );
    assert_eq!(bench.run("print(2)"), "2\n");
}

#[test]
fn friendly_repl_transcript() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.send(b"\x02");
    let banner = show(&bench.client.until(b">>> "));
    assert!(banner.starts_with("\r\nMicroPython v1."), "{banner:?}");
    assert!(banner.ends_with(BANNER_END), "{banner:?}");
    for (sent, expected) in [
        (&b"1 + 1\r"[..], "1 + 1\r\n2\r\n>>> "),
        (b"_ * 3\r", "_ * 3\r\n6\r\n>>> "),
        (b"x = 'a'\r", "x = 'a'\r\n>>> "),
        (b"\r", "\r\n>>> "),
        (b"abc\x03", "abc\r\n>>> "),
        (
            b"1/0\r",
            "1/0\r\nTraceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\nZeroDivisionError: divide by zero\r\n>>> ",
        ),
        (
            b"for i in (1, 2):\rprint(i)\r\r",
            "for i in (1, 2):\r\n...     print(i)\r\n...     \r\n1\r\n2\r\n>>> ",
        ),
        // The history, the cursor and a correction.
        (b"\x1b[A\x03", "for i in (1, 2):\r\n>>> "),
        (b"12\x7f3\r", "12\x1b[1D\x1b[K3\r\n13\r\n>>> "),
        (
            b"\x05print(5)\rprint(6)\x04",
            "\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== print(5)\r\n=== print(6)\r\n5\r\n6\r\n>>> ",
        ),
    ] {
        if sent == b"\x1b[A\x03" {
            // The last line entered was the blank one that closed the block.
            bench.client.send(b"\x1b[A\x1b[A\x1b[A\x03");
            let got = show(&bench.client.until(b"\r\n>>> "));
            assert!(got.contains("for i in (1, 2):"), "{got:?}");
            continue;
        }
        exchange(&mut bench, sent, expected);
    }
    bench.client.send(b"\x04");
    let reset = show(&bench.client.until(b">>> "));
    assert!(
        reset.starts_with("\r\nMPY: soft reboot\r\nMicroPython v1."),
        "{reset:?}"
    );
}

#[test]
fn boot_and_main_run_as_on_an_esp32() {
    let Some(mut bench) = Bench::with(|config| {
        std::fs::write(
            config.root.join("boot.py"),
            "print('boot', __name__)\nfrom_boot = 1\n",
        )
        .unwrap();
        std::fs::write(
            config.root.join("main.py"),
            "print('main', from_boot)\nhere\n",
        )
        .unwrap();
    }) else {
        return;
    };
    bench.client.listen(Duration::from_millis(300));
    // Main's error leads to the prompt.
    bench.client.send(b"\x04");
    let start = show(&bench.client.until(b"for more information.\r\n>>> "));
    assert!(
        start.contains("MPY: soft reboot\r\nboot __main__\r\nmain 1\r\nTraceback (most recent call last):\r\n  File \"main.py\", line 2, in <module>\r\nNameError: name 'here' isn't defined\r\nMicroPython v1."),
        "{start:?}"
    );
    // In the raw REPL only boot.py runs.
    bench.client.enter_raw();
    exchange(
        &mut bench,
        b"\x04",
        "OK\r\nMPY: soft reboot\r\nboot __main__\r\nraw REPL; CTRL-B to exit\r\n>",
    );
    assert_eq!(bench.run("print(from_boot)"), "1\n");
    bench.board.reset();
    let start = show(&bench.client.until(b"for more information.\r\n>>> "));
    assert!(
        start.starts_with("ets Jul 29 2019 12:21:46\r\n"),
        "{start:?}"
    );
    assert!(start.contains("simulated board"), "{start:?}");
    assert!(start.contains("main 1\r\n"), "{start:?}");
}

#[test]
fn output_is_text_with_carriage_returns_and_bytes_are_bytes() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.send(b"import sys\nprint('a')\nsys.stdout.write('b\\n')\nsys.stdout.buffer.write(b'\\n\\x00\\xff\\n')\nprint('c')\x04");
    assert_eq!(
        bench.client.until(b"\x04\x04>"),
        b"OKa\r\nb\r\n\n\0\xff\nc\r\n\x04\x04>"
    );
}

#[test]
fn long_output_and_long_code_arrive_whole() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    let out = bench.run("for i in range(20000):\n    print(i, 'x' * 20)");
    let expected: String = (0..20000)
        .map(|i| format!("{i} {}\n", "x".repeat(20)))
        .collect();
    assert!(
        out == expected,
        "{} bytes instead of {}",
        out.len(),
        expected.len()
    );
    let code = format!("s = '''{}'''\nprint(len(s))", "ñ".repeat(60_000));
    assert_eq!(bench.run(&code), "60000\n");
    let out = bench.run("print('y' * 300000)");
    assert_eq!(out.len(), 300_001);
}

#[test]
fn scripts_read_what_is_typed() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench
        .client
        .start("n = input('nombre? ')\nprint('hola', n)");
    bench.client.until(b"nombre? ");
    bench.client.send(b"Ana\r");
    let (out, err) = bench.client.finish();
    assert_eq!((out.as_str(), err.as_str()), ("Ana\nhola Ana\n", ""));

    bench.client.start("import sys, select\np = select.poll()\np.register(sys.stdin, select.POLLIN)\nprint(p.poll(10))\nprint(len(p.poll(5000)), sys.stdin.read(2), repr(sys.stdin.readline()))");
    bench.client.until(b"[]\r\n");
    bench.client.send(b"abc\r");
    let (out, err) = bench.client.finish();
    assert_eq!((out.as_str(), err.as_str()), ("1 ab 'c\\n'\n", ""));

    // With the interrupt character off, every byte is data.
    bench.client.start("import sys, micropython\nmicropython.kbd_intr(-1)\nprint('ya')\nb = sys.stdin.buffer.read(5)\nmicropython.kbd_intr(3)\nprint(b)");
    bench.client.until(b"ya\r\n");
    bench.client.send(b"\x00\x03\r\n\xff");
    let (out, err) = bench.client.finish();
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("b'\\x00\\x03\\r\\n\\xff'\n", "")
    );

    // What a script leaves unread belongs to the REPL after it.
    bench.client.start("import time\ntime.sleep(0.3)");
    bench.client.send(b"print('luego')\x04");
    bench.client.finish();
    let rest = bench.client.until(b"\x04\x04>");
    assert_eq!(show(&rest), "OKluego\r\n\x04\x04>");
}

#[test]
fn a_client_may_come_and_go() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.run("x = 5");
    for i in 0..5 {
        let device = bench.board.device().to_path_buf();
        // While nobody listens the board prints on, and loses it.
        bench
            .client
            .start("import time\nfor i in range(300):\n    print('perdido' * 20)\nx += 1");
        bench.client = crate::bench::Client::open(&device);
        drop(std::mem::replace(
            &mut bench.client,
            crate::bench::Client::open(&device),
        ));
        bench.client.enter_raw();
        bench.client.listen(Duration::from_millis(50));
        let out = bench.run("print(x >= 5)");
        assert!(out.ends_with("True\n"), "{i}: {out}");
    }
}
