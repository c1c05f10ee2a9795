//! A simulated board on the page: programs, console, pins, messages.

use serde_json::{Value, json};
use testkit::need;

use crate::client::{Page, lab_with, micropython};

#[test]
fn a_program_runs_prints_moves_pins_and_ends() {
    let maker = need!("a program on the page's board", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        "import machine\nprint('año', 2 + 2)\nmachine.Pin(2, machine.Pin.OUT).on()\n",
    );
    page.wait_for_text(board, "año 4\n");
    let ended = page.wait_for_end(board);
    assert_eq!(ended["how"], "finished", "{ended}");
    assert_eq!(ended["traceback"], Value::Null);
    // A page that comes later is told the same.
    let mut late = Page::open(&lab);
    let hello = late.next();
    assert_eq!(hello["type"], "hello");
    assert_eq!(hello["lang"], "es");
    assert_eq!(hello["boards"][0]["kind"], "sim");
    assert!(
        hello["boards"][0]["files"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("import machine")),
        "{hello}"
    );
    let lit = json!([{"pin": 2, "mode": "output", "level": 1, "floats": false}]);
    late.wait("pins", |message| {
        message["board"] == board && message["pins"] == lit
    });
}

/// What a student stumbles over who counts presses and waits for none of them to settle.
#[test]
fn a_button_bounces_unless_the_diagram_says_otherwise() {
    let maker = need!("a button on the page's board", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        "from machine import Pin\nimport time\nfallen = []\n\
         pin = Pin(4, Pin.IN, Pin.PULL_UP)\npin.irq(lambda pin: fallen.append(1), Pin.IRQ_FALLING)\n\
         print('ready')\nfor name, count in (('still', 1), ('bouncing', 2)):\n\
         \x20   while len(fallen) < count:\n        time.sleep_ms(5)\n\
         \x20   time.sleep_ms(300)\n    print(name, len(fallen) > 1, pin.value())\n\
         \x20   while pin.value() == 0:\n        time.sleep_ms(5)\n\
         \x20   time.sleep_ms(300)\n    fallen.clear()\n    print(name, 'let go')\n",
    );
    page.wait_for_text(board, "ready");
    for (name, bounces) in [("still", json!(false)), ("bouncing", Value::Null)] {
        for pressed in [true, false] {
            let mut press = json!({"type": "press", "board": board, "pin": 4, "pressed": pressed});
            if !bounces.is_null() {
                press["bounces"] = bounces.clone();
            }
            page.send(&press);
            let says = match (pressed, name) {
                (true, "still") => "still False 0",
                (true, _) => "bouncing True 0",
                (false, "still") => "still let go",
                (false, _) => "bouncing let go",
            };
            page.wait_for_text(board, says);
        }
    }
}

