//! The steps of an execution as a table and as bars of time: one look each, all from the timeline.

use flowctl_core::approval::{Decision, DecisionKind};
use flowctl_core::definition::StepType;
use flowctl_core::execution::timeline::{Row, Timeline};
use flowctl_core::execution::{Execution, StepState, StepStatus, Waiting};
use jiff::Timestamp;

use super::escape::{code, fenced, inline, link, message, shorten};
use super::format::{duration, moment};
use super::people::{Names, Naming};
use super::prompt::organisation;

/// Characters of a step's error or reason in the table.
const REASON: usize = 200;
/// Characters of those who are waited for in the table; the prompt tells all of them.
const WAITED_FOR: usize = 300;
/// Characters of the longest bar.
const BAR: usize = 36;
/// Characters of a step's id beside its bar.
const BAR_NAME: usize = 24;
/// Steps whose use of models is shown.
const MODELS: usize = 50;
/// Bars at most: more cannot be taken in at a glance.
const BARS: usize = 60;

/// The table of steps, of at most `room` characters. Where not all fit, those that matter most stay.
pub fn table(execution: &Execution, timeline: &Timeline, room: usize) -> String {
    let with_cost = timeline.rows.iter().any(|row| row.cost.is_some());
    let head = if with_cost {
        "| step | status | took | cost | who |\n|------|--------|------|------|-----|"
    } else {
        "| step | status | took | who |\n|------|--------|------|-----|"
    };
    let lines: Vec<String> = timeline.rows.iter().map(|row| line(execution, row, with_cost)).collect();
    let shown = choose(&timeline.rows, &lines, room.saturating_sub(head.len() + 80));
    let mut table = head.to_owned();
    for (line, _) in lines.iter().zip(&shown).filter(|(_, shown)| **shown) {
        table.push('\n');
        table.push_str(line);
    }
    let hidden = shown.iter().filter(|shown| !**shown).count();
    if hidden > 0 {
        table.push_str(&format!("\n\n_{hidden} more steps are not shown here._"));
    }
    table
}

/// Which lines fit, the most telling ones first.
fn choose(rows: &[Row], lines: &[String], mut room: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|index| rows.get(*index).map_or(u8::MAX, |row| rank(row.status)));
    let mut shown = vec![false; rows.len()];
    for index in order {
        let (Some(line), Some(slot)) = (lines.get(index), shown.get_mut(index)) else { continue };
        let needed = line.chars().count() + 1;
        if needed > room {
            break;
        }
        room -= needed;
        *slot = true;
    }
    shown
}

fn rank(status: StepStatus) -> u8 {
    match status {
        StepStatus::Failed => 0,
        StepStatus::Waiting => 1,
        StepStatus::Running => 2,
        StepStatus::Completed => 3,
        StepStatus::Cancelled => 4,
        StepStatus::Pending => 5,
        StepStatus::Skipped => 6,
    }
}

fn line(execution: &Execution, row: &Row, with_cost: bool) -> String {
    let took = match (row.status.is_final(), row.duration_ms, row.started_at) {
        (true, Some(millis), Some(_)) => duration(millis),
        (false, _, Some(started_at)) => format!("since {}", moment(started_at)),
        _ => String::new(),
    };
    let cost =
        if with_cost { format!(" {} |", inline(row.cost.as_deref().unwrap_or_default())) } else { String::new() };
    format!("| {} | {} | {took} |{cost} {} |", name(row), status(row), who(execution, row))
}

fn name(row: &Row) -> String {
    let id = code(&row.id);
    if row.name == row.id.replace('_', " ") { id } else { format!("{} {id}", inline(&shorten(&row.name, REASON))) }
}

/// The sign of a status.
pub fn sign(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "⚪",
        StepStatus::Running => "🔵",
        StepStatus::Waiting => "🟡",
        StepStatus::Completed => "✅",
        StepStatus::Failed => "❌",
        StepStatus::Skipped => "⏭️",
        StepStatus::Cancelled => "🚫",
    }
}

