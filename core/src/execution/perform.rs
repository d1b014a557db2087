//! Attempts: how a step starts, what it is given, and what follows when an attempt ends. `set`, `gateway` and `wait`
//! are done here; what needs the world is left to whoever performs the running attempt, whose input is made in `input`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::context::{self, Place};
use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::foreach;
use super::input;
use super::people;
use super::plan::PlannedStep;
use super::state::{StepError, StepState, StepStatus, Usage};
use super::waiting::Waiting;
use super::{children, received, workflow};
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::wait::WaitEvent;
use crate::definition::step::{Gateway, StepKind, Wait};
use crate::definition::{Backoff, ErrorClass, Retry, Templated};
use crate::expression::{Context, Filled, Rendered, condition, evaluate_json_with};
use crate::value::{self, Duration};

/// Characters of a step's name that are kept where it is computed.
const LONGEST_NAME: usize = 200;

/// What a step does once its fields are evaluated.
enum Prepared {
    /// It is done at once.
    Done { input: Value, output: Value },
    /// Somebody must perform it.
    Work { rendered: Rendered, timeout: Option<Duration> },
    /// It waits.
    Wait { input: Value, waiting: Waiting },
    /// Its steps run once per item.
    Items { items: Vec<Value>, due_at: Option<Timestamp> },
}

/// Starts an attempt of a step, whatever the state of its edges.
pub(super) fn start(transition: &mut Transition<'_>, id: &str, planned: &PlannedStep) {
    let context = context::reading(transition.plan, &transition.execution, Place::at(id), &planned.reads);
    let name = computed_name(planned, &context);
    let started =
        |input: Value| EventKind::StepStarted { input, secret_texts: Vec::new(), timeout_ms: None, name: name.clone() };
    match prepare(transition, planned, &context) {
        Ok(Prepared::Done { input, output }) => {
            transition.emit_step(id, None, started(input));
            transition.emit_step(id, None, EventKind::StepCompleted { output, usage: None });
        }
        Ok(Prepared::Wait { input, waiting }) => {
            transition.emit_step(id, None, started(input));
            transition.emit_step(id, None, EventKind::StepWaiting { waiting });
        }
        Ok(Prepared::Work { rendered: Rendered { value: input, secret_texts, .. }, timeout }) => {
            let timeout_ms = timeout.map(Duration::as_millis);
            transition.emit_step(id, None, EventKind::StepStarted { input, secret_texts, timeout_ms, name });
        }
        Ok(Prepared::Items { items, due_at }) => {
            let total = items.len();
            transition.emit_step(id, None, started(json!({"items": items})));
            foreach::open(transition, id, planned, total, due_at);
        }
        Err(error) => {
            transition.emit_step(id, None, started(Value::Null));
            transition.emit_step(id, None, EventKind::StepFailed { error, usage: None });
        }
    }
}

/// A step's name where that is a template. It is for people alone: one that cannot be evaluated fails nothing, and the
/// step is called as before.
fn computed_name(planned: &PlannedStep, context: &Context) -> Option<String> {
    let template = planned.step.name.as_ref().filter(|_| planned.literal_name().is_none())?;
    let name = evaluate_text("name", template, context).ok()?;
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_NAME).collect();
    (!name.is_empty()).then_some(name)
}

