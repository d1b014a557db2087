//! A check run's texts: the title with the progress, a summary that opens with who is needed, and the timeline.

use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, ExecutionStatus};
use jiff::Timestamp;

use super::escape::{code, plain};
use super::format::short_commit;
use super::marker::asks_marker;
use super::outputs::{outputs, value};
use super::page::{CHECK_TEXT, Page};
use super::people::Names;
use super::prompt::prompts;
use super::state::{origin, sentence, title};
use super::steps::{bars, fold, models, table};

/// Characters of a title: GitHub cuts it to one line anyway.
const TITLE: usize = 120;
/// Characters for the table of steps.
const TABLE: usize = 40_000;

/// What people read of a check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckText {
    /// One line.
    pub title: String,
    /// Markdown: how it stands and who is needed.
    pub summary: String,
    /// Markdown: the timeline.
    pub text: Option<String>,
}

/// An execution as a check run.
pub fn check(execution: &Execution, now: Timestamp) -> CheckText {
    let timeline = Timeline::of(execution, now);
    CheckText {
        title: plain(&title(execution, &timeline), TITLE),
        summary: summary(execution, &timeline),
        text: Some(text(execution, &timeline, now)),
    }
}

fn summary(execution: &Execution, timeline: &Timeline) -> String {
    let prompts = prompts(execution, Names::Told);
    let asks = prompts.asks(execution);
    let opening = if asks.is_empty() { String::new() } else { asks_marker(&asks) };
    let mut page = Page::new(CHECK_TEXT, opening);
    page.section(&sentence(execution, timeline));
    for prompt in prompts.sections() {
        page.section(&prompt);
    }
    if let (ExecutionStatus::Completed, Some(outputs)) = (execution.status, &execution.outputs)
        && outputs.as_object().is_some_and(|outputs| !outputs.is_empty())
    {
        page.section(&format!("**Outputs**\n\n{}", value(outputs, execution.url.as_deref())));
    }
    page.section(&origin(execution));
    page.finish()
}

fn text(execution: &Execution, timeline: &Timeline, now: Timestamp) -> String {
    let mut page = Page::new(CHECK_TEXT, String::new());
    page.section(&table(execution, timeline, TABLE));
    page.section(&bars(execution, timeline, now));
    page.section(&models(execution));
    if let Some(cost) = execution.cost() {
        page.section(&format!("Cost so far: {}", super::escape::inline(&cost)));
    }
    for output in outputs(execution) {
        page.section(&output);
    }
    page.finish()
}

/// What is left on a commit that is no longer the head.
pub fn moved(execution: &Execution, head_sha: &str, now: Timestamp) -> CheckText {
    let timeline = Timeline::of(execution, now);
    let summary = format!(
        "The pull request has a newer commit, {}, and this execution goes on there. What is said here counts no more, and the check \
         does not pass here.",
        code(short_commit(head_sha))
    );
    CheckText {
        title: format!("goes on at {}", short_commit(head_sha)),
        summary: format!("{summary}\n\n{}", origin(execution)),
        text: Some(fold("The timeline at that moment", &table(execution, &timeline, TABLE))),
    }
}
