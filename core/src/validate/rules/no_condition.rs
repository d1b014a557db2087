//! A `when` that is neither true nor false.

use std::cell::OnceCell;

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::reference::sound_in_braces;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::{Usage, has_markup};
use crate::definition::repository::File;
use crate::source::{Node, NodeId, Resolved, Span};

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
        let sound = OnceCell::new();
        let mends = |node: NodeId| sound.get_or_init(|| sound_in_braces(&scope.types, process)).contains(&node);
        for node in &process.texts.conditions {
            literal(process.file, document.node(*node), &mends, findings);
        }
        for text in process.texts.texts.iter().filter(|text| text.role.usage == Usage::Condition) {
            if text.template.as_ref().is_ok_and(|template| !template.is_native()) {
                let message = "text around an expression makes a text of it, and a text is no condition";
                let whole = document.node(text.node).span();
                let written = process.file.source.slice(whole);
                let finding = findings.add(process.file, whole, message);
                finding.help("write exactly one `{{ … }}`");
                // As GitHub Actions write it.
                if let Some(rest) = written.strip_prefix('$').filter(|rest| rest.ends_with("}}")) {
                    let dollar = Span { end: whole.start + 1, ..whole };
                    finding.help(format!("write `{rest}`, without the `$`"));
                    if mends(text.node) {
                        finding.fix(process.file, Applicability::Unsafe, dollar, "");
                    }
                }
            }
        }
    }
}

/// `mends` says of a scalar whether it is sound once it stands in braces: no fix makes another mistake of this one.
fn literal(file: &File, when: Node<'_>, mends: &dyn Fn(NodeId) -> bool, findings: &mut Findings) {
    match when.resolved() {
        Some(Resolved::Boolean(_)) => {}
        Some(Resolved::Text(text)) if has_markup(text) => {}
        Some(Resolved::Text(text)) => {
            let finding = findings.add(file, when.span(), "a condition must be true or false, this is a bare text");
            finding.help("put it into braces and quotes, as in `\"{{ inputs.urgent }}\"`");
            let plain = file.source.slice(when.span()) == text && when.span() == when.outer_span();
            if plain && !text.contains('"') && !text.contains('\\') && mends(when.id()) {
                finding.fix(file, Applicability::Unsafe, when.span(), format!("\"{{{{ {text} }}}}\""));
            }
        }
        _ => {
            findings.add(file, when.span(), "a condition must be true or false").help("write one `{{ … }}` in quotes");
        }
    }
}