fn prepare(transition: &Transition<'_>, planned: &PlannedStep, context: &Context) -> Result<Prepared, StepError> {
    match &planned.step.kind {
        StepKind::Set(set) => {
            let values: Map<String, Value> =
                set.values.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
            let values = evaluate("values", &Value::Object(values), context)?.value;
            Ok(Prepared::Done { input: values.clone(), output: values })
        }
        StepKind::Gateway(gateway) => {
            let output = json!({"taken": branches_taken(gateway, context)?});
            Ok(Prepared::Done { input: Value::Null, output })
        }
        StepKind::Wait(Wait { event: Some(event), .. }) => {
            let name = evaluate_text("event.name", &event.name, context)?;
            let due_at = event_due_at(transition, planned, event, context)?;
            let since = transition.execution.started_at.unwrap_or(transition.execution.created_at);
            let input = json!({"event": name});
            Ok(Prepared::Wait { input, waiting: Waiting::Event { name, since, due_at } })
        }
        StepKind::Wait(wait) => {
            let until = wait_until(wait, context, transition.now)?;
            // A deadline behind the moment never comes.
            let due_at = deadline(transition, planned, context)?.filter(|due_at| *due_at < until);
            let input = json!({"until": until.to_string()});
            Ok(Prepared::Wait { input, waiting: Waiting::Timer { until, due_at } })
        }
        StepKind::HumanApproval(approval) => {
            let request = people::approval_request(transition, planned, approval, context)?;
            let input = json!({"title": request.title, "description": request.description});
            Ok(Prepared::Wait { input, waiting: Waiting::Approval(Box::new(request)) })
        }
        StepKind::Form(form) => {
            let request = people::form_request(transition, planned, form, context)?;
            let input = json!({"title": request.title, "description": request.description});
            Ok(Prepared::Wait { input, waiting: Waiting::Form(Box::new(request)) })
        }
        StepKind::Foreach(fields) => {
            let items = foreach::items(transition, fields, context)?;
            let due_at = deadline(transition, planned, context)?;
            Ok(Prepared::Items { items, due_at })
        }
        _ => {
            let rendered = input::of(transition.plan, &transition.execution, planned, context)?;
            Ok(Prepared::Work { rendered, timeout: timeout(transition, planned, context)? })
        }
    }
}

/// Evaluates one field; an error names it.
pub(super) fn evaluate(field: &str, value: &Value, context: &Context) -> Result<Rendered, StepError> {
    evaluate_with(field, value, context, Filled::AsIs)
}

/// Evaluates one field, which is Markdown where `filled` says so.
pub(super) fn evaluate_with(
    field: &str,
    value: &Value,
    context: &Context,
    filled: Filled,
) -> Result<Rendered, StepError> {
    evaluate_json_with(value, context, filled)
        .map_err(|error| StepError::new(ErrorClass::Expression, format!("`{field}`: {error}")))
}

/// Evaluates one field to a text.
pub(super) fn evaluate_text(field: &str, template: &str, context: &Context) -> Result<String, StepError> {
    text_of(field, evaluate(field, &Value::String(template.to_owned()), context)?)
}

/// Evaluates one field to Markdown: what is filled in makes no link and no image.
pub(super) fn evaluate_markdown(field: &str, template: &str, context: &Context) -> Result<String, StepError> {
    let filled = Filled::LeadingNowhere;
    text_of(field, evaluate_with(field, &Value::String(template.to_owned()), context, filled)?)
}

fn text_of(field: &str, rendered: Rendered) -> Result<String, StepError> {
    match rendered.value {
        Value::String(text) => Ok(text),
        Value::Null => Err(StepError::new(ErrorClass::Expression, format!("`{field}` is empty"))),
        other => Ok(other.to_string()),
    }
}

/// Evaluates a duration.
pub(super) fn evaluate_duration(
    field: &str,
    duration: &Templated<Duration>,
    context: &Context,
) -> Result<Duration, StepError> {
    match duration {
        Templated::Literal(duration) => Ok(*duration),
        Templated::Template(template) => {
            let text = evaluate_text(field, template, context)?;
            text.parse()
                .map_err(|error| StepError::new(ErrorClass::Expression, format!("`{field}` gave `{text}`: {error}")))
        }
    }
}

/// How long an attempt may take; nothing: as long as it does.
pub(super) fn timeout(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    context: &Context,
) -> Result<Option<Duration>, StepError> {
    let timeout = planned.step.effective_timeout(transition.plan.process.header.defaults.timeout);
    timeout.map(|timeout| evaluate_duration("timeout", &timeout.length(), context)).transpose()
}

/// When an attempt that starts now must have ended.
fn deadline(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    context: &Context,
) -> Result<Option<Timestamp>, StepError> {
    let timeout = timeout(transition, planned, context)?;
    Ok(timeout.and_then(|timeout| after(transition.now, timeout.as_millis())))
}

/// The same for an attempt that goes on from an earlier one, which evaluated it before.
pub(super) fn due_at(transition: &Transition<'_>, key: &str, planned: &PlannedStep) -> Option<Timestamp> {
    let context = context::reading(transition.plan, &transition.execution, Place::at(key), &planned.reads);
    deadline(transition, planned, &context).ok().flatten()
}

