//! How an execution stands, in one or two sentences, and where it comes from.

use flowctl_core::approval::{Decision, DecisionKind};
use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, ExecutionStatus, StepStatus};

use super::escape::{code, inline, message, shorten};
use super::format::{duration, listed, moment, short_commit};
use super::steps::{waits_for_others, waits_for_time};

/// Characters of an error that are shown.
const ERROR: usize = 1_000;

/// How it stands, and what can be done.
pub fn sentence(execution: &Execution, timeline: &Timeline) -> String {
    let took = timeline.duration_ms.map(|millis| format!(" after {}", duration(millis))).unwrap_or_default();
    match execution.status {
        ExecutionStatus::Pending => "⚪ **Queued.**".to_owned(),
        ExecutionStatus::Completed => completed(execution, &took),
        ExecutionStatus::Cancelled => format!("🚫 **Cancelled**{took}{}.", cancelled_because(execution)),
        ExecutionStatus::Failed => format!("❌ **Failed**{took}{}\n\n{}", failed_because(execution), retry(execution)),
        ExecutionStatus::Running | ExecutionStatus::Waiting => under_way(execution),
    }
}

fn completed(execution: &Execution, took: &str) -> String {
    match outdated(execution) {
        None => format!("✅ **Completed**{took}.{}", overridden(execution)),
        Some(outdated) => {
            let is_taken_back = execution.taken_back().next().is_some();
            let but = if is_taken_back { "on an approval that was taken back" } else { "not for what is there now" };
            format!(
                "⚠️ **Completed**{took}, **but {but}.** {outdated} To ask again, and go on from there: the button *Ask \
                 again* of the check run, or a comment `/retry`."
            )
        }
    }
}

/// Approvals that were gone on without, and the word that did so.
fn overrides(execution: &Execution) -> impl Iterator<Item = (&String, &Decision)> {
    execution.steps.iter().filter_map(|(id, step)| {
        let last = step.decisions.iter().rfind(|decision| decision.decision == DecisionKind::Override)?;
        (step.status == StepStatus::Completed).then_some((id, last))
    })
}

/// One line: how it stands, and who went on without an approval, which nobody should overlook.
pub fn title(execution: &Execution, timeline: &Timeline) -> String {
    let mut logins: Vec<&str> = overrides(execution).map(|(_, word)| word.person.login.as_str()).collect();
    logins.sort_unstable();
    logins.dedup();
    match logins.as_slice() {
        [] => timeline.title.clone(),
        [one] => format!("overridden by {one} · {}", timeline.title),
        [one, others @ ..] => format!("overridden by {one} and {} more · {}", others.len(), timeline.title),
    }
}

/// Approvals that were gone on without, by whom and why.
fn overridden(execution: &Execution) -> String {
    let lines: Vec<String> = overrides(execution)
        .take(10)
        .map(|(id, decision)| {
            let why = inline(&shorten(decision.note.as_deref().unwrap_or_default(), ERROR));
            format!(
                "⚠️ **Overridden:** {} went on without its approval, by {}: “{why}”",
                code(id),
                inline(&decision.person.login)
            )
        })
        .collect();
    if lines.is_empty() { String::new() } else { format!("\n\n{}", lines.join("\n\n")) }
}

