//! A secret in plain text.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::secrets::occurrences;
use std::ops::Range;

use crate::definition::repository::{File, FileKind};
use crate::source::{Node, Span};

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

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let mut told: Vec<Range<usize>> = Vec::new();
        for (what, found) in occurrences(file.source.text()) {
            let span = Span::new(found.start, found.end);
            let finding = findings.add(file, span, format!("this looks like {what}"));
            finding.help("revoke it, and read a new one as `{{ secrets.NAME }}`");
            told.push(found);
        }
        // Tests and schemas hold values that are made up.
        if matches!(file.kind, FileKind::Process | FileKind::Settings | FileKind::Tool | FileKind::Agent) {
            let root = file.document.root().map(|root| file.document.node(root));
            root.into_iter().for_each(|root| by_name(file, root, 0, &mut told, findings));
        }
    }
}

/// Values nest; deeper than this nobody writes them.
const MAX_DEPTH: usize = 64;

/// Values of keys that are called as secrets are, where they look as if a machine had made them.
fn by_name(file: &File, node: Node<'_>, depth: usize, told: &mut Vec<Range<usize>>, findings: &mut Findings) {
    if depth > MAX_DEPTH {
        return;
    }
    for (key, value) in node.entries() {
        let name = key.as_str().unwrap_or_default();
        // How a webhook's secret is written is for another rule; a schema describes values and has none.
        if matches!(name, "triggers" | "channels" | "output_schema" | "input_schema" | "expect") {
            continue;
        }
        if let Some(text) = value.as_text().filter(|text| looks_made(text) && is_called_secret(name)) {
            let span = value.span();
            let range = span.range();
            if !told.iter().any(|other| other.start < range.end && range.start < other.end) && !text.is_empty() {
                told.push(range);
                let finding = findings.add(file, span, format!("this looks like the value of a secret: `{name}`"));
                finding.help("revoke it, and read a new one as `{{ secrets.NAME }}`");
            }
        }
        by_name(file, value, depth + 1, told, findings);
    }
    node.items().into_iter().flatten().for_each(|item| by_name(file, item, depth + 1, told, findings));
}

fn is_called_secret(key: &str) -> bool {
    const ENDS: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "access_key",
        "private_key",
        "credentials",
        "authorization",
    ];
    ENDS.iter().any(|end| {
        let at = key.len().checked_sub(end.len());
        at.and_then(|at| key.get(at..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
    })
}

/// Whether a text looks as if a machine had made it: long, without blanks, letters and digits mixed as no word has them.
fn looks_made(text: &str) -> bool {
    let text = ["Bearer ", "Basic ", "token "].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '.' | '!' | '#' | '$' | '%');
    if text.len() < 16 || text.len() > 512 || !text.chars().all(plain) {
        return false;
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    // Words that are joined have few changes between letters and digits.
    let kinds: Vec<bool> = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.is_ascii_digit()).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    digits >= 3 && letters >= 3 && changes >= 4 && bits_a_letter(text) >= 3.0
}

/// Shannon's entropy of the letters.
fn bits_a_letter(text: &str) -> f64 {
    let mut counts = [0_u32; 128];
    text.bytes().filter_map(|byte| counts.get_mut(byte as usize).map(|count| *count += 1)).for_each(drop);
    #[expect(clippy::cast_precision_loss, reason = "at most 512 letters")]
    let total = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::looks_made;

    #[test]
    fn what_a_machine_made_is_told_from_words() {
        for made in ["9f86d081884c7d659a2feaa0c55ad015", "Bearer k3Jf92kLm0QpZx7T", "zaCELgL.0imfnc8mVLWwsAawjYr4Rx"] {
            assert!(looks_made(made), "{made}");
        }
        for words in [
            "release-2026-11-21-final",
            "https://example.com/token",
            "the token of the day",
            "read:packages",
            "vendor_registry_token_2",
            "changeme",
        ] {
            assert!(!looks_made(words), "{words}");
        }
    }
}
