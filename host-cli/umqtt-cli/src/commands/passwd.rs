//! `umqtt broker passwd`: decides where a password comes from, and puts it into a password file.

use std::io::{self, BufRead, IsTerminal};

use board_link::Lang;
use broker::UsersError;
use serde_json::json;

use crate::failure::{self, Failure, Status};
use crate::lines;
use crate::options::mqtt::PasswdOptions;
use crate::output;

pub fn run(options: &PasswdOptions, lang: Lang) -> Result<(), Failure> {
    let (file, user) = (&options.file, &options.user);
    if options.delete {
        broker::remove_user(file, user).map_err(|error| explain(&error, lang))?;
        return say(
            "user_removed",
            options,
            match lang {
                Lang::En => format!("{user} is no longer in {}", file.display()),
                Lang::Es => format!("{user} ya no está en {}", file.display()),
            },
            lang,
        );
    }
    let password = match (&options.password, options.batch) {
        (Some(password), true) => {
            eprintln!(
                "umqtt: {}",
                lang.pick(
                    "the password now stands in the shell's history, and others could see it while this ran; \
                     without -b it is asked for",
                    "la contraseña ha quedado en el historial de la shell, y otros podían verla mientras esto corría; \
                     sin -b se pregunta",
                )
            );
            password.clone()
        }
        (None, true) => {
            return Err(Failure::new(
                Status::Usage,
                lang.pick("-b needs the password", "-b necesita la contraseña"),
                lang.pick(
                    "leave -b out, and it is asked for",
                    "quita -b, y se preguntará",
                ),
            ));
        }
        _ => ask(user, lang)?,
    };
    if password.is_empty() {
        return Err(Failure::new(
            Status::Usage,
            lang.pick("the password is empty", "la contraseña está vacía"),
            lang.pick(
                "for clients without password there is umqtt broker --anonymous",
                "para clientes sin contraseña está umqtt broker --anonymous",
            ),
        ));
    }
    broker::set_password(file, user, password.as_bytes(), options.anew)
        .map_err(|error| explain(&error, lang))?;
    say(
        "password_set",
        options,
        match lang {
            Lang::En => format!("{user} has a password in {}", file.display()),
            Lang::Es => format!("{user} tiene contraseña en {}", file.display()),
        },
        lang,
    )
}

/// Says what was done, to a person or to a program.
fn say(event: &str, options: &PasswdOptions, text: String, lang: Lang) -> Result<(), Failure> {
    if lines::wanted() {
        let fields = json!({ "file": options.file.display().to_string(), "user": options.user });
        return lines::print(event, fields, lang);
    }
    output::print(format!("{text}\n").as_bytes(), lang)
}

/// Asks twice at a terminal; else the first line of standard input is the password.
fn ask(user: &str, lang: Lang) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        let message = lang.pick(
            "the password cannot be read",
            "no se puede leer la contraseña",
        );
        Failure::complete(Status::Failed, format!("{message}: {error}"))
    };
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let question = match lang {
        Lang::En => format!("Password of {user} (it is not shown): "),
        Lang::Es => format!("Contraseña de {user} (no se muestra): "),
    };
    let first = rpassword::prompt_password(question).map_err(failed)?;
    let again = lang.pick("The same once more: ", "La misma otra vez: ");
    if rpassword::prompt_password(again).map_err(failed)? == first {
        return Ok(first);
    }
    Err(Failure::new(
        Status::Failed,
        lang.pick(
            "the two are not the same, nothing was changed",
            "las dos no son iguales, no se ha cambiado nada",
        ),
        lang.pick("type it again", "escríbela otra vez"),
    ))
}

/// What is wrong with a password file, in the language of the user.
pub fn explain(error: &UsersError, lang: Lang) -> Failure {
    let status = match error {
        UsersError::Name(_) => Status::Usage,
        _ => Status::Failed,
    };
    let message = match (lang, error) {
        // The file that cannot be made is one beside it, which nobody has heard of.
        (_, UsersError::Write { path, source }) if source.kind() == io::ErrorKind::NotFound => {
            let path = path.display();
            match lang {
                Lang::En => format!("{path} cannot be written: its folder does not exist"),
                Lang::Es => format!("no se puede escribir {path}: su carpeta no existe"),
            }
        }
        (Lang::En, _) => error.to_string(),
        (Lang::Es, UsersError::Read { path, source }) => {
            failure::cannot_read(path.display(), source, lang)
        }
        (Lang::Es, UsersError::Write { path, source }) => {
            failure::cannot_write(path.display(), source, lang)
        }
        (Lang::Es, UsersError::Line { path, line, reason }) => {
            format!(
                "{}, línea {line}: no es USUARIO:CONTRASEÑA con la contraseña cifrada ({reason})",
                path.display()
            )
        }
        (Lang::Es, UsersError::Name(name)) => format!(
            "\"{name}\" no vale como usuario: está vacío, empieza por # o blanco, o tiene dos puntos o caracteres de control"
        ),
        (Lang::Es, UsersError::NoSuchUser { path, user }) => {
            format!("en {} no está {user}", path.display())
        }
        (Lang::Es, UsersError::Random) => "el sistema no da números al azar".to_owned(),
    };
    let help = match error {
        UsersError::Read { .. } | UsersError::NoSuchUser { .. } => lang.pick(
            "check the name; umqtt broker passwd FILE USER makes a file or a user",
            "revisa el nombre; umqtt broker passwd FICHERO USUARIO crea el fichero o el usuario",
        ),
        UsersError::Write { .. } => lang.pick(
            "choose a folder that you may write to",
            "elige una carpeta en la que puedas escribir",
        ),
        UsersError::Line { .. } => lang.pick(
            "correct the line, or begin the file anew with -c",
            "corrige la línea, o empieza el fichero de nuevo con -c",
        ),
        UsersError::Name(_) => lang.pick("choose another name", "elige otro nombre"),
        UsersError::Random => lang.pick("try again", "inténtalo otra vez"),
    };
    Failure::new(status, message, help)
}
