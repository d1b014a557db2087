//! One JSON document with every finding: `version` 1 of the contract.

use flowctl_core::validate::{Finding, Report};

/// The document.
pub fn json(files: usize, findings: Vec<Finding>) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&Report::new(files, findings))?)
}
