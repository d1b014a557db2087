//! What a server answered, as tables and sentences. Nothing is asked here.

pub mod spent;

use anstyle::Style;
use flowctl_app::api::view::{ApproversView, StepView, WaitingView};
use flowctl_app::api::{ApprovalView, DelegationView, EventView, ExecutionView, ProcessView};
use flowctl_core::execution::{ExecutionStatus, StepStatus};
use flowctl_core::value::visible::visible;
use jiff::Timestamp;
use serde_json::Value;

use crate::forms::Form;
use crate::rows::table;
use crate::screen::Size;
use crate::terminal::{BOLD, DIM, ERROR, GOOD, WAITS};
use crate::timeline::time;

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
        return in_one_line(&error.message);
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
    let mut steps = table(&["step", "type", "status", "time", ""]);
    for step in &execution.steps {
        let time = step.duration_ms.map(time).unwrap_or_default();
        steps.add_row([step.id.clone(), step.step_type.clone(), word(step), time, detail(step, now)]);
    }
    let lines = [vec![headline(execution), steps.to_string()], below(execution)].concat();
    lines.join("\n")
}

/// One execution as it changes, in no more lines than a terminal has: where there are more steps, those around the first
/// that has not ended.
pub fn picture(execution: &ExecutionView, now: Timestamp, size: Size) -> Vec<String> {
    let mut below = below(execution);
    below.truncate((size.rows / 4).max(1));
    let steps = &execution.steps;
    // The headline, and the line that the cursor stands on.
    let mut room = size.rows.saturating_sub(below.len() + 2);
    if steps.len() > room {
        room = room.saturating_sub(1);
    }
    let current = steps.iter().position(|step| !step.status.is_final()).unwrap_or(steps.len());
    let first = current.saturating_sub(1).min(steps.len().saturating_sub(room));
    let shown = &steps[first..(first + room).min(steps.len())];
    let width = |text: fn(&StepView) -> String| shown.iter().map(|step| text(step).chars().count()).max().unwrap_or(0);
    let (ids, words) = (width(|step| step.id.clone()), width(word));
    let row = |step: &StepView| {
        let time = step.duration_ms.map(time).unwrap_or_default();
        format!("  {:<ids$}  {:<words$}  {time:>8}  {}", step.id, word(step), detail(step, now))
    };
    let mut lines = vec![headline(execution)];
    lines.extend(shown.iter().map(row));
    let (before, after) = (first, steps.len() - first - shown.len());
    if before + after > 0 {
        lines.push(format!("  {DIM}… {before} steps before, {after} after{DIM:#}"));
    }
    lines.extend(below);
    lines
}

fn headline(execution: &ExecutionView) -> String {
    let (style, _) = status(execution.status);
    let took = execution.duration_ms.map(|millis| format!(" in {}", time(millis))).unwrap_or_default();
    format!(
        "{BOLD}{}:{}{BOLD:#} {style}{}{style:#}{took}  {DIM}{}{DIM:#}",
        execution.repository,
        execution.process,
        execution.status.as_str(),
        execution.id
    )
}

/// How a step stands.
fn word(step: &StepView) -> String {
    let attempt = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    format!("{} {}{attempt}", sign(step.status), step.status.as_str())
}

/// What stands below an execution's steps.
fn below(execution: &ExecutionView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(Value::Object(outputs)) = execution.outputs.as_ref().filter(|outputs| **outputs != Value::Null)
        && !outputs.is_empty()
    {
        lines.push(format!("outputs: {}", visible(&Value::Object(outputs.clone()).to_string())));
    }
    if let Some(error) = &execution.error {
        // Who cancels has a reason, and no error.
        let what = if execution.status == ExecutionStatus::Cancelled { "reason" } else { "error" };
        lines.push(format!("{ERROR}{what}{ERROR:#}: {}", visible(&error.message)));
    }
    for answer in answers(execution) {
        lines.push(format!("{} waits:", answer.step));
        lines.push(format!("  {}", answer.command));
    }
    lines
}

/// How people go on with a step that waits for them.
pub struct Answer {
    /// The step.
    pub step: String,
    /// What it waits for: `an approval`, `answers`.
    pub wanted: &'static str,
    /// The command.
    pub command: String,
}

