//! Which human language a message is written in: English or Spanish.

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
    use super::Lang;

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
