//! How an attempt ends that would need the world: as its stub says, checked as production checks an answer. Without a
//! stub a model answers as `mock` does and messages are delivered; everything else has to be stubbed.

use serde_json::{Value, json};

use super::sample;
use crate::definition::ErrorClass;
use crate::definition::field::faults;
use crate::definition::step::{ApiCall, StepKind};
use crate::definition::test::{Stub, StubResult};
use crate::execution::plan::PlannedStep;
use crate::execution::workflow::bad_conclusion;
use crate::execution::{StepError, StepState};
use crate::value::Duration;

/// The model that answers where there is no stub; as `flowctl run --mock` has it.
const MODEL: &str = "success";
/// How many faults of an output are told.
const SHOWN_FAULTS: usize = 5;

/// How an attempt ends.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) result: Result<Value, StepError>,
    /// After how long.
    pub(super) takes: Duration,
    /// What to write, where a stub is missing.
    pub(super) missing: Option<String>,
}

/// How an attempt of a step ends.
pub(super) fn ended(planned: &PlannedStep, state: &StepState, stub: Option<&StubResult>) -> Ended {
    let Some(stub) = stub else { return without_stub(planned, state) };
    let takes = stub.takes.unwrap_or(Duration::from_millis(0));
    let limit = state.timeout_ms.map(Duration::from_millis);
    if let Some(limit) = limit.filter(|limit| takes > *limit) {
        let error = StepError::new(ErrorClass::Timeout, "the attempt took longer than the step's `timeout`");
        return Ended { result: Err(error), takes: limit, missing: None };
    }
    let result = match &stub.error {
        Some(message) => Err(StepError {
            retry_after_ms: stub.retry_after.map(Duration::as_millis),
            ..StepError::new(stub.class.as_ref().map_or(ErrorClass::ServerError, |class| class.value), &*message.value)
        }),
        None => checked(planned, stub.output.as_ref().map_or(Value::Null, |output| output.value.clone())),
    };
    Ended { result, takes, missing: None }
}

/// The result that a stub has for an attempt, from 1, and in a body for an item, from 0.
pub(super) fn result_of(stub: &Stub, attempt: u32, item: Option<usize>) -> Option<&StubResult> {
    let result = match stub {
        Stub::Every(result) => result,
        Stub::Attempts(results) => {
            let place = (attempt.max(1) as usize - 1).min(results.len().saturating_sub(1));
            results.get(place)?
        }
    };
    match &result.items {
        None => Some(result),
        Some(items) => {
            let place = item.unwrap_or(0).min(items.len().saturating_sub(1));
            result_of(items.get(place)?, attempt, None)
        }
    }
}

fn without_stub(planned: &PlannedStep, state: &StepState) -> Ended {
    let now = Duration::from_millis(0);
    let given = |result| Ended { result, takes: now, missing: None };
    match &planned.step.kind {
        StepKind::AiGenerate(_) => given(generated(planned, state, &["system", "prompt"])),
        StepKind::AgentTask(_) => given(generated(planned, state, &["message"])),
        StepKind::Notify(_) => given(Ok(json!({"delivered": true}))),
        _ => {
            let output = example(planned);
            let stub = format!("{}: {{output: {}}}", planned.step.id.as_str(), flow(&output));
            Ended { result: checked(planned, output), takes: now, missing: Some(stub) }
        }
    }
}

/// What the mock model answers.
fn generated(planned: &PlannedStep, state: &StepState, texts: &[&str]) -> Result<Value, StepError> {
    let texts = texts.iter().filter_map(|name| state.input.get(*name)?.as_str());
    let schema = planned.schema.clone().unwrap_or_else(|| json!({"type": "string"}));
    sample::answer(MODEL, texts, &schema).map_err(|reason| {
        let message = format!("no value can be made for the step's schema, give it a stub: {reason}");
        StepError::new(ErrorClass::Refused, message)
    })
}

/// What could be written as a step's stub.
fn example(planned: &PlannedStep) -> Value {
    let by_schema = || {
        let schema = planned.schema.as_ref()?;
        sample::answer(MODEL, [planned.step.id.as_str()], schema).ok()
    };
    match &planned.step.kind {
        StepKind::ApiCall(call) => {
            json!({"status": expected_status(call), "body": by_schema().unwrap_or_else(|| json!({}))})
        }
        StepKind::Workflow(_) => json!({"conclusion": "success", "output": {}}),
        _ => by_schema().unwrap_or_else(|| json!({})),
    }
}

