//! An expression that cannot be read.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::expression::Remaining;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW201",
    name: "invalid-expression",
    severity: Severity::Error,
    summary: "An expression that cannot be read",
    reason: r#"
Only what can be read can be checked, and it would fail when it runs. The same is said of filters and tests that do
not exist: there is a list of those that do, and no others. The other expressions of the same text are checked nevertheless.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "{{ execution.id | shout }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "{{ execution.id | upper }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let document = &process.file.document;
        for text in &process.texts.texts {
            let Err(first) = &text.template else { continue };
            let more = document.node(text.node).as_text().map(|text| Remaining::of(text, first)).unwrap_or_default();
            for error in std::iter::once(first).chain(&more.faults) {
                let span = document.span_within(text.node, error.range.clone());
                findings.add(process.file, span, error.message.clone()).maybe_help(error.help.clone());
            }
        }
    }
    for prompt in scope.types.prompts() {
        let Err(first) = prompt.template() else { continue };
        let start = prompt.prompt.template_start as usize;
        for error in std::iter::once(first).chain(&Remaining::of(&prompt.prompt.template, first).faults) {
            let span = Span::new(start + error.range.start, start + error.range.end);
            findings.add(prompt.file, span, error.message.clone()).maybe_help(error.help.clone());
        }
    }
}
