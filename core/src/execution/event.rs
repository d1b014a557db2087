//! Events: facts recorded because of a signal. Folding them gives the state; the store keeps every one.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::budget::NearlyUsed;
use super::children::ApprovedWithin;
use super::items::BodyStep;
use super::journal::{CallDecided, EntryKind};
use super::state::{Execution, StepError, Usage};
use super::waiting::Waiting;
use crate::approval::codeowners::Owned;
use crate::approval::{Decision, Person, Source};
use crate::expression::SecretText;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The step, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The step's attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The person behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Person>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[expect(missing_docs, reason = "fields are those of the state")]
pub enum EventKind {
    /// It was accepted. Carries the state that all further events are folded into.
    #[serde(rename = "execution.created")]
    ExecutionCreated { execution: Box<Execution> },
    /// Its first step can start.
    #[serde(rename = "execution.started")]
    ExecutionStarted { due_at: Option<Timestamp> },
    /// Nothing of it runs; it waits.
    #[serde(rename = "execution.waiting")]
    ExecutionWaiting,
    /// It goes on.
    #[serde(rename = "execution.resumed")]
    ExecutionResumed,
    /// It ends early; what is due by then still runs.
    #[serde(rename = "execution.ending")]
    ExecutionEnding { ending: super::state::Ending },
    /// It ended well.
    #[serde(rename = "execution.completed")]
    ExecutionCompleted { outputs: Value },
    /// It ended badly.
    #[serde(rename = "execution.failed")]
    ExecutionFailed { error: StepError },
    /// It was cancelled.
    #[serde(rename = "execution.cancelled")]
    ExecutionCancelled { reason: String },
    /// It goes on from what failed.
    #[serde(rename = "execution.retried")]
    ExecutionRetried { steps: Vec<String>, due_at: Option<Timestamp> },
    /// The pull request has a new head.
    #[serde(rename = "execution.head_moved")]
    HeadMoved { head_sha: String },
    /// The pull request goes to another branch.
    #[serde(rename = "execution.base_moved")]
    BaseMoved { base: String },
    /// Somebody was seen to push to the pull request, or to have written a commit of it.
    #[serde(rename = "execution.pushed")]
    Pushed { person: Person },
    /// Somebody holds it: nothing new starts.
    #[serde(rename = "execution.held")]
    Held { note: Option<String> },
    /// It goes on; deadlines move by as long as it was held.
    #[serde(rename = "execution.released")]
    Released { note: Option<String>, held_ms: u64 },
    /// Somebody gave their word to another person.
    #[serde(rename = "approval.delegated")]
    Delegated { delegation: super::state::Delegation },
    /// A comment whose command had been taken was changed afterwards, by somebody who did not write it. It changes nothing.
    #[serde(rename = "execution.comment_edited")]
    CommentEdited { comment: Source },
    /// An attempt started.
    #[serde(rename = "step.started")]
    StepStarted {
        input: Value,
        secret_texts: Vec<SecretText>,
        timeout_ms: Option<u64>,
        /// Its name, where that is computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// An attempt is made again because the server stopped in the middle of it.
    #[serde(rename = "step.repeated")]
    StepRepeated,
    /// Who performs the attempt recorded an entry of its journal. A large entry is a reference to a large output.
    #[serde(rename = "step.noted")]
    StepNoted {
        kind: EntryKind,
        bytes: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        entry: Value,
    },
    /// People decided what an attempt had asked them; it goes on as another attempt with the same journal.
    #[serde(rename = "step.resumed")]
    StepResumed { decided: CallDecided, timeout_ms: Option<u64> },
    /// Most of a budget is used.
    #[serde(rename = "execution.budget_nearly_used")]
    BudgetNearlyUsed {
        #[serde(flatten)]
        nearly: NearlyUsed,
    },
    /// It waits for people or time.
    #[serde(rename = "step.waiting")]
    StepWaiting { waiting: Waiting },
    /// An attempt failed; another one follows.
    #[serde(rename = "step.retrying")]
    StepRetrying {
        error: StepError,
        at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    /// It ended well.
    #[serde(rename = "step.completed")]
    StepCompleted { output: Value, usage: Option<Usage> },
    /// It ended badly.
    #[serde(rename = "step.failed")]
    StepFailed { error: StepError, usage: Option<Usage> },
    /// The list of a `foreach` is known; its items can begin.
    #[serde(rename = "foreach.opened")]
    ItemsOpened { total: u32, body: Vec<BodyStep>, due_at: Option<Timestamp> },
    /// An item of a `foreach` began.
    #[serde(rename = "foreach.item_started")]
    ItemStarted { index: u32 },
    /// All steps of an item ended well.
    #[serde(rename = "foreach.item_completed")]
    ItemCompleted { index: u32, result: Value },
    /// A step of an item failed that nothing tolerated.
    #[serde(rename = "foreach.item_failed")]
    ItemFailed { index: u32, error: StepError },
    /// An item was interrupted.
    #[serde(rename = "foreach.item_cancelled")]
    ItemCancelled { index: u32 },
    /// A `foreach` goes on with these items, in which these steps begin again.
    #[serde(rename = "foreach.resumed")]
    ItemsResumed { items: Vec<u32>, steps: Vec<String>, due_at: Option<Timestamp> },
    /// It was not due.
    #[serde(rename = "step.skipped")]
    StepSkipped { reason: SkipReason },
    /// It was interrupted.
    #[serde(rename = "step.cancelled")]
    StepCancelled,
    /// A person decided.
    #[serde(rename = "approval.decided")]
    DecisionRecorded { decision: Decision },
    /// A new commit took the force of what people had said; they are asked anew.
    #[serde(rename = "approval.dismissed")]
    DecisionsDismissed {
        people: Vec<Person>,
        head_sha: String,
        /// From when on a word is about that commit, where that is later than this event by the clock of those who speak.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// The branch that the pull request goes to from now on, where that is what happened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
    },
    /// The sub-process that a step takes over was approved by people.
    #[serde(rename = "approval.within")]
    ApprovedWithin { approved: ApprovedWithin },
    /// What people had approved, and the process has gone on from, was about another commit or another base, or was taken back: it
    /// says nothing about what is there now.
    #[serde(rename = "approval.outdated")]
    ApprovalOutdated { people: Vec<Person>, head_sha: String },
    /// Who owns what is changed was looked up.
    #[serde(rename = "approval.owners")]
    OwnersKnown { owned: Owned },
    /// More people are asked.
    #[serde(rename = "approval.escalated")]
    Escalated { due_at: Option<Timestamp> },
    /// People are reminded.
    #[serde(rename = "approval.reminded")]
    Reminded,
    /// A person answered a form.
    #[serde(rename = "form.answered")]
    FormAnswered { values: IndexMap<String, Value>, source: crate::approval::Source },
}

/// Why a step was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its `when` was false.
    Condition,
    /// The gateway took another way.
    NotTaken,
    /// All that it depends on was skipped.
    DependencySkipped,
    /// Something that it depends on failed.
    DependencyFailed,
    /// It runs after failures only, and nothing failed.
    NothingFailed,
    /// It undoes a step, and nothing was to be undone.
    NothingToUndo,
}

impl SkipReason {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Condition => "its condition was false",
            Self::NotTaken => "another way was taken",
            Self::DependencySkipped => "what it depends on was skipped",
            Self::DependencyFailed => "what it depends on failed",
            Self::NothingFailed => "nothing failed",
            Self::NothingToUndo => "nothing was to be undone",
        }
    }
}

