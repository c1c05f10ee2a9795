//! The help of the commands about boards and ports rather than about lessons: `boards`, `ports` and their like.

use super::{Frame, PORT_ES};

pub const FRAMES: &[Frame] = &[(
        "completions",
        ["umqtt completions SHELL", "umqtt completions SHELL"],
        [
            "Examples, each in the file that the shell reads when it starts:
  source <(umqtt completions bash)                                    ~/.bashrc
  source <(umqtt completions zsh)                                     ~/.zshrc
  umqtt completions fish | source                                     ~/.config/fish/config.fish
  umqtt completions powershell | Out-String | Invoke-Expression       $PROFILE

Files on a board are offered while it waits at its prompt; a program that runs is not disturbed.",
            "Ejemplos, cada uno en el fichero que la shell lee al empezar:
  source <(umqtt completions bash)                                    ~/.bashrc
  source <(umqtt completions zsh)                                     ~/.zshrc
  umqtt completions fish | source                                     ~/.config/fish/config.fish
  umqtt completions powershell | Out-String | Invoke-Expression       $PROFILE

Los ficheros de una placa se ofrecen mientras espera órdenes; a un programa en marcha no se le molesta.",
        ],
    ),(
        "flash",
        ["umqtt flash [OPTIONS]", "umqtt flash [OPCIONES]"],
        [
            "Examples:
  umqtt flash --firmware ESP32_GENERIC-20250911-v1.26.1.bin --erase
  umqtt flash --board esp32              the same firmware on the next board
  umqtt flash --firmware RPI_PICO_W.uf2  after plugging it in with BOOTSEL held

Nothing is downloaded: umqtt boards NAME says where firmware is. What is there already is not written again.",
            "Ejemplos:
  umqtt flash --firmware ESP32_GENERIC-20250911-v1.26.1.bin --erase
  umqtt flash --board esp32              el mismo firmware en la placa siguiente
  umqtt flash --firmware RPI_PICO_W.uf2  tras enchufarla con BOOTSEL pulsado

No se descarga nada: umqtt boards NOMBRE dice dónde está el firmware. Lo que ya está no se escribe otra vez.",
        ],
    ),(
        "doctor",
        ["umqtt doctor [OPTIONS]", "umqtt doctor [OPCIONES]"],
        [
            "Examples:
  umqtt doctor
  umqtt doctor --port /dev/ttyUSB0 --wifi Classroom

A program that runs on the board is stopped, as soon as nothing before it stands in the way.
Exit status 1 if there is a problem.",
            "Ejemplos:
  umqtt doctor
  umqtt doctor --port /dev/ttyUSB0 --wifi Aula

Si nada lo impide antes, se para el programa que corre en la placa.
Estado de salida 1 si hay algún problema.",
        ],
    ),(
        "package",
        ["umqtt package FOLDER [OPTIONS]", "umqtt package CARPETA [OPCIONES]"],
        [
            "Examples:
  umqtt package examples/publicar
  umqtt package publicar -o publicar.zip --board esp32 --board pico-w
  umqtt package publicar --board esp32 --url https://example.org/publicar

On a board: unpack the file on the web server that --url names (or commit it, for github: and gitlab:), then
  import mip; mip.install('https://example.org/publicar/package.json', target='/')
With mpremote, from there or from a folder of this computer, --url or not:
  mpremote mip install --target / publicar/package.json
Without --url the addresses are relative; mip of MicroPython 1.25 and 1.26 takes none of those and raises ValueError.
With several boards, package-ARCHITECTURE.json has the native module; package.json has umqtt.simple in Python.",
            "Ejemplos:
  umqtt package examples/publicar
  umqtt package publicar -o publicar.zip --board esp32 --board pico-w
  umqtt package publicar --board esp32 --url https://example.org/publicar

En una placa: descomprime el fichero en el servidor web que dice --url (o publícalo, con github: y gitlab:) y
  import mip; mip.install('https://example.org/publicar/package.json', target='/')
Con mpremote, desde allí o desde una carpeta de este equipo, con --url o sin él:
  mpremote mip install --target / publicar/package.json
Sin --url las direcciones son relativas; el mip de MicroPython 1.25 y 1.26 no las entiende y lanza ValueError.
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
        "completions",
        "Imprimir lo que una shell debe leer para completar las palabras de umqtt",
    ),
    (
        "completions.shell",
        "La shell: bash, zsh, fish o powershell",
    ),
    (
        "flash",
        "Grabar un firmware en una placa: MicroPython en una nueva, u otra versión",
    ),
    (
        "flash.port",
        "El puerto serie de la placa (/dev/ttyUSB0, COM3), id:SERIE o auto; no hace falta si una Pico muestra su unidad",
    ),
    (
        "flash.firmware",
        "El fichero de firmware, .bin o .uf2; sin él, el más nuevo que se usó antes para --board",
    ),
    (
        "flash.board",
        "La placa, por ejemplo esp32-c3 o pico-w; sin ella, aquella para la que es el fichero",
    ),
    (
        "flash.erase",
        "Borrar antes toda la memoria flash, incluidos los ficheros de la placa",
    ),
    (
        "flash.baud",
        "La velocidad de la línea, en bits por segundo. Por defecto: 460800",
    ),
    (
        "flash.drive",
        "La carpeta de la unidad de una Pico, si no se encuentra sola",
    ),
    (
        "doctor",
        "Buscar qué se interpone entre este equipo y una placa, y decir qué hacer",
    ),
    ("doctor.port", PORT_ES),
    (
        "doctor.wifi",
        "Una red wifi que la placa debería ver; para eso busca redes",
    ),
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
    (
        "package.url",
        "La dirección de la carpeta en la que se descomprimirá, para que mip traiga los ficheros a una placa: http://…, \
         https://…, github:USUARIO/REPOSITORIO/… o gitlab:…",
    ),
    (
        "boards",
        "Listar las placas que se conocen, o describir una",
    ),
    (
        "boards.name",
        "Una placa, por ejemplo esp32-c3 o pico-w; sin ella, todas",
    ),
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
];
