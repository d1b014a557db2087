//! A trigger that stands twice.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW115",
    name: "duplicate-trigger",
    severity: Severity::Warning,
    summary: "A trigger that stands twice",
    reason: r"
The process starts once all the same. Usually the second was meant to be another.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /hello
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let Some(triggers) = &process.process.header.triggers else { continue };
        for (place, trigger) in triggers.iter().enumerate().take(MAX_COMPARED) {
            let Some(first) = triggers[..place].iter().find(|earlier| earlier.value == trigger.value) else { continue };
            let node = process.file.document.node(trigger.node);
            let key = node.key_node(trigger.key()).unwrap_or(node);
            let finding = findings.add(process.file, key.span(), "this trigger stands here already");
            finding.help("remove it, or write what was meant").also(process.file, first.span, "the first one");
            let item = edit::of_item(&process.file.source, node.outer_span());
            finding.remove(process.file, Applicability::Safe, item);
        }
    }
}

/// Each trigger is compared with those before it; nobody writes more than this by hand.
const MAX_COMPARED: usize = 200;
