//! The help of `umqtt bench`.

use super::{Frame, PORT_ES};

pub const FRAMES: &[Frame] = &[(
    "bench",
    ["umqtt bench [OPTIONS]", "umqtt bench [OPCIONES]"],
    [
        "Examples:
  umqtt bench                                       on the attached board, else on the simulated one
  umqtt bench --sizes 16 --qos 0,1 --html report.html
  umqtt bench --port /dev/ttyUSB0 --baseline frozen
  umqtt bench --scale 20 --broker embedded --broker localhost:1884

umqtt in Python, the native module and a bare socket take turns. The board must be in the network (its boot.py connects
it); it is left as it was found. Ctrl-C ends the run; what was measured until then is shown and marked.",
        "Ejemplos:
  umqtt bench                                       en la placa conectada o, si no hay, en la simulada
  umqtt bench --sizes 16 --qos 0,1 --html informe.html
  umqtt bench --port /dev/ttyUSB0 --baseline frozen
  umqtt bench --scale 20 --broker embedded --broker localhost:1884

Se turnan umqtt en Python, el módulo nativo y un socket a secas. La placa debe estar en la red (la conecta su boot.py) y
queda como estaba. Ctrl-C acaba la medición; lo medido hasta entonces se muestra, marcado.",
    ],
)];

pub const SPANISH: &[(&str, &str)] = &[
    (
        "bench",
        "Comparar en una placa umqtt en Python con el módulo nativo: tiempos, memoria, red",
    ),
    ("bench.port", PORT_ES),
    (
        "bench.brokers",
        "El broker: embedded (el incluido) o [mqtt[s]://][usuario[:contraseña]@]host[:puerto] tal como lo ve la placa; con \
         --scale se puede repetir. Por defecto: embedded",
    ),
    (
        "bench.baseline",
        "Con qué se compara el módulo nativo: frozen, el umqtt.simple del firmware; pypi, la versión 1.3.4 de PyPI; un \
         fichero tuyo; o none, con nada. Por defecto: el del firmware y, si no hay, el de PyPI",
    ),
    (
        "bench.sizes",
        "Tamaños de los mensajes en bytes. Por defecto: 16,256,1024",
    ),
    (
        "bench.qos",
        "Calidades de servicio para publicar. Por defecto: 0,1,2",
    ),
    (
        "bench.rounds",
        "Rondas de cada medición; con menos de 9 no hay razones. Por defecto: 31; con --scale 3",
    ),
    (
        "bench.messages",
        "Mensajes tras los que se mira la memoria, 0 para no mirarla; con --scale, los de cada placa. Por defecto: 10000; 2000",
    ),
    (
        "bench.csv",
        "Imprimir todas las rondas como CSV en vez de la tabla",
    ),
    ("bench.svg", "Escribir las gráficas en FILE"),
    (
        "bench.html",
        "Escribir tabla y gráficas en FILE como una página que no necesita ningún otro fichero",
    ),
    (
        "bench.scale",
        "En vez de eso, cargar el broker con N placas simuladas a la vez: mensajes por segundo, latencias, pérdidas",
    ),
    (
        "bench.silent",
        "Con --scale: N clientes más, suscritos a temas propios, que no dicen nada. Por defecto: 0",
    ),
];
