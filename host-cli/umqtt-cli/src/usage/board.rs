//! The help of the commands for a board's files and its REPL: `fs`, `exec`, `repl` and their like.

use super::{Frame, JSON_ES, PORT_ES};

pub const FRAMES: &[Frame] = &[
    (
        "fs",
        ["umqtt fs COMMAND [OPTIONS]", "umqtt fs ORDEN [OPCIONES]"],
        [
            "Examples:
  umqtt fs ls
  umqtt fs cp main.py lib :     the script and the folder lib, with -r, to the board
  umqtt fs cp :data.csv .       a file from the board to this folder",
            "Ejemplos:
  umqtt fs ls
  umqtt fs cp -r main.py lib :  el programa y la carpeta lib, a la placa
  umqtt fs cp :datos.csv .      un fichero de la placa a esta carpeta",
        ],
    ),
    (
        "fs ls",
        [
            "umqtt fs ls [PATH…] [OPTIONS]",
            "umqtt fs ls [RUTA…] [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs ls /lib --json",
            "Ejemplo:\n  umqtt fs ls /lib --json",
        ],
    ),
    (
        "fs cat",
        [
            "umqtt fs cat PATH… [OPTIONS]",
            "umqtt fs cat RUTA… [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs cat boot.py",
            "Ejemplo:\n  umqtt fs cat boot.py",
        ],
    ),
    (
        "fs cp",
        [
            "umqtt fs cp FROM… TO [OPTIONS]",
            "umqtt fs cp ORIGEN… DESTINO [OPCIONES]",
        ],
        [
            "Examples:
  umqtt fs cp main.py :            what is there already is not sent again
  umqtt fs cp -r lesson :/lesson
  umqtt fs cp :/log.txt :/data/ copies",
            "Ejemplos:
  umqtt fs cp main.py :            lo que ya está no se envía otra vez
  umqtt fs cp -r leccion :/leccion
  umqtt fs cp -r :/registro.txt :/datos copias",
        ],
    ),
    (
        "fs mv",
        [
            "umqtt fs mv FROM TO [OPTIONS]",
            "umqtt fs mv DE A [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs mv main.py old.py",
            "Ejemplo:\n  umqtt fs mv main.py viejo.py",
        ],
    ),
    (
        "fs rm",
        [
            "umqtt fs rm PATH… [OPTIONS]",
            "umqtt fs rm RUTA… [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs rm -r /lib/old",
            "Ejemplo:\n  umqtt fs rm -r /lib/vieja",
        ],
    ),
    (
        "fs mkdir",
        [
            "umqtt fs mkdir PATH… [OPTIONS]",
            "umqtt fs mkdir RUTA… [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs mkdir /lib/umqtt",
            "Ejemplo:\n  umqtt fs mkdir /lib/umqtt",
        ],
    ),
    (
        "fs tree",
        [
            "umqtt fs tree [PATH…] [OPTIONS]",
            "umqtt fs tree [RUTA…] [OPCIONES]",
        ],
        ["Example:\n  umqtt fs tree", "Ejemplo:\n  umqtt fs tree"],
    ),
    (
        "fs df",
        [
            "umqtt fs df [PATH…] [OPTIONS]",
            "umqtt fs df [RUTA…] [OPCIONES]",
        ],
        ["Example:\n  umqtt fs df", "Ejemplo:\n  umqtt fs df"],
    ),
    (
        "fs sha256",
        [
            "umqtt fs sha256 PATH… [OPTIONS]",
            "umqtt fs sha256 RUTA… [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs sha256 main.py",
            "Ejemplo:\n  umqtt fs sha256 main.py",
        ],
    ),
    (
        "fs edit",
        [
            "umqtt fs edit PATH… [OPTIONS]",
            "umqtt fs edit RUTA… [OPCIONES]",
        ],
        [
            "Example:\n  umqtt fs edit boot.py",
            "Ejemplo:\n  umqtt fs edit boot.py",
        ],
    ),
    (
        "exec",
        ["umqtt exec CODE [OPTIONS]", "umqtt exec CÓDIGO [OPCIONES]"],
        [
            "Examples:
  umqtt exec \"print(1)\"
  umqtt exec - < test.py",
            "Ejemplos:
  umqtt exec \"print(1)\"
  umqtt exec - < prueba.py",
        ],
    ),
    (
        "repl",
        ["umqtt repl [OPTIONS]", "umqtt repl [OPCIONES]"],
        [
            "Keys: Ctrl-C stops the board's program, Ctrl-D restarts Python, Ctrl-] leaves",
            "Teclas: Ctrl-C detiene el programa de la placa, Ctrl-D reinicia Python, Ctrl-] sale",
        ],
    ),
    (
        "mount",
        [
            "umqtt mount FOLDER [OPTIONS]",
            "umqtt mount CARPETA [OPCIONES]",
        ],
        [
            "Examples:
  umqtt mount .                            import finds the folder's modules, open its files
  umqtt mount . --exec \"import main\"
  umqtt mount lesson --read-only --port /dev/ttyUSB0

/remote is the board's current folder meanwhile. A restart (Ctrl-D, the reset button) takes it away; it is mounted again
when the prompt comes. A main.py that runs on without it is told of: Ctrl-C stops it and brings the folder back.
Ctrl-] ends it: what runs is stopped, the folder unmounted; a program that the board started with by itself goes on.",
            "Ejemplos:
  umqtt mount .                            import encuentra los módulos de la carpeta, open sus ficheros
  umqtt mount . --exec \"import main\"
  umqtt mount leccion --read-only --port /dev/ttyUSB0

Mientras tanto /remote es la carpeta actual de la placa. Al reiniciarse (Ctrl-D, el botón de reset) la pierde, y se monta
otra vez cuando sale el prompt. Si main.py sigue en marcha sin ella, se avisa: Ctrl-C lo para y trae la carpeta de vuelta.
Ctrl-] termina: para lo que se ejecute y la desmonta; un programa con el que la placa arrancó por sí sola sigue.",
        ],
    ),
    (
        "reset",
        ["umqtt reset [OPTIONS]", "umqtt reset [OPCIONES]"],
        [
            "Examples:
  umqtt reset          Python starts anew; boot.py and main.py run
  umqtt reset --hard",
            "Ejemplos:
  umqtt reset          Python arranca de nuevo; se ejecutan boot.py y main.py
  umqtt reset --hard",
        ],
    ),
    (
        "deploy",
        [
            "umqtt deploy SCRIPT|FOLDER|LESSON.ZIP [OPTIONS]",
            "umqtt deploy PROGRAMA|CARPETA|LECCIÓN.ZIP [OPCIONES]",
        ],
        [
            "Examples:
  umqtt deploy main.py                    the script, what it imports, and umqtt
  umqtt deploy examples/publicar --watch
  umqtt deploy publicar.zip --all
  umqtt deploy main.py --settings ~/wifi.toml",
            "Ejemplos:
  umqtt deploy main.py                    el programa, lo que importa y umqtt
  umqtt deploy examples/publicar --watch
  umqtt deploy publicar.zip --all
  umqtt deploy main.py --settings ~/wifi.toml",
        ],
    ),
];

