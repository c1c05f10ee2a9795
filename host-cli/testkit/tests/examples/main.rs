//! Each lesson of `examples/` as its student lives it: the buttons, the sensors, the messages.
#![cfg(unix)]

mod brokers;
mod classroom;
mod pc;
mod solutions;

use board_sim::{Climate, PeripheralEvent};
use classroom::{Classroom, names, read};
use testkit::need;

const BUTTON: u8 = 0;
const LED: u8 = 2;

/// The lessons that have a test: here, those for a board and its parts; in `brokers`, those about the broker and the way
/// to it; in `pc`, the one without a board.
const TESTED: [&str; 14] = [
    "alarma",
    "asincrono",
    "boton",
    "calidad-de-servicio",
    "dht22",
    "paho",
    "publicar",
    "rgb",
    "robusto",
    "suscribirse",
    "temperatura",
    "tls",
    "ultima-voluntad",
    "usuario-y-clave",
];

#[test]
fn every_lesson_has_a_test_and_a_text() {
    assert_eq!(names(), TESTED);
    let headings = [
        "## Cableado",
        "## Pasos",
        "## Lo que deberías ver",
        "## Ejercicio",
        "<summary>Solución</summary>",
    ];
    for name in TESTED {
        let text = read(&format!("examples/{name}/LEEME.md"));
        for heading in headings {
            assert!(text.contains(heading), "{name}: {heading}");
        }
        if name == "paho" {
            continue;
        }
        for command in [
            format!("cargo run --release -- run examples/{name}/main.py"),
            format!("cargo run --release -- lab examples/{name}"),
        ] {
            assert!(text.contains(&command), "{name}: {command}");
        }
    }
}

/// The wiring in Wokwi's form: every wire ends at a part that is there, and the board's pins are those that the program
/// names.
#[test]
fn every_lesson_for_a_board_has_its_wiring() {
    for name in TESTED.into_iter().filter(|name| *name != "paho") {
        let text = read(&format!("examples/{name}/diagram.json"));
        let diagram: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(diagram["version"], 1, "{name}");
        let parts = diagram["parts"].as_array().expect("parts");
        let ids: Vec<&str> = parts
            .iter()
            .map(|part| part["id"].as_str().expect("an id"))
            .collect();
        assert_eq!(
            (ids[0], &parts[0]["type"]),
            ("esp", &"board-esp32-devkit-c-v4".into())
        );
        let mut pins = std::collections::BTreeSet::new();
        for wire in diagram["connections"].as_array().expect("connections") {
            for end in [&wire[0], &wire[1]] {
                let (part, pin) = end
                    .as_str()
                    .and_then(|end| end.split_once(':'))
                    .expect("an end");
                assert!(
                    ids.contains(&part) || part == "$serialMonitor",
                    "{name}: {end}"
                );
                if part == "esp" {
                    pins.extend(pin.parse::<u8>());
                }
            }
        }
        let program = read(&format!("examples/{name}/main.py"));
        let named: std::collections::BTreeSet<u8> = program
            .lines()
            .filter(|line| line.starts_with("PIN"))
            .flat_map(|line| line.split(|c: char| !c.is_ascii_digit()))
            .filter_map(|number| number.parse().ok())
            .collect();
        assert_eq!(pins, named, "{name}");
    }
}

#[test]
fn publicar() {
    let room = need!("publicar", Classroom::open("publicar", |_| {}));
    let topic = room.topic_after("Publico en ");
    publishes(&room, &topic);
}

/// The next three temperatures.
#[track_caller]
fn publishes(room: &Classroom, topic: &str) {
    let numbers: Vec<f32> = (0..3)
        .map(|_| {
            let message = room.published();
            assert_eq!(message.topic, topic);
            assert!(!message.retain);
            message.text.parse().expect("a temperature")
        })
        .collect();
    assert!(
        numbers.windows(2).all(|two| (two[0] - two[1]).abs() <= 0.5),
        "{numbers:?}"
    );
}

