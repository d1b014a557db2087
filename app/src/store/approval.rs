//! Approvals as rows of their own, so that they can be listed: written in the transition that asks, hears or ends one.
//! What they say is taken from the execution's state; nothing is decided here.

use flowctl_core::approval::{Decision, DecisionKind};
use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::step::StepType;
use flowctl_core::execution::{
    ApprovalRequest, CallDecision, EventKind, ExecutionId, StepState, StepStatus, TenantId, Waiting,
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Transition;

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// It waits for people.
    Pending,
    /// People approved, or its deadline does.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The execution ended before.
    Cancelled,
}

impl ApprovalStatus {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Rejected, Self::Expired, Self::Cancelled];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// One question to people, of one attempt of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// Its id: a UUIDv7 of when it was asked.
    pub id: Uuid,
    /// Whose it is.
    pub tenant: TenantId,
    /// The execution that waits for it.
    pub execution: ExecutionId,
    /// The execution's repository.
    pub repository: String,
    /// The execution's process.
    pub process: String,
    /// The step's key.
    pub step: String,
    /// The step's attempt.
    pub attempt: u32,
    /// How it stands.
    pub status: ApprovalStatus,
    /// The execution's page.
    pub url: Option<String>,
    /// What was asked, as it was last.
    pub request: ApprovalRequest,
    /// Every word said about the step, in order.
    pub decisions: Vec<Decision>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Which approvals to list. What is absent does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// With this status.
    pub status: Option<ApprovalStatus>,
    /// Of this execution.
    pub execution: Option<ExecutionId>,
}

/// The id of the question that an attempt of a step asks: the same from whomever it is computed. A UUIDv7 (RFC 9562,
/// section 5.7) whose random part is a digest, so that ids sort by when something was asked.
pub fn approval_id(execution: ExecutionId, step: &str, attempt: u32, requested_at: Timestamp) -> Uuid {
    let digest = Sha256::digest(format!("{execution}/{step}/{attempt}"));
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(requested_at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// What becomes of approvals with a transition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ApprovalChange {
    /// It is asked, or was changed while it waits.
    Asked(Box<Approval>),
    /// It ended.
    Ended {
        /// The step's key.
        step: String,
        /// The step's attempt.
        attempt: u32,
        /// How.
        status: ApprovalStatus,
        /// Every word said about the step.
        decisions: Vec<Decision>,
        /// When.
        at: Option<Timestamp>,
    },
}

/// What becomes of approvals with this transition: only steps that its events are about can have changed.
pub(super) fn approval_changes(transition: &Transition) -> Vec<ApprovalChange> {
    let mut seen: Vec<&str> = Vec::new();
    let mut changes = Vec::new();
    for key in transition.events.iter().filter_map(|event| event.step.as_deref()) {
        let Some(state) = transition.execution.steps.get(key).filter(|_| !seen.contains(&key)) else { continue };
        seen.push(key);
        let waits = matches!(state.waiting, Some(Waiting::Approval(_)));
        if state.step_type == StepType::HumanApproval || waits {
            changes.extend(change(transition, key, state));
        } else {
            changes.extend(answered(transition, key, state));
        }
    }
    changes
}

/// What became of a question that an attempt asked about a call of a tool: the attempt after it goes on, or its step was
/// cancelled with it.
fn answered(transition: &Transition, key: &str, state: &StepState) -> Option<ApprovalChange> {
    let ended = |attempt, status, at| {
        let (step, decisions) = (key.to_owned(), state.decisions.clone());
        Some(ApprovalChange::Ended { step, attempt, status, decisions, at: Some(at) })
    };
    transition.events.iter().filter(|event| event.step.as_deref() == Some(key)).find_map(|event| match &event.kind {
        EventKind::StepResumed { decided, .. } => {
            let status = match decided.decision {
                CallDecision::Approved => ApprovalStatus::Approved,
                CallDecision::Rejected => ApprovalStatus::Rejected,
                CallDecision::Expired => ApprovalStatus::Expired,
            };
            ended(event.attempt?.saturating_sub(1), status, event.at)
        }
        // Whether it had asked anything is not known here; what was never asked is not changed.
        EventKind::StepCancelled if state.journal.is_some() => {
            ended(event.attempt?, ApprovalStatus::Cancelled, event.at)
        }
        _ => None,
    })
}

fn change(transition: &Transition, key: &str, state: &StepState) -> Option<ApprovalChange> {
    let execution = &transition.execution;
    if let (Some(Waiting::Approval(request)), StepStatus::Waiting) = (&state.waiting, state.status) {
        return Some(ApprovalChange::Asked(Box::new(Approval {
            id: approval_id(execution.id, key, state.attempt, request.requested_at),
            tenant: transition.tenant.clone(),
            execution: execution.id,
            repository: execution.repository.clone(),
            process: execution.process.clone(),
            step: key.to_owned(),
            attempt: state.attempt,
            status: ApprovalStatus::Pending,
            url: execution.url.clone(),
            request: (**request).clone(),
            decisions: state.decisions.clone(),
            ended_at: None,
        })));
    }
    let (step, attempt) = (key.to_owned(), state.attempt);
    let (decisions, at) = (state.decisions.clone(), state.completed_at);
    Some(ApprovalChange::Ended { step, attempt, status: ended(state)?, decisions, at })
}

/// How an approval ended; nothing where it has not, or never was asked.
fn ended(state: &StepState) -> Option<ApprovalStatus> {
    if state.attempt == 0 {
        return None;
    }
    match state.status {
        StepStatus::Completed => {
            let decision = state.output.as_ref().and_then(|output| output["decision"].as_str());
            decision.and_then(ApprovalStatus::named)
        }
        StepStatus::Failed => {
            let rejected = state.decisions.iter().rev().any(|word| word.decision == DecisionKind::Reject);
            match state.error.as_ref().map(|error| error.class) {
                Some(ErrorClass::Rejected) if rejected => Some(ApprovalStatus::Rejected),
                Some(ErrorClass::Rejected | ErrorClass::Timeout) => Some(ApprovalStatus::Expired),
                _ => Some(ApprovalStatus::Cancelled),
            }
        }
        StepStatus::Cancelled => Some(ApprovalStatus::Cancelled),
        StepStatus::Pending | StepStatus::Running | StepStatus::Waiting | StepStatus::Skipped => None,
    }
}
