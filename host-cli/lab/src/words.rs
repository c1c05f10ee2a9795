//! Decides how the laboratory's own sentences exist: in both languages, since pages may differ in theirs.

use board_link::{Lang, LinkError};

/// A sentence in English and Spanish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub en: String,
    pub es: String,
}

impl Words {
    pub fn new(en: impl Into<String>, es: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            es: es.into(),
        }
    }

    /// What another program or the system says is the same in both.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            en: text.clone(),
            es: text,
        }
    }

    /// An error on the way to a board, with what to try.
    pub fn of_link(error: &LinkError) -> Self {
        let text = |lang| format!("{}. {}", error.message(lang), error.help(lang));
        Self::new(text(Lang::En), text(Lang::Es))
    }

    pub fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.en, &self.es)
    }
}
