//! Ctrl-C at any moment, and everything else that can end a script before its time.

use std::time::{Duration, Instant};

use crate::bench::{Bench, show};

const TRACE: &str = "KeyboardInterrupt: \n";

#[test]
fn ctrl_c_breaks_whatever_a_script_waits_for() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    for code in [
        "import time\nprint('ya')\ntime.sleep(60)",
        "import time\nprint('ya')\ntime.sleep_ms(60000)",
        "print('ya')\nwhile True: pass",
        "print('ya')\nwhile True: [0] * 1000",
        "import gc\nprint('ya')\nwhile True: gc.collect()",
        "print('ya')\ninput()",
        "import sys\nprint('ya')\nsys.stdin.read(1)",
        "import socket\ns = socket.socket()\ns.bind(socket.getaddrinfo('127.0.0.1', 0)[0][-1])\ns.listen(1)\nprint('ya')\ns.accept()",
        "import select\np = select.poll()\np.register(s, select.POLLIN)\nprint('ya')\np.poll(60000)",
        "import asyncio\nprint('ya')\nasync def f():\n    await asyncio.sleep(60)\nasyncio.run(f())",
        "import machine\nprint('ya')\nmachine.lightsleep(60000)",
    ] {
        bench.client.start(code);
        bench.client.until(b"ya\r\n");
        let start = Instant::now();
        bench.client.send(b"\x03");
        let (_, err) = bench.client.finish();
        assert!(err.ends_with(TRACE), "{code}: {err:?}");
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{code}: {:?}",
            start.elapsed()
        );
        assert_eq!(bench.run("print('sigue')"), "sigue\n", "{code}");
    }
}

/// Two hundred interrupts at moments spread over a script's whole life, most of which is memory and output.
#[test]
fn ctrl_c_at_any_moment_leaves_a_board_that_works() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.run("keep = 'kept'\nimport gc");
    for i in 0..200u64 {
        bench.client.start("l = []\nwhile True:\n    l.append(bytearray(100))\n    if len(l) > 500:\n        l = []\n        print('.', end='')");
        std::thread::sleep(Duration::from_micros(i * 137 % 9000));
        bench.client.send(b"\x03");
        let (_, err) = bench.client.finish();
        assert!(err.ends_with(TRACE), "{i}: {err:?}");
    }
    assert_eq!(
        bench.run("l = None\ngc.collect()\nprint(keep, gc.mem_free() > 1000000)"),
        "kept True\n"
    );
}

/// Ctrl-C that comes as the script ends is either the script's or nobody's, never the next one's.
#[test]
fn ctrl_c_at_the_end_of_a_script_stays_there() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    for i in 0..200u64 {
        bench.client.start("x = 1");
        if i % 2 == 0 {
            std::thread::sleep(Duration::from_micros(i));
        }
        bench.client.send(b"\x03");
        let (out, err) = bench.client.finish();
        assert_eq!(out, "");
        assert!(err.is_empty() || err.ends_with(TRACE), "{i}: {err:?}");
        bench.client.send(b"\x03");
        assert_eq!(bench.run("print(2)"), "2\n", "{i}");
    }
}

#[test]
fn a_script_may_catch_ctrl_c_and_go_on() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.start("import time\nfor i in range(3):\n    try:\n        print('espera', i)\n        time.sleep(60)\n    except KeyboardInterrupt:\n        print('no', i)");
    for i in 0..3 {
        bench.client.until(format!("espera {i}\r\n").as_bytes());
        bench.client.send(b"\x03");
        bench.client.until(format!("no {i}\r\n").as_bytes());
    }
    assert_eq!(bench.client.finish(), (String::new(), String::new()));
}

#[test]
fn ctrl_c_stops_main_and_leads_to_the_prompt() {
    let Some(mut bench) = Bench::with(|config| {
        std::fs::write(
            config.root.join("main.py"),
            "import time\nwhile True:\n    print('trabajo')\n    time.sleep(0.05)\n",
        )
        .unwrap();
    }) else {
        return;
    };
    bench.client.until(b"trabajo");
    bench.client.send(b"\x03");
    let text = show(&bench.client.until(b">>> "));
    assert!(text.contains("KeyboardInterrupt"), "{text}");
    assert!(text.contains("File \"main.py\", line"), "{text}");
    bench.client.enter_raw();
    bench.run("print(1)");
}

#[test]
fn a_crash_shows_and_the_board_starts_anew() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.run("x = 1");
    bench
        .client
        .start("print('antes')\nimport uctypes\nuctypes.bytes_at(16, 1)");
    let text = show(&bench.client.until(b">>> "));
    assert!(text.starts_with("antes\r\n"), "{text}");
    assert!(text.contains("Guru Meditation Error"), "{text}");
    assert!(text.contains("rst:0xc"), "{text}");
    bench.client.enter_raw();
    let (_, err) = bench.client.exec("x");
    assert!(err.contains("NameError"), "{err}");
}

