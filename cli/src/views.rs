//! What a server answered, as tables and sentences. Nothing is asked here.

use anstyle::Style;
use comfy_table::{ContentArrangement, Table, presets};
use flowctl_app::api::view::{ApproversView, StepView, WaitingView};
use flowctl_app::api::{ApprovalView, EventView, ExecutionView, ProcessView};
use flowctl_core::execution::{ExecutionStatus, StepStatus};
use jiff::Timestamp;
use serde_json::Value;

use crate::terminal::{BOLD, DIM, ERROR, GOOD, WAITS};
use crate::timeline::time;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    // Without a terminal there is no width to ask for; ids are long and are to stay whole.
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(120);
    table.set_header(header.to_vec());
    table
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Executions, a row each.
pub fn executions(executions: &[ExecutionView]) -> String {
    let mut table = table(&["execution", "process", "status", "created", "took", ""]);
    for execution in executions {
        let took = execution.duration_ms.map(time).unwrap_or_default();
        let (_, sign) = status(execution.status);
        table.add_row([
            execution.id.to_string(),
            format!("{}:{}", execution.repository, execution.process),
            format!("{sign} {}", execution.status.as_str()),
            moment(execution.created_at),
            took,
            note(execution),
        ]);
    }
    table.to_string()
}

/// A word on how it stands.
fn note(execution: &ExecutionView) -> String {
    if let Some(error) = &execution.error {
        return error.message.clone();
    }
    let waiting: Vec<&str> = execution
        .steps
        .iter()
        .filter(|step| step.waiting_for.as_ref().is_some_and(asks_people))
        .map(|step| step.id.as_str())
        .collect();
    if waiting.is_empty() { String::new() } else { format!("{} waits for people", waiting.join(", ")) }
}

fn asks_people(waiting: &WaitingView) -> bool {
    matches!(waiting.kind.as_str(), "approval" | "form")
}

/// One execution with its steps.
pub fn execution(execution: &ExecutionView, now: Timestamp) -> String {
    let (style, _) = status(execution.status);
    let took = execution.duration_ms.map(|millis| format!(" in {}", time(millis))).unwrap_or_default();
    let mut steps = table(&["step", "type", "status", "time", ""]);
    for step in &execution.steps {
        let time = step.duration_ms.map(time).unwrap_or_default();
        let attempt = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
        let word = format!("{} {}{attempt}", sign(step.status), step.status.as_str());
        steps.add_row([step.id.clone(), step.step_type.clone(), word, time, detail(step, now)]);
    }
    let mut text = format!(
        "{BOLD}{}:{}{BOLD:#} {style}{}{style:#}{took}  {DIM}{}{DIM:#}\n{steps}",
        execution.repository,
        execution.process,
        execution.status.as_str(),
        execution.id
    );
    if let Some(Value::Object(outputs)) = execution.outputs.as_ref().filter(|outputs| **outputs != Value::Null)
        && !outputs.is_empty()
    {
        text.push_str(&format!("\noutputs: {}", Value::Object(outputs.clone())));
    }
    if let Some(error) = &execution.error {
        text.push_str(&format!("\n{ERROR}error{ERROR:#}: {}", error.message));
    }
    for step in &execution.steps {
        if let Some(approval) = step.waiting_for.as_ref().and_then(|waiting| waiting.approval) {
            text.push_str(&format!("\n{} waits: flowctl approvals approve {approval} --as LOGIN", step.id));
        }
    }
    text
}

/// What is to be known of a step beside its status.
fn detail(step: &StepView, now: Timestamp) -> String {
    let mut parts: Vec<String> = step
        .decisions
        .iter()
        .map(|decision| {
            let word = match decision.decision.as_str() {
                "approve" => "approved by",
                "reject" => "rejected by",
                _ => "withdrawn by",
            };
            format!("{word} @{}", decision.person.login)
        })
        .collect();
    if let Some(waiting) = &step.waiting_for {
        for missing in waiting.missing.iter().flatten() {
            parts.push(format!(
                "needs {} more of {}",
                missing.needed.saturating_sub(missing.have),
                who(&missing.group)
            ));
        }
        parts.extend(waiting.due_at.map(|due_at| due(due_at, now)));
    }
    parts.extend(step.skipped.clone());
    parts.extend(step.error.as_ref().map(|error| error.message.clone()));
    parts.join(", ")
}

fn due(due_at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(due_at.duration_since(now).as_millis()) {
        Ok(left) => format!("{} left", time(left)),
        Err(_) => "due".to_owned(),
    }
}

/// A group of people in words.
fn who(group: &ApproversView) -> String {
    let parts = |of: &[ApproversView], joiner: &str| of.iter().map(who).collect::<Vec<_>>().join(joiner);
    let ApproversView { users, team, role, codeowners, any, all, .. } = group;
    if let Some(users) = users {
        return users.iter().map(|login| format!("@{login}")).collect::<Vec<_>>().join(", ");
    }
    if let Some(team) = team {
        return format!("team {team}");
    }
    if let Some(role) = role {
        return format!("people with {role} permission");
    }
    if codeowners.is_some() {
        return "the code owners".to_owned();
    }
    any.as_deref().map(|any| parts(any, " or ")).or(all.as_deref().map(|all| parts(all, " and "))).unwrap_or_default()
}