/// A status that a call takes: the first that it expects.
fn expected_status(call: &ApiCall) -> u64 {
    let first = call.expect.as_ref().and_then(|expect| expect.status.as_ref()?.first());
    let class = first.and_then(|status| status.as_str()?.strip_suffix("xx")?.parse::<u64>().ok());
    class.map(|class| class * 100).or(first.and_then(|status| status.as_u64())).unwrap_or(200)
}

/// An output as production would take it: what a stub leaves out of an answer is filled in, and what does not fit is
/// the error that it would be.
fn checked(planned: &PlannedStep, output: Value) -> Result<Value, StepError> {
    match &planned.step.kind {
        StepKind::AiGenerate(_) | StepKind::AgentTask(_) => fits(planned, &output, "output_schema").map(|()| output),
        StepKind::McpCall(_) => fits(planned, &output, "expect.schema").map(|()| output),
        StepKind::ApiCall(call) => {
            let output = filled(output, json!({"status": 200, "headers": {}, "body": null}))?;
            let expected = call.expect.as_ref().and_then(|expect| expect.status.as_deref());
            let expected: Vec<&Value> = expected.unwrap_or_default().iter().map(|status| &status.value).collect();
            answered(&output, &expected)?;
            fits(planned, output.get("body").unwrap_or(&Value::Null), "expect.schema")?;
            Ok(output)
        }
        StepKind::Workflow(_) => {
            let url = format!("https://github.com/{}/actions/runs/1", super::trigger::REPOSITORY);
            let output = filled(output, json!({"run_id": 1, "conclusion": "success", "url": url, "output": null}))?;
            let conclusion = output.get("conclusion").and_then(Value::as_str).unwrap_or("success");
            bad_conclusion(conclusion).map_or(Ok(output), Err)
        }
        StepKind::Notify(_) => filled(output, json!({"delivered": true})),
        _ => Ok(output),
    }
}

fn fits(planned: &PlannedStep, value: &Value, field: &str) -> Result<(), StepError> {
    let Some(schema) = &planned.schema else { return Ok(()) };
    let faults = faults(schema, value);
    if faults.is_empty() {
        return Ok(());
    }
    let mut words: Vec<String> = faults
        .iter()
        .take(SHOWN_FAULTS)
        .map(|(place, fault)| if place.is_empty() { format!("it {fault}") } else { format!("`{place}` {fault}") })
        .collect();
    if faults.len() > SHOWN_FAULTS {
        words.push(format!("and {} more", faults.len() - SHOWN_FAULTS));
    }
    let message = format!("the stub's output does not satisfy `{field}`: {}", words.join("; "));
    Err(StepError::new(ErrorClass::Schema, message))
}

fn filled(output: Value, usual: Value) -> Result<Value, StepError> {
    match (output, usual) {
        (Value::Object(own), Value::Object(mut usual)) => {
            usual.extend(own);
            Ok(Value::Object(usual))
        }
        (Value::Null, usual) => Ok(usual),
        (_, usual) => {
            let keys = usual.as_object().map(|usual| usual.keys().cloned().collect::<Vec<_>>().join(", "));
            let message = format!("the stub's output must be a mapping with {}", keys.unwrap_or_default());
            Err(StepError::new(ErrorClass::Schema, message))
        }
    }
}

/// An answer's status by `expect.status`; the classes of failures are those of `api_call`.
fn answered(output: &Value, expected: &[&Value]) -> Result<(), StepError> {
    let status = output.get("status").and_then(Value::as_u64).unwrap_or(0);
    let usual = json!("2xx");
    let expected = if expected.is_empty() { vec![&usual] } else { expected.to_vec() };
    let is_expected = expected.iter().any(|one| match one.as_str().and_then(|text| text.strip_suffix("xx")) {
        Some(class) => class.parse() == Ok(status / 100),
        None => one.as_u64().or_else(|| one.as_str()?.parse().ok()) == Some(status),
    });
    if is_expected {
        return Ok(());
    }
    let class = match status {
        408 => ErrorClass::Timeout,
        425 | 429 => ErrorClass::RateLimited,
        500..=599 => ErrorClass::ServerError,
        _ => ErrorClass::Refused,
    };
    Err(StepError::new(class, format!("the stub answered {status}, which `expect.status` does not take")))
}

/// A value in YAML's flow style, on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", flow_text(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => flow_text(text),
        other => other.to_string(),
    }
}

/// Bare where YAML reads it as this text, else quoted as JSON is.
fn flow_text(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    let reserved = ["true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"].contains(&text);
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(word) && !reserved;
    if bare { text.to_owned() } else { Value::from(text).to_string() }
}
