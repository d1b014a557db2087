//! The one comment of an execution, kept up to date, and the reminder for those who are still missing.

use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, StepState, Waiting};
use jiff::Timestamp;

use super::escape::{code, inline, quoted, shorten};
use super::format::moment;
use super::marker::{Ask, execution_marker, reply_marker};
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

/// What is asked now and stands in the execution's comment as it was written.
pub fn shown_in(body: &str, execution: &Execution) -> Vec<Ask> {
    prompts(execution, Names::Mentioned).asks_in(body, execution)
}

/// What is asked now by steps that a comment beside it names, as [`newly_asked`] does.
pub fn named_beside(body: &str, execution: &Execution) -> Vec<Ask> {
    let is_named = |ask: &Ask| {
        let opening = opening(execution, &ask.step);
        body.lines().any(|line| line.starts_with(&opening))
    };
    Ask::all(execution).into_iter().filter(is_named).collect()
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
        let title = inline(&shorten(title, 200));
        Some(format!("{}{title} Needed{until}: {who}.", opening(execution, id)))
    };
    let lines: Vec<String> = steps.iter().filter_map(line).take(ASKED).collect();
    (!lines.is_empty()).then(|| format!("{}\n{}", reply_marker(to), lines.join("\n")))
}

/// How the line about a step begins.
fn opening(execution: &Execution, id: &str) -> String {
    format!("✋ {} of {}: ", code(id), code(&execution.process))
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