impl EventKind {
    /// The type's name, as stored and sent.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExecutionCreated { .. } => "execution.created",
            Self::ExecutionStarted { .. } => "execution.started",
            Self::ExecutionWaiting => "execution.waiting",
            Self::ExecutionResumed => "execution.resumed",
            Self::ExecutionEnding { .. } => "execution.ending",
            Self::ExecutionCompleted { .. } => "execution.completed",
            Self::ExecutionFailed { .. } => "execution.failed",
            Self::ExecutionCancelled { .. } => "execution.cancelled",
            Self::ExecutionRetried { .. } => "execution.retried",
            Self::HeadMoved { .. } => "execution.head_moved",
            Self::BaseMoved { .. } => "execution.base_moved",
            Self::Pushed { .. } => "execution.pushed",
            Self::Held { .. } => "execution.held",
            Self::Released { .. } => "execution.released",
            Self::Delegated { .. } => "approval.delegated",
            Self::CommentEdited { .. } => "execution.comment_edited",
            Self::StepStarted { .. } => "step.started",
            Self::StepRepeated => "step.repeated",
            Self::StepNoted { .. } => "step.noted",
            Self::StepResumed { .. } => "step.resumed",
            Self::BudgetNearlyUsed { .. } => "execution.budget_nearly_used",
            Self::StepWaiting { .. } => "step.waiting",
            Self::StepRetrying { .. } => "step.retrying",
            Self::StepCompleted { .. } => "step.completed",
            Self::StepFailed { .. } => "step.failed",
            Self::ItemsOpened { .. } => "foreach.opened",
            Self::ItemStarted { .. } => "foreach.item_started",
            Self::ItemCompleted { .. } => "foreach.item_completed",
            Self::ItemFailed { .. } => "foreach.item_failed",
            Self::ItemCancelled { .. } => "foreach.item_cancelled",
            Self::ItemsResumed { .. } => "foreach.resumed",
            Self::StepSkipped { .. } => "step.skipped",
            Self::StepCancelled => "step.cancelled",
            Self::DecisionRecorded { .. } => "approval.decided",
            Self::DecisionsDismissed { .. } => "approval.dismissed",
            Self::ApprovedWithin { .. } => "approval.within",
            Self::ApprovalOutdated { .. } => "approval.outdated",
            Self::OwnersKnown { .. } => "approval.owners",
            Self::Escalated { .. } => "approval.escalated",
            Self::Reminded => "approval.reminded",
            Self::FormAnswered { .. } => "form.answered",
        }
    }
}
