//! One JSON document with every finding: `version` 1 of the contract.

use flowctl_core::validate::Finding;
use flowctl_core::validate::baseline::Known;
use serde::Serialize;

use super::{Counts, Fixed, Outcome};

#[derive(Serialize)]
struct Document<'o> {
    version: u32,
    files: usize,
    findings: Vec<Entry<'o>>,
    summary: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Compared<'o>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<&'o [Fixed]>,
}

#[derive(Serialize)]
struct Entry<'o> {
    #[serde(flatten)]
    finding: &'o Finding,
    fingerprint: &'o str,
}

#[derive(Serialize)]
struct Compared<'o> {
    known: usize,
    gone: &'o [Known],
}

/// The document.
pub fn json(outcome: &Outcome) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&document(outcome))?)
}

/// The document on one line.
pub fn json_line(outcome: &Outcome) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&document(outcome))?)
}

fn document(outcome: &Outcome) -> Document<'_> {
    Document {
        version: 1,
        files: outcome.files,
        findings: outcome
            .found
            .iter()
            .map(|found| Entry { finding: &found.finding, fingerprint: &found.fingerprint })
            .collect(),
        summary: Counts::of(&outcome.found),
        baseline: outcome.known.map(|known| Compared { known, gone: &outcome.gone }),
        fixed: outcome.fixed.as_deref(),
    }
}