/// How people go on with an execution that waits for them, a step each.
pub fn answers(execution: &ExecutionView) -> Vec<Answer> {
    let forms = execution.steps.iter().filter_map(Form::of).count();
    let mut answers = Vec::new();
    for step in &execution.steps {
        let Some(waiting) = &step.waiting_for else { continue };
        let mut add = |wanted, command| answers.push(Answer { step: step.id.clone(), wanted, command });
        if let Some(approval) = waiting.approval {
            add("an approval", format!("flowctl approvals approve {approval} --as LOGIN"));
        }
        if let Some(form) = Form::of(step) {
            let fields: String = form.required().map(|name| format!(" --field {name}=…")).collect();
            // Its name is needed only where several wait.
            let name = if forms > 1 { format!(" {}", step.id) } else { String::new() };
            add("answers", format!("flowctl executions answer {}{name} --as LOGIN{fields}", execution.id));
        }
    }
    answers
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
        parts.extend(waiting.priority.as_deref().and_then(priority));
        parts.extend(waiting.due_at.map(|due_at| due(due_at, now)));
    }
    parts.extend(step.skipped.clone());
    parts.extend(step.error.as_ref().map(|error| in_one_line(&error.message)));
    parts.join(", ")
}

/// How urgent a question is, where it is not as usual.
fn priority(priority: &str) -> Option<String> {
    (priority != "normal").then(|| format!("{} priority", visible(priority)))
}

fn in_one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
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
        let reason = event.data["error"]["message"].as_str().or(event.data["reason"].as_str());
        let reason = reason.map(|reason| format!(": {}", in_one_line(reason))).unwrap_or_default();
        return Some(format!("{clock}  {BOLD}execution{BOLD:#} {what}{by}{reason}"));
    };
    let attempt = event.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!(" (attempt {attempt})"));
    let what = match event.kind.split_once('.') {
        Some(("step", what)) => what.to_owned(),
        Some((_, what)) => what.replace('_', " "),
        None => event.kind.clone(),
    };
    let said = event.data["decision"]["decision"].as_str().map(|said| format!(": {said}"));
    let failed = event.data["error"]["message"].as_str().map(|reason| format!(": {}", in_one_line(reason)));
    let asked = event.data["waiting_for"]["title"].as_str().map(|title| format!(" for people: {}", in_one_line(title)));
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
            question(approval),
            approval.status.clone(),
            moment(approval.requested_at),
            needs.join("; "),
        ]);
    }
    table.to_string()
}

/// Characters of a call's arguments in a table; `approvals show` has them all.
const ARGUMENTS_IN_TABLE: usize = 200;

/// What is asked: with the call of a tool that it would allow.
fn question(approval: &ApprovalView) -> String {
    let urgency = priority(&approval.priority).map(|priority| format!(", {priority}")).unwrap_or_default();
    let title = format!("{} ({}{urgency})", in_one_line(&approval.title), approval.step);
    let Some(call) = &approval.call else { return title };
    let arguments = visible(&call.arguments.to_string()).into_owned();
    let shown: String = arguments.chars().take(ARGUMENTS_IN_TABLE).collect();
    let rest = if shown.len() < arguments.len() { "… (all of it: `approvals show`)" } else { "" };
    format!("{title}\n{} of {}: {shown}{rest}", in_one_line(&call.operation), in_one_line(&call.tool))
}

/// One approval: what is asked, with the whole call that it would allow, and what was said.
pub fn approval(approval: &ApprovalView) -> String {
    let mut lines = vec![
        format!("{BOLD}{}{BOLD:#} {}", approval.id, approval.status),
        format!("{} ({} of {}:{})", in_one_line(&approval.title), approval.step, approval.repository, approval.process),
    ];
    lines.extend((!approval.description.trim().is_empty()).then(|| visible(approval.description.trim()).into_owned()));
    lines.extend(priority(&approval.priority));
    lines.extend(call(approval));
    lines.extend(approval.missing.iter().map(|missing| {
        format!("needs {} more of {}", missing.needed.saturating_sub(missing.have), who(&missing.group))
    }));
    lines.extend(approval.decisions.iter().map(|decision| {
        let note = decision.note.as_deref().map(|note| format!(": {}", in_one_line(note))).unwrap_or_default();
        format!("@{} {}{note}", decision.person.login, decision.decision)
    }));
    lines.join("\n")
}

/// The call of a tool that an approval would allow, with all that it would be given.
fn call(approval: &ApprovalView) -> Option<String> {
    let call = approval.call.as_ref()?;
    let arguments = serde_json::to_string_pretty(&call.arguments).unwrap_or_default();
    let (operation, tool) = (in_one_line(&call.operation), in_one_line(&call.tool));
    Some(format!("{WAITS}call{WAITS:#}: {operation} of {tool}, digest {}, with\n{}", call.digest, visible(&arguments)))
}

/// What a decision led to.
pub fn decided(approval: &ApprovalView, person: &str, decision: &str) -> String {
    let word = match decision {
        "approve" => "approved",
        "override" => "overrode",
        _ => "rejected",
    };
    let needs: Vec<String> = approval
        .missing
        .iter()
        .map(|missing| format!("{} more of {}", missing.needed.saturating_sub(missing.have), who(&missing.group)))
        .collect();
    let stands = match (approval.status.as_str(), needs.is_empty()) {
        ("pending", false) => format!("it still needs {}", needs.join(" or ")),
        (status, _) => format!("it is {status}"),
    };
    let call = call(approval).map(|call| format!("\n{call}")).unwrap_or_default();
    format!("@{person} {word} `{}` of {}; {stands}{call}", approval.step, approval.process)
}

