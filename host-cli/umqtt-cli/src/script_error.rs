//! Decides what is said in words about an error that ended a script, where MicroPython has only a number for it.

use board_link::{Lang, Traceback};

/// What the error means and what to look at; None for those that say it themselves.
pub fn explain(traceback: &Traceback, lang: Lang) -> Option<&'static str> {
    let message = traceback.message.as_str();
    let [english, spanish] = match traceback.exception.rsplit('.').next()? {
        "OSError" => WORDS.iter().find(|(errors, _)| {
            // `[Errno 111] ECONNREFUSED`, the number alone where the firmware has no name for it, or the number (of
            // Linux or of lwIP) and umqtt's own words: `(110, 'no PINGRESP')`.
            errors.iter().any(|error| {
                message == *error
                    || message.ends_with(&format!("] {error}"))
                    || message.starts_with(&format!("({error},"))
            })
        })?,
        "MQTTException" => REFUSED.iter().find(|(errors, _)| {
            // The code that the broker gave, alone or with its meaning: `5`, `(5, 'not authorized')`.
            let code = message.trim_start_matches('(').split(',').next();
            errors.iter().any(|error| code == Some(error))
        })?,
        _ => return None,
    }
    .1;
    Some(lang.pick(english, spanish))
}

type Words = (&'static [&'static str], [&'static str; 2]);

/// By what MicroPython prints: names of errno, and numbers of lwIP's resolver (ESP32) and of umqtt.
const WORDS: &[Words] = &[
    (
        &["-202", "-201", "-2", "-6"],
        [
            "nobody knows that host name: check how it is spelt, and that the board has Internet",
            "nadie conoce ese nombre de host: revisa cómo está escrito, y que la placa tenga Internet",
        ],
    ),
    (
        &["ECONNREFUSED"],
        [
            "nobody listens at that address and port: check both, and that the broker runs",
            "nadie escucha en esa dirección y puerto: revisa los dos, y que el broker esté en marcha",
        ],
    ),
    (
        &["EHOSTUNREACH", "ENETUNREACH"],
        [
            "there is no way to that address: check it, and that the board is in the same network",
            "no hay camino a esa dirección: revísala, y que la placa esté en la misma red",
        ],
    ),
    (
        &["ETIMEDOUT", "110", "116"],
        [
            "no answer in time: check address and port, and the firewall of the computer with the broker",
            "no respondió a tiempo: revisa dirección y puerto, y el cortafuegos del equipo del broker",
        ],
    ),
    (
        &["-1", "ECONNRESET", "ECONNABORTED", "ENOTCONN", "EPIPE"],
        [
            "the connection broke: the broker ended, the network failed, or another client took the same client_id; \
             reconnect=True or umqtt.robust connect again",
            "se cortó la conexión: acabó el broker, falló la red u otro cliente usó el mismo client_id; \
             reconnect=True o umqtt.robust vuelven a conectar",
        ],
    ),
];

/// By the code of CONNACK (MQTT 3.1.1, table 3.1).
const REFUSED: &[Words] = &[
    (
        &["1"],
        [
            "the broker speaks another version of MQTT",
            "el broker habla otra versión de MQTT",
        ],
    ),
    (
        &["2"],
        [
            "the broker does not take this client_id: choose another",
            "el broker no acepta este client_id: elige otro",
        ],
    ),
    (
        &["3"],
        [
            "the broker is not available now: try again later",
            "el broker no está disponible ahora: inténtalo más tarde",
        ],
    ),
    (
        &["4", "5"],
        [
            "the broker does not let this client in: check user and password of MQTTClient",
            "el broker no deja entrar a este cliente: revisa user y password de MQTTClient",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_into_words_and_nothing_else_is() {
        let said = |error: &str| {
            let text = format!(
                "Traceback (most recent call last):\n  File \"main.py\", line 3, in <module>\n{error}\n"
            );
            explain(&Traceback::parse(&text, "main.py", 0), Lang::Es)
        };
        for (error, words) in [
            ("OSError: -202", "nombre de host"),
            ("OSError: [Errno 111] ECONNREFUSED", "nadie escucha"),
            ("OSError: [Errno 113] EHOSTUNREACH", "no hay camino"),
            ("OSError: [Errno 110] ETIMEDOUT", "a tiempo"),
            ("OSError: [Errno 116] ETIMEDOUT", "a tiempo"),
            ("OSError: (110, 'no PINGRESP')", "a tiempo"),
            ("OSError: -1", "se cortó"),
            ("OSError: [Errno 104] ECONNRESET", "se cortó"),
            ("MQTTException: 5", "revisa user"),
            (
                "MQTTException: (4, 'bad user name or password')",
                "revisa user",
            ),
            ("umqtt.simple.MQTTException: 2", "client_id"),
        ] {
            assert!(
                said(error).is_some_and(|said| said.contains(words)),
                "{error}"
            );
        }
        for error in [
            "OSError: la red X no responde",
            "OSError: [Errno 2] ENOENT",
            "MQTTException: (128, 'no')",
            "ValueError: -1",
            "KeyboardInterrupt: ",
        ] {
            assert_eq!(said(error), None, "{error}");
        }
    }
}
