//! A process that is never started is waited for.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::step::StepKind;
use crate::definition::{ProcessStatus, Trigger};
use crate::source::Spanned;
use crate::value::Slug;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW412",
    name: "archived-process",
    severity: Severity::Error,
    summary: "A process that is never started is waited for",
    reason: r"
An archived process does not start, neither as a step of another nor by its triggers. The step fails, and a trigger that
waits for its end never fires.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: process
    process: greet
    inputs: {who: world}

# .flow/processes/greet.yaml
name: greet
version: 1
status: archived
inputs:
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: process
    process: greet
    inputs: {who: world}

# .flow/processes/greet.yaml
name: greet
version: 1
inputs:
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in scope.processes.iter().filter(|it| it.process.header.status != ProcessStatus::Archived) {
        for trigger in process.process.header.triggers.iter().flatten() {
            if let Trigger::Process(other) = &trigger.value {
                tell(scope, process, &other.name, findings);
            }
        }
        for step in process.steps() {
            if let StepKind::Process(call) = &step.kind {
                tell(scope, process, &call.process, findings);
            }
        }
    }
}

fn tell(scope: &Scope<'_>, process: &ProcessScope<'_>, name: &Spanned<Slug>, findings: &mut Findings) {
    let Some(other) = scope.process(name.as_str()) else { return };
    let (file, other) = (other.file, other.process);
    if other.header.status == ProcessStatus::Archived {
        let message = format!("process `{}` is archived: nothing starts it", name.as_str());
        let finding = findings.add(process.file, name.span, message);
        finding.help("publish it, or name another").also(file, other.header.name.span, "the process");
    }
}
