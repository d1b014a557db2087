//! A gateway without a way for everything else.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::constant;
use crate::definition::step::StepKind;
use crate::definition::step::gateway::Branch;
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW104",
    name: "gateway-without-otherwise",
    severity: Severity::Warning,
    summary: "A gateway without a way for everything else",
    reason: r#"
Where no branch holds, a gateway without `otherwise` fails, and everything behind it is skipped. Even where the
conditions seem to cover everything, somebody will change one of them.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.urgent }}", to: [fast]}
      - {when: "{{ not inputs.urgent }}", to: [slow]}
  - id: fast
    type: set
    values: {way: fast}
  - id: slow
    type: set
    values: {way: slow}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.urgent }}", to: [fast]}
      - {otherwise: true, to: [slow]}
  - id: fast
    type: set
    values: {way: fast}
  - id: slow
    type: set
    values: {way: slow}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Gateway(gateway) = &step.kind else { continue };
            let complete = gateway.branches.iter().all(|branch| branch.when.is_some() || branch.otherwise.is_some());
            // Also of a branch that could not be read.
            let written = process.node(step).get("branches").and_then(Node::items);
            let covered = written.into_iter().flatten().any(|branch| branch.get("otherwise").is_some());
            // A branch that always holds takes everything else, and is told as such.
            let always = |branch: &Branch| branch.when.as_ref().and_then(|when| constant(&when.value)) == Some(true);
            let covered = covered || gateway.branches.iter().any(|branch| always(&branch.value));
            if complete && !covered && !gateway.branches.is_empty() {
                let message = format!("gateway `{}` has no way for everything else", step.id.as_str());
                let help = "add a last branch `{otherwise: true, to: [STEP]}`";
                findings.add(process.file, process.key_span(step, "branches"), message).help(help);
            }
        }
    }
}
