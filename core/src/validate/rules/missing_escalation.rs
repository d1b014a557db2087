//! An escalation to nobody.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::OnTimeout;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW302",
    name: "missing-escalation",
    severity: Severity::Error,
    summary: "An escalation to nobody",
    reason: r#"
`on_timeout: escalate` adds the people of the next level of `escalate` at the deadline. Without a level there is nobody to
add. Who is to be added before the deadline is said by `escalate`, and what then happens by `on_timeout: reject`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
    on_timeout: escalate
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
    on_timeout: reject
    escalate: [{after: 2h, to: {team: directors}}]
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            // A policy may bring levels of its own, and a list that could not be read has its own fault.
            let written = process.node(step).get("escalate").is_some_and(|levels| !levels.is_empty());
            let levels = written || approval.policy.is_some();
            if approval.on_timeout == OnTimeout::Escalate && !levels {
                let finding =
                    findings.add(process.file, process.value_span(step, "on_timeout"), "there is nobody to add");
                finding.help(
                    "say who is added when, `escalate: [{after: 2h, to: {team: NAME}}]`, and then `on_timeout: reject`",
                );
            }
        }
    }
}
