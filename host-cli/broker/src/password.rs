//! Decides how one password is kept: the forms that Mosquitto's password files know, and the comparison, which takes as
//! long for a wrong password as for the right one.

use std::fmt;
use std::num::NonZeroU32;

use argon2::password_hash::PasswordHash;
use argon2::{Algorithm, Argon2, Params};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::{digest, pbkdf2, rand};
use subtle::ConstantTimeEq;

/// Rounds of PBKDF2 for new passwords. Mosquitto 2.0 takes 101 and reads any number. This many cost a processor some
/// hundredths of a second for each login, which a class that reconnects at once can still wait for.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(25_000).expect("not 0");

/// The most rounds that a file may ask for: a login must end.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Bytes of salt for new passwords; Mosquitto 2.0 reads this length only.
const SALT: usize = 12;

/// SHA-512 gives 64 bytes, and so do both of Mosquitto's older forms.
const HASH: usize = 64;

/// The most memory, in KiB, and rounds that an argon2 entry may ask for.
const MAX_ARGON2_MEMORY: u32 = 256 << 10;
const MAX_ARGON2_ROUNDS: u32 = 100;

/// A password as a file keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// `$6$SALT$HASH`: SHA-512 of the password and the salt, as Mosquitto wrote up to 1.6.
    Sha512 { salt: Vec<u8>, hash: [u8; HASH] },
    /// `$7$ITERATIONS$SALT$HASH`: PBKDF2 with HMAC-SHA512, as Mosquitto writes since 2.0.
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: Vec<u8>,
        hash: [u8; HASH],
    },
    /// `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`, as newer versions of Mosquitto write.
    Argon2id(String),
}

impl fmt::Debug for StoredPassword {
    /// Without the hash, which is nobody's to see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword")
    }
}

impl StoredPassword {
    /// A new password in the form `$7$`, with a salt of its own.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new(password: &[u8]) -> Result<Self, ring::error::Unspecified> {
        let mut salt = vec![0; SALT];
        rand::SystemRandom::new().fill(&mut salt)?;
        Ok(Self::with(ITERATIONS, salt, password))
    }

    fn with(iterations: NonZeroU32, salt: Vec<u8>, password: &[u8]) -> Self {
        let mut hash = [0; HASH];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA512,
            iterations,
            &salt,
            password,
            &mut hash,
        );
        Self(Form::Pbkdf2 {
            iterations,
            salt,
            hash,
        })
    }

    /// One that no password fits, which costs as much to try as a new one: who guesses user names learns nothing from
    /// the time that the answer takes.
    pub(crate) fn none() -> Self {
        Self(Form::Pbkdf2 {
            iterations: ITERATIONS,
            salt: vec![0; SALT],
            hash: [0; HASH],
        })
    }

    /// Takes a stored password apart.
    ///
    /// # Errors
    /// What is wrong with it, in English.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("$argon2id$") {
            return parse_argon2id(text);
        }
        let fields: Vec<&str> = text.split('$').collect();
        let (iterations, salt, hash) = match fields[..] {
            ["", "6", salt, hash] => (None, salt, hash),
            ["", "7", iterations, salt, hash] => {
                let count = iterations
                    .parse()
                    .ok()
                    .filter(|count: &NonZeroU32| count.get() <= MAX_ITERATIONS)
                    .ok_or("its number of rounds is not between 1 and 10000000")?;
                (Some(count), salt, hash)
            }
            _ if text.starts_with('$') => {
                return Err(
                    "its password is in an unknown form; $6$, $7$ and $argon2id$ are known",
                );
            }
            _ => {
                return Err(
                    "its password is not hashed; write it with umqtt broker passwd FILE USER",
                );
            }
        };
        let decode = |field: &str| STANDARD.decode(field).map_err(|_| "it is not whole base64");
        let (salt, hash) = (decode(salt)?, decode(hash)?);
        let hash = hash.try_into().map_err(|_| "its hash has not 64 bytes")?;
        Ok(Self(match iterations {
            None => Form::Sha512 { salt, hash },
            Some(iterations) => Form::Pbkdf2 {
                iterations,
                salt,
                hash,
            },
        }))
    }

    /// Whether `password` is the one. How long it takes says nothing about how much of it is right.
    pub fn verify(&self, password: &[u8]) -> bool {
        match &self.0 {
            Form::Sha512 { salt, hash } => {
                let mut context = digest::Context::new(&digest::SHA512);
                context.update(password);
                context.update(salt);
                context.finish().as_ref().ct_eq(hash).into()
            }
            Form::Pbkdf2 {
                iterations,
                salt,
                hash,
            } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
                pbkdf2::verify(algorithm, *iterations, salt, password, hash).is_ok()
            }
            Form::Argon2id(text) => {
                // The text was taken apart before; `Argon2` compares in constant time.
                PasswordHash::new(text).is_ok_and(|hash| {
                    hash.verify_password(&[&Argon2::default()], password)
                        .is_ok()
                })
            }
        }
    }
}

