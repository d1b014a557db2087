//! What came of tests, for people. Readable at 80 columns and without colour.

use flowctl_core::simulation::{Difference, Moment, MomentKind};
use similar::{ChangeTag, TextDiff};

use super::{CaseFailure, CaseOutcome, FileOutcome, Outcome, coverage};
use crate::terminal::{BOLD, DIM, ERROR, GOOD, TYPE, WAITS};

/// Every case in a line, the failed ones in full after them, then the coverage and a line that counts.
pub fn human(outcome: &Outcome, quiet: bool) -> String {
    let mut text = String::new();
    if !quiet {
        outcome.files.iter().for_each(|file| text.push_str(&listed(file)));
    }
    for file in &outcome.files {
        for case in file.cases.iter().filter(|case| !case.failures.is_empty()) {
            text.push_str(&in_full(file, case));
        }
    }
    if let Some(processes) = &outcome.coverage {
        text.push_str(&coverage::human(processes, outcome.percent().unwrap_or(100)));
        text.push('\n');
    }
    if !quiet {
        text.push_str(&counts(outcome));
    }
    text
}

fn listed(file: &FileOutcome) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#} {DIM}{}{DIM:#}\n", file.process, file.path);
    for case in &file.cases {
        let (sign, style) = if case.failures.is_empty() { ("✓", GOOD) } else { ("✗", ERROR) };
        text.push_str(&format!("  {style}{sign}{style:#} {}\n", case.name));
    }
    text.push('\n');
    text
}

fn in_full(file: &FileOutcome, case: &CaseOutcome) -> String {
    let mut text = format!("{ERROR}✗ {}: {}{ERROR:#}\n", file.process, case.name);
    for failure in &case.failures {
        text.push_str(&told(file, failure));
    }
    // What follows from a stub that is missing tells nothing.
    if let Some(run) = case.run.as_ref().filter(|run| run.missing.is_empty()) {
        text.push_str(&format!("  {DIM}what happened:{DIM:#}\n"));
        text.push_str(&timeline(&run.timeline()));
    }
    text.push('\n');
    text
}

fn told(file: &FileOutcome, CaseFailure { failure, range }: &CaseFailure) -> String {
    let place = format!("{}:{}:{}", file.path, range.start.line, range.start.column);
    let mut text = format!("  {BOLD}{place}{BOLD:#}  {}\n", failure.message);
    if let Some(difference) = &failure.difference {
        text.push_str(&diff(difference));
    }
    if let Some(help) = &failure.help {
        text.push_str(&format!("    {TYPE}help:{TYPE:#} {help}\n"));
    }
    text
}

/// A diff of lines: what was expected and not found, what was found and not expected.
fn diff(difference: &Difference) -> String {
    let mut text = format!("    {ERROR}- expected{ERROR:#}\n    {GOOD}+ found{GOOD:#}\n");
    let lines = TextDiff::from_lines(&difference.expected, &difference.found);
    for change in lines.iter_all_changes() {
        let line = change.value().trim_end_matches('\n');
        text.push_str(&match change.tag() {
            ChangeTag::Delete => format!("    {ERROR}- {line}{ERROR:#}\n"),
            ChangeTag::Insert => format!("    {GOOD}+ {line}{GOOD:#}\n"),
            ChangeTag::Equal => format!("      {line}\n"),
        });
    }
    text
}

fn timeline(moments: &[Moment]) -> String {
    let columns = Moment::columns(moments);
    let line = |moment: &Moment| {
        let style = match moment.kind {
            MomentKind::Good => GOOD,
            MomentKind::Bad => ERROR,
            MomentKind::Waits => WAITS,
            MomentKind::Neutral => anstyle::Style::new(),
            MomentKind::Skipped => DIM,
        };
        format!("    {style}{}{style:#}\n", moment.line(columns))
    };
    moments.iter().map(line).collect()
}

fn counts(outcome: &Outcome) -> String {
    let (all, failed) = (outcome.cases().count(), outcome.failed());
    let mut parts = Vec::new();
    if all > failed {
        parts.push(format!("{GOOD}{} passed{GOOD:#}", all - failed));
    }
    if failed > 0 {
        parts.push(format!("{ERROR}{failed} failed{ERROR:#}"));
    }
    if outcome.unsound > 0 {
        let files = if outcome.unsound == 1 { "1 file".to_owned() } else { format!("{} files", outcome.unsound) };
        parts.push(format!("{ERROR}{files} not played{ERROR:#}: errors in what is tested come first"));
    }
    parts.join(", ")
}
