//! An approval that silence gives.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::OnTimeout;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW306",
    name: "timeout-approves",
    severity: Severity::Warning,
    summary: "An approval that silence gives",
    reason: r#"
With `on_timeout: approve` nobody has to look. Where that is meant, say why in a suppression; `continue` goes on as well,
and says `decision: expired`.
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
    on_timeout: approve
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
    on_timeout: continue
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            if approval.on_timeout == OnTimeout::Approve {
                let message = format!("`{}` is approved when nobody says a word", step.id.as_str());
                let finding = findings.add(process.file, process.value_span(step, "on_timeout"), message);
                finding.help("`reject`, `fail` or `escalate` is safer; `continue` goes on without an approval");
            }
        }
    }
}
