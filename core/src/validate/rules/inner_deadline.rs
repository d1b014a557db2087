//! A deadline that the step around it never lets come.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::Step;
use crate::definition::repository::File;
use crate::definition::step::{StepKind, StepTimeout, SubProcess};
use crate::source::Span;
use crate::value::Duration;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW118",
    name: "inner-deadline",
    severity: Severity::Warning,
    summary: "A deadline that the step around it never lets come",
    reason: r"
A `foreach` ends with its own `timeout` or that of `defaults`, and so does a step that waits for another process. A longer deadline
inside is never reached, and what should happen then never does: a `timeout`, that of an event, the length of a `wait`, and
`defaults` of the other process.
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

/// A length of time, and where it is written.
type Length<'r> = (Duration, &'r File, Span);

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let Some(around) = process.deadline(step) else { continue };
            match &step.kind {
                StepKind::Foreach(foreach) => list(scope, process, (step, &foreach.steps), (around, None), findings),
                StepKind::Process(call) if call.wait => child(scope, process, (step, call), (around, None), findings),
                _ => {}
            }
        }
    }
}

/// What is inside a `foreach`, lists in it that say nothing themselves included: what is longer than `default`, which ends
/// them, is told at them.
fn list(
    scope: &Scope<'_>,
    process: &ProcessScope<'_>,
    (owner, steps): (&Step, &[Step]),
    (around, default): (Length<'_>, Option<Duration>),
    findings: &mut Findings,
) {
    let (limit, written_in, span) = around;
    let is_told_here = |length: Duration| length > limit && default.is_none_or(|default| length <= default);
    for inner in steps {
        if let Some((length, own)) = written(inner).filter(|(length, _)| is_told_here(*length)) {
            let message = format!("`{}` ends after {limit}, before these {length}", owner.id.as_str());
            let finding = findings.add(process.file, own, message);
            finding.help("shorten it, or lengthen the one around it").also(written_in, span, "around it");
        }
        let default = process.deadline(inner).map(|(length, ..)| length).or(default);
        match &inner.kind {
            StepKind::Foreach(foreach) if written(inner).is_none() => {
                list(scope, process, (owner, &foreach.steps), (around, default), findings);
            }
            StepKind::Process(call) if call.wait && written(inner).is_none() => {
                child(scope, process, (inner, call), (around, default), findings);
            }
            _ => {}
        }
    }
}

/// A process that a step waits for no longer than its deadline, or that of the list around it; then what is longer than
/// `default`, which ends the step, is told by itself.
fn child(
    scope: &Scope<'_>,
    process: &ProcessScope<'_>,
    (step, call): (&Step, &SubProcess),
    ((limit, written_in, span), default): (Length<'_>, Option<Duration>),
    findings: &mut Findings,
) {
    let Some(child) = scope.process(call.process.as_str()) else { return };
    let is_told_here = |length: Duration| length > limit && default.is_none_or(|default| length <= default);
    let Some((length, file, own)) = longest(scope, child).filter(|(length, ..)| is_told_here(*length)) else { return };
    let message = format!("`{}` may take {length}, longer than this", call.process.as_str());
    let is_its_own = step.timeout.as_ref().is_some_and(|timeout| timeout.literal().is_some());
    let finding = findings.add(process.file, if is_its_own { span } else { step.id.span }, message);
    finding.help("lengthen it, or shorten what is inside").also(file, own, "inside");
    if !is_its_own {
        finding.also(written_in, span, "the deadline");
    }
}

/// How long a step says that it may take: by its own deadline, by what it waits for, and by the earlier of both. What is
/// computed may be any length.
fn written(step: &Step) -> Option<(Duration, Span)> {
    let waited = match &step.kind {
        StepKind::Wait(wait) => wait.duration.as_ref().or(wait.event.as_ref().and_then(|event| event.timeout.as_ref())),
        _ => None,
    };
    let all = step.timeout.iter().chain(waited).map(|length| Some((length.literal()?, length.span)));
    all.collect::<Option<Vec<_>>>()?.into_iter().min_by_key(|(length, _)| *length)
}

/// The longest time that a process says it needs: as a whole, else for one of its steps, by itself or by its `defaults`.
/// Those of `flow.yaml` say nothing of this process; what it may take as a whole by them bounds it.
fn longest<'r>(scope: &Scope<'r>, child: &ProcessScope<'r>) -> Option<Length<'r>> {
    let defaults = &child.process.header.defaults;
    if let Some(whole) = &defaults.execution_timeout {
        return Some((whole.value, child.file, whole.span));
    }
    let (length, span) = longest_of(child, &child.process.steps)?;
    let whole = scope.repository.settings().and_then(|settings| settings.defaults.execution_timeout);
    Some((whole.map_or(length, |whole| whole.value.min(length)), child.file, span))
}

/// The longest time that one of these steps says it needs. A list that says how long it takes speaks for what is inside.
fn longest_of(process: &ProcessScope<'_>, steps: &[Step]) -> Option<(Duration, Span)> {
    let default = process.process.header.defaults.timeout;
    let of = |step: &Step| {
        let by_default = || {
            let default = default.filter(|_| matches!(process.timeout(step), Some(StepTimeout::Default(_))))?;
            Some((default.value, default.span))
        };
        match (written(step).or_else(by_default), &step.kind) {
            (None, StepKind::Foreach(foreach)) => longest_of(process, &foreach.steps),
            (length, _) => length,
        }
    };
    steps.iter().filter_map(of).max_by_key(|(length, _)| *length)
}