#[test]
fn suscribirse() {
    let room = need!("suscribirse", Classroom::open("suscribirse", |_| {}));
    let filter = room.topic_after("Escucho ");
    let topic = filter.replace('#', "clase");
    room.send(&topic, "¿estás ahí?");
    room.sees(&format!("Recibido en {topic} -> ¿estás ahí?"));
    room.sees("-> Hola número 1");
}

#[test]
fn asincrono() {
    let room = need!("asincrono", Classroom::open("asincrono", |_| {}));
    let topic = room.topic_after("Publico en ");
    let pace = room.topic_after("Espero el ritmo en ");
    publishes(&room, &topic);
    for text in ["deprisa", "7"] {
        room.send(&pace, text);
        room.sees(&format!("No es un ritmo de 20 a 5000: b'{text}'"));
    }
    room.send(&pace, "20");
    room.sees("Ritmo: 20");
    // The LED goes on blinking while the board publishes.
    let events = room.board.peripherals().events();
    let mut blinks = 0;
    room.until(
        |room| room.printed().matches("Enviado: ").count() >= 5,
        "it goes on publishing",
    );
    while blinks < 20 {
        let event = events.recv_timeout(std::time::Duration::from_secs(60));
        let led = |state: &board_sim::PinState| state.pin == LED;
        blinks += usize::from(
            matches!(event.expect("it goes on blinking"), PeripheralEvent::Pin(state) if led(&state)),
        );
    }
}

