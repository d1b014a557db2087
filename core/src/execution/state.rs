//! The state of an execution and of its steps: what folding its events gives, and what the store keeps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::children::ApprovedWithin;
use super::event::SkipReason;
use super::items::Items;
use super::journal::Noted;
use super::large::AtHand;
use super::people;
use super::shared::{Shared, Steps};
pub use super::usage::Usage;
use super::waiting::Waiting;
use crate::approval::{Decision, DecisionKind, Person, Source};
use crate::definition::ErrorClass;
use crate::definition::process::OnConflict;
use crate::definition::step::{OnFailure, StepType};
use crate::expression::SecretText;

/// What a state leaves out of its JSON: most steps have not begun, and every state is kept with its first event.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_null(value: &Shared<Value>) -> bool {
    value.is_null()
}

/// An execution's id: a UUIDv7.
pub type ExecutionId = Uuid;

/// A tenant: the GitHub account that installed the App, by login, or `local`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub String);

impl TenantId {
    /// The tenant of repositories that are served without GitHub.
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One run of a process at one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// `owner/name`, or the name of a local repository.
    pub repository: String,
    /// GitHub's id of that repository, which stays while names change; nothing where it is not known, or not on GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_id: Option<u64>,
    /// The process's name.
    pub process: String,
    /// The process's version.
    pub process_version: u32,
    /// The commit whose definition it follows.
    pub revision: String,
    /// The digest of that definition with all that it refers to: 64 hexadecimal digits.
    pub digest: String,
    /// How it stands.
    pub status: ExecutionStatus,
    /// What started it.
    pub trigger: TriggerInfo,
    /// The pull request or commit that it is shown on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Its inputs, defaults filled in.
    pub inputs: Map<String, Value>,
    /// Its outputs, once it completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// Its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its first step could start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it was retried by hand; part of idempotency keys.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: u32,
    /// Whether it is on its way to an end that was asked for or has become certain: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// How many steps have completed so far; what numbers [`StepState::completion`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub completions: u32,
    /// The group whose executions run one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Whether somebody holds it: nothing new starts meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// Who gave their word to somebody else, the newest of each person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<Delegation>,
    /// Who was seen to push to the pull request since it started, whatever name its commits bear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pushers: Vec<Person>,
    /// The branch that the pull request goes to, where that is another one than at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The step that started it, where it is a sub-process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Large outputs that expressions may read now; no part of what is stored.
    #[serde(skip)]
    pub at_hand: AtHand,
    /// The steps in the order of the definition, by id; after them those inside of bodies, by keys such as
    /// `deploy[2]`, as their items start.
    pub steps: Steps,
}

/// A concurrency group, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What its executions have in common, within the repository.
    pub key: String,
    /// What happens when two meet.
    pub on_conflict: OnConflict,
}

/// The step that started a sub-process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its execution.
    pub execution: ExecutionId,
    /// The step's key.
    pub step: String,
    /// The step's attempt.
    pub attempt: u32,
    /// How many executions are above, this one included: from 1.
    pub depth: u32,
    /// Whether the step waits for the end.
    pub waits: bool,
}

/// Somebody holds an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A person gave their word to another one for a time: in the approvals of this execution, who was given it speaks in
/// their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Who gave it.
    pub from: Person,
    /// To whom.
    pub to: Person,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it was said.
    pub source: Source,
}

/// An end that is certain although steps are still due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Somebody cancelled.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// It took too long.
    TimedOut,
    /// All ran; compensations run because of this failure.
    Failed,
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Accepted.
    Pending,
    /// Something of it runs.
    Running,
    /// It waits for people, time or events.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl ExecutionStatus {
    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not yet due.
    Pending,
    /// An attempt is under way.
    Running,
    /// It waits for people, time or an event.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was not due.
    Skipped,
    /// It was interrupted.
    Cancelled,
}

impl StepStatus {
    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled)
    }

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What started an execution; `trigger` in expressions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerInfo {
    /// The trigger's key: `manual`, `pull_request`, `comment` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Person>,
    /// What came with it, reduced to what definitions may read.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// The pull request, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestInfo>,
}

/// `trigger.pull_request` in expressions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "GitHub's own names")]
pub struct PullRequestInfo {
    pub number: u64,
    pub title: String,
    pub author: String,
    pub head_sha: String,
    pub head: String,
    pub base: String,
    pub labels: Vec<String>,
    pub url: String,
}

/// Where an execution is shown, and what people see when they decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The pull request's or issue's number; none for an execution of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Whether the number is a pull request.
    #[serde(default)]
    pub is_pull_request: bool,
    /// The commit that carries the check run: the head, or the commit of the definition.
    pub head_sha: String,
    /// Who opened the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
}

/// One step of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Its type.
    pub step_type: StepType,
    /// Its name for people, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it stands.
    pub status: StepStatus,
    /// Whether its failure fails the execution.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// The attempt under way or the last one; 0 before the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempt: u32,
    /// Attempts since the last retry by hand; what `max_attempts` counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tries: u32,
    /// When its first attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the attempt under way or the last one started, if it is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// How long the attempt under way may take, in milliseconds from when somebody performs it. Who performs it ends
    /// it; time spent in the queue or lost with a server that died does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What the attempt was given; secrets are `***`.
    #[serde(default, skip_serializing_if = "is_null")]
    pub input: Shared<Value>,
    /// Where secrets go into the input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_texts: Vec<SecretText>,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Why it failed, or why the last attempt did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Every word said about it, in order; never rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Whether people approved another commit, or for another base, than is there now, or took their approval back since: then
    /// it says nothing about what is there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outdated: bool,
    /// What people approved in the sub-process that the step has taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_within: Option<Box<ApprovedWithin>>,
    /// Who answered a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Person>,
    /// Where: the page of the comment, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_in: Option<String>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How far the journal of what it does has got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Box<Noted>>,
    /// The place in the order of completion, from 1; compensations run backwards along it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub completion: u32,
    /// The items of a `foreach`, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Items>>,
}

