//! What keeps a delivery from being handled: something that passes, or something that does not.

use jiff::SignedDuration;

use super::source::SourceError;
use crate::engine::{DefinitionError, SignalFailure, StartFailure};
use crate::github::client::GitHubError;
use crate::github::head::HeadError;
use crate::github::people::PeopleError;
use crate::github::reconcile::ReconcileError;
use crate::identity::HearingError;
use crate::store::StoreError;

/// Why a delivery was not handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may pass by itself.
    #[error("{reason}")]
    Passing {
        /// What.
        reason: String,
        /// How long to leave it alone, where that is known.
        wait: Option<SignedDuration>,
    },
    /// It does not pass.
    #[error("{0}")]
    Lasting(String),
}

impl Trouble {
    /// Something that may pass.
    pub fn passing(reason: impl ToString) -> Self {
        Self::Passing { reason: reason.to_string(), wait: None }
    }

    /// Something that GitHub knows a moment later.
    pub fn soon(reason: impl ToString) -> Self {
        Self::Passing { reason: reason.to_string(), wait: Some(SignedDuration::from_secs(1)) }
    }
}

impl From<GitHubError> for Trouble {
    fn from(error: GitHubError) -> Self {
        let wait = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok());
        // Our credentials are the operator's to mend; what came in meanwhile is not lost.
        if error.is_transient() || matches!(error, GitHubError::Unauthorized { .. } | GitHubError::Suspended { .. }) {
            return Self::Passing { reason: error.to_string(), wait };
        }
        Self::Lasting(error.to_string())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } => Self::Lasting(error.to_string()),
            passing => Self::passing(passing),
        }
    }
}

impl From<ReconcileError> for Trouble {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::GitHub(error) => error.into(),
            ReconcileError::Store(error) => error.into(),
        }
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        if error.passes { Self::passing(error) } else { Self::Lasting(error.to_string()) }
    }
}

impl From<DefinitionError> for Trouble {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Unavailable { .. } => Self::passing(error),
            lasting => Self::Lasting(lasting.to_string()),
        }
    }
}

impl From<SignalFailure> for Trouble {
    fn from(failure: SignalFailure) -> Self {
        match failure {
            SignalFailure::Definition(error) => error.into(),
            SignalFailure::Store(error) => error.into(),
            lasting => Self::Lasting(lasting.to_string()),
        }
    }
}

impl From<StartFailure> for Trouble {
    fn from(failure: StartFailure) -> Self {
        match failure {
            StartFailure::Definition(error) => error.into(),
            StartFailure::Store(error) => error.into(),
            lasting => Self::Lasting(lasting.to_string()),
        }
    }
}

impl From<HearingError> for Trouble {
    fn from(error: HearingError) -> Self {
        match error {
            HearingError::GitHub(error) => error.into(),
            HearingError::Engine(failure) => failure.into(),
            HearingError::Moved => Self::Passing {
                reason: "the pull request has a newer commit by now".to_owned(),
                wait: Some(SignedDuration::from_secs(1)),
            },
        }
    }
}

impl From<HeadError> for Trouble {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Source(error) => error.into(),
            HeadError::Engine(failure) => failure.into(),
        }
    }
}

/// Why a person's word cannot be weighed now.
impl From<PeopleError> for Trouble {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::GitHub(error) => error.into(),
            moved @ PeopleError::Moved => Self::passing(moved),
            lasting @ (PeopleError::AccountChanged | PeopleError::OwnersUnknown(_)) => {
                Self::Lasting(lasting.to_string())
            }
        }
    }
}
