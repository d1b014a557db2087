//! A choice that its own field refuses.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{contradicting_limits, each_field};
use crate::definition::Field;
use crate::source::{Node, Schema};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW032",
    name: "choice-does-not-fit",
    severity: Severity::Error,
    summary: "A choice that its own field refuses",
    reason: r"
`enum` lists the values that are allowed. One of another type, or beyond the field's other limits, could be chosen and would
then be refused.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, enum: [1, 2, high], default: 1}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.level }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, enum: [1, 2, 3], default: 1}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.level }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_field(scope, &mut |file, field, node| {
        let Some(choices) = field.choices.as_ref().and(node.get("enum")).and_then(Node::items) else { return };
        let alone = Field { choices: None, default: None, ..field.clone() };
        if contradicting_limits::fits_nothing(field)
            || field.choices.iter().flatten().all(|choice| alone.plainly_accepts(choice))
        {
            return;
        }
        let Ok(schema) = Schema::compile(&alone.to_schema()) else { return };
        for choice in choices {
            if let Some(fault) = schema.check(&file.document, choice.id()).into_iter().next() {
                let message = format!("the choice does not fit its field: {}", fault.message);
                findings.add(file, fault.span, message).maybe_help(fault.help);
            }
        }
    });
}