/// When a `wait` for an event must have ended: the step and the event may both say so, and the earlier one counts.
fn event_due_at(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    event: &WaitEvent,
    context: &Context,
) -> Result<Option<Timestamp>, StepError> {
    let of_event = event.timeout.as_ref().map(|timeout| evaluate_duration("event.timeout", timeout, context));
    let of_event = of_event.transpose()?.and_then(|timeout| after(transition.now, timeout.as_millis()));
    Ok(of_event.into_iter().chain(deadline(transition, planned, context)?).min())
}

/// The moment so many milliseconds after `now`; nothing past the end of time.
pub(super) fn after(now: Timestamp, millis: u64) -> Option<Timestamp> {
    now.checked_add(SignedDuration::from_millis(i64::try_from(millis).ok()?)).ok()
}

fn branches_taken(gateway: &Gateway, context: &Context) -> Result<Vec<String>, StepError> {
    let mut taken: Vec<String> = Vec::new();
    for (index, branch) in gateway.branches.iter().enumerate() {
        let Some(when) = &branch.when else { continue };
        let field = format!("branches[{index}].when");
        let value = evaluate(&field, &when.value, context)?.value;
        let holds =
            condition(&value).map_err(|error| StepError::new(ErrorClass::Expression, format!("`{field}`: {error}")))?;
        if holds {
            taken.extend(branch.to.iter().map(ToString::to_string));
            if gateway.mode == GatewayMode::First {
                break;
            }
        }
    }
    if taken.is_empty() {
        let otherwise = gateway.branches.iter().find(|b| b.otherwise.as_ref().is_some_and(|yes| yes.value));
        let otherwise = otherwise
            .ok_or_else(|| StepError::new(ErrorClass::Expression, "no branch holds, and there is no `otherwise`"))?;
        taken.extend(otherwise.to.iter().map(ToString::to_string));
    }
    taken.dedup();
    Ok(taken)
}

fn wait_until(wait: &Wait, context: &Context, now: Timestamp) -> Result<Timestamp, StepError> {
    if let Some(duration) = &wait.duration {
        let duration = evaluate_duration("for", duration, context)?;
        return now
            .checked_add(duration.as_signed())
            .map_err(|_| StepError::new(ErrorClass::Expression, "`for` reaches past the end of time"));
    }
    if let Some(until) = &wait.until {
        let text = evaluate_text("until", until, context)?;
        return value::moment(&text).ok_or_else(|| {
            StepError::new(
                ErrorClass::Expression,
                format!("`until` gave `{text}`, which is no moment such as 2026-03-01T09:00:00Z and no date"),
            )
        });
    }
    Err(StepError::new(ErrorClass::Expression, "none of `for`, `until` and `event` is given"))
}

/// An attempt ended.
pub(super) fn ended(
    transition: &mut Transition<'_>,
    id: &str,
    attempt: u32,
    result: Result<Value, StepError>,
    usage: Option<Usage>,
) -> Result<(), Refusal> {
    running(transition, id, attempt)?;
    match result {
        Ok(output) => transition.emit_step(id, None, EventKind::StepCompleted { output, usage }),
        Err(error) => failed(transition, id, error, usage),
    }
    Ok(())
}

/// An attempt is made again after a crash: told, and not counted.
pub(super) fn repeated(transition: &mut Transition<'_>, id: &str, attempt: u32) -> Result<(), Refusal> {
    running(transition, id, attempt)?;
    transition.emit_step(id, None, EventKind::StepRepeated);
    Ok(())
}

/// The step that runs this attempt.
pub(super) fn running<'t>(transition: &'t Transition<'_>, id: &str, attempt: u32) -> Result<&'t StepState, Refusal> {
    let state = transition.execution.steps.get(id).ok_or_else(|| Refusal::UnknownStep { step: id.to_owned() })?;
    if state.status != StepStatus::Running || state.attempt != attempt {
        return Err(Refusal::Stale { step: id.to_owned(), attempt });
    }
    Ok(state)
}

/// An attempt failed: another one follows where `retry` says so.
pub(super) fn failed(transition: &mut Transition<'_>, id: &str, error: StepError, usage: Option<Usage>) {
    let at = retry_at(transition, id, &error);
    match at {
        Some(at) => transition.emit_step(id, None, EventKind::StepRetrying { error, at, usage }),
        None => transition.emit_step(id, None, EventKind::StepFailed { error, usage }),
    }
}