pub const SPANISH: &[(&str, &str)] = &[
    ("port", PORT_ES),
    ("json", JSON_ES),
    (
        "trace",
        "Escribir en FICHERO todo lo que pasa por el cable, salvo los ajustes de deploy; incluye las contraseñas que lleve el programa",
    ),
    (
        "verbose",
        "Contar por la salida de errores lo que se hace; -vv, con más detalle",
    ),
    ("fs", "Trabajar con los ficheros de la placa"),
    ("fs ls", "Listar carpetas"),
    ("fs cat", "Mostrar el contenido de ficheros"),
    (
        "fs cp",
        "Copiar ficheros a la placa, desde ella o en ella; una ruta con dos puntos delante es de la placa",
    ),
    ("fs mv", "Cambiar el nombre de un fichero o carpeta"),
    ("fs rm", "Borrar ficheros"),
    ("fs mkdir", "Crear carpetas, y las que las contienen"),
    ("fs tree", "Mostrar todo lo que hay bajo una carpeta"),
    ("fs df", "Mostrar cuánto espacio hay"),
    (
        "fs sha256",
        "Mostrar sumas de comprobación, calculadas por la placa",
    ),
    (
        "fs edit",
        "Cambiar un fichero con el editor que indica $VISUAL o $EDITOR",
    ),
    (
        "paths",
        "Rutas en la placa, con dos puntos delante o sin ellos",
    ),
    (
        "fs cp.paths",
        "Lo que se copia y después el destino: `:` es la carpeta de la placa, `:/lib/` la indicada",
    ),
    (
        "fs cp.recursive",
        "Copiar carpetas con todo lo que contienen",
    ),
    (
        "fs rm.recursive",
        "Borrar carpetas con todo lo que contienen",
    ),
    ("fs mv.from", "El nombre viejo en la placa"),
    ("fs mv.to", "El nombre nuevo"),
    ("exec", "Ejecutar código Python en la placa"),
    (
        "exec.code",
        "El código Python; - lo lee de la entrada estándar",
    ),
    (
        "exec.seconds",
        "Parar el código a los N segundos, como hace Ctrl-C",
    ),
    ("repl", "Hablar con el intérprete de la placa"),
    (
        "mount",
        "Hacer de una carpeta del ordenador una de la placa mientras dure la orden, y hablar con su intérprete",
    ),
    (
        "mount.folder",
        "La carpeta. La placa la ve como /remote, y nada de fuera de ella",
    ),
    (
        "mount.read_only",
        "Que la placa no cambie nada en la carpeta",
    ),
    (
        "mount.exec",
        "Ejecutar este código Python y terminar, en vez de hablar con el intérprete; - lo lee de la entrada estándar",
    ),
    ("reset", "Reiniciar la placa"),
    ("reset.hard", "Reiniciar el chip, no solo Python"),
    (
        "reset.bootloader",
        "Arrancar el cargador del chip, para un firmware nuevo",
    ),
    (
        "deploy",
        "Poner un programa en una placa para que arranque con ella, con lo que necesita",
    ),
    (
        "deploy.source",
        "Un programa, una carpeta con main.py, o una lección hecha con `umqtt package`",
    ),
    (
        "deploy.port",
        "La placa, como en las demás órdenes; si se repite, esas placas, todas a la vez",
    ),
    ("deploy.all", "Todas las placas conectadas, a la vez"),
    (
        "deploy.watch",
        "Volver a ponerlo y ejecutarlo cada vez que cambie un fichero, hasta Ctrl-C",
    ),
    ("deploy.dry_run", "Solo decir qué se escribiría"),
    (
        "deploy.settings",
        "Un fichero TOML con wifi_ssid, wifi_password y lo demás que el programa importa de settings: será settings.py en la \
         placa. Si no trae contraseña, se pregunta",
    ),
];
