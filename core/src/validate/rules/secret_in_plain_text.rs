//! A secret in plain text.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW501",
    name: "secret-in-plain-text",
    severity: Severity::Error,
    summary: "A secret in plain text",
    reason: r#"
Whoever can read the repository, now or in its history, has it. Revoke it, give a new one to the server
(`FLOWCTL_SECRET_NAME`), and read it as `{{ secrets.NAME }}`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer ghp_000000000000000000000000000000000000"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    check,
};

/// Forms of secrets that say themselves what they are, from the pages of those who issue them.
const FORMS: [(&str, &str); 12] = [
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", r"https://hooks\.slack\.com/services/T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9_]{20,}"),
    ("an API key of Anthropic", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("an API key of OpenAI", r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,}"),
    ("an API key of Google", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("a Stripe key", r"\b(?:sk|rk)_live_[A-Za-z0-9]{20,}"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a password in an address", r"\bhttps?://[^\s/:@{}]+:[^\s/:@{}]+@"),
];

#[expect(clippy::expect_used, reason = "the patterns are constants; a test of every rule compiles them")]
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    FORMS.iter().map(|(_, pattern)| Regex::new(pattern).expect("a constant pattern compiles")).collect()
});

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        for (what, found) in occurrences(file.source.text()) {
            let span = Span::new(found.start, found.end);
            let finding = findings.add(file, span, format!("this looks like {what}"));
            finding.help("revoke it, and read a new one as `{{ secrets.NAME }}`");
        }
    }
}

/// What looks like a secret in a text: its form and its place in bytes.
pub(crate) fn occurrences(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut told: Vec<(&'static str, Range<usize>)> = Vec::new();
    for ((what, _), pattern) in FORMS.iter().zip(PATTERNS.iter()) {
        for found in pattern.find_iter(text) {
            // A key of one house may have the form of another's.
            if !told.iter().any(|(_, range)| range.start < found.end() && found.start() < range.end) {
                told.push((*what, found.range()));
            }
        }
    }
    told
}

/// The text with asterisks where something looks like a secret.
pub(crate) fn masked(text: &str) -> String {
    let mut found: Vec<Range<usize>> = occurrences(text).into_iter().map(|(_, range)| range).collect();
    found.sort_by_key(|range| range.start);
    let mut safe = text.to_owned();
    for range in found.into_iter().rev() {
        safe.replace_range(range, "***");
    }
    safe
}
