//! People in an execution: what they are asked, what they say, and what time and commits do to it.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::journal::{self, CallDecision};
use super::perform::{self, evaluate_markdown, evaluate_text};
use super::plan::{Plan, PlannedStep};
use super::state::{Delegation, StepError, StepState, StepStatus};
use super::waiting::{ApprovalRequest, FormRequest, Level, Waiting};
use crate::approval::codeowners::Owned;
use crate::approval::{Decision, DecisionKind, Outcome, Person, Requirement, Source, SourceKind, Verdict, evaluate};
use crate::definition::field::{defaults, faults_of_filled, schema_of_fields};
use crate::definition::step::form::FormTimeout;
use crate::definition::step::human_approval::{Escalation, KeepOnPush, OnReject, OnTimeout};
use crate::definition::step::{Form, HumanApproval};
use crate::definition::{Approvers, ErrorClass, StepKind, StepType};
use crate::expression::Context;
use crate::source::Spanned;
use crate::value::Duration;

/// What people are asked to approve.
pub(super) fn approval_request(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    approval: &HumanApproval,
    context: &Context,
) -> Result<ApprovalRequest, StepError> {
    let now = transition.now;
    let patience = perform::timeout(transition, planned, context)?;
    Ok(ApprovalRequest {
        title: title(planned, approval.title.as_ref(), context)?,
        description: description(approval.description.as_ref(), context)?,
        requirement: requirement(planned, approval.approvers.as_ref(), context)?,
        allow_author: approval.allow_author,
        requested_at: now,
        head_sha: transition.execution.subject.as_ref().map(|subject| subject.head_sha.clone()),
        shown_since: now,
        base_since: None,
        due_at: patience.and_then(|patience| after(now, patience)),
        patience_ms: patience.map(|patience| patience.as_millis()),
        on_timeout: approval.on_timeout,
        on_reject: approval.on_reject,
        keep_on_push: approval.keep_on_push,
        note_required: approval.note_required,
        priority: approval.priority,
        escalate: levels(&approval.escalate, now, context)?,
        reminders: reminders(&approval.reminders, now),
        call: None,
    })
}

/// What a person is asked to fill in.
pub(super) fn form_request(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    form: &Form,
    context: &Context,
) -> Result<FormRequest, StepError> {
    let now = transition.now;
    let assignees = form.assignees.as_ref().map(|who| resolve(who, context)).transpose()?;
    Ok(FormRequest {
        title: title(planned, form.title.as_ref(), context)?,
        description: description(form.description.as_ref(), context)?,
        schema: schema_of_fields(&form.fields),
        defaults: defaults(&form.fields),
        assignees,
        requested_at: now,
        due_at: perform::timeout(transition, planned, context)?.and_then(|patience| after(now, patience)),
        on_timeout: form.on_timeout,
        escalate: levels(&form.escalate, now, context)?,
        reminders: reminders(&form.reminders, now),
    })
}

fn title(planned: &PlannedStep, title: Option<&Spanned<String>>, context: &Context) -> Result<String, StepError> {
    if let Some(title) = title {
        return evaluate_text("title", title, context);
    }
    // A name that cannot be filled in fails nothing: people see the id.
    let name = planned.step.name.as_ref().and_then(|name| evaluate_text("name", name, context).ok());
    Ok(name.unwrap_or_else(|| planned.step.id.as_str().replace('_', " ")))
}

/// A description in Markdown, in which what is filled in leads nowhere.
fn description(text: Option<&Spanned<String>>, context: &Context) -> Result<String, StepError> {
    text.map_or_else(|| Ok(String::new()), |text| evaluate_markdown("description", text, context))
}

fn after(now: Timestamp, duration: Duration) -> Option<Timestamp> {
    now.checked_add(duration.as_signed()).ok()
}

