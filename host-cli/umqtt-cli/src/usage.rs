//! Decides how the command line's help and errors read, in English and Spanish.

mod bench;
mod board;
mod lab;
mod mqtt;
mod tools;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use board_link::Lang;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli;
use crate::failure::{Failure, Status};
use crate::lines;

/// Something to print instead of running a command.
#[derive(Debug)]
pub enum Answer {
    /// Help or version that was asked for.
    Text(String),
    /// Help because nothing was asked for.
    Help(String),
    Failure(Failure, Lang),
}

impl Answer {
    /// Prints it and gives the exit status.
    pub fn print(self) -> ExitCode {
        match self {
            Self::Text(text) => {
                // A closed pipe after `--help | head` is nobody's error.
                let _ = std::io::stdout().lock().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Self::Help(text) => {
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
                ExitCode::from(Status::Usage as u8)
            }
            Self::Failure(failure, lang) => {
                failure.print(lang);
                let status = failure.status();
                lines::end(&Err(failure));
                ExitCode::from(status)
            }
        }
    }
}

/// A subcommand (`run`, `fs ls`), `""` for the command itself: usage line, examples, in English and Spanish.
type Frame = (&'static str, [&'static str; 2], [&'static str; 2]);

const FRAMES: &[Frame] = &[
    (
        "",
        ["umqtt COMMAND [OPTIONS]", "umqtt ORDEN [OPCIONES]"],
        [
            "Examples:
  umqtt run main.py                          on the attached board, else on the simulated one
  umqtt run main.py --port sim --seconds 20  on the simulated board, for 20 seconds
  umqtt broker                               only the broker, until Ctrl-C

Exit status: 0 done, 1 the script raised or the work failed, 2 wrong usage, 3 no board or board lost",
            "Ejemplos:
  umqtt run main.py                          en la placa conectada o, si no hay, en la simulada
  umqtt run main.py --port sim --seconds 20  en la placa simulada, durante 20 segundos
  umqtt broker                               solo el broker, hasta Ctrl-C

Estado de salida: 0 hecho, 1 el programa lanzó una excepción o algo falló, 2 uso incorrecto,
3 no hay placa o se perdió",
        ],
    ),
    (
        "run",
        ["umqtt run SCRIPT [OPTIONS]", "umqtt run PROGRAMA [OPCIONES]"],
        [
            "Examples:
  umqtt run examples/publicar/main.py
  umqtt run main.py --port /dev/ttyUSB0 --broker test.mosquitto.org
  umqtt run main.py --broker mqtts://ana:secret@broker.example.org --json
  umqtt run main.py --loss 5 --delay 200           over a network that is slow and loses packets",
            "Ejemplos:
  umqtt run examples/publicar/main.py
  umqtt run main.py --port /dev/ttyUSB0 --broker test.mosquitto.org
  umqtt run main.py --broker mqtts://ana:secreta@broker.example.org --json
  umqtt run main.py --loss 5 --delay 200           por una red lenta que pierde paquetes",
        ],
    ),
    (
        "install",
        [
            "umqtt install [MODULE] [OPTIONS]",
            "umqtt install [MÓDULO] [OPCIONES]",
        ],
        [
            "Examples:
  umqtt install
  umqtt install --port /dev/ttyUSB0
  umqtt install release --port sim     what umqtt build wrote, as it suits the board",
            "Ejemplos:
  umqtt install
  umqtt install --port /dev/ttyUSB0
  umqtt install release --port sim     lo que escribió umqtt build, lo que valga para la placa",
        ],
    ),
    (
        "new",
        ["umqtt new NAME [OPTIONS]", "umqtt new NOMBRE [OPCIONES]"],
        [
            "Example:
  umqtt new mimodulo && cd mimodulo && umqtt build",
            "Ejemplo:
  umqtt new mimodulo && cd mimodulo && umqtt build",
        ],
    ),
    (
        "build",
        ["umqtt build [PATH] [OPTIONS]", "umqtt build [RUTA] [OPCIONES]"],
        [
            "Examples:
  umqtt build                      this folder's module, for the simulated board
  umqtt build --port /dev/ttyUSB0  for the board there
  umqtt build --arch all           for every architecture",
            "Ejemplos:
  umqtt build                      el módulo de esta carpeta, para la placa simulada
  umqtt build --port /dev/ttyUSB0  para la placa que hay ahí
  umqtt build --arch all           para todas las arquitecturas",
        ],
    ),
    (
        "check",
        [
            "umqtt check FILE [OPTIONS]",
            "umqtt check FICHERO [OPCIONES]",
        ],
        [
            "Example:
  umqtt check release/xtensawin/mimodulo.mpy --port /dev/ttyUSB0",
            "Ejemplo:
  umqtt check release/xtensawin/mimodulo.mpy --port /dev/ttyUSB0",
        ],
    ),
];

/// The Spanish help of subcommands (`run`, `fs ls`), their arguments (`run.script`) and those that all have (`lang`).
const SPANISH: &[(&str, &str)] = &[
    (
        "",
        "Lecciones de MQTT en placas MicroPython, reales o simuladas",
    ),
    (
        "lang",
        "Idioma de mensajes y ayuda: en o es; si no, el del sistema",
    ),
    (
        "loss",
        "Perder a propósito este porcentaje de los paquetes MQTT, cada uno con su conexión, como hace un mal enlace de radio",
    ),
    (
        "delay",
        "Que cada paquete tarde tantos milisegundos más, en cada sentido",
    ),
    ("help", "Mostrar esta ayuda"),
    ("version", "Mostrar la versión"),
    (
        "run",
        "Ejecutar un programa en una placa y ver lo que imprime junto a lo que recibe el broker",
    ),
    (
        "run.script",
        "El programa, por ejemplo main.py; se envía sin cambios",
    ),
    ("run.port", PORT_ES),
    (
        "run.broker",
        "El broker: embedded (el incluido) o [mqtt[s]://][usuario[:contraseña]@]host[:puerto]; en la placa simulada los \
         nombres de brokers públicos llevan a él. Por defecto: embedded",
    ),
    (
        "run.lan",
        "Que las placas de la red local lleguen al broker incluido: se anuncia por mDNS y el programa sabe dónde está \
         (from settings import BROKER, BROKER_PORT); se puede decir la dirección del equipo",
    ),
    (
        "run.seconds",
        "Parar el programa a los N segundos, como hace Ctrl-C",
    ),
    (
        "run.online",
        "Que los nombres de brokers públicos lleven a los de verdad",
    ),
    (
        "install",
        "Poner umqtt en una placa (el módulo nativo, umqtt.robust, umqtt.aio y upip), o un módulo o una lección propios",
    ),
    (
        "install.module",
        "Un fichero .mpy, la carpeta que escribió `umqtt build`, o una lección de `umqtt package`; sin él, umqtt",
    ),
    ("install.port", PORT_ES),
    ("new", "Crear un proyecto para un módulo nativo en Rust"),
    (
        "new.name",
        "El nombre del módulo, que es también el de la carpeta",
    ),
    (
        "new.umqtt_rs",
        "La copia de umqtt-rs cuya capa segura usa el módulo. Por defecto: aquella con la que se compiló esta orden",
    ),
    (
        "build",
        "Compilar un módulo nativo: el del proyecto, para una placa o una arquitectura",
    ),
    (
        "build.project",
        "La carpeta del proyecto. Por defecto: esta",
    ),
    (
        "build.arch",
        "La arquitectura, por ejemplo armv6m o xtensawin, o all (todas). Por defecto: la de --port o, si no, x64, la de la \
         placa simulada",
    ),
    ("build.port", PORT_ES),
    (
        "build.release_dir",
        "La carpeta para los ficheros, con una subcarpeta por arquitectura. Por defecto: release en el proyecto",
    ),
    (
        "check",
        "Decir si un fichero .mpy vale para una placa: versión, arquitectura, opciones, float, memoria",
    ),
    ("check.file", "El fichero .mpy"),
    ("check.port", PORT_ES),
];

pub const PORT_ES: &str = "La placa: un dispositivo (/dev/ttyUSB0, COM3), sim, socket://HOST:PUERTO, rfc2217://HOST:PUERTO, \
                       id:SERIE o auto. Por defecto: auto, la única placa conectada o, si no hay, la simulada";
pub const JSON_ES: &str = "Imprimir un objeto JSON por línea";

fn spanish(key: &str) -> Option<&'static str> {
    let find = |key: &str| {
        SPANISH
            .iter()
            .chain(tools::SPANISH)
            .chain(bench::SPANISH)
            .chain(board::SPANISH)
            .chain(mqtt::SPANISH)
            .chain(lab::SPANISH)
            .find(|(known, _)| *known == key)
            .map(|(_, text)| *text)
    };
    // `pub` and `sub` share most of their options.
    find(key).or_else(|| find(&format!("pub.{}", key.strip_prefix("sub.")?)))
}

fn frame(name: &str) -> Option<&'static Frame> {
    FRAMES
        .iter()
        .chain(tools::FRAMES)
        .chain(bench::FRAMES)
        .chain(board::FRAMES)
        .chain(mqtt::FRAMES)
        .chain(lab::FRAMES)
        .find(|(known, ..)| *known == name)
}

