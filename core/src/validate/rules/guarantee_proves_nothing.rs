//! A guarantee about something that never happens.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::never_runs::contradictions;
use crate::guarantee::Verdict;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW604",
    name: "guarantee-proves-nothing",
    severity: Severity::Warning,
    summary: "A guarantee that holds only because nothing it speaks about ever happens",
    reason: r#"
No run comes to the step, there is no step of the type, or nothing of the source is read anywhere. The guarantee holds and
protects nothing; probably another step or source is meant. Guarantees of policies are not told: they are written for what
processes may become.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: workflow, passes: ask}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: api_call, passes: ask}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut faulty: BTreeMap<usize, bool> = BTreeMap::new();
    for judged in scope.judged().iter().filter(|judged| judged.stated.policy.is_none()) {
        let Some(Verdict::Idle(why)) = &judged.verdict else { continue };
        let process = &scope.processes[judged.process];
        let is_faulty = *faulty
            .entry(judged.process)
            .or_insert_with(|| has_faulty_conditions(process) || !contradictions(process).is_empty());
        if is_faulty {
            continue;
        }
        let message = format!("`{}` proves nothing: {why}", judged.in_words());
        findings.add(judged.stated.file, judged.span(), message).help("name what is to be protected, or remove it");
    }
}

/// Whether a condition cannot be judged, which is told: what is behind it may be meant to be reached.
fn has_faulty_conditions(process: &ProcessScope<'_>) -> bool {
    process.problems.iter().any(|problem| process.texts.conditions.contains(&problem.node))
}
