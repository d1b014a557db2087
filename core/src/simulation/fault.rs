//! Why a case cannot be played at all.

use crate::source::Span;

/// Why a case cannot be played, and where its file says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFault {
    /// The smallest text that is wrong.
    pub span: Span,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl CaseFault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
