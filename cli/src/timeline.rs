//! An execution in the terminal: a line whenever a step changes, and the whole as a table.

use std::collections::BTreeMap;

use anstyle::Style;
use flowctl_core::execution::timeline::{Row, Timeline};
use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, StepStatus};
use flowctl_core::value::visible::visible;
use jiff::Timestamp;

use crate::rows;
use crate::terminal::{BOLD, DIM, ERROR, GOOD, WAITS};

/// What has been said of executions so far.
#[derive(Debug, Default)]
pub struct Follower {
    rows: BTreeMap<(ExecutionId, String), String>,
    executions: BTreeMap<ExecutionId, ExecutionStatus>,
}

impl Follower {
    /// A line for each thing that has changed since last time.
    pub fn changes(&mut self, execution: &Execution, now: Timestamp) -> Vec<String> {
        let timeline = Timeline::of(execution, now);
        let mut lines = Vec::new();
        let clock = |at: Timestamp| format!("{DIM}{}{DIM:#}", at.strftime("%H:%M:%S"));
        if self.executions.insert(execution.id, execution.status).is_none() {
            let number = execution.subject.as_ref().and_then(|subject| subject.number);
            let place = number.map(|number| format!(" on #{number}")).unwrap_or_default();
            lines.push(format!("{}  {BOLD}{}{BOLD:#} started{place}", clock(execution.created_at), execution.process));
        }
        for row in &timeline.rows {
            let state = line(row);
            let known = self.rows.insert((execution.id, row.id.clone()), state.clone());
            if row.status != StepStatus::Pending && known.as_ref() != Some(&state) {
                let at = row.completed_at.or(row.started_at).unwrap_or(now);
                lines.push(format!("{}    {state}", clock(at)));
            }
        }
        if execution.status.is_final() && !self.rows.contains_key(&(execution.id, String::new())) {
            self.rows.insert((execution.id, String::new()), String::new());
            let style = execution_style(execution.status);
            let at = clock(execution.completed_at.unwrap_or(now));
            lines.push(format!(
                "{at}  {BOLD}{}{BOLD:#} {style}{}{style:#}",
                execution.process,
                execution.status.as_str()
            ));
        }
        lines
    }
}

/// One step in one line.
fn line(row: &Row) -> String {
    let (sign, style) = sign(row.status);
    let mut text = format!("{style}{sign} {:<16}{style:#} {}", row.id, row.status.as_str());
    if row.attempt > 1 {
        text.push_str(&format!(", attempt {}", row.attempt));
    }
    if let Some(detail) = detail(row) {
        text.push_str(&format!("  {DIM}{detail}{DIM:#}"));
    }
    text
}

/// What is to be known of a step beside its status.
fn detail(row: &Row) -> Option<String> {
    let said: Vec<String> = row
        .decisions
        .iter()
        .map(|decision| {
            let word = match decision.decision {
                flowctl_core::approval::DecisionKind::Approve => "approved by",
                flowctl_core::approval::DecisionKind::Reject => "rejected by",
                flowctl_core::approval::DecisionKind::Withdraw => "withdrawn by",
                flowctl_core::approval::DecisionKind::Override => "overridden by",
            };
            format!("{word} @{}", decision.person.login)
        })
        .collect();
    let parts: Vec<String> = said
        .into_iter()
        .chain(row.priority.map(|priority| format!("{priority} priority")))
        .chain(missing(row))
        .chain(row.note.as_deref().map(|note| visible(note).into_owned()))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Who is still missing: `needs 2 more of team leads, or 1 more of @octocat`.
fn missing(row: &Row) -> Option<String> {
    let lacks: Vec<String> =
        row.missing.iter().map(|lack| format!("{} more of {}", lack.needed - lack.have, group(&lack.group))).collect();
    let joiner = if row.any_suffices { ", or " } else { ", and " };
    (!lacks.is_empty()).then(|| format!("needs {}", lacks.join(joiner)))
}

/// A group of people in words.
pub fn group(group: &flowctl_core::approval::Group) -> String {
    use flowctl_core::approval::Group;
    use flowctl_core::definition::{CodeownersMode, Role};
    match group {
        Group::Users(users) => users.iter().map(|login| format!("@{login}")).collect::<Vec<_>>().join(", "),
        Group::Team(team) => format!("team {team}"),
        Group::Role(Role::Write) => "people with write permission".to_owned(),
        Group::Role(Role::Maintain) => "people with maintain permission".to_owned(),
        Group::Role(Role::Admin) => "administrators".to_owned(),
        Group::Codeowners { mode: CodeownersMode::Union, .. } => "the code owners".to_owned(),
        Group::Codeowners { mode: CodeownersMode::EachPath, .. } => "the code owners of each path".to_owned(),
    }
}

fn sign(status: StepStatus) -> (&'static str, Style) {
    match status {
        StepStatus::Pending => ("·", DIM),
        StepStatus::Running => ("▸", Style::new()),
        StepStatus::Waiting => ("◦", WAITS),
        StepStatus::Completed => ("✓", GOOD),
        StepStatus::Failed => ("✗", ERROR),
        StepStatus::Skipped => ("-", DIM),
        StepStatus::Cancelled => ("×", DIM),
    }
}

fn execution_style(status: ExecutionStatus) -> Style {
    match status {
        ExecutionStatus::Completed => GOOD,
        ExecutionStatus::Failed | ExecutionStatus::Cancelled => ERROR,
        ExecutionStatus::Waiting => WAITS,
        ExecutionStatus::Pending | ExecutionStatus::Running => Style::new(),
    }
}

/// The whole execution as a table.
pub fn table(execution: &Execution, now: Timestamp) -> String {
    let timeline = Timeline::of(execution, now);
    let style = execution_style(timeline.status);
    let mut table = rows::table(&["step", "type", "status", "time", ""]);
    for row in &timeline.rows {
        let time = row.duration_ms.map(time).unwrap_or_default();
        let (sign, _) = sign(row.status);
        let status = format!("{sign} {}", row.status.as_str());
        table.add_row([row.id.clone(), row.step_type.to_owned(), status, time, detail(row).unwrap_or_default()]);
    }
    let took = timeline.duration_ms.map(|millis| format!(" in {}", time(millis))).unwrap_or_default();
    format!("{BOLD}{}{BOLD:#} {style}{}{style:#}{took}\n{table}", execution.process, timeline.title)
}

/// A duration for people: the two largest units.
pub fn time(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
