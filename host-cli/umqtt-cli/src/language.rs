//! Decides in which language the command speaks: `--lang`, else the locale, else English.

use std::ffi::OsString;

use board_link::Lang;

/// The language for these arguments, before they are parsed: the parser's own errors need it too.
/// `variable` gives the value of an environment variable.
pub fn choose(arguments: &[OsString], variable: impl Fn(&str) -> Option<String>) -> Lang {
    named(arguments).unwrap_or_else(|| {
        // The first of these that is set to something counts (POSIX, 8.2).
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(variable);
        let locale = set
            .into_iter()
            .find(|value| !value.is_empty())
            .or_else(system_locale);
        locale.map_or(Lang::En, |locale| Lang::from_locale(&locale))
    })
}

/// The valid value of the last `--lang` before a lone `--`.
fn named(arguments: &[OsString]) -> Option<Lang> {
    let mut chosen = None;
    let mut arguments = arguments
        .iter()
        .skip(1)
        .map_while(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--lang") {
            _ if argument == "--" => break,
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        chosen = value.and_then(|value| value.parse().ok()).or(chosen);
    }
    chosen
}

/// Windows has no such variables; it has a setting.
#[cfg(windows)]
fn system_locale() -> Option<String> {
    sys_locale::get_locale()
}

#[cfg(not(windows))]
fn system_locale() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str], variables: &[(&str, &str)]) -> Lang {
        let arguments: Vec<OsString> = ["umqtt"]
            .iter()
            .chain(arguments)
            .map(OsString::from)
            .collect();
        let find = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_string())
        };
        choose(&arguments, find)
    }

    #[test]
    fn the_option_wins_over_the_locale() {
        let spanish = [("LANG", "es_ES.UTF-8")];
        assert_eq!(chosen(&["ports"], &spanish), Lang::Es);
        assert_eq!(chosen(&["--lang", "en", "ports"], &spanish), Lang::En);
        assert_eq!(chosen(&["ports", "--lang=en"], &spanish), Lang::En);
        assert_eq!(chosen(&["ports", "--lang=es"], &[]), Lang::Es);
        assert_eq!(chosen(&["ports", "--lang=fr"], &spanish), Lang::Es);
        assert_eq!(chosen(&["--", "--lang=en"], &spanish), Lang::Es);
    }

    #[test]
    fn the_locale_variables_count_in_posix_order() {
        assert_eq!(
            chosen(&[], &[("LC_ALL", "en_GB"), ("LANG", "es_ES")]),
            Lang::En
        );
        assert_eq!(
            chosen(
                &[],
                &[("LC_ALL", ""), ("LC_MESSAGES", "es"), ("LANG", "en")]
            ),
            Lang::Es
        );
        assert_eq!(chosen(&[], &[("LANG", "C.UTF-8")]), Lang::En);
        assert_eq!(chosen(&[], &[]), Lang::En);
    }
}
