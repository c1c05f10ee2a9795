//! Where a package's files will lie on the net: which addresses mip takes, and how a file is named below one.
//!
//! A board's mip (micropython-lib, `mip` and `requests`) takes an address apart at its slashes and decodes nothing, so
//! what it could not take apart is refused here, and what a server decodes is written in percent signs.

use std::fmt;

use board_link::Lang;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::failure::{Failure, Status};

/// The longest address, bytes: with it, what mip is told of the largest lesson stays below what is read of one.
const LONGEST: usize = 500;

/// What stands for itself in a path (RFC 3986, "unreserved" and the slash).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The same for what the user wrote, who may have written percent signs for blanks.
const WRITTEN: &AsciiSet = &PATH.remove(b'%');

/// The address of the folder that a package is unpacked in, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// What mip could not do with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Neither `http://`, `https://`, `github:` nor `gitlab:`.
    Scheme,
    /// No name of a computer, or one that a board cannot look up: IPv6, a user and password, letters beyond ASCII.
    Host,
    /// No number from 1 to 65535.
    Port,
    /// `github:` and `gitlab:` need a user and a repository; a branch is named to mip itself.
    Repository,
    /// A `?`, `#`, backslash, control character, `.` or `..`: no file can be named behind it.
    Path,
    TooLong,
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, Bad> {
        let text = text.trim_end_matches('/');
        if text.len() > LONGEST {
            return Err(Bad::TooLong);
        }
        let web = ["http://", "https://"];
        let (scheme, rest) = web
            .iter()
            .chain(&["github:", "gitlab:"])
            .find_map(|scheme| Some((*scheme, text.strip_prefix(scheme)?)))
            .ok_or(Bad::Scheme)?;
        let path = if web.contains(&scheme) {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            check_host(host)?;
            path
        } else {
            check_repository(rest)?;
            rest
        };
        let is_odd = |c: char| c.is_control() || ['?', '#', '\\'].contains(&c);
        let folders = path.split('/').filter(|_| !path.is_empty());
        if path.contains(is_odd) || { folders }.any(|folder| ["", ".", ".."].contains(&folder)) {
            return Err(Bad::Path);
        }
        let before = &text[..text.len() - path.len()];
        let written = utf8_percent_encode(path, WRITTEN);
        Ok(Self(format!("{before}{written}")))
    }

    /// What a user is told about an address that is none.
    pub fn from_user(text: &str, lang: Lang) -> Result<Self, Failure> {
        Self::parse(text).map_err(|bad| {
            let why = bad.text(lang);
            let message = match lang {
                Lang::En => format!("boards cannot fetch files from {text:?}: {why}"),
                Lang::Es => format!("las placas no pueden traer ficheros de {text:?}: {why}"),
            };
            let help = lang.pick(
                "name the folder that the package will be unpacked in: --url https://example.org/lessons/publicar, or --url github:user/repository/folder",
                "indica la carpeta en la que se descomprimirá el paquete: --url https://example.org/lecciones/publicar, o --url github:usuario/repositorio/carpeta",
            );
            Failure::new(Status::Usage, message, help)
        })
    }

    /// The address of a file of the package.
    pub fn of(&self, path: &str) -> String {
        format!("{}/{}", self.0, utf8_percent_encode(path, PATH))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `name` or `name:port`, as micropython-lib's `requests` takes it apart.
fn check_host(host: &str) -> Result<(), Bad> {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || !name.chars().all(known) || host.contains(['@', '[']) {
        return Err(Bad::Host);
    }
    let number = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if port.is_some_and(|port| !number(port)) {
        return Err(Bad::Port);
    }
    Ok(())
}

/// `user/repository` and perhaps folders.
fn check_repository(text: &str) -> Result<(), Bad> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let named =
        |name: Option<&str>| name.is_some_and(|name| !name.is_empty() && name.chars().all(known));
    let mut parts = text.split('/');
    if named(parts.next()) && named(parts.next()) {
        Ok(())
    } else {
        Err(Bad::Repository)
    }
}

