//! GitHub Actions annotations, by "Workflow commands for GitHub Actions" of its documentation: data and properties are
//! escaped as the runner unescapes them.

use flowctl_core::validate::{Finding, Severity};

use super::Outcome;

/// One workflow command a finding.
pub fn github(outcome: &Outcome) -> String {
    outcome.found.iter().map(|found| annotation(&found.finding)).collect()
}

fn annotation(finding: &Finding) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let (start, end) = (finding.range.start, finding.range.end);
    // The runner takes columns only for a range within one line.
    let columns = if start.line == end.line && end.column > start.column {
        format!(",col={},endColumn={}", start.column, end.column - 1)
    } else {
        String::new()
    };
    let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    format!(
        "::{command} file={},line={},endLine={}{columns},title={}::{}\n",
        property(&finding.path),
        start.line,
        end.line,
        property(&format!("{} {}", finding.code, finding.name)),
        data(&format!("{}{help}", finding.message))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("50% done\r\nnext"), "50%25 done%0D%0Anext");
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    }
}