#[test]
fn resets_by_the_script() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench
        .client
        .start("print('adios')\nimport machine\nmachine.reset()");
    let text = show(&bench.client.until(b">>> "));
    assert!(text.starts_with("adios\r\nets Jul"), "{text}");
    bench.client.enter_raw();
    bench.client.start("import machine\nmachine.soft_reset()");
    let text = show(&bench.client.until(b"exit\r\n>"));
    assert!(text.starts_with("\x04\x04MPY: soft reboot\r\n"), "{text:?}");
    bench.client.start("import sys\nsys.exit()");
    let text = show(&bench.client.until(b"exit\r\n>"));
    assert!(text.starts_with("\x04\x04MPY: soft reboot\r\n"), "{text:?}");
}

/// Native code that never looks up is what a watchdog is for.
#[test]
fn a_script_deaf_to_ctrl_c_is_reset() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.start("print('ya')\nx = pow(7, 10 ** 7)");
    bench.client.until(b"ya\r\n");
    bench.client.send(b"\x03");
    let text = show(&bench.client.until(b">>> "));
    assert!(text.contains("TG1WDT_SYS_RESET"), "{text}");
}

#[test]
fn memory_runs_out_as_an_exception() {
    let Some(mut bench) = Bench::with(|config| config.heap = Some(128 * 1024)) else {
        return;
    };
    bench.client.enter_raw();
    let free: usize = bench
        .run("import gc\ngc.collect()\nprint(gc.mem_free())")
        .trim()
        .parse()
        .unwrap();
    assert!(
        (126_000..140_000).contains(&free),
        "{free} bytes free of 131072"
    );
    for grow in ["l.append(bytearray(1000))", "l.append(1)"] {
        let (_, err) = bench.client.exec(&format!(
            "def f():\n    l = []\n    while True:\n        {grow}\nf()"
        ));
        assert!(
            err.contains("MemoryError: memory allocation failed"),
            "{err}"
        );
        assert_eq!(bench.run("print(1)"), "1\n");
    }
    let (_, err) = bench.client.exec("def f(): f()\nf()");
    assert!(
        err.contains("RuntimeError: maximum recursion depth exceeded"),
        "{err}"
    );
    // Code that does not fit, and memory that stays full: said, and left by a soft reset.
    let (_, err) = bench.client.exec(&format!("s = '{}'", "x".repeat(300_000)));
    assert!(err.contains("MemoryError"), "{err}");
    let (_, err) = bench
        .client
        .exec("l = []\nwhile True:\n    l.append(bytearray(100))");
    assert!(err.contains("MemoryError"), "{err}");
    let (_, err) = bench.client.exec(&format!("s = '{}'", "x".repeat(20_000)));
    assert!(err.contains("MemoryError"), "{err}");
    bench.client.send(b"\x04");
    bench.client.until(b"exit\r\n>");
    assert_eq!(
        bench.run("import gc\ngc.collect()\nprint(gc.mem_free() > 100000)"),
        "True\n"
    );
}

#[test]
fn threads_of_the_script_do_not_disturb() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    bench.client.start("import _thread, time\nn = [0]\ndef work():\n    while True:\n        n[0] += 1\n        time.sleep_ms(1)\n_thread.start_new_thread(work, ())\nprint('ya')\nwhile True:\n    bytearray(100)");
    bench.client.until(b"ya\r\n");
    std::thread::sleep(Duration::from_millis(100));
    bench.client.send(b"\x03");
    let (_, err) = bench.client.finish();
    assert!(err.ends_with(TRACE), "{err:?}");
    assert_eq!(bench.run("print(n[0] > 5)"), "True\n");
}

/// A callback that asks the simulation something while the script waits for an answer of its own, and
/// Ctrl-C into the middle of it.
#[test]
fn callbacks_and_scripts_may_ask_at_the_same_time() {
    let Some(mut bench) = Bench::raw() else {
        return;
    };
    let code = "import dht, machine, network, time\nfrom machine import Pin, Timer\n\
        sensor, other = dht.DHT22(Pin(4)), dht.DHT22(Pin(5))\nled = Pin(2, Pin.OUT)\nn = 0\n\
        def tick(t):\n    global n\n    other.measure()\n    led.toggle()\n    n += other.humidity() == 40\n\
        Timer(0).init(period=2, callback=tick)\nwlan = network.WLAN()\nwlan.active(True)\n";
    let out = bench.run(&format!(
        "{code}for i in range(3000):\n    sensor.measure()\n    assert sensor.temperature() == 24 and wlan.status() == 1000\nTimer(0).deinit()\nprint(n > 10)"
    ));
    assert_eq!(out, "True\n");
    for i in 0..30 {
        bench
            .client
            .start(&format!("{code}while True:\n    sensor.measure()"));
        std::thread::sleep(Duration::from_millis(20 + i));
        bench.client.send(b"\x03");
        // The callback may be what Ctrl-C hits, as on a board; then the script goes on and gets the next.
        while bench
            .client
            .until_within(b"\x04>", Duration::from_millis(500))
            .is_err()
        {
            bench.client.send(b"\x03");
        }
        assert_eq!(
            bench.run("Timer(0).deinit()\nsensor.measure()\nprint(sensor.humidity())"),
            "40.0\n"
        );
    }
}
