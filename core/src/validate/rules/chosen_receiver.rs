//! A message to whomever anybody names.

use super::super::finding::Severity;
use super::super::reaching::{OUTSIDERS, arrivals};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::dataflow::Field;
use crate::definition::{Step, StepType};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW509",
    name: "chosen-receiver",
    severity: Severity::Warning,
    summary: "A message to whomever anybody names",
    reason: r"
Text that anybody may have written decides who is written to, in your name. Name the receivers, or a channel of `flow.yaml`.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: "{{ secrets.HOOK }}"}
steps:
  - id: tell
    type: notify
    channel: email
    to: "{{ trigger.payload.contact }}"
    message: It is out.
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - webhook: {secret: "{{ secrets.HOOK }}"}
steps:
  - id: tell
    type: notify
    channel: email
    to: team@example.com
    message: It is out.
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let messages = |step: &Step| step.step_type() == StepType::Notify;
    let field = |field: &Field| field.key == "to";
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &messages, &field, OUTSIDERS) {
            let message = format!("`{}` decides who is written to", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("name the receivers, or a channel of `.flow/flow.yaml`");
            arrival.tell_way(process, finding);
        }
    }
}