impl Bad {
    fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::Scheme => lang.pick(
                "mip takes http://, https://, github: and gitlab:",
                "mip entiende http://, https://, github: y gitlab:",
            ),
            Self::Host => lang.pick(
                "a name or an IPv4 address must follow the slashes, without user, password or letters like ñ",
                "tras las barras va un nombre o una dirección IPv4, sin usuario, contraseña ni letras como la ñ",
            ),
            Self::Port => lang.pick(
                "the port is no number from 1 to 65535",
                "el puerto no es un número de 1 a 65535",
            ),
            Self::Repository => lang.pick(
                "a user and a repository must follow; the branch is named to mip, as its version",
                "debe seguir un usuario y un repositorio; la rama se le dice a mip, como versión",
            ),
            Self::Path => lang.pick(
                "its path has an empty folder, . or .., ?, # or a backslash",
                "su ruta tiene una carpeta vacía, . o .., ?, # o una barra invertida",
            ),
            Self::TooLong => lang.pick(
                "it is longer than 500 bytes",
                "tiene más de 500 bytes",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_below_an_address() {
        for (text, file) in [
            ("http://aula.local", "http://aula.local/files/main.py"),
            ("https://h.es:8443/", "https://h.es:8443/files/main.py"),
            (
                "http://10.0.0.7:80/a/b//",
                "http://10.0.0.7:80/a/b/files/main.py",
            ),
            ("http://h/mi%20clase", "http://h/mi%20clase/files/main.py"),
            (
                "http://h/mi clase ñ",
                "http://h/mi%20clase%20%C3%B1/files/main.py",
            ),
            ("github:ana/clase", "github:ana/clase/files/main.py"),
            (
                "gitlab:ana/clase/3º/",
                "gitlab:ana/clase/3%C2%BA/files/main.py",
            ),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.of("files/main.py"), file);
            // As a manifest has it, it is the same again.
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
        let address = Address::parse("http://h/a%20b").expect("an address");
        assert_eq!(
            address.of("files/100% \"ñ\"?#.txt"),
            "http://h/a%20b/files/100%25%20%22%C3%B1%22%3F%23.txt"
        );
    }

    #[test]
    fn what_mip_cannot_take_apart_is_refused() {
        for (text, bad) in [
            ("", Bad::Scheme),
            ("example.org/clase", Bad::Scheme),
            ("ftp://h/clase", Bad::Scheme),
            ("file:///home/ana", Bad::Scheme),
            ("HTTP://h", Bad::Scheme),
            ("http:/h/clase", Bad::Scheme),
            ("http://", Bad::Scheme),
            ("http:///clase", Bad::Host),
            ("http://:80/clase", Bad::Host),
            ("http://ana:secreta@h/clase", Bad::Host),
            ("http://[::1]:80/clase", Bad::Host),
            ("http://españa.es/clase", Bad::Host),
            ("http://a b/clase", Bad::Host),
            ("http://h:/clase", Bad::Port),
            ("http://h:0/clase", Bad::Port),
            ("http://h:+80/clase", Bad::Port),
            ("http://h:65536", Bad::Port),
            ("http://h/a//b", Bad::Path),
            ("http://h/../b", Bad::Path),
            ("http://h/b?x=1", Bad::Path),
            ("http://h/b#x", Bad::Path),
            ("http://h/b\r\nHost: x", Bad::Path),
            ("github:ana", Bad::Repository),
            ("github:ana/clase@main", Bad::Repository),
            ("github:/ana/clase", Bad::Repository),
            ("github:ana/clase/..", Bad::Path),
        ] {
            assert_eq!(Address::parse(text), Err(bad), "{text}");
        }
        let long = format!("http://h/{}", "a".repeat(LONGEST));
        assert_eq!(Address::parse(&long), Err(Bad::TooLong));
    }
}
