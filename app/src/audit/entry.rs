//! What is recorded: what people did in a transition, how what they were asked ended, and which definitions run for the first
//! time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use flowctl_core::approval::{Decision, DecisionKind, Person, Source};
use flowctl_core::definition::StepType;
use flowctl_core::execution::state::Ending;
use flowctl_core::execution::{Event, EventKind, Execution, ExecutionId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::github::wording::Refused;

/// Something to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// When it happened.
    pub at: Timestamp,
    /// What: `approval.decided`, `execution.held` …
    pub kind: String,
    /// Who.
    pub actor: Option<Person>,
    /// In which repository.
    pub repository: Option<String>,
    /// About which process.
    pub process: Option<String>,
    /// About which execution.
    pub execution: Option<ExecutionId>,
    /// About which step.
    pub step: Option<String>,
    /// The particulars.
    pub data: Value,
    /// Where it is recorded only once: the key that tells whether it was. Not part of what is recorded.
    pub once: Option<String>,
}

/// What people did in a transition, and how what they were asked ended.
#[must_use]
pub fn of_transition(after: &Execution, events: &[Event]) -> Vec<NewEntry> {
    let before = std::iter::once(None).chain(events.iter().map(Some));
    before.zip(events).filter_map(|(before, event)| of_event(after, before, event)).collect()
}

/// What one event of a transition is in the log, if anything; `before` is the event before it.
pub(super) fn of_event(after: &Execution, before: Option<&Event>, event: &Event) -> Option<NewEntry> {
    let mut actor = event.actor.clone();
    let (kind, data) = match &event.kind {
        EventKind::ExecutionCreated { execution } => {
            let trigger = &execution.trigger;
            // What starts by itself is no deed of a person. Who starts by the API may be nobody by name.
            if !matches!(trigger.kind.as_str(), "manual" | "comment") {
                return None;
            }
            actor.clone_from(&trigger.actor);
            let data = json!({"trigger": trigger.kind, "revision": execution.revision, "digest": execution.digest});
            ("execution.started", data)
        }
        EventKind::DecisionRecorded { decision } => {
            actor = Some(decision.person.clone());
            let overrides = decision.decision == DecisionKind::Override;
            (if overrides { "approval.overridden" } else { "approval.decided" }, decided(decision))
        }
        EventKind::DecisionsDismissed { people, head_sha, .. } if !people.is_empty() => {
            let people: Vec<&str> = people.iter().map(|person| person.login.as_str()).collect();
            ("approval.dismissed", json!({"people": people, "commit": head_sha}))
        }
        EventKind::Escalated { due_at } => {
            ("approval.escalated", json!({"until": due_at.map(|due_at| due_at.to_string())}))
        }
        EventKind::StepCompleted { .. } | EventKind::StepFailed { .. } => ended(after, before, event)?,
        EventKind::ApprovalOutdated { people, head_sha } => {
            let people: Vec<&str> = people.iter().map(|person| person.login.as_str()).collect();
            ("approval.outdated", json!({"people": people, "commit": head_sha}))
        }
        EventKind::FormAnswered { source, .. } => ("form.answered", json!({"source": told(source)})),
        EventKind::Delegated { delegation } => (
            "approval.delegated",
            json!({
                "to": {"login": delegation.to.login, "id": delegation.to.id},
                "until": delegation.until.to_string(),
                "note": delegation.note,
                "source": told(&delegation.source),
            }),
        ),
        EventKind::Held { note } => ("execution.held", json!({"note": note})),
        EventKind::Released { note, .. } => ("execution.released", json!({"note": note})),
        EventKind::CommentEdited { comment } => ("comment.edited", json!({"source": told(comment)})),
        EventKind::ExecutionEnding { ending: Ending::Cancelled { reason } } => {
            ("execution.cancelled", json!({"reason": reason}))
        }
        EventKind::ExecutionRetried { steps, .. } => ("execution.retried", json!({"steps": steps})),
        _ => return None,
    };
    Some(NewEntry {
        at: event.at,
        kind: kind.to_owned(),
        actor,
        repository: Some(after.repository.clone()),
        process: Some(after.process.clone()),
        execution: Some(after.id),
        step: event.step.clone(),
        data,
        once: None,
    })
}

/// Whether entries of this type are made from the events of executions, and from nothing else.
pub(super) fn is_of_event(kind: &str) -> bool {
    // That somebody else has a login by now is noted when they speak.
    let is_of_login = kind == "approval.login_taken";
    let parts = ["approval.", "form.", "execution.", "comment.edited"];
    !is_of_login && parts.iter().any(|part| kind.starts_with(part))
}

/// How a question to people ended, in the words of its step: by what was said, or by time. Of a form nothing where it was
/// answered, which is an entry of its own.
fn ended(after: &Execution, before: Option<&Event>, event: &Event) -> Option<(&'static str, Value)> {
    let step = after.steps.get(event.step.as_deref()?)?;
    let kind = match step.step_type {
        StepType::HumanApproval => "approval.ended",
        StepType::Form => "form.ended",
        _ => return None,
    };
    let was_answered =
        before.is_some_and(|before| before.step == event.step && matches!(before.kind, EventKind::FormAnswered { .. }));
    match &event.kind {
        _ if was_answered => None,
        EventKind::StepCompleted { output, .. } if kind == "approval.ended" => {
            let people = output["decisions"].as_array().into_iter().flatten();
            let people: Vec<&Value> = people.map(|decision| &decision["person"]).collect();
            Some((kind, json!({"decision": output["decision"], "people": people})))
        }
        EventKind::StepCompleted { .. } => Some((kind, json!({"answers": "defaults"}))),
        EventKind::StepFailed { error, .. } => Some((kind, json!({"error": error.message}))),
        _ => None,
    }
}

