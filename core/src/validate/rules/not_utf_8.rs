//! Text that is no UTF-8.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW009",
    name: "not-utf-8",
    severity: Severity::Error,
    summary: "Text that is no UTF-8",
    reason: r#"
Files are UTF-8. Bytes that are none are read as U+FFFD, and nobody knows any more what they said.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
description: caf�
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
description: café
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

/// What stands where a byte could not be decoded (Unicode 16, 3.9).
pub(in super::super) const REPLACEMENT: char = '\u{FFFD}';

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let Some(at) = file.source.text().find(REPLACEMENT) else { continue };
        let span = Span::new(at, at + REPLACEMENT.len_utf8());
        findings.add(file, span, "the file is not UTF-8 from here").help("save it as UTF-8");
    }
}
