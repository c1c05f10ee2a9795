//! Decides what a script's settings are (Wi-Fi name and password above all), and keeps them out of repositories,
//! command lines and messages: no text of this file ever holds a value.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;

use board_link::{Lang, str_literal};
use toml::Value;

use crate::failure::{Failure, Status};
use crate::module::Item;

/// Where the board has them: `from settings import WIFI_SSID, WIFI_PASSWORD`.
const ON_BOARD: &str = "/settings.py";

const SSID: &str = "wifi_ssid";
const PASSWORD: &str = "wifi_password";

/// More than any board should import.
const MOST_BYTES: u64 = 64 * 1024;

/// The file for the board, the password asked for where there is a network without one.
pub fn read(path: &Path, lang: Lang) -> Result<Item, Failure> {
    let name = path.display();
    let refuse = |why: String| {
        let message = match lang {
            Lang::En => format!("the settings {name} cannot be used: {why}"),
            Lang::Es => format!("no se pueden usar los ajustes {name}: {why}"),
        };
        let help = lang.pick(
            "a TOML file with lines such as: wifi_ssid = \"NAME\"",
            "un fichero TOML con líneas como: wifi_ssid = \"NOMBRE\"",
        );
        Failure::new(Status::Failed, message, help)
    };
    if let Some(repository) = repository(path) {
        let repository = repository.display();
        let message = match lang {
            Lang::En => {
                format!("{name} lies in the repository {repository}, where passwords get published")
            }
            Lang::Es => format!(
                "{name} está en el repositorio {repository}, donde las contraseñas acaban publicadas"
            ),
        };
        let help = lang.pick(
            "keep it outside, in your home folder for example",
            "guárdalo fuera, por ejemplo en tu carpeta personal",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    let size = std::fs::metadata(path)
        .map_err(|error| refuse(error.to_string()))?
        .len();
    if size > MOST_BYTES {
        return Err(refuse(format!("{size} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
        // The error's own text quotes the line, and the line may hold the password.
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        refuse(match lang {
            Lang::En => format!("line {line} is not TOML"),
            Lang::Es => format!("la línea {line} no es TOML"),
        })
    })?;
    if table.contains_key(SSID) && !table.contains_key(PASSWORD) {
        let password = ask(lang)?;
        table.insert(PASSWORD.to_owned(), Value::String(password));
    }
    python(&table, lang)
        .map_err(refuse)
        .map(|text| Item::new(ON_BOARD, text.into_bytes()))
}

/// The repository that a file lies in.
fn repository(path: &Path) -> Option<std::path::PathBuf> {
    let path = std::fs::canonicalize(path).ok()?;
    let found = path
        .ancestors()
        .skip(1)
        .find(|folder| folder.join(".git").exists());
    found.map(Path::to_owned)
}

fn ask(lang: Lang) -> Result<String, Failure> {
    let failed = |why: String| {
        let message = match lang {
            Lang::En => format!("there is no Wi-Fi password: {why}"),
            Lang::Es => format!("falta la contraseña de la Wi-Fi: {why}"),
        };
        let help = lang.pick(
            "write wifi_password in the settings file (\"\" for an open network)",
            "escribe wifi_password en el fichero de ajustes (\"\" si la red es abierta)",
        );
        Failure::new(Status::Failed, message, help)
    };
    if !std::io::stdin().is_terminal() {
        let why = lang.pick("nobody is there to ask", "no hay a quién preguntar");
        return Err(failed(why.to_owned()));
    }
    let question = lang.pick(
        "Wi-Fi password (it is not shown): ",
        "Contraseña de la Wi-Fi (no se muestra): ",
    );
    rpassword::prompt_password(question).map_err(|error| failed(error.to_string()))
}

/// `WIFI_SSID = '…'`, a line for each.
fn python(table: &toml::Table, lang: Lang) -> Result<String, String> {
    let mut text = String::new();
    for (key, value) in table {
        let name = key.to_uppercase();
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !name.chars().all(is_name)
            || name.starts_with(|c: char| c.is_ascii_digit())
            || name.is_empty()
        {
            return Err(match lang {
                Lang::En => format!("{key:?} is no name for Python"),
                Lang::Es => format!("{key:?} no vale como nombre en Python"),
            });
        }
        let wrong = |wanted_en: &str, wanted_es: &str| match lang {
            Lang::En => format!("{key} is a {}, it must be {wanted_en}", value.type_str()),
            Lang::Es => format!("{key} es {}, debe ser {wanted_es}", value.type_str()),
        };
        if [SSID, PASSWORD].contains(&key.as_str()) && !value.is_str() {
            return Err(wrong("a text in quotes", "un texto entre comillas"));
        }
        let literal = match value {
            Value::String(text) => str_literal(text),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) if number.is_finite() => format!("{number:?}"),
            Value::Boolean(true) => "True".to_owned(),
            Value::Boolean(false) => "False".to_owned(),
            _ => {
                return Err(wrong(
                    "a text, a number, true or false",
                    "un texto, un número, true o false",
                ));
            }
        };
        writeln!(text, "{name} = {literal}").expect("writing to a String succeeds");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("wifi.toml");
        std::fs::write(&path, text).expect("a file");
        (folder, path)
    }

    #[test]
    fn settings_become_python() {
        let (_folder, path) =
            file("wifi_ssid = \"it's ñ\"\nwifi_password = \"\"\nport = 1883\nf = 1.5\non = true\n");
        let item = read(&path, Lang::En).expect("settings");
        assert_eq!(item.path, "/settings.py");
        assert_eq!(
            String::from_utf8_lossy(&item.content),
            "F = 1.5\nON = True\nPORT = 1883\nWIFI_PASSWORD = ''\nWIFI_SSID = 'it\\'s ñ'\n"
        );
    }

    #[test]
    fn wrong_settings_are_refused_without_showing_them() {
        for text in [
            "wifi_ssid = \"a\"\nwifi_password = 12345678secret\n",
            "wifi_password = 12345678\n",
            "wifi_ssid = [\"secret\"]\n",
            "a.b = \"secret\"\n",
            "\"a b\" = \"secret\"\n",
            "x = nan\n",
            "secret",
        ] {
            let (_folder, path) = file(text);
            for lang in [Lang::En, Lang::Es] {
                let failure = read(&path, lang).expect_err(text);
                let said = failure.to_string();
                assert!(
                    !said.contains("secret") && !said.contains("12345678"),
                    "{said}"
                );
            }
        }
        let (_folder, path) = file("wifi_ssid = \"a\"\n");
        // Nobody is there to ask in a test.
        assert!(read(&path, Lang::En).is_err() || std::io::stdin().is_terminal());
    }

    #[test]
    fn settings_in_a_repository_are_refused() {
        let (folder, path) = file("x = 1\n");
        assert!(read(&path, Lang::En).is_ok());
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        assert_eq!(
            read(&path, Lang::En).expect_err("refused").kind(),
            Status::Usage
        );
    }
}
