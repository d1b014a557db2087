//! What the cases show of each process, ready to be printed.

use flowctl_core::definition::repository::File;
use flowctl_core::simulation::Coverage;
use flowctl_core::simulation::coverage::Measure;
use flowctl_core::source::Range;

use crate::terminal::{BOLD, DIM, GOOD, WAITS};

/// What was shown of a process.
#[derive(Debug)]
pub struct ProcessCoverage {
    pub process: String,
    pub path: String,
    pub steps: (usize, usize),
    pub branches: (usize, usize),
    pub outcomes: (usize, usize),
    pub total: (usize, usize),
    pub lacking: Vec<Lacking>,
}

/// What no case shows.
#[derive(Debug)]
pub struct Lacking {
    pub step: String,
    pub aspect: String,
    pub words: String,
    pub range: Range,
}

impl ProcessCoverage {
    /// Of a process, whose file a person would type as `path`.
    pub fn of(process: &str, file: &File, path: &str, coverage: &Coverage) -> Self {
        let lacking = coverage.lacking().map(|item| Lacking {
            step: item.step.clone(),
            aspect: item.aspect.name(),
            words: format!("step `{}` {}", item.step, item.aspect.lacking()),
            range: file.source.range(item.span),
        });
        Self {
            process: process.to_owned(),
            path: path.to_owned(),
            steps: coverage.share(Measure::Steps),
            branches: coverage.share(Measure::Branches),
            outcomes: coverage.share(Measure::Outcomes),
            total: coverage.total(),
            lacking: lacking.collect(),
        }
    }
}

/// In percent, rounded down, so that 100 means everything.
pub fn percent((shown, all): (usize, usize)) -> u32 {
    let percent = (shown * 100).checked_div(all).unwrap_or(100);
    u32::try_from(percent).unwrap_or(100)
}

/// The shares of each process, and under each what no case shows.
pub fn human(coverage: &[ProcessCoverage], percent_of_all: u32) -> String {
    let width = coverage.iter().map(|it| it.process.chars().count()).max().unwrap_or(0);
    let mut text = format!("{BOLD}coverage{BOLD:#} {percent_of_all}%\n");
    for one in coverage {
        let share = |name: &str, (shown, all): (usize, usize)| format!("{name} {shown}/{all}");
        let parts = [share("steps", one.steps), share("branches", one.branches), share("outcomes", one.outcomes)];
        let whole = percent(one.total);
        let style = if one.lacking.is_empty() { GOOD } else { WAITS };
        text.push_str(&format!(
            "  {style}{whole:>3}%{style:#}  {:<width$}  {:<12} {:<14} {}\n",
            one.process, parts[0], parts[1], parts[2]
        ));
        if one.steps.0 == 0 {
            text.push_str(&format!("        {DIM}{}{DIM:#}  no case plays it\n", one.path));
            continue;
        }
        for lacking in &one.lacking {
            let line = lacking.range.start.line;
            text.push_str(&format!("        {DIM}{}:{line}{DIM:#}  {}\n", one.path, lacking.words));
        }
    }
    text
}