#[test]
fn rgb() {
    let room = need!("rgb", Classroom::open("rgb", |_| {}));
    let topic = room.topic_after("Espero colores en ");
    let duties = |room: &Classroom| {
        let pwm = room.board.peripherals().snapshot().pwm;
        [25, 26, 27].map(|pin| pwm.get(&pin).map(|wave| wave.duty))
    };
    room.until(|room| duties(room) == [Some(0); 3], "all dark");
    room.send(&topic, r#"{"r":255,"g":0,"b":0}"#);
    room.until(
        |room| duties(room) == [Some(65535), Some(0), Some(0)],
        "red",
    );
    // What is no colour changes nothing and ends nothing.
    for text in [
        "rojo",
        r#"{"r":255}"#,
        r#"{"r":256,"g":0,"b":0}"#,
        "[1, 2, 3]",
        "7",
    ] {
        room.send(&topic, text);
        room.sees(&format!("No es un color: b'{text}'"));
    }
    assert_eq!(duties(&room), [Some(65535), Some(0), Some(0)]);
    room.send(&topic, r#"{"r": 0, "g": 128, "b": 255}"#);
    room.until(
        |room| duties(room) == [Some(0), Some(128 * 257), Some(65535)],
        "a blue",
    );
}

/// Temperature and humidity of a message; Python leaves open in which order they stand.
fn measured(text: &str) -> (f64, f64) {
    let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let number = |name: &str| json[name].as_f64().expect("a number");
    (number("temperatura"), number("humedad"))
}

#[test]
fn dht22() {
    const SENSOR: u8 = 15;
    let climate = |temperature, humidity| {
        Some(Climate {
            temperature,
            humidity,
        })
    };
    let room = need!(
        "dht22",
        Classroom::open("dht22", |board| board
            .peripherals()
            .set_climate(SENSOR, climate(21.5, 48.0)))
    );
    let topic = room.topic_after("Publico en ");
    let message = room.published();
    assert_eq!(message.topic, topic);
    assert_eq!(measured(&message.text), (21.5, 48.0));
    room.board.peripherals().set_climate(SENSOR, None);
    room.sees("El sensor no responde");
    room.board
        .peripherals()
        .set_climate(SENSOR, climate(-3.2, 99.9));
    while measured(&room.published().text) != (-3.2, 99.9) {}
}

#[test]
fn ultima_voluntad() {
    let room = need!(
        "ultima_voluntad",
        Classroom::open("ultima-voluntad", |_| {})
    );
    let topic = room.topic_after("Mi estado está en ");
    let message = room.published();
    assert_eq!(
        (
            message.topic.as_str(),
            message.text.as_str(),
            message.retain
        ),
        (topic.as_str(), "conectada", true)
    );
    assert_eq!(room.retained(&topic), "conectada");
    let classmate = room.hears(&topic, 3);
    room.sees("Sigo aquí desde hace 2 s");
    // The power goes, and nobody says goodbye; then the board starts anew.
    room.board.reset();
    let heard = classmate.join().expect("mosquitto_sub");
    assert_eq!(heard, ["conectada", "desconectada sin avisar", "conectada"]);
}

fn light(room: &Classroom, pin: u8) -> bool {
    let pins = room.board.peripherals().snapshot().pins;
    pins.iter().any(|state| state.pin == pin && state.level)
}

#[test]
fn boton() {
    let room = need!(
        "boton",
        Classroom::open("boton", |board| board.set_input(BUTTON, Some(true)))
    );
    let topic = room.topic_after("publico en ");
    for count in 1..=3 {
        room.press(BUTTON);
        let message = room.published();
        assert_eq!(
            (message.topic.as_str(), message.text),
            (topic.as_str(), count.to_string())
        );
    }
    // Three presses, each of which bounced: three messages.
    room.sees("Pulsación 3");
    assert!(!room.printed().contains("Pulsación 4"));
}

#[test]
fn alarma() {
    let room = need!(
        "alarma",
        Classroom::open("alarma", |board| board.set_input(BUTTON, Some(true)))
    );
    let topic = room.topic_after("publico en ");
    for (text, lit) in [
        ("Alarma activada", true),
        ("Alarma desactivada", false),
        ("Alarma activada", true),
    ] {
        room.press(BUTTON);
        let message = room.published();
        assert_eq!(
            (message.topic.as_str(), message.text.as_str()),
            (topic.as_str(), text)
        );
        room.until(|room| light(room, LED) == lit, text);
        assert_eq!(room.retained(&topic), text);
    }
}

#[test]
fn robusto() {
    let mut room = need!("robusto", Classroom::open("robusto", |_| {}));
    let topic = room.topic_after("Publico en ");
    room.sees("Confirmado: 2");
    room.stop_broker();
    room.sees("Sin conexión, lo intento otra vez:");
    room.start_broker();
    let message = room.published();
    assert_eq!(message.topic, topic);
    let resent: u32 = message.text.parse().expect("a number");
    room.sees(&format!("Confirmado: {}", resent + 1));
    // Each number was confirmed once, none was left out.
    let printed = room.printed();
    for number in 1..=resent + 1 {
        assert_eq!(
            printed
                .matches(&format!("Confirmado: {number}\r\n"))
                .count(),
            1,
            "{printed}"
        );
    }
}

#[test]
fn temperatura() {
    let room = need!("temperatura", Classroom::open("temperatura", |_| {}));
    let topic = room.topic_after("Publico y escucho en ");
    assert_eq!(topic, "temperatura_eoi");
    let message = room.published();
    let json: serde_json::Value = serde_json::from_str(&message.text).expect("JSON");
    assert_eq!(
        (message.topic, &json["lugar"]),
        (topic.clone(), &"Madrid".into())
    );
    let degrees = json["temperatura"].as_f64().expect("a number");
    // The board hears itself, a classmate, and nonsense.
    room.sees(&format!("En Madrid hay {degrees:.1} °C"));
    room.send(&topic, r#"{"lugar":"Oslo","temperatura":-4}"#);
    room.sees("En Oslo hay -4.0 °C");
    room.send(&topic, "calor");
    room.sees("No lo entiendo: b'calor'");

    // The exercise of asking for another place, and for one that is nowhere.
    room.weather.set_temperature(Some(31.7));
    room.change("PAUSA_S = 900", "PAUSA_S = 1");
    room.sees("En Madrid hay 31.7 °C");
    room.change("LATITUD = 40.42", "LATITUD = 140");
    room.sees(
        "Open-Meteo no da la temperatura: Latitude must be in range of -90 to 90°. Given: 140.0.",
    );
}
