//! Why something was not done, as problems: the same reasons that people are given on GitHub.

use flowctl_core::execution::{Refusal, StartError};

use super::problem::Problem;
use crate::engine::{DefinitionError, PublishFailure, SignalFailure, StartFailure};
use crate::github::definitions::ReadError;
use crate::github::head::HeadError;
use crate::github::intake::SourceError;
use crate::github::wording::Refused;
use crate::identity::HearingError;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let words = format!("{refusal}.");
        match refusal {
            Refusal::Ended { .. } => Self::new("ended", words),
            Refusal::NothingToRetry { .. } => Self::new("nothing-to-retry", words),
            Refusal::UnknownStep { .. } => Self::not_found(words),
            Refusal::NotWaiting { .. } | Refusal::Stale { .. } | Refusal::NothingToWithdraw => {
                Self::new("not-waiting", words)
            }
            Refusal::OtherCommit { .. } => Self::new("other-commit", words),
            Refusal::OtherCall { .. } => Self::new("other-call", words),
            Refusal::NoteRequired => Self::field("note", "is required: the step wants to know why"),
            Refusal::WrongAnswers { faults } => {
                Self::fields("wrong-fields", "The answers do not fit the form.", faults)
            }
            Refusal::Repeated
            | Refusal::SaidSince { .. }
            | Refusal::Held
            | Refusal::NotHeld
            | Refusal::NotNoted { .. }
            | Refusal::OverBudget { .. } => Self::new("refused", words),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Execution { refusal, .. } => refusal.into(),
            Refused::Ineligible { .. }
            | Refused::Permission { .. }
            | Refused::OwnChange { .. }
            | Refused::NobodyOverrides
            | Refused::LoginTaken { .. }
            | Refused::OwnersUnknown { .. } => Self::new("ineligible", refused.words()),
            Refused::WrittenBefore { .. } => Self::new("other-commit", refused.words()),
            Refused::SettingsUnsound { .. } | Refused::Definition { .. } => {
                Self::new("definition-unsound", refused.words())
            }
            Refused::GroupBusy { running } => Self::new("group-busy", refused.words()).with_execution(running),
            _ => Self::new("refused", refused.words()),
        }
    }
}

impl From<SignalFailure> for Problem {
    fn from(failure: SignalFailure) -> Self {
        let words = format!("{failure}.");
        match failure {
            SignalFailure::Refused(refusal) => refusal.into(),
            SignalFailure::NotFound => Self::not_found(words),
            SignalFailure::GroupBusy { running } => Self::new("group-busy", words).with_execution(running),
            SignalFailure::Definition(error) => error.into(),
            SignalFailure::Store(error) => error.into(),
        }
    }
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::NotFound { .. } => Self::not_found(format!("{error}.")),
            DefinitionError::Unavailable { .. } => Self::unavailable(&error),
            DefinitionError::Faulty { .. } | DefinitionError::Changed { .. } => {
                Self::new("definition-unsound", format!("{error}."))
            }
        }
    }
}

impl From<StartFailure> for Problem {
    fn from(failure: StartFailure) -> Self {
        let words = format!("{failure}.");
        match failure {
            StartFailure::Definition(error) => error.into(),
            StartFailure::Inputs(StartError::WrongInputs { faults }) => {
                let faults = faults.into_iter().map(|(field, fault)| (format!("inputs.{field}"), fault)).collect();
                Self::fields("wrong-inputs", words, faults)
            }
            StartFailure::Inputs(StartError::Group { .. }) => Self::new("wrong-inputs", words),
            StartFailure::Repeated => Self::new("refused", words),
            StartFailure::Refused(refusal) => refusal.into(),
            StartFailure::GroupBusy { running } => Self::new("group-busy", words).with_execution(running),
            StartFailure::Paused { .. } => Self::new("paused", words),
            StartFailure::Store(error) => error.into(),
        }
    }
}

impl From<PublishFailure> for Problem {
    fn from(failure: PublishFailure) -> Self {
        match failure {
            PublishFailure::Length { field } => {
                Self::field(field, format!("must have 1 to {} characters", crate::engine::MAX_EVENT_NAME))
            }
            PublishFailure::TooLarge { .. } => Self::new("too-large", format!("{failure}.")),
            PublishFailure::Store(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        if error.is_transient() { Self::unavailable(&error) } else { Self::not_found(format!("{error}.")) }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        if error.passes { Self::unavailable(&error) } else { Self::new("definition-unsound", format!("{error}.")) }
    }
}

impl From<HeadError> for Problem {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Source(error) => error.into(),
            HeadError::Engine(failure) => failure.into(),
        }
    }
}

impl From<HearingError> for Problem {
    fn from(error: HearingError) -> Self {
        match error {
            HearingError::GitHub(error) => Self::unavailable(&format!("GitHub does not answer: {error}")),
            HearingError::Engine(failure) => failure.into(),
            HearingError::Moved => Self::new("other-commit", "The pull request has a newer commit by now. Look again."),
        }
    }
}
