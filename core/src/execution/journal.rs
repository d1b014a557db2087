//! The journal of a step: what its attempt recorded while it worked, entry by entry, so that a repetition after a crash goes
//! on where the attempt was, and so that people can read afterwards what a model was told and did. Entries are events of the
//! execution; the state holds only how many there are. What an entry means for the work is the performer's.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::budget;
use super::decide::{Refusal, Transition};
use super::event::{Event, EventKind};
use super::perform::running;
use super::state::{StepError, StepState, Usage};
use super::waiting::{ApprovalRequest, Waiting};
use crate::approval::{AboutCall, Decision, Requirement};
use crate::definition::ErrorClass;
use crate::definition::digest::canonical;
use crate::definition::step::human_approval::{KeepOnPush, NoteRequired, OnReject, OnTimeout, Priority};
use crate::value::visible::visible;

/// Entries of one journal.
pub const MAX_ENTRIES: u32 = 2_000;
/// Bytes of one entry as JSON.
pub const MAX_ENTRY_BYTES: u64 = 1024 * 1024;
/// Bytes of all entries of one journal as JSON.
pub const MAX_JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// Who says something in a conversation with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Who made the rules.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// A call of a tool that a model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Tells it from the others of the conversation.
    pub id: String,
    /// The name under which the model knows the operation.
    pub name: String,
    /// The arguments, as the model gave them: a mapping, if it did as it was asked.
    pub arguments: Value,
    /// What the provider wants to be shown again with it; nobody else reads it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub provider_data: Value,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It has said what it had to say.
    Finished,
    /// It wants tools to be called.
    ToolCalls,
    /// Its answer was cut off where it became too long.
    Length,
    /// The provider withheld the answer, or the model refused.
    Refused,
    /// Something else.
    Other,
}

/// How a call of a tool ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// With this result.
    Result(Value),
    /// It failed, and the model is told so.
    Error(StepError),
}

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// Something was said to the model.
    Message {
        /// By whom.
        role: Speaker,
        /// What.
        text: String,
    },
    /// A model is about to be asked: what the call may use up is reserved from here on until [`Entry::ModelAnswered`] or
    /// [`Entry::ModelFailed`]. Where neither comes, it counts as used.
    ModelAsked {
        /// The model with its provider.
        model: String,
        /// The most that it can use, as far as that is known.
        reserved: Usage,
        /// What the step may spend in all.
        #[serde(default)]
        budget: budget::Limits,
    },
    /// A model answered.
    ModelAnswered {
        /// What it said.
        text: String,
        /// The tools that it wants to be called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
        /// Why it stopped.
        stop: StopReason,
        /// What the call used.
        usage: Usage,
        /// How long it took, in milliseconds.
        latency_ms: u64,
    },
    /// A model did not answer.
    ModelFailed {
        /// Why.
        error: StepError,
        /// What the call used all the same, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// How long it took, in milliseconds.
        latency_ms: u64,
    },
    /// A call of a tool is about to be made.
    ToolCallBegun {
        /// The call's id.
        call: String,
        /// The tool.
        tool: String,
        /// Its operation.
        operation: String,
        /// What it is given; secrets are masked.
        arguments: Value,
        /// Whether it may change something.
        writes: bool,
        /// Whether it can be made twice without harm.
        idempotent: bool,
    },
    /// A call of a tool ended.
    ToolCallEnded {
        /// The call's id.
        call: String,
        /// How.
        outcome: ToolOutcome,
        /// How long it took, in milliseconds.
        latency_ms: u64,
    },
    /// People were asked to allow a call of a tool. Recorded by asking.
    ApprovalAsked {
        /// What they were shown.
        call: ShownCall,
    },
    /// People allowed a call of a tool, or did not. Recorded by their decision.
    ApprovalDecided {
        /// What they decided.
        decided: CallDecided,
    },
    /// Tools that do not answer are left out from here on, until another entry of this kind says otherwise; none: all answer
    /// again.
    ToolsLeftOut {
        /// Each with the reason.
        tools: Vec<LeftOutTool>,
    },
    /// What was said so far, in short: the turns before it need not be shown to the model again.
    Summary {
        /// The summary.
        text: String,
        /// How many of the entries before it are covered, from the first on.
        covers: u32,
    },
}

