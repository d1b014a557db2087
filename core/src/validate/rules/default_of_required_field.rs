//! A required field with a default.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_field;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW027",
    name: "default-of-required-field",
    severity: Severity::Warning,
    summary: "A required field with a default",
    reason: r"
Where nothing is given the default is taken, so the field is never missing and `required` changes nothing. One of the two
is not meant.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, required: true, default: world}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_field(scope, &mut |file, field, node| {
        let (true, Some(default)) = (field.required, &field.default) else { return };
        let Some(required) = node.key_node("required") else { return };
        let finding = findings.add(file, required.span(), "the field has a default, so it is never missing");
        finding.help("remove `required`, or the default").also(file, default.span, "the default");
        finding.remove(file, Applicability::Safe, edit::of_entry(&file.source, node, "required"));
    });
}
