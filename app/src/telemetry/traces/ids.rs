//! Ids of traces and spans, made of what they are about: whoever tells of it gives it the same id.

use flowctl_core::execution::ExecutionId;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use sha2::{Digest, Sha256};

/// The trace of an execution has its id.
pub(super) fn trace(execution: ExecutionId) -> TraceId {
    TraceId::from_bytes(execution.into_bytes())
}

/// The span of an execution.
pub(super) fn execution(execution: ExecutionId) -> SpanId {
    span(&execution.to_string())
}

/// The span of an attempt.
pub(super) fn attempt(execution: ExecutionId, step: &str, attempt: u32) -> SpanId {
    span(&format!("{execution}/{step}/{attempt}"))
}

/// The span of something that an attempt did; `what` tells it from the others.
pub(super) fn within(execution: ExecutionId, step: &str, attempt: u32, what: &str) -> SpanId {
    span(&format!("{execution}/{step}/{attempt}/{what}"))
}

/// All that tells a span from others, where a collector finds it.
pub(super) fn context(execution: ExecutionId, span: SpanId) -> SpanContext {
    SpanContext::new(trace(execution), span, TraceFlags::SAMPLED, false, TraceState::default())
}

fn span(text: &str) -> SpanId {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(text)[..8]);
    SpanId::from_bytes(bytes)
}
