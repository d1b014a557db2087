//! Attempts: how a step starts, what it is given, and what follows when an attempt ends. `set`, `gateway` and `wait`
//! are done here; what needs the world is left to whoever performs the running attempt, whose input is made in `input`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::context;
use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::input;
use super::people;
use super::plan::PlannedStep;
use super::state::{StepError, StepStatus, Usage};
use super::waiting::Waiting;
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::{Gateway, StepKind, Wait};
use crate::definition::{Backoff, ErrorClass, Retry, Templated};
use crate::expression::{Context, Rendered, condition, evaluate_json};
use crate::value::Duration;

/// What a step does once its fields are evaluated.
enum Prepared {
    /// It is done at once.
    Done { input: Value, output: Value },
    /// Somebody must perform it.
    Work { rendered: Rendered, timeout: Option<Duration> },
    /// It waits.
    Wait { input: Value, waiting: Waiting },
}

/// Starts an attempt of a step, whatever the state of its edges.
pub(super) fn start(transition: &mut Transition<'_>, id: &str, planned: &PlannedStep) {
    let context = context::of(transition.plan, &transition.execution);
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
            transition.emit_step(id, None, EventKind::StepStarted { input, secret_texts, timeout_ms });
        }
        Err(error) => {
            transition.emit_step(id, None, started(Value::Null));
            transition.emit_step(id, None, EventKind::StepFailed { error, usage: None });
        }
    }
}

fn started(input: Value) -> EventKind {
    EventKind::StepStarted { input, secret_texts: Vec::new(), timeout_ms: None }
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
        StepKind::Wait(wait) => {
            let until = wait_until(wait, context, transition.now)?;
            Ok(Prepared::Wait { input: json!({"until": until.to_string()}), waiting: Waiting::Timer { until } })
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
        StepKind::Foreach(_) => {
            Err(StepError::new(ErrorClass::Refused, "steps of type `foreach` are not performed yet"))
        }
        _ => {
            let rendered = input::of(planned, context)?;
            Ok(Prepared::Work { rendered, timeout: timeout(transition, planned, context)? })
        }
    }
}

/// Evaluates one field; an error names it.
pub(super) fn evaluate(field: &str, value: &Value, context: &Context) -> Result<Rendered, StepError> {
    evaluate_json(value, context).map_err(|error| StepError::new(ErrorClass::Expression, format!("`{field}`: {error}")))
}

/// Evaluates one field to a text.
pub(super) fn evaluate_text(field: &str, template: &str, context: &Context) -> Result<String, StepError> {
    match evaluate(field, &Value::String(template.to_owned()), context)?.value {
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
fn timeout(
    transition: &Transition<'_>,
    planned: &PlannedStep,
    context: &Context,
) -> Result<Option<Duration>, StepError> {
    match (&planned.step.timeout, input::usual_timeout(planned.step.step_type())) {
        (Some(timeout), _) => evaluate_duration("timeout", timeout, context).map(Some),
        (None, None) => Ok(None),
        (None, Some(usual)) => {
            let default = transition.plan.process.header.defaults.timeout.as_ref();
            Ok(Some(default.map_or(usual, |timeout| timeout.value)))
        }
    }
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
        return text.parse().map_err(|_| {
            StepError::new(
                ErrorClass::Expression,
                format!("`until` gave `{text}`, which is no moment such as 2026-03-01T09:00:00Z"),
            )
        });
    }
    Err(StepError::new(ErrorClass::Refused, "waiting for events is not performed yet"))
}

/// An attempt ended.
pub(super) fn ended(
    transition: &mut Transition<'_>,
    id: &str,
    attempt: u32,
    result: Result<Value, StepError>,
    usage: Option<Usage>,
) -> Result<(), Refusal> {
    let state = transition.execution.steps.get(id).ok_or_else(|| Refusal::UnknownStep { step: id.to_owned() })?;
    if state.status != StepStatus::Running || state.attempt != attempt {
        return Err(Refusal::Stale { step: id.to_owned(), attempt });
    }
    match result {
        Ok(output) => transition.emit_step(id, None, EventKind::StepCompleted { output, usage }),
        Err(error) => failed(transition, id, error, usage),
    }
    Ok(())
}

/// An attempt is made again after a crash: told, and not counted.
pub(super) fn repeated(transition: &mut Transition<'_>, id: &str, attempt: u32) -> Result<(), Refusal> {
    let state = transition.execution.steps.get(id).ok_or_else(|| Refusal::UnknownStep { step: id.to_owned() })?;
    if state.status != StepStatus::Running || state.attempt != attempt {
        return Err(Refusal::Stale { step: id.to_owned(), attempt });
    }
    transition.emit_step(id, None, EventKind::StepRepeated);
    Ok(())
}

/// An attempt failed: another one follows where `retry` says so.
fn failed(transition: &mut Transition<'_>, id: &str, error: StepError, usage: Option<Usage>) {
    let at = retry_at(transition, id, &error);
    match at {
        Some(at) => transition.emit_step(id, None, EventKind::StepRetrying { error, at }),
        None => transition.emit_step(id, None, EventKind::StepFailed { error, usage }),
    }
}

fn retry_at(transition: &Transition<'_>, id: &str, error: &StepError) -> Option<Timestamp> {
    let planned = transition.plan.step(id)?;
    let defaults = &transition.plan.process.header.defaults;
    let retry = planned.step.retry.as_ref().or(defaults.retry.as_ref())?;
    let state = transition.execution.steps.get(id)?;
    if state.tries >= retry.max_attempts || !retry.covers(error.class) {
        return None;
    }
    let seed = format!("{}/{id}/{}", transition.execution.id, state.attempt);
    let pause = pause(retry, state.tries, &seed).max(error.retry_after_ms.unwrap_or(0));
    transition.now.checked_add(SignedDuration::from_millis(i64::try_from(pause).ok()?)).ok()
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

/// Whatever is due of single steps: waits that are over, attempts to be made again. An attempt under way is ended by
/// whoever performs it, also when it takes too long: only they know when it began.
pub(super) fn wake(transition: &mut Transition<'_>) {
    let plan = transition.plan;
    let ids: Vec<String> = transition.execution.steps.keys().cloned().collect();
    for id in ids {
        let Some(state) = transition.execution.steps.get(&id) else { continue };
        match (state.status, &state.waiting) {
            (StepStatus::Waiting, Some(Waiting::Timer { until })) if *until <= transition.now => {
                let output = json!({"at": transition.now.to_string()});
                transition.emit_step(&id, None, EventKind::StepCompleted { output, usage: None });
            }
            (StepStatus::Waiting, Some(Waiting::Retry { at })) if *at <= transition.now => {
                if let Some(planned) = plan.step(&id) {
                    start(transition, &id, planned);
                }
            }
            _ => {}
        }
    }
}
