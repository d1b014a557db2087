//! What a span says: of an execution, of an attempt of a step, of a question to a model and of a call of a tool. Names are those of
//! the conventions for generative AI, which are not final yet
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>); what is ours begins with `flowctl.`.

use std::time::SystemTime;

use flowctl_core::definition::StepType;
use flowctl_core::execution::{
    Entry, Event, EventKind, Execution, StepError, StepState, StopReason, ToolOutcome, Usage, Waiting,
};
use jiff::{SignedDuration, Timestamp};
use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::begun::{Beginning, Begun};
use super::ids;

/// The spans that ended with these events, which led to `after`.
pub(super) async fn of(begun: &mut Begun, after: &Execution, events: &[Event], content: bool) -> Vec<SpanData> {
    let mut spans = Vec::new();
    for event in events {
        let span = match (&event.kind, &event.step) {
            (EventKind::StepNoted { usage, .. }, Some(step)) => {
                noted(begun, after, (event, step), usage.as_ref(), content).await
            }
            (kind, Some(step)) => ended(kind).and_then(|end| attempt(after, event, step, end)),
            (kind, None) => execution(after, event, kind),
        };
        spans.extend(span);
    }
    spans
}

/// How an attempt ended: its status, and why where it failed.
fn ended(kind: &EventKind) -> Option<(&'static str, Option<&StepError>)> {
    Some(match kind {
        EventKind::StepCompleted { .. } => ("completed", None),
        EventKind::StepFailed { error, .. } | EventKind::StepRetrying { error, .. } => ("failed", Some(error)),
        EventKind::StepCancelled => ("cancelled", None),
        // It asked people about a call, and goes on as another attempt.
        EventKind::StepWaiting { waiting: Waiting::Approval(request) } if request.call.is_some() => ("waiting", None),
        _ => return None,
    })
}

fn execution(after: &Execution, event: &Event, kind: &EventKind) -> Option<SpanData> {
    let error = match kind {
        EventKind::ExecutionCompleted { .. } | EventKind::ExecutionCancelled { .. } => None,
        EventKind::ExecutionFailed { error } => Some(error),
        _ => return None,
    };
    let mut span = span(after, ids::execution(after.id), SpanId::INVALID, (after.created_at, event.at));
    span.name = format!("process {}", after.process).into();
    span.attributes = vec![
        text("flowctl.execution.id", after.id.to_string()),
        text("flowctl.tenant", after.tenant.as_str()),
        text("flowctl.repository", after.repository.as_str()),
        text("flowctl.process.name", after.process.as_str()),
        KeyValue::new("flowctl.process.version", i64::from(after.process_version)),
        text("flowctl.revision", after.revision.as_str()),
        text("flowctl.trigger", after.trigger.kind.as_str()),
        text("flowctl.status", status_of(kind)),
    ];
    span.attributes.extend(after.cost().map(|cost| text("flowctl.cost", cost)));
    span.attributes.extend(after.url.as_deref().map(|url| text("url.full", url)));
    // A sub-process has a trace of its own, which tells where it comes from.
    if let Some(parent) = &after.parent {
        let step = ids::attempt(parent.execution, &parent.step, parent.attempt);
        span.links.links.push(Link::with_context(ids::context(parent.execution, step)));
    }
    Some(failed(span, error.map(class)))
}

fn status_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::ExecutionCompleted { .. } => "completed",
        EventKind::ExecutionFailed { .. } => "failed",
        _ => "cancelled",
    }
}