/// What answers to a form led to.
pub fn answered(execution: &ExecutionView, step: &str, person: &str) -> String {
    format!("@{person} answered `{step}` of {}; the execution is {}", execution.process, execution.status.as_str())
}

/// What became of a word that was given away.
pub fn delegated(given: &DelegationView) -> String {
    let DelegationView { execution, from, to, until, .. } = given;
    if from == to {
        return format!("nobody speaks in @{}'s place in {execution} any more", from.login);
    }
    format!("until {until} @{} may speak in @{}'s place in {execution}", to.login, from.login)
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
        let mut rows = table(&["input", "type", "required", "default", "one of", "description"]);
        for (name, field) in inputs {
            let text =
                |key: &str| field.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            let is_required = if required.iter().any(|it| it == name) { "yes" } else { "" };
            rows.add_row([
                name.clone(),
                text("type").unwrap_or_default(),
                is_required.to_owned(),
                text("default").unwrap_or_default(),
                choices(field),
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

/// The values that an input may have, where they are listed.
fn choices(field: &Value) -> String {
    let choices = field["enum"].as_array().cloned().unwrap_or_default();
    let words: Vec<String> =
        choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)).collect();
    words.join(", ")
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn of_steps(done: usize, all: usize) -> ExecutionView {
        let step = |number: usize| {
            let status = match number {
                _ if number < done => "completed",
                _ if number == done => "running",
                _ => "pending",
            };
            json!({"id": format!("step_{number}"), "type": "set", "name": "", "status": status, "attempt": 1,
                "started_at": null, "completed_at": null, "duration_ms": 12, "input": null, "output": null,
                "error": null, "skipped": null, "cost": null, "decisions": [], "waiting_for": null})
        };
        let steps: Vec<Value> = (0..all).map(step).collect();
        let at = "2026-03-01T09:00:00Z";
        let id = "01900000-0000-7000-8000-000000000001";
        serde_json::from_value(json!({"id": id, "tenant": "local", "repository": "shop", "process": "long",
            "version": 1, "revision": "1", "digest": "2", "status": "running", "url": null, "cost": null,
            "trigger": {"type": "manual", "actor": null, "payload": null, "pull_request": null}, "inputs": {},
            "outputs": null, "error": {"class": "x", "message": "it broke"}, "created_at": at, "started_at": at,
            "completed_at": null, "duration_ms": 5, "steps": steps}))
        .unwrap()
    }

    #[test]
    fn the_command_to_copy_was_cut_off_at_80_columns() {
        let mut execution = of_steps(0, 1);
        let id = execution.id.to_string();
        for (waiting, command) in [
            (json!({"kind": "approval", "approval": id}), format!("  flowctl approvals approve {id} --as LOGIN")),
            (
                json!({"kind": "form", "schema": {"required": []}}),
                format!("  flowctl executions answer {id} --as LOGIN"),
            ),
        ] {
            execution.steps[0].waiting_for = serde_json::from_value(waiting).unwrap();
            let lines = picture(&execution, Timestamp::UNIX_EPOCH, Size { columns: 80, rows: 24 });
            assert!(lines.contains(&command), "{lines:#?}");
            assert!(command.len() <= 80, "{command}");
        }
    }

    #[test]
    fn a_picture_of_many_steps_was_higher_than_the_terminal() {
        for (rows, done, all) in [(12, 0, 40), (12, 20, 40), (12, 40, 40), (24, 3, 5), (3, 1, 9), (1, 0, 1), (24, 0, 0)]
        {
            let lines = picture(&of_steps(done, all), Timestamp::UNIX_EPOCH, Size { columns: 80, rows });
            assert!(lines.len() <= rows.max(3), "{rows} {done} {all}: {lines:#?}");
            let shown = lines.iter().filter(|line| line.contains("step_")).count();
            let left_out = lines.iter().find_map(|line| {
                let numbers = line.replace(|it: char| !it.is_ascii_digit(), " ");
                let numbers: Vec<usize> = numbers.split_whitespace().filter_map(|it| it.parse().ok()).collect();
                line.contains("steps before").then(|| numbers.iter().rev().skip(1).take(2).sum())
            });
            assert_eq!(shown + left_out.unwrap_or(0), all, "{lines:#?}");
            // What goes on is among them, where there is room for any.
            let current = format!("step_{done} ");
            assert!(rows < 12 || done == all || lines.iter().any(|line| line.contains(&current)), "{lines:#?}");
            assert!(rows < 12 || lines.iter().any(|line| line.contains("it broke")), "{lines:#?}");
        }
    }
}