/// Gives the description of the command line its usage lines and examples, and in Spanish its texts.
pub fn localize(command: clap::Command, lang: Lang) -> clap::Command {
    localize_below(command, "", lang)
}

/// `path` names the command as it is written behind `umqtt`: `""`, `run`, `fs ls`.
fn localize_below(command: clap::Command, path: &str, lang: Lang) -> clap::Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut command = localize_one(command, path, lang);
    for name in names {
        let path = format!("{path} {name}").trim_start().to_owned();
        command =
            command.mut_subcommand(&name, |subcommand| localize_below(subcommand, &path, lang));
    }
    command
}

fn localize_one(mut command: clap::Command, name: &str, lang: Lang) -> clap::Command {
    if let Some((_, usage, examples)) = frame(name) {
        command = command
            .override_usage(lang.pick(usage[0], usage[1]))
            .after_help(lang.pick(examples[0], examples[1]));
    }
    let [usage, arguments, options, commands] = lang.pick(
        ["Usage", "Arguments", "Options", "Commands"],
        ["Uso", "Argumentos", "Opciones", "Órdenes"],
    );
    command = command
        .help_template(format!(
            "{{about-with-newline}}\n{usage}: {{usage}}\n\n{{all-args}}{{after-help}}"
        ))
        .subcommand_help_heading(commands);
    if lang == Lang::Es
        && let Some(about) = spanish(name)
    {
        command = command.about(about);
    }
    let ids: Vec<_> = command
        .get_arguments()
        .map(|argument| argument.get_id().clone())
        .collect();
    for id in ids {
        let text = spanish(&format!("{name}.{id}")).or_else(|| spanish(id.as_str()));
        command = command.mut_arg(&id, |argument| {
            let heading = if argument.is_positional() {
                arguments
            } else {
                options
            };
            let argument = argument.help_heading(heading);
            match (lang, text) {
                (Lang::Es, Some(text)) => argument.help(text),
                _ => argument,
            }
        });
    }
    command
}

