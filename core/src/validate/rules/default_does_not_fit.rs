//! A default that its own field would refuse.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{contradicting_limits, each_field};
use crate::source::Schema;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW020",
    name: "default-does-not-fit",
    severity: Severity::Error,
    summary: "A default that its own field would refuse",
    reason: r#"
Whoever leaves the field alone would be refused for a value that the definition itself gave.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: integer, minimum: 5, default: 3}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: integer, minimum: 5, default: 8}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_field(scope, &mut |file, field, _| {
        let Some(default) = field.default.as_ref().filter(|default| !field.plainly_accepts(&default.value)) else {
            return;
        };
        if contradicting_limits::fits_nothing(field) {
            return;
        }
        let Ok(schema) = Schema::compile(&field.to_schema()) else { return };
        if let Some(fault) = schema.check(&file.document, default.node).into_iter().next() {
            let message = format!("the default does not fit its field: {}", fault.message);
            findings.add(file, fault.span, message).maybe_help(fault.help);
        }
    });
}
