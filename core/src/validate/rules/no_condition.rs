//! A `when` that is neither true nor false.

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::reference::Roots;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::shape::Shape;
use super::super::text::{Usage, has_markup};
use crate::definition::repository::File;
use crate::expression::{Reference, Template};
use crate::source::{Node, Resolved};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW206",
    name: "no-condition",
    severity: Severity::Error,
    summary: "A `when` that is neither true nor false",
    reason: r#"
A condition is `true`, `false` or exactly one `{{ … }}` that gives one of them. Bare text would always be the same text,
and text around an expression makes a text of the whole.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.urgent }}"}
    when: inputs.urgent
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: note
    type: set
    values: {text: hello}
    when: "{{ inputs.urgent }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let document = &process.file.document;
        for node in &process.texts.conditions {
            literal(process.file, document.node(*node), findings);
        }
        let roots = Roots::of(scope.repository, process);
        for text in process.texts.texts.iter().filter(|text| text.role.usage == Usage::Condition) {
            let Ok(template) = &text.template else { continue };
            let whole = document.node(text.node).span();
            if !template.is_native() {
                let message = "text around an expression makes a text of it, and a text is no condition";
                findings.add(process.file, whole, message).help("write exactly one `{{ … }}`");
            } else if let Some(noun) = only_reference(template).and_then(|reference| not_boolean(&roots, reference)) {
                let message = format!("a condition must be true or false, this is {noun}");
                findings.add(process.file, whole, message).help("compare it with something");
            }
        }
    }
}

fn literal(file: &File, when: Node<'_>, findings: &mut Findings) {
    match when.resolved() {
        Some(Resolved::Boolean(_)) => {}
        Some(Resolved::Text(text)) if has_markup(text) => {}
        Some(Resolved::Text(text)) => {
            let finding = findings.add(file, when.span(), "a condition must be true or false, this is a bare text");
            finding.help("put it into braces and quotes, as in `\"{{ inputs.urgent }}\"`");
            let plain = file.source.slice(when.span()) == text && when.span() == when.outer_span();
            if plain && !text.contains('"') && !text.contains('\\') {
                finding.fix(file, Applicability::Unsafe, when.span(), format!("\"{{{{ {text} }}}}\""));
            }
        }
        _ => {
            findings.add(file, when.span(), "a condition must be true or false").help("write one `{{ … }}` in quotes");
        }
    }
}

/// The reference that is all of an expression.
fn only_reference(template: &Template) -> Option<&Reference> {
    let [reference] = template.references() else { return None };
    let inside = template.text().trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (template.text().get(reference.range.clone())? == inside).then_some(reference)
}

fn not_boolean(roots: &Roots<'_, '_>, reference: &Reference) -> Option<&'static str> {
    match roots.shape(reference) {
        Shape::Boolean | Shape::Unknown => None,
        other => other.noun(),
    }
}