#[test]
fn an_exception_names_file_and_line() {
    let maker = need!("a traceback on the page", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.send(&json!({
        "type": "run", "board": board, "main": "main.py",
        "files": [
            {"name": "main.py", "text": "import sensor\n\nsensor.leer(0)\n"},
            {"name": "sensor.py", "text": "def leer(n):\n    return 1 / n\n"},
        ],
    }));
    let ended = page.wait_for_end(board);
    assert_eq!(ended["how"], "error");
    let traceback = &ended["traceback"];
    assert_eq!(
        (&traceback["file"], &traceback["line"]),
        (&json!("sensor.py"), &json!(2)),
        "{ended}"
    );
    assert_eq!(traceback["message"], "ZeroDivisionError: divide by zero");
    let text = traceback["text"].as_str().expect("a text");
    assert!(text.contains("File \"main.py\", line 3"), "{text}");

    page.run(board, "x = 1\nif x:\nprint(x)\n");
    let ended = page.wait_for_end(board);
    assert_eq!(ended["traceback"]["line"], 3, "{ended}");
}

#[test]
fn a_program_is_stopped_and_reads_what_is_typed() {
    let maker = need!("stopping and typing", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        "nombre = input('¿Nombre? ')\nprint('hola,', nombre)\nwhile True:\n    pass\n",
    );
    page.wait_for_text(board, "¿Nombre? ");
    page.send(&json!({"type": "input", "board": board, "text": "Ana\r"}));
    page.wait_for_text(board, "hola, Ana");
    page.send(&json!({"type": "stop", "board": board}));
    assert_eq!(page.wait_for_end(board)["how"], "stopped");
    // The program's names are still there at the prompt.
    page.wait_for_text(board, ">>> ");
    page.send(&json!({"type": "input", "board": board, "text": "nombre * 2\r"}));
    page.wait_for_text(board, "'AnaAna'");
}

#[test]
fn what_a_program_publishes_and_what_the_page_publishes_arrive() {
    let maker = need!("messages on the page", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        "from umqtt.simple import MQTTClient
cliente = MQTTClient('placa-1', 'test.mosquitto.org')
cliente.set_callback(lambda tema, mensaje: print('recibido', tema, mensaje))
cliente.connect()
cliente.subscribe('lab/entrada', 1)
cliente.publish('lab/salida', 'año', qos=1)
cliente.wait_msg()
cliente.disconnect()
",
    );
    let publishes = |message: &Value, topic: &str| {
        let events = message["events"].as_array().expect("events");
        (events.iter()).any(|event| {
            event["packet"]["Publish"]["topic"] == topic
                && event["client_id"] == "placa-1"
                && event["t"].as_u64().is_some_and(|t| t > 1_600_000_000_000)
        })
    };
    page.wait("mqtt", |message| publishes(message, "lab/salida"));
    page.wait("mqtt_state", |state| {
        let clients = state["clients"].as_array().expect("clients");
        (clients.iter()).any(|client| {
            client["client_id"] == "placa-1"
                && client["subscriptions"] == json!([["lab/entrada", 1]])
        })
    });
    page.send(&json!({
        "type": "publish", "topic": "lab/entrada", "payload": "hola", "qos": 1, "retain": true,
    }));
    page.wait_for_text(board, "recibido b'lab/entrada' b'hola'");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    page.wait("mqtt_state", |state| {
        let retained = state["retained"].as_array().expect("retained");
        (retained.iter()).any(|message| message["topic"] == "lab/entrada")
    });
}

#[test]
fn what_is_set_from_outside_is_shown_to_pages_that_come_later_and_a_button_bounces() {
    let maker = need!("parts that are set on the page", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.run(
        board,
        "import machine, time
bordes = 0
def borde(pin):
    global bordes
    bordes += 1
boton = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
boton.irq(borde, machine.Pin.IRQ_FALLING)
for al_menos in (2, 1):
    bordes = 0
    print('lista')
    while bordes < al_menos:
        time.sleep_ms(5)
    time.sleep_ms(300)
    print('bordes', bordes)
    input()
    while boton.value() == 0:
        time.sleep_ms(5)
",
    );
    page.wait_for_text(board, "lista");
    let press = |pressed: bool, bounce: bool| {
        json!({
            "type": "press", "board": board, "pin": 4, "pressed": pressed, "bounces": bounce,
        })
    };
    page.send(&press(true, true));
    page.wait("board", |message| {
        message["inputs"]["pressed"] == json!([4])
    });
    page.wait_for_text(board, "bordes ");
    let edges = page.wait_for_text(board, "\n");
    assert!(
        edges.trim().parse::<u32>().is_ok_and(|edges| edges > 1),
        "{edges}"
    );
    page.send(&json!({
        "type": "climate", "board": board, "pin": 15, "temperature": 30.5, "humidity": 61,
    }));
    page.send(&json!({"type": "adc", "board": board, "pin": 34, "microvolts": 1_650_000}));
    page.wait("board", |message| {
        message["inputs"]["adc"] == json!({"34": 1_650_000})
    });
    let mut late = Page::open(&lab);
    let hello = late.wait("hello", |_| true);
    assert_eq!(
        hello["boards"][0]["inputs"],
        json!({
            "climate": {"15": {"temperature": 30.5, "humidity": 61.0, "unplugged": false}},
            "adc": {"34": 1_650_000},
            "pressed": [4],
        })
    );
    page.send(&press(false, false));
    page.wait("board", |message| message["inputs"]["pressed"] == json!([]));
    page.send(&json!({"type": "input", "board": board, "text": "\r"}));
    page.wait_for_text(board, "lista");
    page.send(&press(true, false));
    page.wait_for_text(board, "bordes ");
    assert_eq!(page.wait_for_text(board, "\n").trim(), "1");
    page.send(&press(false, true));
    page.send(&json!({"type": "input", "board": board, "text": "\r"}));
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    // Another wiring has other parts.
    page.send(&json!({"type": "open_example", "board": board, "name": "boton"}));
    let opened = page.wait("board", |message| message["files"].is_array());
    assert_eq!(
        opened["inputs"],
        json!({"climate": {}, "adc": {}, "pressed": []})
    );
}

#[test]
fn an_example_opens_with_its_files() {
    let maker = need!("an example on the page", micropython());
    let lab = lab_with(maker, 1);
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    page.send(&json!({"type": "open_example", "board": board, "name": "publicar"}));
    let opened = page.wait("board", |message| message["files"].is_array());
    assert_eq!(opened["files"][0]["name"], "main.py");
    page.send(&json!({"type": "open_example", "board": board, "name": "../examples"}));
    let refused = page.wait("notice", |message| message["level"] == "error");
    assert!(
        refused["text"]
            .as_str()
            .is_some_and(|text| text.contains("ejemplo")),
        "{refused}"
    );
}
