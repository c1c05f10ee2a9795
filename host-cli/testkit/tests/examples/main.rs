//! Each lesson of `examples/` as its student lives it: the buttons, the sensors, the messages.
#![cfg(unix)]

mod classroom;

use board_sim::Climate;
use classroom::{Classroom, names};
use testkit::{need, repository};

const BUTTON: u8 = 0;
const LED: u8 = 2;

/// The lessons that have a test: in this file, those below; in the command's own tests, the others.
const TESTED: [&str; 10] = [
    "alarma",
    "boton",
    "dht22",
    "publicar",
    "publicar-asyncio",
    "rgb",
    "robusto",
    "suscribirse",
    "suscribirse-asyncio",
    "ultima-voluntad",
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
        let path = repository().join("examples").join(name).join("LEEME.md");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        for heading in headings {
            assert!(text.contains(heading), "{name}: {heading}");
        }
        let command = format!("cargo run --release -- run examples/{name}/main.py");
        assert!(text.contains(&command), "{name}: {command}");
    }
}

#[test]
fn publicar() {
    publishes("publicar");
}

#[test]
fn publicar_asyncio() {
    publishes("publicar-asyncio");
}

fn publishes(lesson: &str) {
    let room = need!(lesson, Classroom::open(lesson, |_| {}));
    let topic = room.topic_after("Publico en ");
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
    subscribes("suscribirse");
}

#[test]
fn suscribirse_asyncio() {
    subscribes("suscribirse-asyncio");
}

fn subscribes(lesson: &str) {
    let room = need!(lesson, Classroom::open(lesson, |_| {}));
    let filter = room.topic_after("Escucho ");
    let topic = filter.replace('#', "clase");
    room.send(&topic, "¿estás ahí?");
    room.sees(&format!("Recibido en {topic} -> ¿estás ahí?"));
    room.sees("-> Hola número 1");
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
