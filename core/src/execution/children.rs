//! Sub-processes in a transition: a step whose child runs waits for its end, and takes over what it gave, and what people
//! approved in it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::people::{approved_in, approvers};
use super::perform;
use super::plan::Plan;
use super::signal::Signal;
use super::state::{Execution, ExecutionId, ExecutionStatus, StepError, StepStatus};
use super::waiting::Waiting;
use crate::approval::Person;
use crate::definition::ErrorClass;
use crate::definition::step::human_approval::KeepOnPush;

/// Sub-processes that may be within each other, the outermost execution not counted.
pub const MAX_DEPTH: u32 = 16;

/// What people approved in a sub-process that a step has gone on from, as far as a push can take it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovedWithin {
    /// What a push leaves of it: of several approvals, what it leaves of all.
    pub keep_on_push: KeepOnPush,
    /// Who approved, each once.
    pub people: Vec<Person>,
}

/// The same as a child tells it at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildApprovals {
    /// What was approved.
    pub within: ApprovedWithin,
    /// The head at which the child ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// The base for which it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Whether a part of it was about another commit or base than the child ended at.
    #[serde(default)]
    pub outdated: bool,
}

impl ChildApprovals {
    /// What was approved in a child.
    fn of(plan: Option<&Plan>, child: &Execution) -> Option<Self> {
        let approved = child.steps.iter().filter_map(|(key, state)| Some((approved_in(plan, key, state)?, state)));
        let approved: Vec<_> = approved.filter(|(keep, _)| *keep != KeepOnPush::Always).collect();
        let strictest = |keep: KeepOnPush| approved.iter().any(|(other, _)| *other == keep).then_some(keep);
        let keep_on_push = strictest(KeepOnPush::Never).or_else(|| strictest(KeepOnPush::SameTree))?;
        let (mut seen, mut people) = (BTreeSet::new(), Vec::new());
        for person in approved.iter().flat_map(|(_, state)| approvers(state)) {
            if seen.insert((person.id, person.login.clone())) {
                people.push(person);
            }
        }
        Some(Self {
            within: ApprovedWithin { keep_on_push, people },
            head_sha: child.subject.as_ref().map(|subject| subject.head_sha.clone()),
            base: child.base().map(str::to_owned),
            outdated: approved.iter().any(|(_, state)| state.outdated),
        })
    }

    /// Whether it says nothing about what is there for the parent. A child that ended before its parent heard of a push was
    /// asked about what was there before; whether the files are the same nobody knows then.
    fn is_outdated_for(&self, parent: &Execution) -> bool {
        let head = parent.subject.as_ref().map(|subject| subject.head_sha.as_str());
        self.outdated || self.head_sha.as_deref() != head || self.base.as_deref() != parent.base()
    }
}

/// The child of an attempt runs.
pub(super) fn started(
    transition: &mut Transition<'_>,
    key: &str,
    attempt: u32,
    execution: ExecutionId,
) -> Result<(), Refusal> {
    let timeout = perform::running(transition, key, attempt)?.timeout_ms;
    let due_at = timeout.and_then(|timeout| perform::after(transition.now, timeout));
    let waiting = Waiting::Process { execution, due_at };
    transition.emit_step(key, None, EventKind::StepWaiting { waiting });
    Ok(())
}

