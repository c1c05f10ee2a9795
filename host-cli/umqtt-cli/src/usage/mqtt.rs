//! The help of the broker and its clients.

use std::ffi::OsString;

use board_link::Lang;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Frame;

pub const FRAMES: &[Frame] = &[
    (
        "broker",
        [
            "umqtt broker [OPTIONS]\n       umqtt broker passwd FILE USER",
            "umqtt broker [OPCIONES]\n       umqtt broker passwd FICHERO USUARIO",
        ],
        [
            "Examples:
  umqtt broker
  umqtt broker passwd users ana && umqtt broker --lan --password-file users
  umqtt broker --lan --anonymous       for every computer and board of this network, without password
  umqtt broker --tls                   also over TLS; it says which file makes boards and clients trust it

Web pages find it at ws://localhost:1883/mqtt, with --tls also at wss://localhost:8883/mqtt.",
            "Ejemplos:
  umqtt broker
  umqtt broker passwd usuarios ana && umqtt broker --lan --password-file usuarios
  umqtt broker --lan --anonymous       para todos los equipos y placas de esta red, sin contraseña
  umqtt broker --tls                   también por TLS; dice con qué fichero confían en él placas y clientes

Las páginas web lo encuentran en ws://localhost:1883/mqtt y, con --tls, en wss://localhost:8883/mqtt.",
        ],
    ),
    (
        "broker passwd",
        [
            "umqtt broker passwd [-c] FILE USER\n       umqtt broker passwd -D FILE USER\n       umqtt broker passwd -b FILE USER PASSWORD",
            "umqtt broker passwd [-c] FICHERO USUARIO\n       umqtt broker passwd -D FICHERO USUARIO\n       umqtt broker passwd -b FICHERO USUARIO CONTRASEÑA",
        ],
        [
            "Examples:
  umqtt broker passwd users ana        asks for the password; a broker that runs knows it at once
  umqtt broker passwd users ana < file the first line of the file is the password
  umqtt broker passwd -D users ana

The file is Mosquitto's too: password_file in mosquitto.conf.",
            "Ejemplos:
  umqtt broker passwd usuarios ana     pide la contraseña; un broker en marcha la conoce al momento
  umqtt broker passwd usuarios ana < f la primera línea del fichero es la contraseña
  umqtt broker passwd -D usuarios ana

El fichero vale también para Mosquitto: password_file en mosquitto.conf.",
        ],
    ),
    (
        "monitor",
        [
            "umqtt monitor [BROKER] [OPTIONS]",
            "umqtt monitor [BROKER] [OPCIONES]",
        ],
        [
            "Examples:
  umqtt monitor                        umqtt broker on this computer: everything
  umqtt monitor test.mosquitto.org     another broker: the messages that it hands to an observer
  umqtt monitor --json > packets.txt   a line for each packet

On a terminal: q ends, p pauses, arrows scroll the topics or, after Tab, the clients. ® is a retained message.",
            "Ejemplos:
  umqtt monitor                        umqtt broker en este equipo: todo
  umqtt monitor test.mosquitto.org     otro broker: los mensajes que da a un observador
  umqtt monitor --json > paquetes.txt  una línea por paquete

En un terminal: q termina, p pausa, las flechas desplazan los temas o, tras Tab, los clientes. ® es un mensaje retenido.",
        ],
    ),
    (
        "pub",
        [
            "umqtt pub [-h HOST] -t TOPIC -m TEXT [OPTIONS]",
            "umqtt pub [-h HOST] -t TEMA -m TEXTO [OPCIONES]",
        ],
        [
            "Examples:
  umqtt pub -t casa/luz -m ON
  umqtt pub -h test.mosquitto.org -t casa/luz -m ON -q 1 -r
  umqtt pub -L mqtts://ana:secret@broker.example.org/casa/luz -m ON
  sensor | umqtt pub -t casa/sensor -l

The options are mosquitto_pub's; --help has no letter, as -h is the host.",
            "Ejemplos:
  umqtt pub -t casa/luz -m ON
  umqtt pub -h test.mosquitto.org -t casa/luz -m ON -q 1 -r
  umqtt pub -L mqtts://ana:secreta@broker.example.org/casa/luz -m ON
  sensor | umqtt pub -t casa/sensor -l

Las opciones son las de mosquitto_pub; --help no tiene letra, porque -h es el host.",
        ],
    ),
    (
        "sub",
        [
            "umqtt sub [-h HOST] -t FILTER [OPTIONS]",
            "umqtt sub [-h HOST] -t FILTRO [OPCIONES]",
        ],
        [
            "Examples:
  umqtt sub -t '#' -v
  umqtt sub -h test.mosquitto.org -t casa/+ -F '@H:@M:@S %t: %p'
  umqtt sub -t casa/luz -C 1 -W 10     one message, or status 27 after 10 seconds

The options are mosquitto_sub's; --help has no letter, as -h is the host.",
            "Ejemplos:
  umqtt sub -t '#' -v
  umqtt sub -h test.mosquitto.org -t casa/+ -F '@H:@M:@S %t: %p'
  umqtt sub -t casa/luz -C 1 -W 10     un mensaje, o estado 27 a los 10 segundos

Las opciones son las de mosquitto_sub; --help no tiene letra, porque -h es el host.",
        ],
    ),
];