/// Words what clap found: help and version as they are, errors with what to try.
pub fn answer(error: &clap::Error, arguments: &[OsString], lang: Lang) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Answer::Text(error.render().to_string())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Answer::Help(error.render().to_string())
        }
        _ => {
            let (message, help) = mqtt::explain(error, arguments, lang)
                .unwrap_or_else(|| explain(error, arguments, lang));
            Answer::Failure(Failure::new(Status::Usage, message, help), lang)
        }
    }
}

/// The command that these arguments name, as it is written: `umqtt fs cp`.
fn named(arguments: &[OsString], lang: Lang) -> String {
    let description = cli::description(lang);
    let (mut command, mut path) = (&description, "umqtt".to_owned());
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(below) = command.find_subcommand(word) {
            command = below;
            path = format!("{path} {word}");
        }
    }
    path
}

fn explain(error: &clap::Error, arguments: &[OsString], lang: Lang) -> (String, String) {
    let context = |kind| error.get(kind).map(text).filter(|text| !text.is_empty());
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let command = named(arguments, lang);
    let see_help = match lang {
        Lang::En => format!("{command} --help lists what there is"),
        Lang::Es => format!("{command} --help muestra lo que hay"),
    };
    let es = lang == Lang::Es;
    let message = match error.kind() {
        ErrorKind::UnknownArgument if !argument.starts_with('-') => match lang {
            Lang::En => format!("{argument} is one argument too many"),
            Lang::Es => format!("{argument} sobra: hay un argumento de más"),
        },
        ErrorKind::UnknownArgument if es => format!("no hay ninguna opción {argument}"),
        ErrorKind::UnknownArgument => format!("there is no option {argument}"),
        ErrorKind::InvalidSubcommand => {
            let command = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            if es {
                format!("no hay ninguna orden {command}")
            } else {
                format!("there is no command {command}")
            }
        }
        ErrorKind::MissingRequiredArgument if es => format!("falta {argument}"),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::TooFewValues => {
            let least = context(ContextKind::MinValues).unwrap_or_default();
            let given = context(ContextKind::ActualNumValues).unwrap_or_default();
            match lang {
                Lang::En => format!("{argument}: {least} are needed, {given} was given"),
                Lang::Es => format!("{argument}: hacen falta {least}, se ha dado {given}"),
            }
        }
        ErrorKind::ArgumentConflict
            if context(ContextKind::PriorArg).is_some_and(|prior| prior != argument) =>
        {
            let prior = context(ContextKind::PriorArg).unwrap_or_default();
            match lang {
                Lang::En => format!("{argument} and {prior} do not go together"),
                Lang::Es => format!("{argument} y {prior} no van juntos"),
            }
        }
        ErrorKind::ArgumentConflict if es => format!("{argument} se dio más de una vez"),
        ErrorKind::ArgumentConflict => format!("{argument} was given more than once"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
            match context(ContextKind::InvalidValue) {
                Some(value) if es => format!("\"{value}\" no vale para {argument}"),
                Some(value) => format!("\"{value}\" is no value for {argument}"),
                None if es => format!("{argument} necesita un valor"),
                None => format!("{argument} needs a value"),
            }
        }
        // Whatever else clap may find, in its own words without its frame.
        _ => error
            .render()
            .to_string()
            .trim_start_matches("error: ")
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    let suggestion = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .find_map(context)
        .or_else(|| match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
            _ => None,
        });
    let help = match suggestion {
        Some(suggestion) if es => format!("quizá {suggestion}; {see_help}"),
        Some(suggestion) => format!("perhaps {suggestion}; {see_help}"),
        None => see_help,
    };
    (message, help)
}