/// The step's own approvers, those of its agent and those of its policy: all of them are needed.
pub(super) fn requirement(
    planned: &PlannedStep,
    own: Option<&Spanned<Approvers>>,
    context: &Context,
) -> Result<Requirement, StepError> {
    let mut all: Vec<Requirement> = own.map(|who| resolve(who, context)).transpose()?.into_iter().collect();
    all.extend(planned.of_agent.clone());
    for who in &planned.policy {
        all.push(resolve(who, context)?);
    }
    match all.len() {
        0 => Err(StepError::new(ErrorClass::Refused, "nobody is named who could approve")),
        1 => Ok(all.remove(0)),
        _ => Ok(Requirement::All { of: all }),
    }
}

fn resolve(approvers: &Approvers, context: &Context) -> Result<Requirement, StepError> {
    let mut text = |template: &str| {
        crate::expression::evaluate_json(&Value::String(template.to_owned()), context).map(|rendered| {
            match rendered.value {
                Value::String(text) => text,
                Value::Array(items) => {
                    let names: Vec<String> = items
                        .iter()
                        .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                        .collect();
                    names.join(" ")
                }
                other => other.to_string(),
            }
        })
    };
    Requirement::resolve(approvers, &mut text)
        .map_err(|error| StepError::new(ErrorClass::Expression, format!("`approvers`: {error}")))
}

fn levels(escalate: &[Spanned<Escalation>], now: Timestamp, context: &Context) -> Result<Vec<Level>, StepError> {
    let mut levels = Vec::new();
    for level in escalate {
        let at = after(now, level.after.value).unwrap_or(Timestamp::MAX);
        levels.push(Level { at, to: resolve(&level.to, context)? });
    }
    levels.sort_by_key(|level| level.at);
    Ok(levels)
}

fn reminders(reminders: &[Spanned<Duration>], now: Timestamp) -> Vec<Timestamp> {
    let mut reminders: Vec<Timestamp> = reminders.iter().filter_map(|pause| after(now, pause.value)).collect();
    reminders.sort_unstable();
    reminders
}

/// A person whose word counts decided.
pub(super) fn decided(transition: &mut Transition<'_>, id: &str, decision: Decision) -> Result<(), Refusal> {
    let known = transition.execution.steps.get(id).map_or(&[][..], |state| &state.decisions);
    let is_news = news(known, &decision);
    let withdraws = decision.decision == DecisionKind::Withdraw;
    if withdraws && is_news.is_ok() && transition.execution.carries_approval_of(id, &decision.person) {
        taken_back(transition, id, decision);
        return Ok(());
    }
    let state = waiting_step(transition, id)?;
    let Some(Waiting::Approval(request)) = &state.waiting else {
        return Err(Refusal::NotWaiting { step: id.to_owned(), what: "an approval" });
    };
    is_news?;
    if let (Some(said), Some(shown), false) = (&decision.commit, &request.head_sha, withdraws)
        && said != shown
    {
        return Err(Refusal::OtherCommit { said: said.clone(), shown: shown.clone() });
    }
    // What is taken back was said about the question before; who takes it back names none.
    let taken_back = withdraws && decision.call.is_none();
    if decision.call != state.asked_call() && !taken_back {
        return Err(Refusal::OtherCall { step: id.to_owned() });
    }
    if withdraws
        && !evaluate(&request.requirement, &state.decisions).standing.iter().any(|d| d.person.is(&decision.person))
    {
        return Err(Refusal::NothingToWithdraw);
    }
    if request.needs_note(decision.decision) && decision.note.as_deref().is_none_or(|note| note.trim().is_empty()) {
        return Err(Refusal::NoteRequired);
    }
    let request = request.clone();
    transition.emit_step(id, Some(decision.person.clone()), EventKind::DecisionRecorded { decision });
    let verdict = verdict(transition, id, &request.requirement);
    match (verdict.outcome, request.call.as_deref()) {
        (Outcome::Approved | Outcome::Overridden, Some(call)) => {
            journal::resume(transition, id, call, CallDecision::Approved, verdict.standing)
        }
        (Outcome::Rejected, Some(call)) => {
            journal::resume(transition, id, call, CallDecision::Rejected, verdict.standing)
        }
        (Outcome::Approved | Outcome::Overridden, None) => complete(transition, id, "approved", &verdict),
        (Outcome::Rejected, None) => reject(transition, id, request.on_reject, &verdict),
        (Outcome::Pending, _) => {}
    }
    Ok(())
}