/// A tool that is left out because it does not answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOutTool {
    /// The tool.
    pub tool: String,
    /// What came instead of an answer.
    pub error: StepError,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "those of the entries")]
pub enum EntryKind {
    Message,
    ModelAsked,
    ModelAnswered,
    ModelFailed,
    ToolCallBegun,
    ToolCallEnded,
    ApprovalAsked,
    ApprovalDecided,
    ToolsLeftOut,
    Summary,
}

impl Entry {
    /// Its kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Message { .. } => EntryKind::Message,
            Self::ModelAsked { .. } => EntryKind::ModelAsked,
            Self::ModelAnswered { .. } => EntryKind::ModelAnswered,
            Self::ModelFailed { .. } => EntryKind::ModelFailed,
            Self::ToolCallBegun { .. } => EntryKind::ToolCallBegun,
            Self::ToolCallEnded { .. } => EntryKind::ToolCallEnded,
            Self::ApprovalAsked { .. } => EntryKind::ApprovalAsked,
            Self::ApprovalDecided { .. } => EntryKind::ApprovalDecided,
            Self::ToolsLeftOut { .. } => EntryKind::ToolsLeftOut,
            Self::Summary { .. } => EntryKind::Summary,
        }
    }

    /// What it used, or for [`Entry::ModelAsked`] what it reserves.
    fn usage(&self) -> Option<&Usage> {
        match self {
            Self::ModelAsked { reserved, .. } => Some(reserved),
            Self::ModelAnswered { usage, .. } => Some(usage),
            Self::ModelFailed { usage, .. } => usage.as_ref(),
            _ => None,
        }
    }
}

/// How far a step's journal has got; the entries themselves are events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    /// The attempt with the first entry: later ones go on with it.
    pub since: u32,
    /// How many entries have been recorded by the performer.
    pub entries: u32,
    /// Their size as JSON, in bytes.
    pub bytes: u64,
    /// What the model call under way may use up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Usage>,
    /// Since when: what the call uses counts for that month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_at: Option<Timestamp>,
    /// What the step may spend in all, as its last question to a model said.
    #[serde(default, skip_serializing_if = "budget::Limits::is_empty")]
    pub budget: budget::Limits,
    /// How many calls of tools were begun.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls: u32,
    /// The tools that are left out because they do not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A call of a tool as people are shown it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownCall {
    /// The call's id.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// Its operation.
    pub operation: String,
    /// The arguments; secrets are masked.
    pub arguments: Value,
    /// SHA-256 of tool, operation and arguments in canonical JSON: 64 hexadecimal digits. A decision counts for a call with
    /// this digest and for no other.
    pub digest: String,
    /// How long the attempt that goes on after the decision may take, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Most characters of a call's arguments that people are shown, as [`shown_arguments`] writes them. About a call with more of
/// them nobody is asked: a word counts for what was shown.
pub const MAX_SHOWN_ARGUMENTS: usize = 16_000;

/// The arguments of a call as people read them: JSON over several lines, with what nobody can see made visible.
pub fn shown_arguments(arguments: &Value) -> String {
    // A value has no key that is not a text, and so can always be written.
    let text = serde_json::to_string_pretty(arguments).unwrap_or_default();
    visible(&text).into_owned()
}

/// The digest of a call of a tool: 64 hexadecimal digits.
pub fn call_digest(tool: &str, operation: &str, arguments: &Value) -> String {
    let whole = json!({"tool": tool, "operation": operation, "arguments": arguments});
    hex::encode(Sha256::digest(canonical(&whole)))
}

/// What people said about a call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDecision {
    /// It may be made.
    Approved,
    /// It may not.
    Rejected,
    /// Nobody decided in time: it may not.
    Expired,
}

/// A decision about a call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallDecided {
    /// The call's id.
    pub call: String,
    /// The digest of what people were shown.
    pub digest: String,
    /// What they decided.
    pub decision: CallDecision,
    /// The words that stood.
    pub decisions: Vec<Decision>,
}

