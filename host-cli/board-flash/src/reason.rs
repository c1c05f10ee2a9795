//! Decides how a reason is worded: our own in both of the command's languages, another program's in that program's.

use std::fmt;

/// Why something failed. Displayed in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    english: String,
    /// `None`: these are the words of a library or of the system.
    spanish: Option<String>,
}

impl Reason {
    pub(crate) fn ours(english: &str, spanish: &str) -> Self {
        Self {
            english: english.to_owned(),
            spanish: Some(spanish.to_owned()),
        }
    }

    pub(crate) fn theirs(words: impl fmt::Display) -> Self {
        Self {
            english: words.to_string(),
            spanish: None,
        }
    }

    /// In Spanish, where it is ours.
    pub fn spanish(&self) -> &str {
        self.spanish.as_deref().unwrap_or(&self.english)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}