fn attempt(
    after: &Execution,
    event: &Event,
    step: &str,
    (status, error): (&'static str, Option<&StepError>),
) -> Option<SpanData> {
    let number = event.attempt?;
    let state = after.steps.get(step)?;
    let began = began(state)?;
    let (own, parent) = (ids::attempt(after.id, step, number), ids::execution(after.id));
    let mut span = span(after, own, parent, (began, event.at));
    span.name = format!("{} {step}", state.step_type.as_str()).into();
    span.attributes = vec![
        text("flowctl.execution.id", after.id.to_string()),
        text("flowctl.step.id", step),
        text("flowctl.step.type", state.step_type.as_str()),
        KeyValue::new("flowctl.step.attempt", i64::from(number)),
        text("flowctl.status", status),
    ];
    if let Some(agent) = agent_of(state) {
        span.name = format!("invoke_agent {agent}").into();
        span.attributes.push(text("gen_ai.operation.name", "invoke_agent"));
        span.attributes.push(text("gen_ai.agent.name", agent));
    }
    Some(failed(span, error.map(class)))
}

/// When the attempt that ends now began.
fn began(state: &StepState) -> Option<Timestamp> {
    state.attempt_at.or(state.started_at)
}

fn agent_of(state: &StepState) -> Option<&str> {
    (state.step_type == StepType::AgentTask).then(|| state.input.get("agent")?.as_str()).flatten()
}

/// What an entry of a journal ends.
async fn noted(
    begun: &mut Begun,
    after: &Execution,
    (event, step): (&Event, &str),
    usage: Option<&Usage>,
    content: bool,
) -> Option<SpanData> {
    let entry = begun.entry(after, event).await?;
    begun.note(after.id, step, &entry, event.at);
    let state = after.steps.get(step)?;
    let number = event.attempt?;
    let parent = ids::attempt(after.id, step, number);
    let within = |what: &str| ids::within(after.id, step, number, what);
    match &entry {
        Entry::ModelAnswered { latency_ms, .. } | Entry::ModelFailed { latency_ms, .. } => {
            let question = begun.take(after, step, None).await;
            let name = question.map(|question| question.name).or_else(|| usage.map(|usage| usage.model.clone()))?;
            // The place in the journal tells one question from the next.
            let place = state.journal.as_ref().map_or(0, |noted| noted.entries);
            let own = within(&format!("model/{place}"));
            let span = span(after, own, parent, (before(event.at, *latency_ms), event.at));
            Some(asked(span, &entry, usage, &name, (step, state), content))
        }
        Entry::ToolCallEnded { call, outcome, latency_ms } => {
            let beginning = begun.take(after, step, Some(call)).await?;
            let span = span(after, within(&format!("tool/{call}")), parent, (before(event.at, *latency_ms), event.at));
            Some(called(span, call, &beginning, outcome, content))
        }
        _ => None,
    }
}

/// A question to a model.
fn asked(
    mut span: SpanData,
    entry: &Entry,
    usage: Option<&Usage>,
    name: &str,
    (step, state): (&str, &StepState),
    content: bool,
) -> SpanData {
    let (provider, model) = name.split_once('/').unwrap_or((name, name));
    let operation = if provider == "google" { "generate_content" } else { "chat" };
    span.span_kind = SpanKind::Client;
    span.name = format!("{operation} {model}").into();
    span.attributes = vec![
        text("gen_ai.operation.name", operation),
        text("gen_ai.provider.name", convention(provider)),
        text("gen_ai.request.model", model),
        text("flowctl.step.id", step),
    ];
    span.attributes.extend(agent_of(state).map(|agent| text("gen_ai.agent.name", agent)));
    if let Some(usage) = usage {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        span.attributes.push(KeyValue::new("gen_ai.usage.input_tokens", count(usage.input_tokens)));
        span.attributes.push(KeyValue::new("gen_ai.usage.output_tokens", count(usage.output_tokens)));
        span.attributes.push(KeyValue::new("flowctl.usage.estimated", usage.estimated));
        span.attributes.extend(usage.cost.as_deref().map(|cost| text("flowctl.cost", cost)));
    }
    match entry {
        Entry::ModelAnswered { text: answer, stop, .. } => {
            let reasons = Value::Array(vec![opentelemetry::StringValue::from(reason(*stop))].into());
            span.attributes.push(KeyValue::new("gen_ai.response.finish_reasons", reasons));
            if content {
                let part = serde_json::json!({"type": "text", "content": answer});
                let message =
                    serde_json::json!([{"role": "assistant", "parts": [part], "finish_reason": reason(*stop)}]);
                span.attributes.push(text("gen_ai.output.messages", message.to_string()));
            }
            span
        }
        Entry::ModelFailed { error, .. } => failed(span, Some(class(error))),
        _ => span,
    }
}

/// The convention's name of a provider. A server with OpenAI's interface speaks as OpenAI does.
fn convention(provider: &str) -> &str {
    match provider {
        "google" => "gcp.gemini",
        "compatible" => "openai",
        other => other,
    }
}

fn reason(stop: StopReason) -> &'static str {
    match stop {
        StopReason::Finished => "stop",
        StopReason::ToolCalls => "tool_call",
        StopReason::Length => "length",
        StopReason::Refused => "content_filter",
        StopReason::Other => "other",
    }
}

/// A call of a tool.
fn called(mut span: SpanData, call: &str, beginning: &Beginning, outcome: &ToolOutcome, content: bool) -> SpanData {
    let Beginning { name, operation, arguments, .. } = beginning;
    span.name = format!("execute_tool {operation}").into();
    span.attributes = vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", operation.as_str()),
        text("gen_ai.tool.call.id", call),
        text("flowctl.tool", name.as_str()),
    ];
    if content {
        span.attributes.push(text("gen_ai.tool.call.arguments", arguments.as_str()));
    }
    match outcome {
        ToolOutcome::Result(result) => {
            span.attributes.extend(content.then(|| text("gen_ai.tool.call.result", result.to_string())));
            span
        }
        ToolOutcome::Error(error) => failed(span, Some(class(error))),
    }
}

fn span(after: &Execution, own: SpanId, parent: SpanId, (start, end): (Timestamp, Timestamp)) -> SpanData {
    SpanData {
        span_context: ids::context(after.id, own),
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        // A clock may have been set back meanwhile.
        start_time: SystemTime::from(start.min(end)),
        end_time: SystemTime::from(end),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("flowctl").with_version(env!("CARGO_PKG_VERSION")).build(),
    }
}

fn before(at: Timestamp, millis: u64) -> Timestamp {
    let duration = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    at.checked_sub(duration).unwrap_or(at)
}

/// The kind of a failure; its message may quote what a model or a tool said, and stays here.
fn class(error: &StepError) -> String {
    serde_json::to_value(error.class).ok().and_then(|class| class.as_str().map(str::to_owned)).unwrap_or_default()
}

fn failed(mut span: SpanData, class: Option<String>) -> SpanData {
    if let Some(class) = class {
        span.status = Status::error(class.clone());
        span.attributes.push(text("error.type", class));
    }
    span
}

fn text(key: &'static str, value: impl Into<String>) -> KeyValue {
    KeyValue::new(key, value.into())
}
