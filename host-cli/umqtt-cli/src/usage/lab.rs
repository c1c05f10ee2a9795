//! The help of the laboratory.

use super::Frame;

pub const FRAMES: &[Frame] = &[(
    "lab",
    ["umqtt lab [PROGRAM] [OPTIONS]", "umqtt lab [PROGRAMA] [OPCIONES]"],
    [
        "Examples:
  umqtt lab                            a simulated board, everything on this computer
  umqtt lab examples/rgb               with that program and its parts; the page saves what is changed
  umqtt lab --boards 3                 three that can talk to each other
  umqtt lab --port /dev/ttyUSB0 --lan  a real board on the same page, which finds the broker by the network
  umqtt lab --broker test.mosquitto.org
                                       the messages of another broker, which may be faraway

The page and, without --lan, the broker are this computer's only. Ctrl-C ends all.",
        "Ejemplos:
  umqtt lab                            una placa simulada, todo en este equipo
  umqtt lab examples/rgb               con ese programa y sus componentes; la página guarda los cambios
  umqtt lab --boards 3                 tres que pueden hablar entre sí
  umqtt lab --port /dev/ttyUSB0 --lan  una placa de verdad en la misma página, que encuentra el broker por la red
  umqtt lab --broker test.mosquitto.org
                                       los mensajes de otro broker, que puede estar lejos

La página y, sin --lan, el broker son solo de este equipo. Ctrl-C lo termina todo.",
    ],
)];

pub const SPANISH: &[(&str, &str)] = &[
    (
        "lab",
        "Abrir una página con una placa y sus componentes, un editor, un broker y sus mensajes: un laboratorio en este \
         equipo",
    ),
    (
        "lab.program",
        "Un programa, o una carpeta con main.py y quizá el diagram.json de Wokwi; la página lo edita y lo guarda",
    ),
    (
        "lab.listen",
        "La dirección de la página: 127.0.0.1:PUERTO, [::1]:PUERTO o PUERTO. Por defecto: 8183, o un puerto libre si está \
         ocupado",
    ),
    (
        "lab.ports",
        "Una placa de verdad: un dispositivo (/dev/ttyUSB0, COM3), socket://HOST:PUERTO, rfc2217://HOST:PUERTO, id:SERIE; \
         sim es una simulada. Se puede repetir",
    ),
    (
        "lab.boards",
        "Empezar con N placas simuladas. Por defecto: una, si no se da --port",
    ),
    (
        "lab.broker",
        "El broker: embedded (el incluido) o [mqtt[s]://][usuario[:contraseña]@]host[:puerto], del que la página enseña los \
         mensajes; en las placas simuladas los nombres de brokers públicos llevan a él. Por defecto: embedded",
    ),
    (
        "lab.lan",
        "Que las placas de la red local lleguen al broker incluido: se anuncia por mDNS y los programas saben dónde está \
         (from settings import BROKER, BROKER_PORT); se puede decir la dirección del equipo. La página sigue siendo solo \
         de este equipo",
    ),
    (
        "lab.online",
        "Que los nombres de brokers públicos lleven a los de verdad",
    ),
    ("lab.no_open", "No abrir la página en el navegador"),
];
