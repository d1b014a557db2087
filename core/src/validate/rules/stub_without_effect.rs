//! A stub of a step that is performed anyway.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW430",
    name: "stub-without-effect",
    severity: Severity::Error,
    summary: "A stub of a step that is performed anyway",
    reason: r#"
A test performs `set`, `gateway`, `wait`, `foreach`, `human_approval` and `form` as production does: their stub would be
ignored. What people say is written below `decisions` and `answers`; how long a `wait` lasts costs a test no time.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    stubs: {note: {output: {text: hi}}}
    expect: {status: completed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    expect: {status: completed, steps: {note: {output: {text: hello}}}}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for (file, test, process) in super::tests(scope) {
        for id in test.cases.iter().flat_map(|case| case.stubs.keys()) {
            let Some(step) = process.process.step(id.as_str()) else { continue };
            let instead = match &step.kind {
                StepKind::HumanApproval(_) => "say below `decisions` what people decide",
                StepKind::Form(_) => "say below `answers` what people answer",
                StepKind::Set(_) | StepKind::Gateway(_) => "remove it; `expect.steps` can say what comes of the step",
                StepKind::Wait(wait) if wait.event.is_none() => "remove it; the clock of a test is virtual",
                StepKind::Wait(_) => "say below `events` which event comes",
                StepKind::Foreach(_) => "give stubs to the steps of its body",
                _ => continue,
            };
            let message =
                format!("`{}` is performed anyway: a stub of a `{}` has no effect", id.as_str(), step.step_type());
            findings.add(file, id.span, message).help(instead);
        }
    }
}