fn parse_argon2id(text: &str) -> Result<StoredPassword, &'static str> {
    let hash = PasswordHash::new(text).map_err(|_| "its argon2id hash cannot be read")?;
    let params = Params::try_from(&hash).map_err(|_| "its argon2id settings cannot be used")?;
    let known = Algorithm::try_from(hash.algorithm) == Ok(Algorithm::Argon2id);
    if !known || hash.hash.is_none() || hash.salt.is_none() {
        return Err("its argon2id hash is not whole");
    }
    if params.m_cost() > MAX_ARGON2_MEMORY || params.t_cost() > MAX_ARGON2_ROUNDS {
        return Err("its argon2id settings ask for more than 256 MiB or 100 rounds");
    }
    Ok(StoredPassword(Form::Argon2id(text.to_owned())))
}

impl fmt::Display for StoredPassword {
    /// As it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Sha512 { salt, hash } => {
                write!(f, "$6${}${}", STANDARD.encode(salt), STANDARD.encode(hash))
            }
            Form::Pbkdf2 {
                iterations,
                salt,
                hash,
            } => write!(
                f,
                "$7${iterations}${}${}",
                STANDARD.encode(salt),
                STANDARD.encode(hash)
            ),
            Form::Argon2id(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by Debian's mosquitto_passwd 2.0.11 for the password `secreta`, and with `-H sha512` for `clave`.
    const PBKDF2: &str = "$7$101$trvBXcf/2Lb5tG+P$lO/0gObcYbp+QBbz2kvY8SoH+wBylW8AlbLYYXxzAwdg8TU0SBXqmkrZwtMCBxjeJJW+7T9oH95KzoVPZRjDcw==";
    const SHA512: &str = "$6$Sl9cVWWwp+PkjJXB$7HYBfEG7/9ZUDZY2INrAiAOx7PSlVZVtlBAjwnYpLIWiAP8nmV+KHJxJEA188LH3MBxwi7J4JW5wNwe4KO3GYA==";

    #[test]
    fn what_mosquitto_wrote_is_read() {
        for (text, password) in [(PBKDF2, "secreta"), (SHA512, "clave")] {
            let stored = StoredPassword::parse(text).expect(text);
            assert!(stored.verify(password.as_bytes()), "{text}");
            for wrong in ["", "Secreta", "secreta ", "clav", "clavee"] {
                assert!(!stored.verify(wrong.as_bytes()), "{wrong} for {text}");
            }
            assert_eq!(stored.to_string(), text);
        }
    }

    #[test]
    fn argon2id_is_read() {
        // From the test suite of the reference implementation of Argon2 (github.com/P-H-C/phc-winner-argon2, test.c):
        // version 0x13, t=2, m=2^8, p=1, "password", "somesalt".
        let text =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let stored = StoredPassword::parse(text).expect("a hash");
        assert!(stored.verify(b"password"));
        assert!(!stored.verify(b"Password"));
        assert_eq!(stored.to_string(), text);
    }

    #[test]
    fn a_new_password_is_read_back_and_never_the_same_twice() {
        let first = StoredPassword::new("contraseña".as_bytes()).expect("random numbers");
        let second = StoredPassword::new("contraseña".as_bytes()).expect("random numbers");
        assert_ne!(first.to_string(), second.to_string());
        let read = StoredPassword::parse(&first.to_string()).expect("its own form");
        assert!(read.verify("contraseña".as_bytes()) && !read.verify("contrasena".as_bytes()));
        assert!(!StoredPassword::none().verify(b""));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, reason) in [
            ("secreta", "not hashed"),
            ("", "not hashed"),
            ("$5$a$b", "unknown form"),
            ("$7$0$AAAA$AAAA", "rounds"),
            ("$7$99999999$AAAA$AAAA", "rounds"),
            ("$7$101$AA!A$AAAA", "base64"),
            ("$7$101$AAAA$AAAA", "64 bytes"),
            ("$6$AAAA", "unknown form"),
            ("$argon2id$v=19$m=65536", "argon2id"),
            (
                "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                "256 MiB",
            ),
        ] {
            let error = StoredPassword::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