/// Why a step or an execution failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// For people.
    pub message: String,
    /// The step, for an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// How long the other side asked to be left alone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl StepError {
    /// A failure of this class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), step: None, retry_after_ms: None }
    }
}

impl Execution {
    /// What the executions of its concurrency group have in common among all of the tenant's: a repository keeps its groups
    /// under whichever name.
    pub fn group_key(&self) -> Option<String> {
        let group = self.group.as_ref()?;
        Some(match self.repository_id {
            Some(id) => format!("{id}/{}", group.key),
            None => format!("{}/{}", self.repository, group.key),
        })
    }

    /// The steps that wait for a person: their ids and what they ask.
    pub fn waiting_for_people(&self) -> impl Iterator<Item = (&str, &StepState)> {
        self.steps.iter().map(|(id, step)| (id.as_str(), step)).filter(|(_, step)| {
            step.status == StepStatus::Waiting && matches!(step.waiting, Some(Waiting::Approval(_) | Waiting::Form(_)))
        })
    }

    /// The branch that its pull request goes to, as far as it is known.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref().or_else(|| self.trigger.pull_request.as_ref().map(|it| it.base.as_str()))
    }

    /// The approvals that say nothing about the commit or the base that are there now, or were taken back.
    pub fn outdated(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(|(_, step)| step.outdated).map(|(key, _)| key.as_str())
    }

    /// Whether an approval by this person is one that the open execution has gone on from. Where somebody overrode it, it was
    /// gone on from without the others.
    pub fn carries_approval_of(&self, step: &str, person: &Person) -> bool {
        let Some(state) = self.steps.get(step).filter(|_| !self.status.is_final()) else { return false };
        let last = state.decisions.iter().rev().find(|decision| decision.person.is(person));
        let is_overridden = state.decisions.iter().any(|decision| decision.decision == DecisionKind::Override);
        let approved = last.is_some_and(|decision| decision.decision == DecisionKind::Approve);
        approved && !is_overridden && !state.outdated && people::approved_in(None, step, state).is_some()
    }

    /// The approvals among the outdated ones that their author took back after the execution had gone on from them.
    pub fn taken_back(&self) -> impl Iterator<Item = &str> {
        let is_taken_back = |state: &StepState| {
            let after = |decision: &&Decision| state.completed_at.is_some_and(|end| decision.at >= end);
            let last = state.decisions.last().filter(after);
            last.is_some_and(|decision| decision.decision == DecisionKind::Withdraw)
        };
        let steps = self.steps.iter().filter(move |(_, step)| step.outdated && is_taken_back(step));
        steps.map(|(key, _)| key.as_str())
    }

    /// Whether there is something to go on with by hand: it ended badly, or on the word of people who had seen another commit.
    pub fn can_be_retried(&self) -> bool {
        match self.status {
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => true,
            ExecutionStatus::Completed => self.outdated().next().is_some(),
            ExecutionStatus::Pending | ExecutionStatus::Running | ExecutionStatus::Waiting => false,
        }
    }

    /// The next moment at which something is due without anybody's doing.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.status.is_final() {
            return None;
        }
        if self.is_held() {
            // Deadlines rest with it; what was waited for by itself goes on.
            return self.steps.open().filter_map(|(_, step)| step.timer()).min();
        }
        let steps = self.steps.open().filter_map(|(_, step)| step.wake_at());
        steps.chain(self.due_at).min()
    }

    /// Whether nothing new may start because somebody holds it. Its end is never held up.
    pub fn is_held(&self) -> bool {
        self.held.is_some() && self.ending.is_none() && !self.status.is_final()
    }

    /// The people who gave their word to this one, as far as that still counts at `now`.
    pub fn gave_their_word_to<'e>(&'e self, person: &'e Person, now: Timestamp) -> impl Iterator<Item = &'e Person> {
        let given = self.delegations.iter().filter(move |given| given.to.is(person) && given.until > now);
        given.map(|given| &given.from).filter(|from| !from.is(person))
    }

    /// What everything cost, as [`Usage::total`] says it.
    pub fn cost(&self) -> Option<String> {
        self.used().total()
    }

    /// What its steps used, all together.
    pub fn used(&self) -> Usage {
        self.steps.values().filter_map(|step| step.usage.as_ref()).fold(Usage::default(), |sum, it| sum.plus(it))
    }
}

impl StepState {
    /// A step that has not been due yet.
    pub fn pending(step_type: StepType, name: Option<String>, on_failure: OnFailure) -> Self {
        Self {
            step_type,
            name,
            status: StepStatus::Pending,
            on_failure,
            attempt: 0,
            tries: 0,
            started_at: None,
            attempt_at: None,
            completed_at: None,
            timeout_ms: None,
            input: Shared::default(),
            secret_texts: Vec::new(),
            output: None,
            error: None,
            skipped: None,
            waiting: None,
            decisions: Vec::new(),
            outdated: false,
            approved_within: None,
            answered_by: None,
            answered_in: None,
            usage: None,
            journal: None,
            completion: 0,
            items: None,
        }
    }

    /// The moment that a `wait` step waits for.
    fn timer(&self) -> Option<Timestamp> {
        match (self.status, &self.waiting) {
            (StepStatus::Waiting, Some(Waiting::Timer { until, .. })) => Some(*until),
            _ => None,
        }
    }

    fn wake_at(&self) -> Option<Timestamp> {
        match (self.status, &self.waiting) {
            (StepStatus::Waiting, Some(waiting)) => waiting.wake_at(),
            _ => None,
        }
    }
}