/// Refuses what was recorded before, and what the person has said something after.
fn news(known: &[Decision], decision: &Decision) -> Result<(), Refusal> {
    if known.iter().any(|word| word.source == decision.source && word.person.is(&decision.person)) {
        return Err(Refusal::Repeated);
    }
    said_since(known, decision).map_or(Ok(()), |since| Err(Refusal::SaidSince { since }))
}

/// When the person said something after this, as far as one clock tells: GitHub's does of comments and reviews. That a
/// review was dismissed is dated by ours.
fn said_since(known: &[Decision], decision: &Decision) -> Option<Timestamp> {
    let is_dated_by_github = |word: &Decision| match word.source.kind {
        SourceKind::Comment => true,
        SourceKind::Review => word.decision != DecisionKind::Withdraw,
        _ => false,
    };
    let of_the_person = known.iter().filter(|word| word.person.is(&decision.person) && is_dated_by_github(word));
    let latest = of_the_person.map(|word| word.at).max().filter(|latest| *latest > decision.at)?;
    is_dated_by_github(decision).then_some(latest)
}

/// Somebody takes back an approval that the process has gone on from: what followed has happened, but it stands on nothing.
fn taken_back(transition: &mut Transition<'_>, id: &str, decision: Decision) {
    let people = vec![decision.person.clone()];
    let subject = transition.execution.subject.as_ref();
    let head_sha = subject.map(|subject| subject.head_sha.clone()).unwrap_or_default();
    transition.emit_step(id, Some(decision.person.clone()), EventKind::DecisionRecorded { decision });
    transition.emit_step(id, None, EventKind::ApprovalOutdated { people, head_sha });
}

fn waiting_step<'t>(transition: &'t Transition<'_>, id: &str) -> Result<&'t StepState, Refusal> {
    if transition.execution.status.is_final() {
        return Err(Refusal::Ended { status: transition.execution.status });
    }
    let state = transition.execution.steps.get(id).ok_or_else(|| Refusal::UnknownStep { step: id.to_owned() })?;
    if state.status != StepStatus::Waiting {
        return Err(Refusal::NotWaiting { step: id.to_owned(), what: "anybody" });
    }
    Ok(state)
}

fn verdict(transition: &Transition<'_>, id: &str, requirement: &Requirement) -> Verdict {
    let decisions = transition.execution.steps.get(id).map_or(&[][..], |state| &state.decisions);
    evaluate(requirement, decisions)
}

fn complete(transition: &mut Transition<'_>, id: &str, decision: &str, verdict: &Verdict) {
    let output = json!({"decision": decision, "decisions": shown(verdict)});
    transition.emit_step(id, None, EventKind::StepCompleted { output, usage: None });
}

fn reject(transition: &mut Transition<'_>, id: &str, on_reject: OnReject, verdict: &Verdict) {
    if on_reject == OnReject::Continue {
        return complete(transition, id, "rejected", verdict);
    }
    let rejection = verdict.standing.iter().find(|decision| decision.decision == DecisionKind::Reject);
    let message = match rejection {
        Some(Decision { person, note: Some(note), .. }) => format!("@{} rejected: {note}", person.login),
        Some(Decision { person, note: None, .. }) => format!("@{} rejected", person.login),
        None => "nobody approved in time".to_owned(),
    };
    let error = StepError::new(ErrorClass::Rejected, message);
    transition.emit_step(id, None, EventKind::StepFailed { error, usage: None });
}

/// The decisions as a step's output shows them.
fn shown(verdict: &Verdict) -> Vec<Value> {
    let word = |decision: &Decision| {
        json!({
            "person": decision.person.login,
            "decision": decision.decision,
            "at": decision.at.to_string(),
            "note": decision.note,
            "source": decision.source.url,
            "commit": decision.commit,
        })
    };
    verdict.standing.iter().map(word).collect()
}

