//! A tag in a value that keeps its type.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::Usage;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW207",
    name: "tag-in-value",
    severity: Severity::Error,
    summary: "A tag in a value that keeps its type",
    reason: r#"
`{% if %}` and `{% for %}` make a text. They may stand in texts for people, prompts and bodies; a duration, a condition or
a value that is handed on would silently become a text. An expression can choose as well: `{{ a if b else c }}`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: pause
    type: wait
    for: "{% if inputs.urgent %}1s{% else %}1m{% endif %}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: pause
    type: wait
    for: "{{ '1s' if inputs.urgent else '1m' }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for text in process.texts.texts.iter().filter(|text| text.role.usage == Usage::Value) {
            let Ok(template) = &text.template else { continue };
            if !template.has_statements() {
                continue;
            }
            let at = template.text().find("{%").unwrap_or_default();
            let end =
                template.text().get(at..).and_then(|rest| rest.find("%}")).map_or(at + 2, |length| at + length + 2);
            let span = process.file.document.span_within(text.node, at..end);
            let finding = findings.add(process.file, span, "a tag makes a text of a value that keeps its type");
            finding.help("choose inside one expression: `{{ a if b else c }}`");
        }
    }
}
