//! A wait that its deadline always cuts short.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW117",
    name: "wait-beyond-deadline",
    severity: Severity::Error,
    summary: "A wait that its deadline always cuts short",
    reason: r"
The step fails before it has waited for so long, each time.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 2h
    timeout: 1h
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 2h
    timeout: 3h
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let whole = process.process.header.defaults.execution_timeout.as_ref();
        for step in process.steps() {
            let StepKind::Wait(wait) = &step.kind else { continue };
            let event = wait.event.as_ref().and_then(|event| event.timeout.as_ref());
            let Some((long, span)) = [wait.duration.as_ref(), event]
                .into_iter()
                .flatten()
                .find_map(|written| written.literal().map(|literal| (literal, written.span)))
            else {
                continue;
            };
            let own =
                step.timeout.as_ref().and_then(|timeout| timeout.literal().map(|literal| (literal, timeout.span)));
            let deadlines = [own, whole.map(|whole| (whole.value, whole.span))];
            if let Some((deadline, written)) = deadlines.into_iter().flatten().find(|(deadline, _)| long > *deadline) {
                let message = format!("it waits for {long}, and the deadline is after {deadline}");
                let finding = findings.add(process.file, span, message);
                finding.help("wait for less, or move the deadline").also(process.file, written, "the deadline");
            }
        }
    }
}