/// A person answered a form.
pub(super) fn answered(
    transition: &mut Transition<'_>,
    id: &str,
    person: Person,
    values: Map<String, Value>,
    source: Source,
) -> Result<(), Refusal> {
    let state = waiting_step(transition, id)?;
    let Some(Waiting::Form(request)) = &state.waiting else {
        return Err(Refusal::NotWaiting { step: id.to_owned(), what: "answers" });
    };
    let values = filled(request, values)?;
    let output = Value::Object(values.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    transition.emit_step(id, Some(person), EventKind::FormAnswered { values, source });
    transition.emit_step(id, None, EventKind::StepCompleted { output, usage: None });
    Ok(())
}

/// The answers with defaults filled in, checked against the form's schema.
fn filled(request: &FormRequest, values: Map<String, Value>) -> Result<IndexMap<String, Value>, Refusal> {
    let mut filled = request.defaults.clone();
    let given = Value::Object(values.clone());
    filled.extend(values);
    let faults = faults_of_filled(&request.schema, &Value::Object(filled.clone()), &given);
    if faults.is_empty() { Ok(filled.into_iter().collect()) } else { Err(Refusal::WrongAnswers { faults }) }
}

/// Who owns what is changed was looked up: every question that it matters to knows it from now on.
pub(super) fn owners_known(transition: &mut Transition<'_>, owned: &Owned) {
    let differs = |state: &StepState| {
        let asked = state.waiting.as_ref().filter(|_| state.status == StepStatus::Waiting)?.requirement()?;
        (asked.asks_codeowners() && asked.with_owned(owned) != *asked).then_some(())
    };
    let asking = transition.execution.steps.iter().filter(|(_, state)| differs(state).is_some());
    let asking: Vec<String> = asking.map(|(id, _)| id.clone()).collect();
    for id in asking {
        transition.emit_step(&id, None, EventKind::OwnersKnown { owned: owned.clone() });
    }
}

/// Somebody was seen to push: from now on they are one of those who made the change, and what they had said before, or
/// what was said in their place, counts no more.
pub(super) fn pushed(transition: &mut Transition<'_>, person: &Person) {
    let known = transition.execution.pushers.iter().any(|pusher| pusher.is(person));
    if known || transition.execution.status.is_final() {
        return;
    }
    transition.emit(EventKind::Pushed { person: person.clone() });
    let asked: Vec<(String, Vec<Person>, String)> = transition
        .execution
        .waiting_for_people()
        .filter_map(|(id, state)| match &state.waiting {
            Some(Waiting::Approval(request)) if !request.allow_author => {
                let head_sha = request.head_sha.clone().unwrap_or_default();
                Some((id.to_owned(), spoken_for_by(request, state, person), head_sha))
            }
            _ => None,
        })
        .collect();
    for (id, people, head_sha) in asked.into_iter().filter(|(_, people, _)| !people.is_empty()) {
        transition.emit_step(&id, None, EventKind::DecisionsDismissed { people, head_sha, since: None, base: None });
    }
}

/// Whose words hold somebody's voice: their own, and those of whoever speaks in their place.
fn spoken_for_by(request: &ApprovalRequest, state: &StepState, person: &Person) -> Vec<Person> {
    let standing = evaluate(&request.requirement, &state.decisions).standing.into_iter();
    let theirs = standing.filter(|decision| {
        decision.person.is(person) || decision.in_place_of.iter().any(|other| other.person.is(person))
    });
    theirs.map(|decision| decision.person).collect()
}

/// Somebody gives their word to another person; to themself: takes it back.
pub(super) fn delegated(transition: &mut Transition<'_>, delegation: Delegation) -> Result<(), Refusal> {
    if transition.execution.status.is_final() {
        return Err(Refusal::Ended { status: transition.execution.status });
    }
    transition.emit_by(Some(delegation.from.clone()), EventKind::Delegated { delegation });
    Ok(())
}

/// The pull request has a new head: what was said about the old one counts as `keep_on_push` says.
pub(super) fn head_moved(transition: &mut Transition<'_>, head_sha: &str, same_tree: bool, since: Option<Timestamp>) {
    let moved = transition.execution.subject.as_ref().is_some_and(|subject| subject.head_sha != head_sha);
    if !moved || transition.execution.status.is_final() {
        return;
    }
    transition.emit(EventKind::HeadMoved { head_sha: head_sha.to_owned() });
    dismiss(transition, head_sha, same_tree, (since, None));
    outdate(transition, head_sha, same_tree);
}

/// Those who are asked are asked about what is there now.
fn dismiss(
    transition: &mut Transition<'_>,
    head_sha: &str,
    same_tree: bool,
    (since, base): (Option<Timestamp>, Option<&str>),
) {
    let asked: Vec<(String, Vec<Person>)> = transition
        .execution
        .steps
        .iter()
        .filter_map(|(id, state)| match (&state.status, &state.waiting) {
            (StepStatus::Waiting, Some(Waiting::Approval(request))) => {
                Some((id.clone(), dismissed(request, state, same_tree)))
            }
            _ => None,
        })
        .collect();
    for (id, people) in asked {
        let (head_sha, base) = (head_sha.to_owned(), base.map(str::to_owned));
        transition.emit_step(&id, None, EventKind::DecisionsDismissed { people, head_sha, since, base });
    }
}

/// The pull request goes to another branch: there the same commit is another change, and other people may own it. Said of
/// executions that have ended too: what they show stands on the commit.
pub(super) fn base_moved(transition: &mut Transition<'_>, base: &str, since: Option<Timestamp>) {
    let Some(subject) = transition.execution.subject.as_ref().filter(|subject| subject.is_pull_request) else { return };
    if transition.execution.base() == Some(base) {
        return;
    }
    let head_sha = subject.head_sha.clone();
    transition.emit(EventKind::BaseMoved { base: base.to_owned() });
    dismiss(transition, &head_sha, false, (since, Some(base)));
    outdate(transition, &head_sha, false);
}

/// What was approved, and gone on from, says nothing about a commit or a base that nobody had seen then.
fn outdate(transition: &mut Transition<'_>, head_sha: &str, same_tree: bool) {
    let plan = transition.plan;
    let is_lost = |key: &str, state: &StepState| {
        !state.outdated && approved_in(Some(plan), key, state).is_some_and(|keep| !kept(keep, same_tree))
    };
    let steps = transition.execution.steps.iter().filter(|(key, state)| is_lost(key, state));
    let outdated: Vec<(String, Vec<Person>)> = steps.map(|(key, state)| (key.clone(), approvers(state))).collect();
    for (key, people) in outdated {
        transition.emit_step(&key, None, EventKind::ApprovalOutdated { people, head_sha: head_sha.to_owned() });
    }
}

/// What a push leaves of the approval that a step has gone on from, its own or one in its sub-process; nothing where there is none.
pub(super) fn approved_in(plan: Option<&Plan>, key: &str, state: &StepState) -> Option<KeepOnPush> {
    if state.status != StepStatus::Completed {
        return None;
    }
    if let Some(approved) = &state.approved_within {
        return Some(approved.keep_on_push);
    }
    // A rejection or a silence that the process goes on from allows nothing that it would not have.
    let decision = state.output.as_ref().and_then(|output| output.get("decision")).and_then(Value::as_str);
    if state.step_type != StepType::HumanApproval || matches!(decision, Some("rejected" | "expired")) {
        return None;
    }
    Some(match plan.and_then(|plan| plan.step(key)).map(|planned| &planned.step.kind) {
        Some(StepKind::HumanApproval(approval)) => approval.keep_on_push,
        _ => KeepOnPush::Never,
    })
}

/// Whose words such an approval is.
pub(super) fn approvers(state: &StepState) -> Vec<Person> {
    match &state.approved_within {
        Some(approved) => approved.people.clone(),
        None => standing(state).map(|decision| decision.person.clone()).collect(),
    }
}

/// Each person's last word, where it is not taken back.
fn standing(state: &StepState) -> impl Iterator<Item = &Decision> {
    let latest = |decision: &&Decision| {
        let last = state.decisions.iter().rev().find(|other| other.person.is(&decision.person));
        last.is_some_and(|last| std::ptr::eq(last, *decision)) && decision.decision != DecisionKind::Withdraw
    };
    state.decisions.iter().filter(latest)
}

fn kept(keep_on_push: KeepOnPush, same_tree: bool) -> bool {
    match keep_on_push {
        KeepOnPush::Never => false,
        KeepOnPush::SameTree => same_tree,
        KeepOnPush::Always => true,
    }
}

fn dismissed(request: &ApprovalRequest, state: &StepState, same_tree: bool) -> Vec<Person> {
    if kept(request.keep_on_push, same_tree) {
        return Vec::new();
    }
    evaluate(&request.requirement, &state.decisions).standing.into_iter().map(|decision| decision.person).collect()
}

/// Whatever time brings to people: reminders, escalation, deadlines.
pub(super) fn wake(transition: &mut Transition<'_>) {
    if transition.execution.is_held() {
        return;
    }
    let ids: Vec<String> = transition.execution.waiting_for_people().map(|(id, _)| id.to_owned()).collect();
    for id in ids {
        remind(transition, &id);
        escalate(transition, &id);
        end_when_due(transition, &id);
    }
}

fn remind(transition: &mut Transition<'_>, id: &str) {
    let reminders: &[Timestamp] = match waiting(transition, id) {
        Some(Waiting::Approval(request)) => &request.reminders,
        Some(Waiting::Form(request)) => &request.reminders,
        _ => &[],
    };
    if reminders.iter().any(|at| *at <= transition.now) {
        transition.emit_step(id, None, EventKind::Reminded);
    }
}

fn waiting<'t>(transition: &'t Transition<'_>, id: &str) -> Option<&'t Waiting> {
    transition.execution.steps.get(id)?.waiting.as_ref()
}

/// Every level whose time has come is reached; the deadline stays.
fn escalate(transition: &mut Transition<'_>, id: &str) {
    loop {
        let next = match waiting(transition, id) {
            Some(Waiting::Approval(request)) => request.escalate.first(),
            Some(Waiting::Form(request)) => request.escalate.first(),
            _ => None,
        };
        if next.is_none_or(|level| level.at > transition.now) {
            return;
        }
        transition.emit_step(id, None, EventKind::Escalated { due_at: None });
    }
}

fn end_when_due(transition: &mut Transition<'_>, id: &str) {
    let now = transition.now;
    let timed_out = || StepError::new(ErrorClass::Timeout, "nobody acted in time");
    match waiting(transition, id).cloned() {
        Some(Waiting::Approval(request)) if request.due_at.is_some_and(|due_at| due_at <= now) => {
            let verdict = verdict(transition, id, &request.requirement);
            if let Some(call) = &request.call {
                return journal::resume(transition, id, call, CallDecision::Expired, verdict.standing);
            }
            match request.on_timeout {
                OnTimeout::Escalate if !request.escalate.is_empty() => {
                    let patience = Duration::from_millis(request.patience_ms.unwrap_or(0));
                    transition.emit_step(id, None, EventKind::Escalated { due_at: after(now, patience) });
                }
                OnTimeout::Reject | OnTimeout::Escalate => reject(transition, id, request.on_reject, &verdict),
                OnTimeout::Fail => {
                    transition.emit_step(id, None, EventKind::StepFailed { error: timed_out(), usage: None });
                }
                OnTimeout::Approve => complete(transition, id, "approved", &verdict),
                OnTimeout::Continue => complete(transition, id, "expired", &verdict),
            }
        }
        Some(Waiting::Form(request)) if request.due_at.is_some_and(|due_at| due_at <= now) => {
            let kind = match request.on_timeout {
                FormTimeout::Fail => EventKind::StepFailed { error: timed_out(), usage: None },
                FormTimeout::Continue => {
                    EventKind::StepCompleted { output: Value::Object(request.defaults), usage: None }
                }
            };
            transition.emit_step(id, None, kind);
        }
        _ => {}
    }
}
