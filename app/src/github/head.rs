//! Brings an execution to its pull request's head and base: what was said about others is dismissed as the steps say. Done
//! before any word is weighed, whatever way it came.

use flowctl_core::definition::StepType;
use flowctl_core::definition::step::human_approval::KeepOnPush;
use flowctl_core::execution::{Execution, Refusal, Signal, StepStatus, TenantId, Waiting};

use jiff::Timestamp;

use super::client::PullRequest;
use super::intake::{Source, SourceError};
use super::whose::of_execution;
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
    /// The execution at its pull request as that is now.
    ///
    /// # Errors
    /// Where it cannot be moved now.
    pub async fn to_pull_request(
        &self,
        execution: Execution,
        pull_request: &PullRequest,
    ) -> Result<Execution, HeadError> {
        let execution = self.at_head(execution, &pull_request.head.sha, pull_request.updated_at).await?;
        self.to_base(execution, pull_request).await
    }

    /// The execution on the branch that its pull request goes to now: there the same commit is another change.
    ///
    /// # Errors
    /// Where it cannot be moved now.
    pub async fn to_base(&self, execution: Execution, pull_request: &PullRequest) -> Result<Execution, HeadError> {
        let base = pull_request.base.branch.as_str();
        let is_pull_request = execution.subject.as_ref().is_some_and(|subject| subject.is_pull_request);
        // What is not known of an execution cannot differ.
        if !is_pull_request || execution.base().is_none_or(|known| known == base) {
            return Ok(execution);
        }
        let along = Along { delivery: self.delivery.cloned(), ..Along::default() };
        let signal = Signal::BaseMoved { base: base.to_owned(), since: Some(pull_request.updated_at) };
        Ok(self.engine.signal(self.tenant, execution.id, signal, along).await?)
    }

    /// `since` is when GitHub last saw the pull request change: our own clock may be behind GitHub's, by which people speak.
    async fn at_head(&self, execution: Execution, head: &str, since: Timestamp) -> Result<Execution, HeadError> {
        let Some(subject) = execution.subject.as_ref().filter(|subject| subject.is_pull_request) else {
            return Ok(execution);
        };
        let Some(number) = subject.number.filter(|_| subject.head_sha != head) else { return Ok(execution) };
        let commits = (subject.head_sha.as_str(), head);
        let same_tree = asks_for_tree(&execution) && {
            let now = of_execution(&**self.engine.store(), &execution).await.map_err(SignalFailure::from)?;
            let repository = now.as_ref().unwrap_or(&execution.repository);
            self.source.same_tree(self.tenant, repository, number, commits).await?
        };
        let signal = Signal::HeadMoved { head_sha: head.to_owned(), same_tree, since: Some(since) };
        let along = Along { delivery: self.delivery.cloned(), ..Along::default() };
        match self.engine.signal(self.tenant, execution.id, signal, along).await {
            Ok(execution) => Ok(execution),
            Err(SignalFailure::Refused(Refusal::Ended { .. })) => Ok(execution),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Whether it may matter to anybody if the files stayed the same: of an approval that is given, only its definition knows.
fn asks_for_tree(execution: &Execution) -> bool {
    execution.steps.values().any(|step| match (&step.waiting, step.status) {
        (Some(Waiting::Approval(request)), StepStatus::Waiting) => request.keep_on_push == KeepOnPush::SameTree,
        (_, StepStatus::Completed) => step.step_type == StepType::HumanApproval || step.approved_within.is_some(),
        _ => false,
    })
}
