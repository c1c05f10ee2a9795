//! The solutions of the exercises, as each `LEEME.md` prints them: put into the lesson's program where the text says,
//! they do what the exercise asks for.

use std::time::{Duration, Instant};

use broker::Identity;
use testkit::need;

use crate::classroom::{Classroom, Desk, read};
use crate::{BUTTON, LED, TESTED, light, measured};

/// The pieces of Python in a lesson's solution, in order.
#[track_caller]
pub fn pieces(name: &str) -> Vec<String> {
    let text = read(&format!("examples/{name}/LEEME.md"));
    let (_, solution) = text
        .split_once("<summary>Solución</summary>")
        .expect("a solution");
    let mut pieces = Vec::new();
    let mut rest = solution;
    while let Some((_, behind)) = rest.split_once("```python\n") {
        let (piece, after) = behind.split_once("```").expect("its end");
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// The text of the program from the line that begins with `begin` to the end of the line that begins with `end`.
#[track_caller]
fn part(program: &str, begin: &str, end: &str) -> String {
    let from = program.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let to = from
        + program[from..]
            .find(end)
            .unwrap_or_else(|| panic!("no {end}"));
    let line_end = program[to..].find('\n').expect("a line's end") + to + 1;
    program[from..line_end].to_owned()
}

fn main_of(name: &str) -> String {
    read(&format!("examples/{name}/main.py"))
}

/// A desk at which these texts of the program are the others.
fn changed<const N: usize>(changes: [(&str, String); N]) -> Desk {
    Desk {
        changes: changes.map(|(old, new)| (old.to_owned(), new)).into(),
        ..Desk::default()
    }
}

/// What is behind this text stays behind it.
fn behind(text: &str, new: &str) -> String {
    format!("{text}{new}")
}

/// One that is only words has none to run: that of the last will is measured below, that of TLS takes a line away.
#[test]
fn every_solution_is_tried() {
    for name in TESTED {
        let count = pieces(name).len();
        let wanted = match name {
            "asincrono" | "boton" | "dht22" | "rgb" | "suscribirse" | "usuario-y-clave" => 2,
            "calidad-de-servicio" | "tls" | "ultima-voluntad" => 0,
            "temperatura" => 4,
            _ => 1,
        };
        assert_eq!(count, wanted, "{name}");
    }
}

#[test]
fn publicar_retains() {
    let [publish] = pieces("publicar").try_into().expect("one piece");
    let desk = changed([(
        "cliente.publish(TEMA.encode(), mensaje.encode())\n",
        publish,
    )]);
    let room = need!("publicar_retains", Classroom::at(desk, "publicar", |_| {}));
    let topic = room.topic_after("Publico en ");
    let message = room.published();
    assert!(message.retain, "{message:?}");
    assert!(room.retained(&topic).parse::<f32>().is_ok());
}

#[test]
fn suscribirse_lights_the_led() {
    let [led, handle] = pieces("suscribirse").try_into().expect("two pieces");
    let filter = "FILTRO = \"umqtt/\" + PLACA + \"/#\"\n";
    let print = "    print(\"Recibido en\", tema.decode(), \"->\", texto)\n";
    let desk = changed([
        (filter, behind(filter, &led)),
        (print, behind(print, &handle)),
    ]);
    let name = "suscribirse_lights_the_led";
    let room = need!(name, Classroom::at(desk, "suscribirse", |_| {}));
    let topic = room.topic_after("Escucho ").replace('#', "led");
    for (text, lit) in [("on", true), ("off", false), ("on", true)] {
        room.send(&topic, text);
        room.until(|room| light(room, LED) == lit, text);
    }
}

#[test]
fn boton_says_how_long() {
    let [before, between] = pieces("boton").try_into().expect("two pieces");
    let begin = "    pulsaciones = 0\n";
    let print = "                    print(\"Pulsación\", pulsaciones)\n";
    let desk = changed([
        (begin, behind(begin, &before)),
        (print, behind(print, &between)),
    ]);
    let wire = |board: &board_sim::SimBoard| board.set_input(BUTTON, Some(true));
    let room = need!("boton_says_how_long", Classroom::at(desk, "boton", wire));
    let topic = room.topic_after("publico en ");
    room.press(BUTTON);
    assert_eq!(room.published().text, "1");
    let message = room.published();
    assert_eq!(message.topic, format!("{topic}/ms"));
    // The finger stays for 200 ms; the contact is looked at every 5 ms and not within 30 of its last change.
    let held: u64 = message.text.parse().expect("milliseconds");
    assert!(held >= 150, "{held}");
}

#[test]
fn alarma_can_be_ended_from_the_computer() {
    let [subscribe] = pieces("alarma").try_into().expect("one piece");
    let desk = changed([("    cliente.connect()\n", subscribe)]);
    let wire = |board: &board_sim::SimBoard| board.set_input(BUTTON, Some(true));
    let name = "alarma_can_be_ended_from_the_computer";
    let room = need!(name, Classroom::at(desk, "alarma", wire));
    let topic = room.topic_after("publico en ");
    for _ in 0..2 {
        room.press(BUTTON);
        room.until(|room| light(room, LED), "it is on");
        room.send(&format!("{topic}/orden"), "apagar");
        room.until(|room| !light(room, LED), "it is off");
        room.until(
            |room| room.retained(&topic) == "Alarma desactivada",
            "who comes later knows it",
        );
    }
    assert_eq!(room.printed().matches("Alarma activada\r\n").count(), 2);
}

#[test]
fn rgb_fades() {
    let [fade, call] = pieces("rgb").try_into().expect("two pieces");
    let program = main_of("rgb");
    let paint = part(&program, "def pintar(", "        led.duty_u16(");
    let desk = changed([
        (&paint, behind(&paint, &format!("\n\n{fade}"))),
        ("        pintar(leds, color)\n", call),
    ]);
    let room = need!("rgb_fades", Classroom::at(desk, "rgb", |_| {}));
    let topic = room.topic_after("Espero colores en ");
    let events = room.board.peripherals().events();
    for color in [r#"{"r":255,"g":0,"b":0}"#, r#"{"r":0,"g":255,"b":0}"#] {
        room.send(&topic, color);
    }
    room.send(&topic, r#"{"r":0,"g":255}"#);
    room.sees("Color: 0 255 0");
    room.sees("No es un color: b'{\"r\":0,\"g\":255}' - b");
    let duty = |pin: u8| {
        let pwm = room.board.peripherals().snapshot().pwm;
        pwm.get(&pin).map(|wave| wave.duty)
    };
    assert_eq!((duty(25), duty(26)), (Some(0), Some(65535)));
    // On its way the red LED was neither dark nor full.
    let between = events.try_iter().any(|event| {
        matches!(&event, board_sim::PeripheralEvent::Pwm { pin: 25, pwm: Some(wave) }
            if wave.duty > 0 && wave.duty < 65535)
    });
    assert!(between);
}

#[test]
fn dht22_publishes_what_is_new() {
    const SENSOR: u8 = 15;
    let climate = |temperature| {
        Some(board_sim::Climate {
            temperature,
            humidity: 40.0,
        })
    };
    let [before, publish] = pieces("dht22").try_into().expect("two pieces");
    let begin = "    print(\"Publico en\", TEMA)\n";
    let desk = changed([
        (begin, behind(begin, &before)),
        (
            "                cliente.publish(TEMA.encode(), json.dumps(medida).encode())\n",
            publish,
        ),
    ]);
    let name = "dht22_publishes_what_is_new";
    let wire = |board: &board_sim::SimBoard| {
        board.peripherals().set_climate(SENSOR, climate(21.5));
    };
    let room = need!(name, Classroom::at(desk, "dht22", wire));
    assert_eq!(measured(&room.published().text).0, 21.5);
    room.until(
        |room| room.printed().matches("Temperatura: 21.5").count() >= 3,
        "it goes on measuring",
    );
    room.board.peripherals().set_climate(SENSOR, climate(22.5));
    // Nothing was published in between.
    assert_eq!(measured(&room.published().text).0, 22.5);
}

#[test]
fn temperatura_with_humidity() {
    let [url, answer, ask, message] = pieces("temperatura").try_into().expect("four pieces");
    let program = main_of("temperatura");
    let desk = changed([
        (&part(&program, "URL = ", "URL = "), url),
        (
            "    return datos[\"current\"][\"temperature_2m\"]\n",
            answer,
        ),
        ("                    temperatura = preguntar()\n", ask),
        (
            "                    mensaje = {\"lugar\": LUGAR, \"temperatura\": temperatura}\n",
            message,
        ),
    ]);
    let name = "temperatura_with_humidity";
    let room = need!(name, Classroom::at(desk, "temperatura", |_| {}));
    let text = room.published().text;
    let (_, humidity) = measured(&text);
    assert!((0.0..=100.0).contains(&humidity), "{text}");
    room.sees("En Madrid hay ");
}

#[test]
fn asincrono_counts_in_a_third_task() {
    let [tasks, gather] = pieces("asincrono").try_into().expect("two pieces");
    let program = main_of("asincrono");
    let blink = part(
        &program,
        "async def parpadear",
        "        await asyncio.sleep_ms(ritmo)",
    );
    // The student need not wait for ten seconds here.
    assert_eq!(tasks.matches("asyncio.sleep(10)").count(), 1);
    let tasks = tasks.replace("asyncio.sleep(10)", "asyncio.sleep(1)");
    let desk = changed([
        (&blink, tasks),
        (
            "    await asyncio.gather(parpadear(), publicar())\n",
            gather,
        ),
    ]);
    let name = "asincrono_counts_in_a_third_task";
    let room = need!(name, Classroom::at(desk, "asincrono", |_| {}));
    let topic = room.topic_after("Publico en ");
    let changes = topic.replace("temperatura", "cambios");
    let mut counts = Vec::new();
    while counts.len() < 2 {
        let message = room.published();
        if message.topic == changes {
            counts.push(message.text.parse::<u32>().expect("a number"));
        }
    }
    assert!(0 < counts[0] && counts[0] < counts[1], "{counts:?}");
}

#[test]
fn robusto_waits_twice_as_long_each_time() {
    let [delay] = pieces("robusto").try_into().expect("one piece");
    let program = main_of("robusto");
    let constant = part(&program, "    # Segundos entre", "    DELAY = 1");
    let desk = changed([(&constant, delay)]);
    let name = "robusto_waits_twice_as_long_each_time";
    let mut room = need!(name, Classroom::at(desk, "robusto", |_| {}));
    room.sees("Confirmado: 1");
    room.stop_broker();
    let tries = |count| {
        move |room: &Classroom| room.printed().matches("Sin conexión, lo intento").count() >= count
    };
    room.until(tries(1), "a first try");
    let first = Instant::now();
    room.until(tries(3), "a third try");
    // Two and four seconds; nothing makes a sleep shorter.
    assert!(first.elapsed() >= Duration::from_millis(5500));
    room.start_broker();
    let resent: u32 = room.published().text.parse().expect("a number");
    room.sees(&format!("Confirmado: {resent}"));
}

#[test]
fn ultima_voluntad_of_a_board_that_is_silent() {
    let calls = "            cliente.ping()\n            cliente.check_msg()\n";
    let desk = changed([(calls, String::new())]);
    let name = "ultima_voluntad_of_a_board_that_is_silent";
    let room = need!(name, Classroom::at(desk, "ultima-voluntad", |_| {}));
    let topic = room.topic_after("Mi estado está en ");
    let silent = Instant::now();
    // The broker waits for one and a half times four seconds, and then says it.
    let classmate = room.hears(&topic, 2);
    let heard = classmate.join().expect("mosquitto_sub");
    assert_eq!(heard, ["conectada", "desconectada sin avisar"]);
    assert!(silent.elapsed() >= Duration::from_secs(5));
}

#[test]
fn tls_without_a_check_trusts_anybody() {
    let desk = Desk {
        tls: true,
        ..changed([("    tls.verify_mode = ssl.CERT_REQUIRED\n", String::new())])
    };
    let name = "tls_without_a_check_trusts_anybody";
    let room = need!(name, Classroom::at(desk, "tls", |_| {}));
    room.sees("Enviado: secreto número 1");
    let other = tempfile::tempdir().expect("a folder");
    let (_, trust) = Identity::make(other.path(), &[], &[]).expect("a certificate");
    room.put("ca.der", &std::fs::read(trust.der).expect("it was made"));
    room.board.reset();
    room.until(
        |room| {
            room.printed()
                .matches("Enviado: secreto número 1\r\n")
                .count()
                == 2
        },
        "it sends to whoever is there",
    );
}

#[test]
fn usuario_y_clave_in_another_file() {
    let [secrets, import] = pieces("usuario-y-clave").try_into().expect("two pieces");
    let program = main_of("usuario-y-clave");
    let here = part(&program, "USUARIO = ", "CLAVE_MQTT = ");
    let desk = Desk {
        login: Some(("ana", "secreta")),
        ..changed([(&here, import)])
    };
    let name = "usuario_y_clave_in_another_file";
    let room = need!(name, Classroom::at(desk, "usuario-y-clave", |_| {}));
    // Before the file is on the board, the program says what it lacks.
    room.sees("ImportError: no module named 'claves'");
    room.put("claves.py", secrets.as_bytes());
    room.board.reset();
    room.sees("Recibido en aula/ana/saludo -> Hola número 1");
}

#[test]
fn calidad_de_servicio_with_a_clean_session() {
    let desk = Desk {
        loses_after: Some(500),
        ..changed([(
            "conectar(cliente, False)",
            "conectar(cliente, True)".to_owned(),
        )])
    };
    let name = "calidad_de_servicio_with_a_clean_session";
    let room = need!(name, Classroom::at(desk, "calidad-de-servicio", |_| {}));
    let lost: u32 = [1, 2]
        .map(|qos| {
            let line = room.topic_after(&format!("QoS {qos}: 100 enviados, "));
            let words: Vec<&str> = line.split(' ').collect();
            let place = words.iter().position(|word| *word == "perdidos");
            let number = place.and_then(|place| words[place - 1].parse::<u32>().ok());
            number.unwrap_or_else(|| panic!("{line}"))
        })
        .iter()
        .sum();
    assert!(lost > 0, "{}", room.printed());
}