/// What an attempt asks people before it calls a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// The call's id.
    pub call: String,
    /// The tool.
    pub tool: String,
    /// Its operation.
    pub operation: String,
    /// The arguments; secrets are masked.
    pub arguments: Value,
    /// The headline.
    pub title: String,
    /// Why, in Markdown. The arguments are shown beside it.
    pub description: String,
    /// Who must approve.
    pub requirement: Requirement,
    /// Whether the author and contributors count.
    pub allow_author: bool,
    /// How long people have, in milliseconds; nothing: as long as they need.
    pub patience_ms: Option<u64>,
}

/// The entry that an event is, for a step's journal: nothing where it is none. A large one is a reference to a large output,
/// whose content is to be read with [`Entry`]'s own form.
pub fn recorded(event: &Event) -> Option<Value> {
    let entry = match &event.kind {
        EventKind::StepNoted { entry, .. } => return Some(entry.clone()),
        EventKind::StepWaiting { waiting: Waiting::Approval(request) } => {
            Entry::ApprovalAsked { call: (**request.call.as_ref()?).clone() }
        }
        EventKind::StepResumed { decided, .. } => Entry::ApprovalDecided { decided: decided.clone() },
        _ => return None,
    };
    serde_json::to_value(entry).ok()
}

/// The performer of an attempt records an entry. `number`: how many it recorded before.
pub(super) fn note(
    transition: &mut Transition<'_>,
    id: &str,
    attempt: u32,
    number: u32,
    entry: &Entry,
) -> Result<(), Refusal> {
    let state = running(transition, id, attempt)?;
    let noted = state.journal.clone().unwrap_or_default();
    match number.cmp(&noted.entries) {
        std::cmp::Ordering::Less => return Err(Refusal::Repeated),
        std::cmp::Ordering::Greater => return Err(Refusal::Stale { step: id.to_owned(), attempt }),
        std::cmp::Ordering::Equal => {}
    }
    let refused = |reason: String| Refusal::NotNoted { step: id.to_owned(), reason };
    let value = serde_json::to_value(entry).map_err(|error| refused(format!("it is no JSON: {error}")))?;
    let bytes = value.to_string().len() as u64;
    if bytes > MAX_ENTRY_BYTES {
        return Err(refused(format!("an entry has {bytes} bytes; {MAX_ENTRY_BYTES} are allowed")));
    }
    if noted.entries >= MAX_ENTRIES || noted.bytes + bytes > MAX_JOURNAL_BYTES {
        let limits = format!("{MAX_ENTRIES} entries and {MAX_JOURNAL_BYTES} bytes");
        return Err(refused(format!("the journal is full: {limits} are allowed")));
    }
    if let Entry::ModelAsked { reserved, budget, .. } = entry {
        budget::check(transition, id, reserved, budget)?;
    }
    let usage = entry.usage().cloned();
    let before = (transition.execution.used(), budget::used_by(transition, id));
    transition.emit_step(id, None, EventKind::StepNoted { kind: entry.kind(), bytes, usage, entry: value });
    budget::alert(transition, id, &before);
    Ok(())
}

/// The performer of an attempt ends it by asking people; it goes on once they have decided.
pub(super) fn ask(
    transition: &mut Transition<'_>,
    id: &str,
    attempt: u32,
    request: CallRequest,
) -> Result<(), Refusal> {
    let timeout_ms = running(transition, id, attempt)?.timeout_ms;
    let now = transition.now;
    let CallRequest { call, tool, operation, arguments, title, description, requirement, allow_author, patience_ms } =
        request;
    let digest = call_digest(&tool, &operation, &arguments);
    let patience = patience_ms.and_then(|millis| i64::try_from(millis).ok());
    let waiting = Waiting::Approval(Box::new(ApprovalRequest {
        title,
        description,
        requirement,
        allow_author,
        requested_at: now,
        head_sha: transition.execution.subject.as_ref().map(|subject| subject.head_sha.clone()),
        shown_since: now,
        base_since: None,
        due_at: patience.and_then(|millis| now.checked_add(SignedDuration::from_millis(millis)).ok()),
        patience_ms,
        on_timeout: OnTimeout::Reject,
        on_reject: OnReject::Fail,
        keep_on_push: KeepOnPush::Never,
        note_required: NoteRequired::Never,
        priority: Priority::Normal,
        escalate: Vec::new(),
        reminders: Vec::new(),
        call: Some(Box::new(ShownCall { id: call, tool, operation, arguments, digest, timeout_ms })),
    }));
    transition.emit_step(id, None, EventKind::StepWaiting { waiting });
    Ok(())
}