fn status(row: &Row) -> String {
    let mut text = format!("{} {}", sign(row.status), row.status.as_str());
    if row.attempt > 1 {
        text.push_str(&format!(", attempt {}", row.attempt));
    }
    text.extend(row.priority.map(|priority| format!(", {priority} priority")));
    match (row.status, row.due_at) {
        (StepStatus::Waiting, Some(due_at)) => text.push_str(&format!(" until {}", moment(due_at))),
        (StepStatus::Failed | StepStatus::Skipped | StepStatus::Waiting, _) => {
            if let Some(note) = row.note.as_deref().filter(|note| !note.is_empty()) {
                text.push_str(&format!(": {}", message(&shorten(note, REASON))));
            }
        }
        _ => {}
    }
    text
}

fn who(execution: &Execution, row: &Row) -> String {
    let named = |kind: DecisionKind| -> Vec<String> {
        let said = row.decisions.iter().filter(|decision| decision.decision == kind);
        said.map(|decision| match &decision.source.url {
            Some(url) => format!("{}{}", link(&decision.person.login, url), in_place(decision)),
            None => said_by(decision),
        })
        .collect()
    };
    let mut parts = Vec::new();
    for (kind, did) in [
        (DecisionKind::Approve, "approved"),
        (DecisionKind::Reject, "rejected"),
        (DecisionKind::Override, "**overridden**"),
    ] {
        let names = named(kind);
        if !names.is_empty() {
            parts.push(format!("{did} by {}", names.join(", ")));
        }
    }
    let step = execution.steps.get(&row.id);
    if let Some(step) = step.filter(|step| step.outdated) {
        let inside = if step.approved_within.is_some() { "approved inside " } else { "" };
        parts.push(match step.decisions.last() {
            Some(last) if execution.taken_back().any(|id| id == row.id) => {
                let why = last.note.as_deref().unwrap_or_default();
                format!("approved by {} and taken back: {}", inline(&last.person.login), inline(&shorten(why, REASON)))
            }
            _ => format!("{inside}before the newest commit or base"),
        });
    }
    if let Some((step, person)) = step.and_then(|step| Some((step, step.answered_by.as_ref()?))) {
        let by = match &step.answered_in {
            Some(url) => link(&person.login, url),
            None => inline(&person.login),
        };
        parts.push(format!("answered by {by}"));
    }
    parts.extend(step.and_then(|step| waited_for(execution, step)));
    parts.extend(step.and_then(run));
    parts.join("; ")
}

/// Who is waited for: named, since only prompts notify.
fn waited_for(execution: &Execution, step: &StepState) -> Option<String> {
    let naming = Naming { organisation: organisation(execution), names: Names::Told };
    let who = naming.waited_for(step)?;
    let all_fit = who.chars().count() <= WAITED_FOR;
    Some(if all_fit { format!("waits for {who}") } else { "waits for people; the prompt names them".to_owned() })
}

/// The page of the workflow run that a step waits for, or has waited for.
fn run(step: &StepState) -> Option<String> {
    let url = match &step.waiting {
        Some(Waiting::Workflow(awaited)) => awaited.run.as_ref()?.url.as_str(),
        _ if step.step_type == StepType::Workflow => step.output.as_ref()?.get("url")?.as_str()?,
        _ => return None,
    };
    Some(link("the run", url))
}

/// Who said it, and in whose place.
pub(super) fn said_by(decision: &Decision) -> String {
    format!("{}{}", inline(&decision.person.login), in_place(decision))
}

fn in_place(decision: &Decision) -> String {
    let others: Vec<String> = decision.in_place_of.iter().map(|other| inline(&other.person.login)).collect();
    if others.is_empty() { String::new() } else { format!(" (in place of {})", others.join(", ")) }
}

