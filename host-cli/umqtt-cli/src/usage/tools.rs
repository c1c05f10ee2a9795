//! The help of the commands about boards and ports rather than about lessons: `boards`, `ports` and their like.

use super::{Frame, JSON_ES};

pub const FRAMES: &[Frame] = &[(
        "package",
        ["umqtt package FOLDER [OPTIONS]", "umqtt package CARPETA [OPCIONES]"],
        [
            "Examples:
  umqtt package examples/publicar
  umqtt package publicar -o publicar.zip --board esp32 --board pico-w

On a board, or with mpremote: unpack the file on a web server or here, then
  mpremote mip install --target / publicar/package.json
With several boards, package-ARCHITECTURE.json has the native module; package.json has umqtt.simple in Python.",
            "Ejemplos:
  umqtt package examples/publicar
  umqtt package publicar -o publicar.zip --board esp32 --board pico-w

En una placa, o con mpremote: descomprime el fichero en un servidor web o aquí y
  mpremote mip install --target / publicar/package.json
Con varias placas, package-ARQUITECTURA.json trae el módulo nativo; package.json, umqtt.simple en Python.",
        ],
    ),
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
        "package",
        "Empaquetar una lección en un fichero que otros equipos ponen en sus placas y que mip instala",
    ),
    ("package.folder", "La carpeta de la lección, con su main.py"),
    (
        "package.output",
        "El fichero que se escribe. Por defecto: el nombre de la carpeta y .zip, en esta carpeta",
    ),
    (
        "package.boards",
        "Una placa cuyos módulos nativos van dentro, por ejemplo esp32 o pico-w; se puede repetir. Por defecto: todas",
    ),
    ("package.json", JSON_ES),
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
