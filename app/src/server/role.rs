//! What a replica does: everything, or a part of it beside others on the same database.

use std::fmt;

/// What a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// Answers HTTP: webhooks and the API.
    Web,
    /// Moves executions and tells GitHub; over HTTP only its health.
    Worker,
}

impl Role {
    /// Whether it answers webhooks and the API.
    #[must_use]
    pub fn answers(self) -> bool {
        self != Self::Worker
    }

    /// Whether it moves executions and tells GitHub.
    #[must_use]
    pub fn works(self) -> bool {
        self != Self::Web
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::All => "all",
            Self::Web => "web",
            Self::Worker => "worker",
        })
    }
}
