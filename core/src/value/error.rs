//! What is wrong with a value, and where in its text.

use std::fmt;
use std::ops::Range;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// One sentence without a full stop.
    pub message: String,
    /// The part of the text that is wrong, in bytes.
    pub range: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, help: None }
    }

    pub(super) fn whole(message: impl Into<String>, text: &str) -> Self {
        Self::new(message, 0..text.len())
    }

    /// Refuses a template where only a literal can stand.
    pub(super) fn refuse_template(what: &str, text: &str) -> Result<(), Self> {
        if !text.contains("{{") && !text.contains("{%") {
            return Ok(());
        }
        let error = Self::whole(format!("{what} cannot hold a template"), text);
        Err(error.help("write it out: it is read before anything runs"))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(formatter, "; {help}"))
    }
}

impl std::error::Error for ValueError {}
