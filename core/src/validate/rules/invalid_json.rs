//! A .json file that is no JSON.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::File;
use crate::source::{MAXIMUM_BYTES, Span};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW404",
    name: "invalid-json",
    severity: Severity::Error,
    summary: "A .json file that is no JSON",
    reason: r#"
JSON is stricter than YAML: no comma after the last entry, no comments, double quotes only. Other tools that read the same
file would refuse it.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/schemas/greeting.json
{"type": "object",}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/schemas/greeting.json
{"type": "object"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let Some(error) = error(file) else { continue };
        // serde_json counts lines and columns in bytes from 1; column 0 is the end of the line before.
        let line = file.source.line_span(u32::try_from(error.line()).unwrap_or(u32::MAX));
        let at = (line.start as usize + error.column().saturating_sub(1)).min(line.end as usize);
        let text = file.source.text();
        let start = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let width = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let words = error.to_string();
        let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
        findings.add(file, Span::new(start, start + width), format!("this is no JSON: {message}"));
    }
}

fn error(file: &File) -> Option<serde_json::Error> {
    // What is too large is not read at all, and another rule says so.
    let is_read = file.source.text().len() <= MAXIMUM_BYTES;
    if !file.source.path().ends_with(".json") || !is_read || file.source.text().trim().is_empty() {
        return None;
    }
    let text = file.source.text().trim_start_matches('\u{feff}');
    serde_json::from_str::<serde::de::IgnoredAny>(text).err()
}

/// Whether a file should be JSON and is not. What YAML makes of it says nothing then.
pub(in super::super) fn is_broken(file: &File) -> bool {
    error(file).is_some()
}