/// The child ended.
pub(super) fn ended(
    transition: &mut Transition<'_>,
    key: &str,
    execution: ExecutionId,
    result: Result<Value, StepError>,
    approvals: Option<Box<ChildApprovals>>,
) -> Result<(), Refusal> {
    let state = transition.execution.steps.get(key).ok_or_else(|| Refusal::UnknownStep { step: key.to_owned() })?;
    let waits = matches!(&state.waiting, Some(Waiting::Process { execution: child, .. }) if *child == execution);
    if state.status != StepStatus::Waiting || !waits {
        return Err(Refusal::Stale { step: key.to_owned(), attempt: state.attempt });
    }
    match result {
        Ok(output) => {
            let is_outdated = approvals.as_ref().is_some_and(|it| it.is_outdated_for(&transition.execution));
            let within = approvals.map(|approvals| approvals.within);
            if let Some(approved) = &within {
                transition.emit_step(key, None, EventKind::ApprovedWithin { approved: approved.clone() });
            }
            transition.emit_step(key, None, EventKind::StepCompleted { output, usage: None });
            if let Some(ApprovedWithin { people, .. }) = within.filter(|_| is_outdated) {
                let head_sha = transition.execution.subject.as_ref().map(|subject| subject.head_sha.clone());
                let head_sha = head_sha.unwrap_or_default();
                transition.emit_step(key, None, EventKind::ApprovalOutdated { people, head_sha });
            }
        }
        Err(error) => perform::failed(transition, key, error, None),
    }
    Ok(())
}

/// The step's time is over before the child's: the step goes on without it, and whoever runs the child cancels it.
pub(super) fn expire(transition: &mut Transition<'_>, key: &str) {
    let error = StepError::new(ErrorClass::Timeout, "the sub-process took longer than the step's `timeout`");
    perform::failed(transition, key, error, None);
}

/// What other executions have to be told of a transition: a parent that its child ended, a child that nobody waits for
/// it any more. Whoever runs executions delivers it. Without the plan of `after` every approval in it is taken for one that a push
/// takes back.
pub fn signals_to_others(
    plan: Option<&Plan>,
    before: Option<&Execution>,
    after: &Execution,
) -> Vec<(ExecutionId, Signal)> {
    let ended = after.status.is_final() && before.is_none_or(|before| !before.status.is_final());
    let to_parent = after.parent.as_ref().filter(|parent| ended && parent.waits).map(|parent| {
        let (step, approvals) = (parent.step.clone(), ChildApprovals::of(plan, after).map(Box::new));
        (parent.execution, Signal::ChildEnded { step, execution: after.id, result: result(after), approvals })
    });
    let still = awaited(after);
    let given_up = before.into_iter().flat_map(|before| &before.steps).filter_map(|(key, step)| {
        let Some(Waiting::Process { execution, .. }) = &step.waiting else { return None };
        let now = after.steps.get(key)?;
        // A child that ended has told so itself. One whose time was over has not, and one that ended because its own
        // was is told in vain.
        let by_itself = match now.status {
            StepStatus::Completed => true,
            StepStatus::Failed | StepStatus::Waiting => {
                now.error.as_ref().is_none_or(|error| error.class != ErrorClass::Timeout)
            }
            _ => false,
        };
        (!still.contains(execution) && !by_itself).then(|| {
            let reason = format!("step `{key}` of execution {} no longer waits for it", after.id);
            (*execution, Signal::Cancel { actor: None, reason })
        })
    });
    to_parent.into_iter().chain(given_up).collect()
}

fn awaited(execution: &Execution) -> BTreeSet<ExecutionId> {
    let waiting = execution.steps.open().filter_map(|(_, step)| step.waiting.as_ref());
    let children = waiting.filter_map(|waiting| match waiting {
        Waiting::Process { execution, .. } => Some(*execution),
        _ => None,
    });
    children.collect()
}

/// What a step takes from the execution that it waited for.
fn result(child: &Execution) -> Result<Value, StepError> {
    let name = &child.process;
    match (child.status, &child.error) {
        (ExecutionStatus::Completed, _) => Ok(child.outputs.clone().unwrap_or_else(|| json!({}))),
        (ExecutionStatus::Failed, Some(error)) => {
            Err(StepError::new(error.class, format!("the sub-process `{name}` failed: {}", error.message)))
        }
        (status, _) => {
            Err(StepError::new(ErrorClass::Refused, format!("the sub-process `{name}` was {}", status.as_str())))
        }
    }
}