/// Approvals that were given to another commit or for another base, or that were taken back.
fn outdated(execution: &Execution) -> Option<String> {
    let taken_back: Vec<&str> = execution.taken_back().collect();
    let before = execution.outdated().filter(|step| !taken_back.contains(step)).take(10).map(code);
    let before = sentence_about(before.collect(), "approved before the newest commit or base");
    let back = "approved, and the approval was taken back after the process had gone on from it";
    let taken_back = sentence_about(taken_back.iter().take(10).map(|step| code(step)).collect(), back);
    let sentences: Vec<String> = before.into_iter().chain(taken_back).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn sentence_about(steps: Vec<String>, became: &str) -> Option<String> {
    let was = if steps.len() == 1 { "was" } else { "were" };
    (!steps.is_empty()).then(|| format!("{} {was} {became}.", listed(&steps, "and")))
}

fn cancelled_because(execution: &Execution) -> String {
    match &execution.ending {
        Some(flowctl_core::execution::state::Ending::Cancelled { reason }) if !reason.is_empty() => {
            format!(": {}", inline(&shorten(reason, ERROR)))
        }
        _ => String::new(),
    }
}

fn failed_because(execution: &Execution) -> String {
    let Some(error) = &execution.error else { return ".".to_owned() };
    let at = error.step.as_deref().map(|step| format!(" at {}", code(step))).unwrap_or_default();
    format!("{at}: {}", message(&shorten(&error.message, ERROR)))
}

fn retry(execution: &Execution) -> String {
    let failed = ids(execution, StepStatus::Failed);
    let steps = if failed.is_empty() { "what failed".to_owned() } else { listed(&failed, "and") };
    format!("To go on from {steps}: the button *Retry* of the check run, or a comment `/retry`.")
}

/// Who holds it, and how it goes on.
fn held(execution: &Execution) -> Option<String> {
    let held = execution.held.as_ref().filter(|_| execution.is_held())?;
    let by = held.by.as_ref().map(|by| format!(" by {}", inline(&by.login))).unwrap_or_default();
    let why = held.note.as_deref().map(|note| format!(": “{}”", inline(&shorten(note, ERROR)))).unwrap_or_default();
    Some(format!(
        "⏸️ **Held**{by} since {}{why}. Nothing new starts, and deadlines rest, until a comment `/unhold`.",
        moment(held.since)
    ))
}

fn under_way(execution: &Execution) -> String {
    let outdated =
        outdated(execution).map(|outdated| format!("⚠️ {outdated} `/retry` asks again once this has ended."));
    let parts: Vec<String> = held(execution).into_iter().chain(outdated).chain([waits_or_runs(execution)]).collect();
    parts.join("\n\n")
}

fn waits_or_runs(execution: &Execution) -> String {
    let open = open_work(execution);
    match failed_already(execution) {
        Some(failed) => format!("{failed}\n\n{open}"),
        None => open,
    }
}

fn open_work(execution: &Execution) -> String {
    let people: Vec<String> = execution.waiting_for_people().take(10).map(|(id, _)| code(id)).collect();
    if !people.is_empty() {
        let waits = if people.len() == 1 { "waits" } else { "wait" };
        return format!("🟡 **A person is needed:** {} {waits}.", listed(&people, "and"));
    }
    let running = ids(execution, StepStatus::Running);
    if !running.is_empty() {
        let runs = if running.len() == 1 { "runs" } else { "run" };
        return format!("🔵 **Running:** {} {runs}.", listed(&running, "and"));
    }
    match (waits_for_others(execution), waits_for_time(execution)) {
        (Some(what), _) => format!("🟡 **Waiting:** {what}."),
        (None, Some((what, until))) => format!("🟡 **Waiting:** {what} until {}.", moment(until)),
        (None, None) => "🔵 **Running.**".to_owned(),
    }
}

/// The steps of this status, at most ten, as code.
fn ids(execution: &Execution, status: StepStatus) -> Vec<String> {
    let steps = execution.steps.iter().filter(|(_, step)| step.status == status);
    steps.take(10).map(|(id, _)| code(id)).collect()
}

/// What has failed or was rejected while others go on: nothing that is said now keeps the execution from failing.
fn failed_already(execution: &Execution) -> Option<String> {
    let failed = execution.steps.iter().filter(|(key, step)| {
        let decides = step.on_failure == flowctl_core::definition::step::OnFailure::Fail;
        step.status == StepStatus::Failed && decides && flowctl_core::execution::address::items_of(key).is_empty()
    });
    let lines: Vec<String> = failed
        .take(10)
        .map(|(id, step)| {
            let why = step.error.as_ref().map(|error| format!(": {}", message(&shorten(&error.message, ERROR))));
            format!("❌ **Failed:** {}{}", code(id), why.unwrap_or_default())
        })
        .collect();
    let after = "What is under way goes on, and then the execution fails. `/cancel` ends it now; `/retry` after that asks again.";
    (!lines.is_empty()).then(|| format!("{}\n\n{after}", lines.join("\n\n")))
}

/// Where it comes from: the definition, who started it and how.
pub fn origin(execution: &Execution) -> String {
    let trigger = &execution.trigger;
    let by = trigger.actor.as_ref().map(|actor| format!(" by {}", inline(&actor.login))).unwrap_or_default();
    format!(
        "<sub>{} version {} at {} · started{by} ({}) on {} · execution {}</sub>",
        code(&execution.process),
        execution.process_version,
        code(short_commit(&execution.revision)),
        inline(&trigger.kind.replace('_', " ")),
        moment(execution.created_at),
        code(&execution.id.to_string()),
    )
}