/// The step goes on with another attempt, which has the same journal and uses up no try.
pub(super) fn resume(
    transition: &mut Transition<'_>,
    id: &str,
    call: &ShownCall,
    decision: CallDecision,
    decisions: Vec<Decision>,
) {
    let decided = CallDecided { call: call.id.clone(), digest: call.digest.clone(), decision, decisions };
    transition.emit_step(id, None, EventKind::StepResumed { decided, timeout_ms: call.timeout_ms });
}

/// The names of the tools that an entry leaves out; of one that is kept elsewhere because it is large, none.
fn left_out(entry: &Value) -> Vec<String> {
    let tools = entry.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| tool.get("tool")?.as_str()).map(str::to_owned).collect()
}

/// What a question says that the step may spend; nothing of one that is kept elsewhere because it is large.
fn budget_of(entry: &Value) -> budget::Limits {
    entry.get("budget").and_then(|budget| budget::Limits::deserialize(budget).ok()).unwrap_or_default()
}

/// Whether the next attempt after this failure goes on with the journal: nothing was wrong with what had been said.
fn goes_on_after(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Timeout | ErrorClass::Network | ErrorClass::RateLimited | ErrorClass::ServerError)
}

impl StepState {
    pub(super) fn note(
        &mut self,
        (kind, entry): (EntryKind, &Value),
        bytes: u64,
        usage: Option<&Usage>,
        at: Timestamp,
    ) {
        let since = self.attempt;
        let noted = self.journal.get_or_insert_with(|| Box::new(Noted { since, ..Noted::default() }));
        noted.entries += 1;
        noted.bytes += bytes;
        match kind {
            EntryKind::ModelAsked => {
                // Asked again after a crash: what came of the question before nobody knows.
                let unanswered = noted.reserved.take();
                (noted.reserved, noted.reserved_at) = (usage.cloned(), Some(at));
                noted.budget = budget_of(entry);
                self.use_up(unanswered.as_ref());
            }
            EntryKind::ToolsLeftOut => noted.left_out = left_out(entry),
            EntryKind::ToolCallBegun => noted.calls = noted.calls.saturating_add(1),
            EntryKind::ModelAnswered | EntryKind::ModelFailed => {
                (noted.reserved, noted.reserved_at) = (None, None);
                self.use_up(usage);
            }
            _ => {}
        }
    }

    /// The question about a call of a tool that it asks now.
    #[must_use]
    pub fn asked_call(&self) -> Option<AboutCall> {
        let Some(Waiting::Approval(request)) = &self.waiting else { return None };
        let digest = request.call.as_ref()?.digest.clone();
        Some(AboutCall { attempt: self.attempt, digest })
    }

    /// Adds to what the step has used.
    pub(super) fn use_up(&mut self, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        self.usage = Some(match self.usage.take() {
            Some(used) => used.plus(usage),
            None => usage.clone(),
        });
    }

    /// Nobody waits any more for the call under way. It may have been answered and charged all the same, so that what was
    /// reserved for it counts as used.
    pub(super) fn give_up_call(&mut self) {
        let unanswered = self.journal.as_mut().and_then(|noted| {
            noted.reserved_at = None;
            noted.reserved.take()
        });
        self.use_up(unanswered.as_ref());
    }

    /// Another question is asked: what was said about the one before does not count for it.
    pub(super) fn ask_about(&mut self, call: &ShownCall, at: Timestamp) {
        let people: Vec<_> = self.decisions.iter().map(|decision| decision.person.clone()).collect();
        let source = format!("asked:{}:{}", self.attempt, call.id);
        self.withdraw(&people, "asked about another call", &source, at);
        let since = self.attempt;
        self.journal.get_or_insert_with(|| Box::new(Noted { since, ..Noted::default() }));
    }

    /// An attempt failed and another one follows.
    pub(super) fn keep_journal_after(&mut self, error: &StepError) {
        self.give_up_call();
        // Another conversation would have the same tools called again.
        let has_called = self.journal.as_ref().is_some_and(|noted| noted.calls > 0);
        if !goes_on_after(error.class) && !has_called {
            self.journal = None;
        }
    }
}