fn text(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        // clap's suggestions come with the best one last.
        ContextValue::Strings(texts) => {
            let texts: Vec<&str> = texts.iter().rev().map(String::as_str).collect();
            texts.join(", ")
        }
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => texts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli;

    #[test]
    fn everything_has_a_spanish_text_and_an_example() {
        let description = cli::description(Lang::En);
        let mut commands = vec![(String::new(), &description)];
        while let Some((name, command)) = commands.pop() {
            let name = name.as_str();
            for below in command.get_subcommands() {
                let path = format!("{name} {}", below.get_name());
                commands.push((path.trim_start().to_owned(), below));
            }
            assert!(
                spanish(name).is_some(),
                "no Spanish text for the command {name:?}"
            );
            assert!(frame(name).is_some(), "no examples for {name:?}");
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let known = spanish(&format!("{name}.{id}")).or_else(|| spanish(id));
                assert!(known.is_some(), "no Spanish text for {name}.{id}");
                assert!(
                    argument.get_help().is_some(),
                    "no English text for {name}.{id}"
                );
            }
        }
    }

    fn refused(line: &str, lang: Lang) -> (u8, String) {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match cli::parse(&arguments, lang) {
            Err(Answer::Failure(failure, _)) => (failure.status(), failure.to_string()),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn errors_are_worded_in_both_languages() {
        let cases = [
            (
                "umqtt run main.py --sceonds 3",
                "there is no option --sceonds",
                "no hay ninguna opción --sceonds",
            ),
            (
                "umqtt rnu main.py",
                "there is no command rnu",
                "no hay ninguna orden rnu",
            ),
            ("umqtt run", "<SCRIPT> is missing", "falta <SCRIPT>"),
            (
                "umqtt run m.py --seconds x",
                "\"x\" is no value for --seconds <N>",
                "\"x\" no vale para --seconds <N>",
            ),
            (
                "umqtt run m.py --seconds -1",
                "there is no option -1",
                "no hay ninguna opción -1",
            ),
            (
                "umqtt run m.py --seconds 0",
                "\"0\" is no value for --seconds <N>",
                "\"0\" no vale para --seconds <N>",
            ),
            (
                "umqtt run m.py --loss 101",
                "\"101\" is no value for --loss <PERCENT>",
                "\"101\" no vale para --loss <PERCENT>",
            ),
            (
                "umqtt run m.py --port",
                "--port <PORT> needs a value",
                "--port <PORT> necesita un valor",
            ),
            (
                "umqtt run main.py other.py",
                "other.py is one argument too many",
                "other.py sobra: hay un argumento de más",
            ),
            (
                "umqtt reset --hard --bootloader",
                "--hard and --bootloader do not go together",
                "--hard y --bootloader no van juntos",
            ),
            (
                "umqtt run m.py --seconds 1 --seconds 2",
                "--seconds <N> was given more than once",
                "--seconds <N> se dio más de una vez",
            ),
            (
                "umqtt fs cp main.py",
                "<FROM> <TO>...: 2 are needed, 1 was given",
                "<FROM> <TO>...: hacen falta 2, se ha dado 1",
            ),
            (
                "umqtt ports --lang fr",
                "\"fr\" is no value for --lang <LANG>",
                "\"fr\" no vale para --lang <LANG>",
            ),
        ];
        for (line, english, spanish) in cases {
            assert_eq!(refused(line, Lang::En), (2, english.to_owned()));
            assert_eq!(refused(line, Lang::Es), (2, spanish.to_owned()));
        }
    }

    #[test]
    fn what_to_try_is_the_help_of_the_command_that_was_meant() {
        for (line, help) in [
            ("umqtt run", "umqtt run --help lists what there is"),
            ("umqtt fs cp a", "umqtt fs cp --help lists what there is"),
            (
                "umqtt --json fs mv a",
                "umqtt fs mv --help lists what there is",
            ),
            (
                "umqtt depoly m.py",
                "perhaps deploy, repl; umqtt --help lists what there is",
            ),
            (
                "umqtt completions csh",
                "perhaps bash, zsh, fish, powershell; umqtt completions --help lists what there is",
            ),
            (
                "umqtt deploy m.py --al",
                "perhaps --all; umqtt deploy --help lists what there is",
            ),
        ] {
            let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            match cli::parse(&arguments, Lang::En) {
                Err(Answer::Failure(failure, _)) => {
                    assert_eq!(failure.help(), Some(help), "{line}")
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
