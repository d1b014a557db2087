//! One line a finding, as compilers print them: editors and `grep` read it.

use flowctl_core::validate::Finding;

/// `path:line:column: severity[CODE]: message (help)`
pub fn concise(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let start = finding.range.start;
        let help = finding.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!(
            "{}:{}:{}: {}[{}]: {}{help}\n",
            finding.path,
            start.line,
            start.column,
            finding.severity.as_str(),
            finding.code,
            finding.message
        )
    };
    findings.iter().map(line).collect()
}
