//! One line a finding, as compilers print them: editors and `grep` read it.

use super::{Found, Outcome, tame};

/// `path:line:column: severity[CODE]: message (help)`
pub fn concise(outcome: &Outcome) -> String {
    outcome.found.iter().map(line).collect()
}

fn line(Found { finding, .. }: &Found) -> String {
    let start = finding.range.start;
    let help = finding.help.as_ref().map(|help| format!(" ({})", tame(help))).unwrap_or_default();
    format!(
        "{}:{}:{}: {}[{}]: {}{help}\n",
        tame(&finding.path),
        start.line,
        start.column,
        finding.severity.as_str(),
        finding.code,
        tame(&finding.message)
    )
}
