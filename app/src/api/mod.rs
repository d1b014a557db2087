//! The forms in which executions leave the program as JSON: what scripts and other programs rely on.

use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, StepState, Waiting};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An execution. Times are RFC 3339 in UTC, durations milliseconds up to `now` for what is under way.
pub fn execution(execution: &Execution, now: Timestamp) -> Value {
    let timeline = Timeline::of_all(execution, now);
    let steps: Vec<Value> = timeline
        .rows
        .iter()
        .filter_map(|row| {
            let state = execution.steps.get(&row.id)?;
            Some(json!({
                "id": row.id,
                "type": row.step_type,
                "name": row.name,
                "status": row.status,
                "attempt": row.attempt,
                "started_at": row.started_at,
                "completed_at": row.completed_at,
                "duration_ms": row.duration_ms,
                "input": state.input,
                "output": state.output,
                "error": state.error,
                "skipped": state.skipped.map(|reason| reason.words()),
                "cost": row.cost,
                "decisions": state.decisions,
                "waiting_for": waiting_for(state),
            }))
        })
        .collect();
    json!({
        "id": execution.id,
        "tenant": execution.tenant,
        "repository": execution.repository,
        "process": execution.process,
        "version": execution.process_version,
        "revision": execution.revision,
        "digest": execution.digest,
        "status": execution.status,
        "trigger": execution.trigger,
        "inputs": execution.inputs,
        "outputs": execution.outputs,
        "error": execution.error,
        "cost": execution.cost(),
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "duration_ms": timeline.duration_ms,
        "url": execution.url,
        "steps": steps,
    })
}

/// What a step waits for; nothing where it does not wait.
fn waiting_for(state: &StepState) -> Option<Value> {
    let waiting = match state.waiting.as_ref()? {
        Waiting::Approval(request) => json!({
            "kind": "approval",
            "title": request.title,
            "description": request.description,
            "approvers": request.requirement,
            "requested_at": request.requested_at,
            "due_at": request.due_at,
            "commit": request.head_sha,
            "priority": request.priority,
        }),
        Waiting::Form(request) => json!({
            "kind": "form",
            "title": request.title,
            "description": request.description,
            "schema": request.schema,
            "assignees": request.assignees,
            "requested_at": request.requested_at,
            "due_at": request.due_at,
        }),
        Waiting::Timer { until } => json!({"kind": "timer", "due_at": until}),
        Waiting::Retry { at } => json!({"kind": "retry", "due_at": at}),
        Waiting::Event { name, due_at, .. } => json!({"kind": "event", "name": name, "due_at": due_at}),
        Waiting::Process { execution, due_at } => json!({"kind": "process", "execution": execution, "due_at": due_at}),
        Waiting::Items { due_at } => {
            let items = state.items.as_ref();
            let (total, ended) = (items.map(|items| items.total), items.map(|items| items.ended()));
            json!({"kind": "items", "total": total, "ended": ended, "due_at": due_at})
        }
    };
    Some(waiting)
}