/// An event in one line; nothing for those that say nothing new to people.
pub fn event(event: &EventView) -> Option<String> {
    let clock = format!("{DIM}{}{DIM:#}", event.at.strftime("%H:%M:%S"));
    let by = event.actor.as_ref().map(|actor| format!(" by @{}", actor.login)).unwrap_or_default();
    let Some(step) = &event.step else {
        let what = event.kind.strip_prefix("execution.").unwrap_or(&event.kind);
        let reason = event.data["error"]["message"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Some(format!("{clock}  {BOLD}execution{BOLD:#} {what}{by}{reason}"));
    };
    let attempt = event.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!(" (attempt {attempt})"));
    let what = match event.kind.split_once('.') {
        Some(("step", what)) => what.to_owned(),
        Some((_, what)) => what.replace('_', " "),
        None => event.kind.clone(),
    };
    let said = event.data["decision"]["decision"].as_str().map(|said| format!(": {said}"));
    let failed = event.data["error"]["message"].as_str().map(|reason| format!(": {reason}"));
    let asked = event.data["waiting_for"]["title"].as_str().map(|title| format!(" for people: {title}"));
    let more: String = [attempt, said, failed, asked].into_iter().flatten().collect();
    Some(format!("{clock}    {step:<16} {what}{by}{more}"))
}

/// Approvals, a row each.
pub fn approvals(approvals: &[ApprovalView]) -> String {
    let mut table = table(&["approval", "process", "question", "status", "asked", "needs"]);
    for approval in approvals {
        let needs: Vec<String> = approval
            .missing
            .iter()
            .map(|missing| format!("{} of {}", missing.needed.saturating_sub(missing.have), who(&missing.group)))
            .collect();
        table.add_row([
            approval.id.to_string(),
            format!("{}:{}", approval.repository, approval.process),
            format!("{} ({})", approval.title, approval.step),
            approval.status.clone(),
            moment(approval.requested_at),
            needs.join("; "),
        ]);
    }
    table.to_string()
}

/// What a decision led to.
pub fn decided(approval: &ApprovalView, person: &str, decision: &str) -> String {
    let word = if decision == "approve" { "approved" } else { "rejected" };
    let needs: Vec<String> = approval
        .missing
        .iter()
        .map(|missing| format!("{} more of {}", missing.needed.saturating_sub(missing.have), who(&missing.group)))
        .collect();
    let stands = match (approval.status.as_str(), needs.is_empty()) {
        ("pending", false) => format!("it still needs {}", needs.join(" or ")),
        (status, _) => format!("it is {status}"),
    };
    format!("@{person} {word} `{}` of {}; {stands}", approval.step, approval.process)
}

/// Processes, a row each.
pub fn processes(processes: &[ProcessView]) -> String {
    let mut table = table(&["process", "version", "status", "started by", "description"]);
    for process in processes {
        let status = match (&process.fault, &process.paused_since) {
            (Some(_), _) => "cannot run".to_owned(),
            (None, Some(_)) => "paused".to_owned(),
            (None, None) => process.status.clone(),
        };
        let description = process.description.clone().unwrap_or_default();
        let version = process.version.to_string();
        table.add_row([process.id.clone(), version, status, process.triggers.join(", "), description]);
    }
    table.to_string()
}

/// One process.
pub fn process(process: &ProcessView) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#} version {}, {}", process.id, process.version, process.status);
    if let Some(since) = process.paused_since {
        text.push_str(&format!(", {WAITS}paused since {}{WAITS:#}", moment(since)));
    }
    if let Some(description) = &process.description {
        text.push_str(&format!("\n{description}"));
    }
    if let Some(fault) = &process.fault {
        text.push_str(&format!("\n{ERROR}error{ERROR:#}: {fault}"));
    }
    text.push_str(&format!("\nstarted by: {}", process.triggers.join(", ")));
    let required = process.inputs["required"].as_array().cloned().unwrap_or_default();
    if let Some(inputs) = process.inputs["properties"].as_object().filter(|inputs| !inputs.is_empty()) {
        let mut rows = table(&["input", "type", "required", "default", "description"]);
        for (name, field) in inputs {
            let text =
                |key: &str| field.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            let is_required = if required.iter().any(|it| it == name) { "yes" } else { "" };
            rows.add_row([
                name.clone(),
                text("type").unwrap_or_default(),
                is_required.to_owned(),
                text("default").unwrap_or_default(),
                text("description").unwrap_or_default(),
            ]);
        }
        text.push_str(&format!("\n{rows}"));
    }
    let mut rows = table(&["step", "type", "after"]);
    for step in &process.steps {
        rows.add_row([step.id.clone(), step.step_type.clone(), step.depends_on.join(", ")]);
    }
    format!("{text}\n{rows}")
}

fn status(status: ExecutionStatus) -> (Style, &'static str) {
    match status {
        ExecutionStatus::Pending => (DIM, "·"),
        ExecutionStatus::Running => (Style::new(), "▸"),
        ExecutionStatus::Waiting => (WAITS, "◦"),
        ExecutionStatus::Completed => (GOOD, "✓"),
        ExecutionStatus::Failed => (ERROR, "✗"),
        ExecutionStatus::Cancelled => (ERROR, "×"),
    }
}

fn sign(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "·",
        StepStatus::Running => "▸",
        StepStatus::Waiting => "◦",
        StepStatus::Completed => "✓",
        StepStatus::Failed => "✗",
        StepStatus::Skipped => "-",
        StepStatus::Cancelled => "×",
    }
}
