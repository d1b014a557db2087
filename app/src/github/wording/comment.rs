//! The one comment of an execution, kept up to date, and the reminder for those who are still missing.

use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, StepState, Waiting};
use jiff::Timestamp;

use super::escape::{code, inline, quoted, shorten};
use super::format::moment;
use super::marker::{execution_marker, reply_marker};
use super::page::{COMMENT, Page};
use super::people::{Names, Naming};
use super::prompt::{organisation, prompts};
use super::state::{origin, sentence};
use super::steps::{bars, fold, table};

/// Characters for the table of steps.
const TABLE: usize = 30_000;

/// The execution's comment.
pub fn comment(execution: &Execution, now: Timestamp) -> String {
    let timeline = Timeline::of(execution, now);
    let opening = format!("{}\n### flowctl · {}", execution_marker(execution.id), inline(&execution.process));
    let mut page = Page::new(COMMENT, opening);
    page.section(&sentence(execution, &timeline));
    for prompt in prompts(execution, Names::Mentioned).sections() {
        page.section(&prompt);
    }
    let mut steps = table(execution, &timeline, TABLE);
    let bars = bars(execution, &timeline, now);
    if !bars.is_empty() {
        steps.push_str("\n\n");
        steps.push_str(&bars);
    }
    page.section(&fold(&format!("{} of {} steps", timeline.done, timeline.total), &steps));
    page.section(&origin(execution));
    page.finish()
}

/// Whether a comment as it stood shows everything that is asked now.
pub fn shows_questions(body: &str, execution: &Execution) -> bool {
    prompts(execution, Names::Mentioned).sections().iter().all(|prompt| body.contains(prompt.as_str()))
}

/// Steps that one comment names at most.
const ASKED: usize = 20;

/// What people are sent who are asked while the execution's comment stands already: `to` makes it unique. The question
/// itself is in that comment.
pub fn newly_asked(execution: &Execution, steps: &[&str], to: &str) -> Option<String> {
    let naming = Naming { organisation: organisation(execution), names: Names::Mentioned };
    let line = |id: &&str| {
        let step = execution.steps.get(id)?;
        let (title, due_at) = asked(step)?;
        let who = naming.waited_for(step)?;
        let until = due_at.map(|due_at| format!(", until {}", moment(due_at))).unwrap_or_default();
        Some(format!(
            "✋ {} of {}: {} Needed{until}: {who}.",
            code(id),
            code(&execution.process),
            inline(&shorten(title, 200))
        ))
    };
    let lines: Vec<String> = steps.iter().filter_map(line).take(ASKED).collect();
    (!lines.is_empty()).then(|| format!("{}\n{}", reply_marker(to), lines.join("\n")))
}

/// The headline of what a step asks, and its deadline.
fn asked(step: &StepState) -> Option<(&str, Option<Timestamp>)> {
    match step.waiting.as_ref()? {
        Waiting::Approval(request) => Some((&request.title, request.due_at)),
        Waiting::Form(request) => Some((&request.title, request.due_at)),
        _ => None,
    }
}

/// What those who are missing are sent: `to` makes it unique, so that it is sent once.
pub fn reminder(execution: &Execution, id: &str, step: &StepState, to: &str) -> Option<String> {
    let naming = Naming { organisation: organisation(execution), names: Names::Mentioned };
    let (title, due_at) = asked(step)?;
    let who = naming.waited_for(step)?;
    let until = due_at.map(|due_at| format!(" It waits until {}.", moment(due_at))).unwrap_or_default();
    Some(format!(
        "{}\n⏰ {} still waits: {} of {}. Needed: {who}.{until}",
        reply_marker(to),
        code(id),
        inline(&shorten(title, 200)),
        code(&execution.process),
    ))
}

/// Characters of a notification; the rest is cut.
const NOTIFICATION: usize = 30_000;

/// A comment that a definition has written: its words as a quotation, in which nothing mentions, refers or ends it. `to`
/// makes it unique, so that it is written once.
pub fn notification(to: &str, words: &str) -> String {
    format!("{}\n{}", reply_marker(to), quoted(words, NOTIFICATION))
}
