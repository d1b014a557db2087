//! A compensation between steps that run on the way.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_graph;
use crate::definition::step::{RunOn, StepKind};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW126",
    name: "compensation-in-the-way",
    severity: Severity::Error,
    summary: "A compensation between steps that run on the way",
    reason: r"
A compensation runs only when the execution fails, in reverse order of what it undoes. A step that waits for it waits for
ever; and it waits for nothing itself.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: reserve
    type: set
    compensate_with: release
    values: {text: hello}
  - id: release
    type: set
    run_on: compensation
    values: {text: gone}
  - id: note
    type: set
    depends_on: release
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: reserve
    type: set
    compensate_with: release
    values: {text: hello}
  - id: release
    type: set
    run_on: compensation
    values: {text: gone}
  - id: note
    type: set
    depends_on: reserve
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let file = process.file;
        if process.steps().all(|step| step.run_on != RunOn::Compensation) {
            continue;
        }
        each_graph(process, &mut |graph| {
            let undoes = |id: &str| graph.find(id).is_some_and(|index| graph.step(index).run_on == RunOn::Compensation);
            for step in graph.steps() {
                if step.run_on == RunOn::Compensation && !step.depends_on.is_empty() {
                    let message =
                        format!("`{}` runs when the execution fails, whatever it waits for", step.id.as_str());
                    let finding = findings.add(file, process.key_span(step, "depends_on"), message);
                    finding.help("remove it: compensations run in reverse order of what they undo");
                    continue;
                }
                for id in step.depends_on.iter().filter(|id| undoes(id.as_str())) {
                    let message = format!("`{}` runs only when the execution fails", id.as_str());
                    let finding = findings.add(file, id.span, message);
                    finding.help(format!("`{}` would wait for ever; name the step that is undone", step.id.as_str()));
                }
                let StepKind::Gateway(gateway) = &step.kind else { continue };
                for target in gateway.branches.iter().flat_map(|branch| &branch.to).filter(|id| undoes(id.as_str())) {
                    let message = format!("`{}` runs only when the execution fails", target.as_str());
                    findings.add(file, target.span, message).help("a gateway cannot lead to a compensation");
                }
            }
        });
    }
}
