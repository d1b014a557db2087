//! A step that depends on a step that does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeSet;

use super::super::finding::Applicability;
use super::super::scope::ProcessScope;
use super::{each_list, ids_of_bodies};
use crate::definition::Step;
use crate::source::Spanned;
use crate::value::StepId;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW012",
    name: "unknown-dependency",
    severity: Severity::Error,
    summary: "A step that depends on a step that does not exist",
    reason: r#"
The step would wait for something that never comes. Usually the name is misspelt, or the other step was renamed.
"#,
    wrong: r#"
# .flow/processes/publish.yaml
name: publish
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
  - id: publish
    type: set
    depends_on: [reviev]
    values: {done: true}
"#,
    right: r#"
# .flow/processes/publish.yaml
name: publish
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
  - id: publish
    type: set
    depends_on: [review]
    values: {done: true}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let inside = ids_of_bodies(process);
        let known: BTreeSet<&str> = process.all_ids().filter(|id| !inside.contains_key(id)).collect();
        each_list(process.process, &mut |steps, body| {
            let here: BTreeSet<&str> = steps.iter().map(|step| step.id.as_str()).collect();
            for step in steps {
                for id in &step.depends_on {
                    let found = if body { here.contains(id.as_str()) } else { known.contains(id.as_str()) };
                    if !found && !process.unread_ids.may_be(id.as_str()) {
                        let names = if body { &here } else { &known };
                        tell(process, step, id, names, findings);
                    }
                }
            }
        });
    }
}

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    id: &Spanned<StepId>,
    known: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    let (file, name) = (process.file, id.as_str());
    if process.has_id(name) {
        let message =
            format!("step `{}` depends on `{name}`, which is not in the same list of steps", step.id.as_str());
        findings.add(file, id.span, message).help("steps inside and outside of a `foreach` cannot wait for each other");
        return;
    }
    let Some(places) = process.other_places(name, id.span) else { return };
    let message = format!("step `{}` depends on `{name}`, which does not exist", step.id.as_str());
    let others = known.iter().copied().filter(|other| *other != step.id.as_str());
    let finding = findings.add(file, id.span, message);
    if let Some(meant) = finding.closest(name, others) {
        finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, id.span, meant);
    }
    finding.same_name(file, places);
}
