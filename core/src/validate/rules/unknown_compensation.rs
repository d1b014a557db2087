//! A compensation that does not exist, or is no compensation.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::RunOn;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW107",
    name: "unknown-compensation",
    severity: Severity::Error,
    summary: "A compensation that does not exist, or is no compensation",
    reason: r#"
`compensate_with` names the step that undoes this one when the execution fails. It has to exist and to say
`run_on: compensation`; otherwise it would run as any other step, or never.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
    compensate_with: undo
  - id: undo
    type: set
    values: {text: gone}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
    compensate_with: undo
  - id: undo
    type: set
    run_on: compensation
    values: {text: gone}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let Some(undo) = &step.compensate_with else { continue };
            let name = undo.as_str();
            if !process.has_id(name) {
                let Some(places) = process.other_places(name, undo.span) else { continue };
                let message = format!("step `{}` is undone by `{name}`, which does not exist", step.id.as_str());
                let finding = findings.add(process.file, undo.span, message);
                let meant = finding.closest(name, process.all_ids());
                finding.meant(process.file, undo.span, meant).same_name(process.file, places);
            } else if let Some(other) = process.process.step(name).filter(|it| it.run_on != RunOn::Compensation) {
                let message = format!("step `{name}` is no compensation");
                let finding = findings.add(process.file, undo.span, message);
                finding.help(format!("give `{name}` `run_on: compensation`"));
                finding.also(process.file, other.id.span, "the step");
            }
        }
    }
}