/// Options of Mosquitto's clients that `pub` and `sub` do not have, and why.
const NOT_HERE: &[(&[&str], [&str; 2])] = &[
    (
        &["-D", "--property", "-x", "--session-expiry-interval"],
        [
            "is of MQTT 5, and umqtt speaks MQTT 3.1.1",
            "es de MQTT 5, y umqtt habla MQTT 3.1.1",
        ],
    ),
    (
        &[
            "--psk",
            "--psk-identity",
            "--ciphers",
            "--tls-alpn",
            "--tls-engine",
            "--keyform",
            "--tls-engine-kpass-sha1",
        ],
        [
            "is not needed: TLS 1.2 and 1.3 agree on the rest; --cafile, --cert and --key are what there is",
            "no hace falta: TLS 1.2 y 1.3 acuerdan lo demás; lo que hay es --cafile, --cert y --key",
        ],
    ),
    (
        &["--proxy", "--unix", "-A", "-S"],
        [
            "is not offered: the connection is a plain one over TCP; mosquitto_pub and mosquitto_sub have it",
            "no se ofrece: la conexión es una normal por TCP; la tienen mosquitto_pub y mosquitto_sub",
        ],
    ),
    (
        &["--pretty", "--random-filter"],
        [
            "is not offered: jq and shuf do that with what umqtt sub prints",
            "no se ofrece: lo hacen jq y shuf con lo que imprime umqtt sub",
        ],
    ),
];

/// What is wrong with an option of `pub` or `sub` that Mosquitto's clients know: message and what to try. None for
/// everything else.
pub fn explain(
    error: &clap::Error,
    arguments: &[OsString],
    lang: Lang,
) -> Option<(String, String)> {
    let command = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .find(|argument| ["pub", "sub"].contains(argument))?;
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)?;
    let help = match lang {
        Lang::En => format!("umqtt {command} --help lists what there is"),
        Lang::Es => format!("umqtt {command} --help muestra lo que hay"),
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let name = argument.split(['=', ' ']).next()?;
            let (_, why) = NOT_HERE.iter().find(|(names, _)| names.contains(&name))?;
            Some((format!("{name} {}", lang.pick(why[0], why[1])), help))
        }
        ErrorKind::InvalidValue if argument.contains("protocol-version") => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let message = match lang {
                Lang::En => format!("umqtt speaks MQTT 3.1.1 only, not {value}"),
                Lang::Es => format!("umqtt solo habla MQTT 3.1.1, no {value}"),
            };
            Some((message, lang.pick("leave -V out", "quita -V").to_owned()))
        }
        _ => None,
    }
}

