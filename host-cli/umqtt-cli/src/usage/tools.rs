//! The help of the commands about boards and ports rather than about lessons: `boards`, `ports` and their like.

use super::{Frame, JSON_ES};

pub const FRAMES: &[Frame] = &[
    (
        "boards",
        [
            "umqtt boards [NAME] [OPTIONS]",
            "umqtt boards [NOMBRE] [OPCIONES]",
        ],
        [
            "Examples:
  umqtt boards
  umqtt boards esp32-c3     its pins, its firmware, and what to know about it",
            "Ejemplos:
  umqtt boards
  umqtt boards esp32-c3     sus pines, su firmware y lo que conviene saber",
        ],
    ),
    (
        "ports",
        ["umqtt ports [OPTIONS]", "umqtt ports [OPCIONES]"],
        [
            "Examples:
  umqtt ports
  umqtt ports --no-open     at once, and without touching any board
  umqtt ports --port socket://192.168.1.20:4000",
            "Ejemplos:
  umqtt ports
  umqtt ports --no-open     al momento y sin tocar ninguna placa
  umqtt ports --port socket://192.168.1.20:4000",
        ],
    ),
];

pub const SPANISH: &[(&str, &str)] = &[
    (
        "boards",
        "Listar las placas que se conocen, o describir una",
    ),
    (
        "boards.name",
        "Una placa, por ejemplo esp32-c3 o pico-w; sin ella, todas",
    ),
    ("boards.json", JSON_ES),
    (
        "ports",
        "Listar los puertos en los que hay placas y qué hace cada una",
    ),
    (
        "ports.port",
        "Mirar solo este puerto, sea lo que sea: un dispositivo, socket://HOST:PUERTO, rfc2217://HOST:PUERTO, id:SERIE",
    ),
    (
        "ports.no_open",
        "No abrir ningún puerto: solo lo que dice el sistema",
    ),
    ("ports.json", JSON_ES),
];