fn decided(decision: &Decision) -> Value {
    let others: Vec<&str> = decision.in_place_of.iter().map(|other| other.person.login.as_str()).collect();
    json!({
        "decision": decision.decision,
        "note": decision.note,
        "commit": decision.commit,
        "said_at": decision.at.to_string(),
        "source": told(&decision.source),
        "in_place_of": others,
    })
}

fn told(source: &Source) -> Value {
    json!({"kind": source.kind, "id": source.id, "url": source.url})
}

/// A process was paused, or goes on.
#[must_use]
pub fn of_pause(repository: &str, process: &str, at: Timestamp, paused: bool) -> NewEntry {
    NewEntry {
        at,
        kind: (if paused { "process.paused" } else { "process.resumed" }).to_owned(),
        actor: None,
        repository: Some(repository.to_owned()),
        process: Some(process.to_owned()),
        execution: None,
        step: None,
        data: json!({}),
        once: None,
    }
}

/// A person's word that was not taken.
#[derive(Debug, Clone)]
pub struct RefusedWord<'w> {
    /// Who said it.
    pub person: &'w Person,
    /// The command that it amounts to: `approve`, `answer` …
    pub verb: &'w str,
    /// The step or process that it names.
    pub named: Option<&'w str>,
    /// The kind of reason.
    pub reason: &'static str,
    /// The reason in words.
    pub why: String,
    /// Where it stands, or how it came.
    pub source: &'w Source,
    /// The link that it came by: whoever holds that may say any name.
    pub link: Option<&'w str>,
}

/// Characters of a reason in words that are kept.
const WHY: usize = 300;
/// Characters of the step or process that a refused word names.
const NAMED: usize = 100;

impl<'w> RefusedWord<'w> {
    /// A word that names nothing and came by no link.
    #[must_use]
    pub fn new(person: &'w Person, source: &'w Source, verb: &'w str, refused: &Refused) -> Self {
        Self { person, verb, named: None, reason: refused.kind(), why: refused.words(), source, link: None }
    }

    /// Who is told apart from others: an account; in tenant `local`, where there are none, a link or a login.
    fn speaker(&self) -> String {
        match (self.link, self.person) {
            (Some(link), _) => format!("link:{link}"),
            (None, Person { login, id: 0 }) => format!("login:{}", login.to_lowercase()),
            (None, Person { id, .. }) => id.to_string(),
        }
    }
}

/// A word was refused. It is recorded once for each person, command, way and kind of reason: of an execution where one that
/// it is about was open, and of a repository where there was none. So whoever may only comment cannot fill the log.
#[must_use]
pub fn of_refusal(
    refused: &RefusedWord<'_>,
    repository: &str,
    execution: Option<&Execution>,
    at: Timestamp,
) -> NewEntry {
    let RefusedWord { person, verb, named, reason, why, source, .. } = refused;
    let about = execution.map_or_else(|| repository.to_owned(), |execution| execution.id.to_string());
    let (speaker, way) = (refused.speaker(), format!("{:?}", source.kind).to_lowercase());
    let why: String = why.chars().take(WHY).collect();
    let named: Option<String> = named.map(|named| named.chars().take(NAMED).collect());
    NewEntry {
        at,
        kind: "command.refused".to_owned(),
        actor: Some((*person).clone()),
        repository: Some(repository.to_owned()),
        process: execution.map(|execution| execution.process.clone()),
        execution: execution.map(|execution| execution.id),
        step: None,
        data: json!({"command": verb, "named": named, "reason": reason, "why": why, "source": told(source)}),
        once: Some(format!("refused:{about}:{speaker}:{verb}:{way}:{reason}")),
    }
}

/// Definitions that are known to be recorded, so that most starts need not ask. What is forgotten here is asked of the store.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<BTreeSet<String>>);

/// Definitions that are remembered at most.
const REMEMBERED: usize = 10_000;

impl Definitions {
    /// What is to be recorded of the definition that an execution is pinned to, the first time that it runs.
    #[must_use]
    pub fn pinned(&self, execution: &Execution) -> Option<NewEntry> {
        let key = key(execution);
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return None;
        }
        Some(NewEntry {
            at: execution.created_at,
            kind: "definition.pinned".to_owned(),
            actor: None,
            repository: Some(execution.repository.clone()),
            process: Some(execution.process.clone()),
            execution: None,
            step: None,
            data: json!({
                "version": execution.process_version,
                "revision": execution.revision,
                "digest": execution.digest,
            }),
            once: Some(format!("definition:{}/{}:{}", execution.repository, execution.process, execution.digest)),
        })
    }

    /// The definition of an execution is recorded.
    pub fn remember(&self, execution: &Execution) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key(execution));
    }
}

fn key(execution: &Execution) -> String {
    let Execution { tenant, repository, process, digest, .. } = execution;
    format!("{}/{repository}/{process}/{digest}", tenant.as_str())
}
