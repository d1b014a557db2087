//! An approval that holds for commits nobody was shown.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::KeepOnPush;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW314",
    name: "approval-outlives-push",
    severity: Severity::Warning,
    summary: "An approval that holds for commits nobody was shown",
    reason: r"
With `keep_on_push: always` what was approved may be replaced afterwards, and the approval stays. `same_tree` keeps it where
the files are the same, as after a rebase. Where it is meant, say why in a suppression.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    keep_on_push: always
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    keep_on_push: same_tree
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            if approval.keep_on_push == KeepOnPush::Always {
                let span = process.value_span(step, "keep_on_push");
                let finding = findings.add(process.file, span, "what is pushed later counts as approved");
                finding.help("write `same_tree`, or `never`");
            }
        }
    }
}
