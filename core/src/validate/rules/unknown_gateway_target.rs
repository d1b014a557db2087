//! A gateway that leads to a step that does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeSet;

use super::super::finding::Applicability;
use super::{each_list, ids_of_bodies};
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW106",
    name: "unknown-gateway-target",
    severity: Severity::Error,
    summary: "A gateway that leads to a step that does not exist",
    reason: r#"
Where that branch is taken, nothing would run.
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
      - {when: "{{ inputs.urgent }}", to: [fsat]}
      - {otherwise: true, to: [slow]}
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
        let inside = ids_of_bodies(process);
        each_list(process.process, &mut |steps, body| {
            let here: BTreeSet<&str> = match body {
                true => steps.iter().map(|step| step.id.as_str()).collect(),
                false => process.all_ids().filter(|id| !inside.contains_key(id)).collect(),
            };
            for step in steps {
                let StepKind::Gateway(gateway) = &step.kind else { continue };
                for target in gateway.branches.iter().flat_map(|branch| &branch.to) {
                    let name = target.as_str();
                    if here.contains(name) || process.unread_ids.may_be(name) {
                        continue;
                    }
                    let Some(places) = process.other_places(name, target.span) else { continue };
                    let message = format!("gateway `{}` leads to `{name}`, which does not exist", step.id.as_str());
                    let others = here.iter().copied().filter(|other| *other != step.id.as_str());
                    let finding = findings.add(process.file, target.span, message);
                    if let Some(meant) = finding.closest(name, others) {
                        finding.help(format!("did you mean `{meant}`?"));
                        finding.fix(process.file, Applicability::Unsafe, target.span, meant);
                    }
                    finding.same_name(process.file, places);
                }
            }
        });
    }
}