/// When each step ran, as bars on one scale; nothing where no time has passed.
pub fn bars(execution: &Execution, timeline: &Timeline, now: Timestamp) -> String {
    let Some(begin) = execution.started_at else { return String::new() };
    let end = execution.completed_at.unwrap_or(now);
    let total = millis_between(begin, end);
    let rows: Vec<&Row> = timeline.rows.iter().filter(|row| row.started_at.is_some()).take(BARS).collect();
    if total == 0 || rows.is_empty() {
        return String::new();
    }
    let width = rows.iter().map(|row| row.id.chars().count().min(BAR_NAME)).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let started_at = row.started_at.unwrap_or(begin);
            let ended_at = row.completed_at.unwrap_or(end);
            let from = position(millis_between(begin, started_at), total).min(BAR - 1);
            let to = position(millis_between(begin, ended_at), total).clamp(from + 1, BAR);
            let fill = if row.status == StepStatus::Waiting { "░" } else { "█" };
            let bar = format!("{}{}", " ".repeat(from), fill.repeat(to - from));
            let took = duration(millis_between(started_at, ended_at));
            format!("{:<width$}  {bar:<BAR$}  {took}", shorten(&row.id, BAR_NAME))
        })
        .collect();
    fenced("text", &lines.join("\n"))
}

fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

fn position(millis: u64, total: u64) -> usize {
    let scaled = u128::from(millis) * BAR as u128 / u128::from(total.max(1));
    usize::try_from(scaled).unwrap_or(BAR)
}

/// What steps used of models, a row each; nothing where none did. What was said is in the trace.
pub fn models(execution: &Execution) -> String {
    let calls = |step: &StepState| step.journal.as_ref().map_or(0, |journal| journal.calls);
    let used = execution.steps.iter().filter_map(|(id, step)| Some((id, step.usage.as_ref()?, calls(step))));
    let rows: Vec<String> = used
        .take(MODELS)
        .map(|(id, usage, calls)| {
            let about = if usage.estimated { "about " } else { "" };
            let cost = usage.total().unwrap_or_else(|| "not known".to_owned());
            format!(
                "| {} | {} | {} | {calls} | {about}{} | {about}{} | {} |",
                code(id),
                code(&shorten(&usage.model, REASON)),
                usage.calls,
                usage.input_tokens,
                usage.output_tokens,
                inline(&cost)
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = "| step | model | turns | calls of tools | tokens read | written | cost |\n|------|-------|-------|----------------|-------------|---------|------|";
    fold("Models", &format!("{head}\n{}", rows.join("\n")))
}

/// A fold with Markdown inside.
pub fn fold(summary: &str, markdown: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{markdown}\n\n</details>")
}

/// What is waited for that is no person: a moment, another attempt.
pub fn waits_for_time(execution: &Execution) -> Option<(String, Timestamp)> {
    let waits = execution.steps.iter().filter_map(|(id, step)| match step.waiting.as_ref()? {
        Waiting::Timer { until, .. } => Some((format!("{} waits", code(id)), *until)),
        Waiting::Retry { at } => Some((format!("{} is tried again", code(id)), *at)),
        _ => None,
    });
    waits.min_by_key(|(_, at)| *at)
}

/// What is waited for that is neither a person nor a moment: an event, a sub-process.
pub fn waits_for_others(execution: &Execution) -> Option<String> {
    execution.steps.iter().find_map(|(id, step)| match step.waiting.as_ref()? {
        Waiting::Event { name, .. } => Some(format!("{} waits for the event {}", code(id), code(name))),
        Waiting::Process { execution, .. } => {
            Some(format!("{} waits for the sub-process {}", code(id), code(&execution.to_string())))
        }
        Waiting::Workflow(awaited) => Some(match &awaited.run {
            Some(run) => format!("{} waits for the {}", code(id), link(&format!("workflow run {}", run.id), &run.url)),
            None => format!("{} dispatches its workflow", code(id)),
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::step::human_approval::Priority;

    use super::super::check;
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn how_urgent_a_question_is_stands_in_the_timeline_and_with_the_question() {
        let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
        let usual = check(&sample.execution, sample.now);
        assert!(!(usual.summary + &usual.text.unwrap()).to_lowercase().contains("priority"));
        let asked = sample.execution.steps.get_mut("leads").unwrap();
        let Some(Waiting::Approval(request)) = asked.waiting.as_mut() else { unreachable!("it asks") };
        request.priority = Priority::Urgent;
        let urgent = check(&sample.execution, sample.now);
        assert!(urgent.summary.contains("- **Priority:** urgent\n"), "{}", urgent.summary);
        assert!(urgent.text.unwrap().contains("| 🟡 waiting, urgent priority until "));
    }
}
