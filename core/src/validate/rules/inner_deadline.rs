//! A deadline that the step around it never lets come.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::source::Span;
use crate::value::Duration;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW118",
    name: "inner-deadline",
    severity: Severity::Warning,
    summary: "A deadline that the step around it never lets come",
    reason: r"
A `foreach` ends with its own `timeout`, and so does a step that waits for another process. A longer deadline inside is never
reached, and what should happen then never does.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: each
    type: foreach
    items: [a, b]
    timeout: 1h
    steps:
      - id: review
        type: human_approval
        approvers: {team: leads}
        timeout: 4h
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: each
    type: foreach
    items: [a, b]
    timeout: 1d
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
        for step in process.steps() {
            let Some((around, written_in, span)) = process.deadline(step) else { continue };
            match &step.kind {
                StepKind::Foreach(foreach) => {
                    for inner in foreach.steps.iter().flat_map(Step::with_body) {
                        let Some((timeout, own)) = literal(inner).filter(|(timeout, _)| *timeout > around) else {
                            continue;
                        };
                        let message = format!("`{}` ends after {around}, before these {timeout}", step.id.as_str());
                        let finding = findings.add(process.file, own, message);
                        finding.help("shorten it, or lengthen the one around it").also(written_in, span, "around it");
                    }
                }
                StepKind::Process(call) if call.wait => {
                    if let Some(child) = scope.process(call.process.as_str())
                        && let Some((timeout, own)) = longest(child.process).filter(|(timeout, _)| *timeout > around)
                    {
                        let message = format!("`{}` may take {timeout}, longer than this", call.process.as_str());
                        let place = step.timeout.as_ref().map_or(step.id.span, |_| span);
                        let finding = findings.add(process.file, place, message);
                        finding.help("lengthen it, or shorten what is inside").also(child.file, own, "inside");
                        if step.timeout.is_none() {
                            finding.also(written_in, span, "the deadline");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn literal(step: &Step) -> Option<(Duration, Span)> {
    let timeout = step.timeout.as_ref()?;
    timeout.literal().map(|literal| (literal, timeout.span))
}

/// The longest deadline that a process may need: its own, else that of one of its steps.
fn longest(process: &Process) -> Option<(Duration, Span)> {
    if let Some(whole) = &process.header.defaults.execution_timeout {
        return Some((whole.value, whole.span));
    }
    process.all_steps().filter_map(literal).max_by_key(|(timeout, _)| *timeout)
}
