//! What the outbox can tell GitHub: the payload of an effect. A payload says what is to be so, never how it stood
//! when it was written; the newest state is read when it is told.

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::github::client::{DeploymentReview, Reaction, RepositoryName};
use crate::store::NewEffect;

/// Lower goes first.
pub mod priority {
    /// People are asked for something.
    pub const PROMPT: i16 = 0;
    /// A person waits for an answer to what they said: behind what others are asked, since anybody may say much.
    pub const ANSWER: i16 = 10;
    /// An execution ended.
    pub const END: i16 = 20;
    /// A timeline moved on.
    pub const TIMELINE: i16 = 30;

    use crate::github::client::Urgency;

    /// Who waits for what has this priority.
    pub(in crate::github) fn urgency(priority: i16) -> Urgency {
        if priority <= ANSWER { Urgency::People } else { Urgency::Timeline }
    }
}

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Check run and comment of an execution show its state.
    SyncExecution {
        /// Which.
        execution: ExecutionId,
        /// The check run that another one takes the place of, if it is still the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renew: Option<Renewal>,
    },
    /// The workflow that an attempt of a step waits for is dispatched.
    DispatchWorkflow {
        /// The execution.
        execution: ExecutionId,
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// It is known how the run stands that an attempt of a step waits for.
    WatchWorkflow {
        /// Where it runs.
        repository: Address,
        /// The run.
        run: u64,
        /// The execution.
        execution: ExecutionId,
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// A run that nobody waits for any more is cancelled.
    CancelWorkflow {
        /// Where it runs.
        repository: Address,
        /// The run.
        run: u64,
    },
    /// GitHub knows what a process says of a deployment that waits for it.
    ReviewDeployment {
        /// Where.
        repository: Address,
        /// The run that wants to deploy.
        run: u64,
        /// What is said.
        review: DeploymentReview,
        /// The execution that decides; nil where none could start.
        execution: ExecutionId,
    },
    /// There is a check run with what validation found in a pull request's definitions.
    Validated(Box<super::validate::Validated>),
    /// A commit shows that a process should have started there and did not.
    NotStarted(Box<super::not_started::NotStarted>),
    /// The audit log's entries about a repository stand in a reference of it, where its settings say so.
    CommitAudit {
        /// Which.
        repository: RepositoryName,
    },
    /// A comment has a reaction of ours.
    React {
        /// Where.
        repository: Address,
        /// The comment.
        comment: u64,
        /// The reaction.
        reaction: Reaction,
    },
    /// There is one comment of ours that answers something.
    Reply {
        /// Where.
        repository: Address,
        /// The pull request or issue.
        issue: u64,
        /// What makes it unique; it is part of the comment's marker.
        to: String,
        /// Since when a comment with this marker may stand there.
        since: Timestamp,
        /// The whole text, marker included.
        body: String,
    },
}

/// A check run whose place another one takes although nothing of the execution has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// GitHub's id of it.
    pub run: u64,
    /// Why.
    pub why: RenewedBecause,
}

/// Why a check run is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewedBecause {
    /// It has been open for so long that GitHub would call it stale.
    Old,
    /// Somebody pressed *Re-run*, or another run of its name lies over it.
    Asked,
}

/// Where an effect goes.
pub(super) enum Goes<'a> {
    /// To the repository of an execution.
    ToRepositoryOf(ExecutionId),
    /// There.
    To(&'a Address),
    /// Wherever this repository's copy of the audit log stands; `audit` asks whose name it is.
    WithItsLog(&'a RepositoryName),
}

/// Whose effect it is.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The tenant.
    pub tenant: TenantId,
    /// The installation that writes.
    pub installation_id: u64,
}

impl Effect {
    /// What it is about: of one key only the newest is told.
    pub fn key(&self) -> String {
        match self {
            Self::SyncExecution { execution, renew: None } => format!("execution:{execution}"),
            Self::SyncExecution { execution, renew: Some(renewal) } => {
                format!("execution:{execution}:renew:{}:{:?}", renewal.run, renewal.why)
            }
            Self::DispatchWorkflow { execution, step, attempt } => format!("workflow:{execution}/{step}/{attempt}"),
            Self::WatchWorkflow { run, .. } => Self::watch_key(*run),
            Self::CancelWorkflow { run, .. } => format!("cancel-run:{run}"),
            Self::ReviewDeployment { repository, run, review, execution } => {
                format!("deployment:{repository}:{run}:{}:{execution}", review.environment_name)
            }
            Self::Validated(validated) => format!("{}:{}", validated.repository, validated.key()),
            Self::NotStarted(it) => format!("{}:{}:{}", it.external_id(), it.repository, it.process),
            Self::CommitAudit { repository } => format!("audit:{repository}"),
            Self::React { repository, comment, reaction } => format!("react:{repository}:{comment}:{reaction:?}"),
            Self::Reply { repository, to, .. } => format!("reply:{repository}:{to}"),
        }
    }

    /// The key under which a run is watched: GitHub gives no two runs one id, whatever their repositories are called.
    pub fn watch_key(run: u64) -> String {
        format!("run:{run}")
    }

    /// Where it goes.
    pub(super) fn goes_to(&self) -> Goes<'_> {
        match self {
            Self::SyncExecution { execution, .. } | Self::DispatchWorkflow { execution, .. } => {
                Goes::ToRepositoryOf(*execution)
            }
            Self::WatchWorkflow { repository, .. }
            | Self::CancelWorkflow { repository, .. }
            | Self::ReviewDeployment { repository, .. }
            | Self::React { repository, .. }
            | Self::Reply { repository, .. } => Goes::To(repository),
            Self::Validated(validated) => Goes::To(&validated.repository),
            Self::NotStarted(not_started) => Goes::To(&not_started.repository),
            Self::CommitAudit { repository } => Goes::WithItsLog(repository),
        }
    }

    /// As the store keeps it.
    pub fn queued(&self, sender: &Sender, priority: i16, not_before: Timestamp) -> NewEffect {
        NewEffect {
            tenant: sender.tenant.clone(),
            installation_id: sender.installation_id,
            key: self.key(),
            priority,
            payload: serde_json::to_value(self).unwrap_or_default(),
            not_before,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn an_effect_is_read_back_as_it_was_stored() {
        let name = RepositoryName::new("octo-org", "shop").unwrap();
        let repository = Address::known(name.clone(), Some(9_000_000_011));
        let since = Timestamp::UNIX_EPOCH;
        for effect in [
            Effect::SyncExecution { execution: ExecutionId::nil(), renew: None },
            Effect::SyncExecution {
                execution: ExecutionId::nil(),
                renew: Some(Renewal { run: 9_000_000_001, why: RenewedBecause::Old }),
            },
            Effect::DispatchWorkflow { execution: ExecutionId::nil(), step: "ship[2]".to_owned(), attempt: 3 },
            Effect::CancelWorkflow { repository: repository.clone(), run: 9_000_000_003 },
            Effect::CommitAudit { repository: name },
            Effect::React { repository: repository.clone(), comment: 9_000_000_007, reaction: Reaction::Eyes },
            Effect::Reply { repository, issue: 12, to: "comment:9".to_owned(), since, body: "hello".to_owned() },
        ] {
            let sender = Sender { tenant: TenantId("octo-org".to_owned()), installation_id: 1 };
            let queued = effect.queued(&sender, priority::ANSWER, since);
            assert_eq!(serde_json::from_value::<Effect>(queued.payload).unwrap(), effect);
        }
    }
}