fn retry_at(transition: &Transition<'_>, id: &str, error: &StepError) -> Option<Timestamp> {
    let planned = transition.plan.step(id)?;
    let defaults = &transition.plan.process.header.defaults;
    let usual = input::usual_retry(planned.step.step_type());
    let retry = planned.step.retry.as_ref().or(defaults.retry.as_ref()).or(usual.as_ref())?;
    let state = transition.execution.steps.get(id)?;
    if state.tries >= retry.max_attempts || !retry.covers(error.class) {
        return None;
    }
    let seed = format!("{}/{id}/{}", transition.execution.id, state.attempt);
    let asked = error.retry_after_ms.unwrap_or(0).min(error.class.longest_pause().as_millis());
    let pause = pause(retry, state.tries, &seed).max(asked);
    after(transition.now, pause)
}

/// The pause before the next attempt, in milliseconds. Jitter takes up to half of it away, by a hash of `seed`: `core`
/// has no randomness, and a repetition of the same decision gives the same pause.
fn pause(retry: &Retry, tries: u32, seed: &str) -> u64 {
    let initial = retry.initial.as_millis();
    let pause = match retry.backoff {
        Backoff::Fixed => initial,
        Backoff::Exponential => initial.saturating_mul(1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX)),
    };
    let pause = pause.min(retry.max.as_millis());
    if !retry.jitter {
        return pause;
    }
    let hash = Sha256::digest(seed.as_bytes());
    let part = u64::from(u16::from_be_bytes([hash[0], hash[1]]));
    pause - pause / 2 * part / u64::from(u16::MAX)
}

/// What is due of a single step.
enum Due {
    TimerOver,
    TimerLate,
    NextAttempt,
    NoEvent(String),
    ChildLate,
    WorkflowLate,
    ItemsLate,
}

/// Whatever is due of single steps: waits that are over, attempts to be made again. An attempt under way is ended by
/// whoever performs it, also when it takes too long: only they know when it began.
pub(super) fn wake(transition: &mut Transition<'_>) {
    let plan = transition.plan;
    let keys: Vec<String> = transition.execution.steps.open().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let held = transition.execution.is_held();
        let due = transition.execution.steps.get(&key).and_then(|state| due(state, transition.now, held));
        let (Some(due), Some(planned)) = (due, plan.step(&key)) else { continue };
        if held && !matches!(due, Due::TimerOver) {
            continue;
        }
        match due {
            Due::TimerOver => {
                let output = json!({"at": transition.now.to_string()});
                transition.emit_step(&key, None, EventKind::StepCompleted { output, usage: None });
            }
            Due::TimerLate => {
                let error = StepError::new(ErrorClass::Timeout, "the wait takes longer than the step's `timeout`");
                failed(transition, &key, error, None);
            }
            Due::NextAttempt => start_again(transition, &key, planned),
            Due::NoEvent(name) => received::expire(transition, &key, &name),
            Due::ChildLate => children::expire(transition, &key),
            Due::WorkflowLate => workflow::expire(transition, &key),
            Due::ItemsLate => foreach::expire(transition, &key),
        }
    }
}

/// While the execution is held deadlines rest, and the moment that a `wait` waits for does not.
fn due(state: &StepState, now: Timestamp, held: bool) -> Option<Due> {
    let late = |due_at: &Option<Timestamp>| due_at.is_some_and(|due_at| due_at <= now);
    match state.waiting.as_ref().filter(|_| state.status == StepStatus::Waiting)? {
        Waiting::Timer { due_at, .. } if late(due_at) && !held => Some(Due::TimerLate),
        Waiting::Timer { until, .. } if *until <= now => Some(Due::TimerOver),
        Waiting::Retry { at } if *at <= now => Some(Due::NextAttempt),
        Waiting::Event { name, due_at, .. } if late(due_at) => Some(Due::NoEvent(name.clone())),
        Waiting::Process { due_at, .. } if late(due_at) => Some(Due::ChildLate),
        Waiting::Workflow(awaited) if late(&awaited.due_at) => Some(Due::WorkflowLate),
        Waiting::Items { due_at } if late(due_at) => Some(Due::ItemsLate),
        _ => None,
    }
}

/// The next attempt; that of a `foreach` whose list is known goes on with the items that failed.
fn start_again(transition: &mut Transition<'_>, key: &str, planned: &PlannedStep) {
    if transition.execution.steps.get(key).is_some_and(|state| state.items.is_some()) {
        foreach::again(transition, key, planned);
    } else {
        start(transition, key, planned);
    }
}
