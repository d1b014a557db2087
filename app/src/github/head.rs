//! Brings an execution to its pull request's head: what was said about another commit is dismissed as the steps say. Done
//! before any word is weighed, whatever way it came.

use flowctl_core::definition::step::human_approval::KeepOnPush;
use flowctl_core::execution::{Execution, Refusal, Signal, TenantId, Waiting};

use super::intake::{Source, SourceError};
use crate::engine::{Along, Engine, SignalFailure};
use crate::store::DeliveryId;

/// Why an execution could not be brought to the head.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The repository cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The engine cannot take it.
    #[error(transparent)]
    Engine(#[from] SignalFailure),
}

/// What executions are moved with.
#[derive(Clone, Copy)]
pub struct Mover<'a> {
    /// What moves executions.
    pub engine: &'a Engine,
    /// Where it is seen whether two commits hold the same files.
    pub source: &'a dyn Source,
    /// Whose the executions are.
    pub tenant: &'a TenantId,
    /// The delivery that tells of it.
    pub delivery: Option<&'a DeliveryId>,
}

impl Mover<'_> {
    /// The execution at the head of its pull request, which is `head` now.
    ///
    /// # Errors
    /// Where it cannot be moved now.
    pub async fn to_head(&self, execution: Execution, head: &str) -> Result<Execution, HeadError> {
        let Some(subject) = execution.subject.as_ref().filter(|subject| subject.is_pull_request) else {
            return Ok(execution);
        };
        let Some(number) = subject.number.filter(|_| subject.head_sha != head) else { return Ok(execution) };
        let commits = (subject.head_sha.as_str(), head);
        let same_tree = asks_for_tree(&execution)
            && self.source.same_tree(self.tenant, &execution.repository, number, commits).await?;
        let signal = Signal::HeadMoved { head_sha: head.to_owned(), same_tree };
        let along = Along { delivery: self.delivery.cloned(), ..Along::default() };
        match self.engine.signal(self.tenant, execution.id, signal, along).await {
            Ok(execution) => Ok(execution),
            Err(SignalFailure::Refused(Refusal::Ended { .. })) => Ok(execution),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Whether it matters to anybody if the files stayed the same.
fn asks_for_tree(execution: &Execution) -> bool {
    execution.waiting_for_people().any(|(_, step)| match &step.waiting {
        Some(Waiting::Approval(request)) => request.keep_on_push == KeepOnPush::SameTree,
        _ => false,
    })
}
