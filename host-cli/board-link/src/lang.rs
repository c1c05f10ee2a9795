//! Which human language a message is written in: English or Spanish.

use std::io;

/// Language of the messages that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    Es,
}

impl Lang {
    /// The language that a locale name (`es_ES.UTF-8`, `es-AR`, `en_GB`, `C`) asks for.
    /// Everything that is not Spanish is English.
    pub fn from_locale(name: &str) -> Lang {
        let language = name.split(['_', '-', '.', '@']).next().unwrap_or("");
        if language.eq_ignore_ascii_case("es") {
            Lang::Es
        } else {
            Lang::En
        }
    }

    /// `en` in English, `es` in Spanish: for text with both versions at hand.
    pub fn pick<T>(self, en: T, es: T) -> T {
        match self {
            Lang::En => en,
            Lang::Es => es,
        }
    }

    /// Why the system refused something: in English its own words; in Spanish ours for what students meet, and the
    /// system's for the rest.
    pub fn reason(self, error: &io::Error) -> String {
        use io::ErrorKind::*;
        let spanish = match error.kind() {
            NotFound => "no existe",
            PermissionDenied => "no hay permiso",
            AlreadyExists => "ya existe",
            NotADirectory => "no es una carpeta",
            IsADirectory => "es una carpeta",
            DirectoryNotEmpty => "la carpeta no está vacía",
            StorageFull => "no queda sitio en el disco",
            QuotaExceeded => "se acabó la cuota de disco",
            ReadOnlyFilesystem => "el disco es de solo lectura",
            FileTooLarge => "el fichero es demasiado grande",
            InvalidFilename => "el nombre no vale",
            AddrInUse => "la dirección está en uso",
            AddrNotAvailable => "este equipo no tiene esa dirección",
            ConnectionRefused => "conexión rechazada: nadie escucha ahí",
            ConnectionReset => "el otro extremo cortó la conexión",
            ConnectionAborted | BrokenPipe => "la conexión se cortó",
            NotConnected => "no hay conexión",
            HostUnreachable => "no se llega a ese equipo",
            NetworkUnreachable => "no se llega a esa red",
            NetworkDown => "la red no funciona",
            TimedOut => "se acabó el tiempo",
            _ => return error.to_string(),
        };
        // An error of a program's own making says more than its kind does.
        match (self, error.raw_os_error()) {
            (Lang::Es, Some(_)) => spanish.to_owned(),
            (Lang::Es, None) if error.get_ref().is_none() => spanish.to_owned(),
            _ => error.to_string(),
        }
    }
}

impl std::str::FromStr for Lang {
    type Err = String;

    /// Accepts `en` and `es`, as `--lang` does.
    fn from_str(text: &str) -> Result<Lang, String> {
        match text {
            "en" => Ok(Lang::En),
            "es" => Ok(Lang::Es),
            other => Err(format!("unknown language {other:?}: use en or es")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Lang;

    #[test]
    fn reasons() {
        let missing = std::fs::read("").expect_err("no file has no name");
        assert_eq!(Lang::Es.reason(&missing), "no existe");
        assert_eq!(Lang::En.reason(&missing), missing.to_string());
        let kind = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(Lang::Es.reason(&kind), "se acabó el tiempo");
        let own = io::Error::new(io::ErrorKind::TimedOut, "no answer to the greeting");
        assert_eq!(Lang::Es.reason(&own), "no answer to the greeting");
        let rare = io::Error::from_raw_os_error(71);
        assert_eq!(Lang::Es.reason(&rare), rare.to_string());
    }

    #[test]
    fn locale_names() {
        for (name, lang) in [
            ("es", Lang::Es),
            ("es_ES.UTF-8", Lang::Es),
            ("es-AR", Lang::Es),
            ("ES_mx@euro", Lang::Es),
            ("est_EE", Lang::En),
            ("C.UTF-8", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::from_locale(name), lang, "{name:?}");
        }
        assert_eq!("es".parse(), Ok(Lang::Es));
        assert!("fr".parse::<Lang>().is_err());
    }
}
