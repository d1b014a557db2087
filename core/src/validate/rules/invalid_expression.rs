//! An expression that cannot be read.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW201",
    name: "invalid-expression",
    severity: Severity::Error,
    summary: "An expression that cannot be read",
    reason: r#"
Only what can be read can be checked, and it would fail when it runs. The same is said of filters and tests that do
not exist: there is a list of those that do, and no others.
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
            let Err(error) = &text.template else { continue };
            let span = document.span_within(text.node, error.range.clone());
            findings.add(process.file, span, error.message.clone()).maybe_help(error.help.clone());
        }
    }
    for prompt in scope.types.prompts() {
        let Err(error) = prompt.template() else { continue };
        let start = prompt.prompt.template_start as usize;
        let span = Span::new(start + error.range.start, start + error.range.end);
        findings.add(prompt.file, span, error.message.clone()).maybe_help(error.help.clone());
    }
}
