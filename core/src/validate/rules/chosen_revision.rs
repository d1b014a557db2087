//! A workflow that runs as somebody else wrote it.

use super::super::finding::Severity;
use super::super::reaching::{OUTSIDERS, arrivals};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::dataflow::Field;
use crate::definition::{Step, StepType};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW508",
    name: "chosen-revision",
    severity: Severity::Warning,
    summary: "A workflow that runs as somebody else wrote it",
    reason: r"
A workflow runs with the repository's secrets, and in the form that it has on `ref`. A branch that anybody may have named or
filled brings its own workflow along. Run it on a branch that is protected, and give the revision as an input.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: test
    type: workflow
    workflow: release.yml
    ref: "{{ trigger.pull_request.head }}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: test
    type: workflow
    workflow: release.yml
    inputs: {revision: "{{ trigger.pull_request.head_sha }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let workflows = |step: &Step| step.step_type() == StepType::Workflow;
    let field = |field: &Field| field.key == "ref";
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &workflows, &field, OUTSIDERS) {
            let message = format!("`{}` decides which form of the workflow runs", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("leave `ref` out, and give the revision in `inputs`");
            arrival.tell_way(process, finding);
        }
    }
}
