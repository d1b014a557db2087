//! How often each rule found something: what to look at first in a repository that meets the validator late.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

use flowctl_core::validate::{Applicability, Severity};
use serde::Serialize;

use super::{Counts, Outcome, plural};

#[derive(Serialize)]
struct Document {
    version: u32,
    files: usize,
    statistics: Vec<Row>,
    summary: Counts,
}

#[derive(Serialize)]
struct Row {
    code: &'static str,
    name: &'static str,
    severity: Severity,
    count: usize,
    /// How many of them have a safe fix.
    fixable: usize,
}

/// A line a rule, the most frequent first; as JSON where asked for.
pub fn statistics(outcome: &Outcome, as_json: bool) -> anyhow::Result<String> {
    let rows = rows(outcome);
    if as_json {
        let summary = Counts::of(&outcome.found);
        let document = Document { version: 1, files: outcome.files, statistics: rows, summary };
        return Ok(serde_json::to_string_pretty(&document)?);
    }
    let width = |text: fn(&Row) -> String| rows.iter().map(|row| text(row).len()).max().unwrap_or(0);
    let (counts, names) = (width(|row| row.count.to_string()), width(|row| row.name.to_owned()));
    let mut text = String::new();
    for row in &rows {
        let fixable = if row.fixable > 0 { format!("  {} fixable", row.fixable) } else { String::new() };
        let line = format!(
            "{:>counts$}  {}  {:<names$}  {:<7}{fixable}",
            row.count,
            row.code,
            row.name,
            row.severity.as_str()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(
        text,
        "{} of {} in {}",
        plural(rows.iter().map(|row| row.count).sum(), "finding", "findings"),
        plural(rows.len(), "rule", "rules"),
        plural(outcome.files, "file", "files")
    );
    Ok(text)
}

fn rows(outcome: &Outcome) -> Vec<Row> {
    let mut rows: BTreeMap<(&'static str, Severity), Row> = BTreeMap::new();
    for found in &outcome.found {
        let finding = &found.finding;
        let (code, name, severity) = (finding.code, finding.name, finding.severity);
        let row = rows.entry((code, severity)).or_insert(Row { code, name, severity, count: 0, fixable: 0 });
        row.count += 1 + finding.more;
        row.fixable += usize::from(finding.is_fixable(Applicability::Safe));
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by_key(|row| (Reverse(row.count), row.code));
    rows
}
