//! A pattern that is no regular expression.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use serde_json::json;

use super::each_field;
use crate::source::Schema;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW024",
    name: "malformed-pattern",
    severity: Severity::Error,
    summary: "A pattern that is no regular expression",
    reason: r#"
The pattern of a field is a regular expression. One that cannot be read would refuse every value.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, pattern: "[a-z", required: true}
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
  who: {type: string, pattern: "[a-z]", required: true}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_field(scope, &mut |file, field, _| {
        let Some(pattern) = &field.pattern else { return };
        if Schema::verify(&json!({"type": "string", "pattern": pattern.value})).is_err() {
            findings.add(file, pattern.span, "this is no regular expression").help("check its brackets and escapes");
        }
    });
}
