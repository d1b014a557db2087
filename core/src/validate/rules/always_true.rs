//! A condition that always holds.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::constant;
use crate::definition::step::StepKind;
use crate::definition::step::gateway::GatewayMode;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW123",
    name: "always-true",
    severity: Severity::Info,
    summary: "A condition that always holds",
    reason: r"
It decides nothing. A gateway's last way for everything else is written `otherwise: true`.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    when: true
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let file = process.file;
        for step in process.steps() {
            if let Some(when) = step.when.as_ref().filter(|when| constant(&when.value) == Some(true)) {
                let finding = findings.add(file, when.span, "this condition always holds");
                finding.help("remove it");
                let entry = edit::of_entry(&file.source, process.node(step), "when");
                finding.remove(file, Applicability::Safe, entry);
            }
            let StepKind::Gateway(gateway) = &step.kind else { continue };
            // What stands behind such a branch is told as never taken.
            let Some(last) = gateway.branches.last().filter(|_| gateway.mode == GatewayMode::First) else { continue };
            let Some(when) = last.when.as_ref().filter(|when| constant(&when.value) == Some(true)) else { continue };
            let finding = findings.add(file, when.span, "this condition always holds");
            finding.help("write `otherwise: true`");
            let node = file.document.node(last.node);
            if let (Some(key), Some(value)) = (node.key_node("when"), node.get("when")) {
                let whole = Span { start: key.outer_span().start, end: value.outer_span().end };
                finding.fix(file, Applicability::Safe, whole, "otherwise: true");
            }
        }
    }
}
