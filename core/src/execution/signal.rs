//! Signals: something that happened to an execution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::budget::NearlyUsed;
use super::children::ChildApprovals;
use super::journal::{CallRequest, Entry};
use super::state::{Delegation, ExecutionId, StepError, Usage};
use super::workflow::WorkflowRun;
use crate::approval::codeowners::Owned;
use crate::approval::{Decision, Person, Source};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// It was accepted and may start.
    Start,
    /// Time has passed: whatever is due by now happens.
    Wake,
    /// An attempt ended.
    StepEnded {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// How.
        result: Result<Value, StepError>,
        /// What it used.
        usage: Option<Usage>,
    },
    /// The sub-process of an attempt runs, and the step waits for its end.
    ChildStarted {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// The sub-process's execution.
        execution: ExecutionId,
    },
    /// The sub-process that a step waits for ended.
    ChildEnded {
        /// The step.
        step: String,
        /// The sub-process's execution.
        execution: ExecutionId,
        /// Its outputs, or why there are none.
        result: Result<Value, StepError>,
        /// What people approved in it, as far as a push can take it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approvals: Option<Box<ChildApprovals>>,
    },
    /// An attempt's workflow is to be dispatched, and the step waits for its end.
    WorkflowAwaited {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// The workflow that a step waits for was dispatched.
    WorkflowStarted {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// Its run; nothing: it is not known yet.
        run: Option<WorkflowRun>,
    },
    /// The workflow that a step waits for ended, or could not be dispatched.
    WorkflowEnded {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// The step's output, or why there is none.
        result: Result<Value, StepError>,
    },
    /// An event was given to the API.
    EventReceived {
        /// Its name.
        name: String,
        /// Its id, unique in the tenant.
        id: String,
        /// When it came.
        at: Timestamp,
        /// What came with it.
        payload: Value,
    },
    /// An attempt is made again after the server stopped in the middle of it.
    StepRepeated {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// Who performs an attempt records an entry of its journal.
    Note {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// How many entries it recorded before.
        number: u32,
        /// The entry.
        entry: Box<Entry>,
    },
    /// An attempt ends by asking people whether it may call a tool; it goes on once they have decided.
    Ask {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
        /// What is asked.
        request: Box<CallRequest>,
    },
    /// Most of a budget that counts by month is used, with what this execution used.
    BudgetNearlyUsed {
        /// Which, and how much of it.
        nearly: Box<NearlyUsed>,
    },
    /// A person whose word counts decided. Whether it counts was weighed before.
    Decide {
        /// The step.
        step: String,
        /// The word.
        decision: Decision,
    },
    /// A person who may do so answered a form.
    Answer {
        /// The step.
        step: String,
        /// Who.
        person: Person,
        /// The values, by field.
        values: Map<String, Value>,
        /// From where.
        source: Source,
    },
    /// Who owns what the pull request changes was looked up.
    OwnersKnown {
        /// Who owns what.
        owned: Owned,
    },
    /// Somebody pushed to the pull request, or wrote a commit of it, since the execution started.
    Pushed {
        /// Who.
        person: Person,
    },
    /// Somebody gives their word to another person. Whether they have one was weighed before.
    Delegate {
        /// From whom, to whom, until when.
        delegation: Delegation,
    },
    /// Somebody holds it.
    Hold {
        /// Who.
        actor: Option<Person>,
        /// Why.
        note: Option<String>,
    },
    /// Somebody lets it go on.
    Unhold {
        /// Who.
        actor: Option<Person>,
        /// Why.
        note: Option<String>,
    },
    /// A comment whose command had been taken was changed by somebody who did not write it.
    CommentEdited {
        /// Who.
        actor: Person,
        /// Which.
        comment: Source,
    },
    /// The pull request has a new head.
    HeadMoved {
        /// The new head.
        head_sha: String,
        /// Whether the new head has the tree of the one before.
        same_tree: bool,
        /// When it came to be by the clock that tells when people speak; nothing said before then is about it.
        since: Option<Timestamp>,
    },
    /// The pull request goes to another branch: the same commit is another change there.
    BaseMoved {
        /// The new one.
        base: String,
        /// When by the clock that tells when people speak.
        since: Option<Timestamp>,
    },
    /// Somebody cancels.
    Cancel {
        /// Who.
        actor: Option<Person>,
        /// Why.
        reason: String,
    },
    /// Somebody wants it to go on from what failed.
    Retry {
        /// Who.
        actor: Option<Person>,
        /// Only this step and what follows from it.
        step: Option<String>,
    },
}