pub const SPANISH: &[(&str, &str)] = &[
    (
        "broker",
        "Ejecutar solo el broker MQTT y mostrar cada paquete",
    ),
    (
        "broker.listen",
        "La dirección en la que escucha: IP:PUERTO, localhost:PUERTO o PUERTO; para MQTT y, en /mqtt, MQTT en WebSockets. \
         Por defecto: 127.0.0.1:1883",
    ),
    (
        "broker.lan",
        "Que las placas de la red local lleguen a él, anunciado por mDNS como umqtt.local; se puede decir la dirección del \
         equipo",
    ),
    (
        "broker.password_file",
        "Quién puede conectar: un fichero de `umqtt broker passwd`, o de Mosquitto",
    ),
    (
        "broker.anonymous",
        "Dejar entrar a clientes sin usuario, también desde otros equipos",
    ),
    (
        "broker.tls",
        "Ofrecer lo mismo por TLS, en el puerto 8883 o PORT; sin --cert, con un certificado hecho para ello",
    ),
    (
        "broker.cert",
        "El certificado para --tls en PEM, con los que hay entre él y su autoridad",
    ),
    ("broker.key", "La clave privada del certificado, en PEM"),
    (
        "broker.origins",
        "Una página web que puede abrir WebSockets, por ejemplo https://www.hivemq.com, o * para todas; las de este equipo \
         pueden siempre. Se puede repetir",
    ),
    (
        "broker.persist",
        "Guardar en esta carpeta los mensajes retenidos y las sesiones persistentes, que así sobreviven al broker",
    ),
    (
        "broker.max_clients",
        "Clientes que puede haber conectados a la vez. Por defecto: 500",
    ),
    (
        "broker.max_packet",
        "El paquete más grande que se acepta, en bytes. Por defecto: 16777216",
    ),
    (
        "broker.max_rate",
        "Mensajes que puede publicar un cliente por segundo; al que tiene más se le frena. Por defecto: sin límite",
    ),
    (
        "broker.max_queued",
        "Mensajes de QoS 1 y 2 que pueden esperar a un cliente. Por defecto: 100000",
    ),
    (
        "broker passwd",
        "Añadir un usuario a un fichero de contraseñas, cambiarle la contraseña o quitarlo",
    ),
    (
        "broker passwd.file",
        "El fichero de contraseñas, con la forma de Mosquitto; si no existe, se crea",
    ),
    ("broker passwd.user", "El usuario"),
    (
        "broker passwd.password",
        "La contraseña, con -b; si no, se pregunta o se lee de la entrada estándar",
    ),
    ("broker passwd.delete", "Quitar el usuario"),
    (
        "broker passwd.anew",
        "Empezar el fichero de nuevo: quien estaba en él deja de estar",
    ),
    (
        "broker passwd.batch",
        "Tomar la contraseña de la línea de órdenes, donde otros pueden verla",
    ),
    (
        "pub",
        "Publicar mensajes, con las opciones de mosquitto_pub",
    ),
    (
        "pub.host",
        "El host o la dirección del broker. Por defecto: localhost",
    ),
    ("pub.tcp_port", "El puerto. Por defecto: 1883, con TLS 8883"),
    (
        "pub.url",
        "Todo en uno: mqtt[s]://[usuario[:contraseña]@]host[:puerto]/tema",
    ),
    ("pub.user", "El usuario"),
    (
        "pub.password",
        "La contraseña del usuario; en la línea de órdenes otros de este equipo pueden verla",
    ),
    (
        "pub.id",
        "El identificador de cliente. Por defecto: uno que no tiene nadie más",
    ),
    (
        "pub.id_prefix",
        "Cómo empieza el identificador de cliente; sigue el número del proceso",
    ),
    ("pub.keepalive", "Keep alive en segundos. Por defecto: 60"),
    (
        "pub.persistent",
        "Una sesión que sobrevive a la conexión (no clean session); necesita -i",
    ),
    (
        "pub.qos",
        "La calidad de servicio: 0, 1 o 2. Por defecto: 0",
    ),
    (
        "pub.protocol_version",
        "La versión de MQTT; solo se habla mqttv311",
    ),
    (
        "pub.debug",
        "Mostrar en la salida de errores cada paquete que va o viene",
    ),
    ("pub.quiet", "No imprimir errores"),
    (
        "pub.cafile",
        "TLS que confía en las autoridades de este fichero, en PEM",
    ),
    (
        "pub.capath",
        "TLS que confía en las autoridades de los ficheros de esta carpeta",
    ),
    (
        "pub.tls_use_os_certs",
        "TLS que confía en quien confía este equipo",
    ),
    ("pub.cert", "Un certificado propio de este cliente, en PEM"),
    ("pub.key", "Su clave privada, en PEM"),
    (
        "pub.insecure",
        "Dejar que el certificado sea de otro host; su autoridad se comprueba igual",
    ),
    (
        "pub.tls_version",
        "La versión de TLS: tlsv1.2 o tlsv1.3. Por defecto: la más nueva que los dos conozcan",
    ),
    (
        "pub.will_topic",
        "Dónde publica el broker el testamento cuando se corta la conexión",
    ),
    (
        "pub.will_payload",
        "El texto del testamento. Por defecto: vacío",
    ),
    (
        "pub.will_qos",
        "La calidad de servicio del testamento. Por defecto: 0",
    ),
    ("pub.will_retain", "Retener el testamento"),
    (
        "pub.nodelay",
        "Se acepta y se hace siempre: los paquetes salen al momento",
    ),
    ("pub.topic", "El tema en el que se publica"),
    ("pub.message", "El mensaje"),
    ("pub.file", "El mensaje es lo que contiene este fichero"),
    (
        "pub.lines",
        "Cada línea de la entrada estándar es un mensaje",
    ),
    ("pub.null", "Un mensaje vacío"),
    ("pub.stdin", "El mensaje es toda la entrada estándar"),
    ("pub.retain", "El broker retiene el mensaje"),
    ("pub.repeat", "Publicar el mensaje N veces"),
    ("pub.repeat_delay", "Segundos entre ellas"),
    (
        "pub.max_inflight",
        "Mensajes de QoS 1 y 2 en camino a la vez. Por defecto: 20",
    ),
    (
        "sub",
        "Imprimir mensajes, con las opciones de mosquitto_sub",
    ),
    (
        "sub.topics",
        "Un filtro de temas al que suscribirse; se puede repetir",
    ),
    ("sub.with_topic", "Imprimir cada tema delante de su mensaje"),
    (
        "sub.format",
        "La forma de lo que se imprime: %t tema, %p mensaje, %q QoS, %r retenido, %l longitud, %m identificador de paquete, %x mensaje en hexadecimal, %j JSON, %J JSON con el mensaje como JSON, %I hora, %U segundos desde 1970, @H:@M:@S horas, minutos, segundos, etc.",
    ),
    ("sub.count", "Terminar tras N mensajes"),
    ("sub.timeout", "Terminar a estos segundos, con estado 27"),
    (
        "sub.no_line_end",
        "No imprimir fin de línea tras un mensaje",
    ),
    ("sub.no_retained", "No imprimir mensajes retenidos"),
    (
        "sub.retained_only",
        "Imprimir solo mensajes retenidos, y terminar con el primero que no lo es",
    ),
    (
        "sub.remove_retained",
        "Borrar los mensajes retenidos que llegan",
    ),
    (
        "sub.filter_out",
        "No imprimir los mensajes cuyo tema encaja en este filtro; se puede repetir",
    ),
    (
        "sub.unsubscribe",
        "Cancelar la suscripción a este filtro; se puede repetir",
    ),
    (
        "sub.exit_after_subscribing",
        "Terminar cuando el broker ha confirmado todas las suscripciones",
    ),
    (
        "monitor",
        "Mostrar en vivo los clientes, suscripciones, temas y paquetes de un broker",
    ),
    (
        "monitor.broker",
        "El broker: [mqtt[s]://][usuario[:contraseña]@]host[:puerto]. Por defecto: 127.0.0.1:1883",
    ),
    (
        "monitor.cafile",
        "Las autoridades en las que confía TLS, en PEM; si no, las de este equipo",
    ),
];
