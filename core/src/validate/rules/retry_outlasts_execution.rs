//! Pauses between attempts that add up to more than the execution may take.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Retry;
use crate::definition::retry::Backoff;
use crate::value::Duration;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW119",
    name: "retry-outlasts-execution",
    severity: Severity::Warning,
    summary: "Pauses between attempts that add up to more than the execution may take",
    reason: r"
The last attempts are never made: the execution ends at `defaults.execution_timeout`, in the middle of a pause.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
defaults: {execution_timeout: 5m}
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    retry: {max_attempts: 10, backoff: fixed, initial: 1m}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
defaults: {execution_timeout: 1h}
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    retry: {max_attempts: 10, backoff: fixed, initial: 1m}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let Some(whole) = &process.process.header.defaults.execution_timeout else { continue };
        for step in process.steps() {
            let Some(total) = step.retry.as_ref().map(pauses).filter(|total| *total > whole.value) else { continue };
            let message = format!("the pauses add up to {total}, and the execution ends after {}", whole.value);
            let finding = findings.add(process.file, process.key_span(step, "retry"), message);
            finding.help("lower `max_attempts` or the pauses").also(process.file, whole.span, "the execution");
        }
    }
}

/// All pauses together, without what `jitter` takes off.
fn pauses(retry: &Retry) -> Duration {
    let (mut pause, mut total) = (retry.initial.as_millis(), 0_u64);
    for _ in 1..retry.max_attempts {
        total = total.saturating_add(pause.min(retry.max.as_millis()));
        if retry.backoff == Backoff::Exponential {
            pause = pause.saturating_mul(2);
        }
    }
    Duration::from_millis(total)
}
