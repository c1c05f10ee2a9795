//! The help of the commands about boards and ports rather than about lessons: `boards`, `ports` and their like.

use super::{Frame, JSON_ES};

pub const FRAMES: &[Frame] = &[(
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
)];

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
];
