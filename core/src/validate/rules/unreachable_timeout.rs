//! A step that may take longer than its whole execution.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW113",
    name: "unreachable-timeout",
    severity: Severity::Warning,
    summary: "A step that may take longer than its whole execution",
    reason: r"The execution ends at `defaults.execution_timeout`; a later deadline of a step is never reached, and what should
happen then never does.
",
    wrong: r"# .flow/processes/hello.yaml
name: hello
version: 1
defaults: {execution_timeout: 1h}
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
",
    right: r"# .flow/processes/hello.yaml
name: hello
version: 1
defaults: {execution_timeout: 1d}
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let Some(whole) = &process.process.header.defaults.execution_timeout else { continue };
        for step in process.steps().filter(|step| step.timeout.is_some()) {
            let own = process.deadline(step).filter(|(timeout, ..)| *timeout > whole.value);
            let Some((timeout, _, span)) = own else { continue };
            let message = format!("the execution ends after {}, before these {timeout}", whole.value);
            let finding = findings.add(process.file, span, message);
            finding.help("shorten it, or lengthen `execution_timeout`").also(process.file, whole.span, "the execution");
        }
    }
}
