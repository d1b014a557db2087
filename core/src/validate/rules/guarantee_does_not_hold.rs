//! A guarantee that some run breaks.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::step::StepKind;
use crate::guarantee::{Judged, Verdict};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW601",
    name: "guarantee-does-not-hold",
    severity: Severity::Error,
    summary: "A guarantee that does not hold in every run",
    reason: r#"
A guarantee says what must hold whatever happens: gateways, conditions, failures, deadlines and cancelling included.
Validation looks at every way and has found one that breaks it. The finding tells the shortest one step by step; what
exactly is proved stands in [guarantees.md](../guarantees.md).
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship, passes: {approval: {role: maintain}}}
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.urgent }}", to: [ship]}
      - {otherwise: true, to: [ask]}
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    method: POST
    depends_on: ask
    url: https://example.com/ship
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship, passes: {approval: {role: maintain}}}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    method: POST
    depends_on: ask
    url: https://example.com/ship
"#,
    check,
};

/// Most places of a path that are shown beside a finding.
const MAX_PLACES: usize = 12;

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for judged in scope.judged() {
        let Some(Verdict::Fails(against)) = &judged.verdict else { continue };
        // What an approval asks for is not known where nothing says it; that is told by itself.
        if asks_nobody(&scope.processes[judged.process]) {
            continue;
        }
        let finding = match place(judged) {
            Place::Process => findings.add(
                judged.stated.file,
                judged.span(),
                format!("`{}` does not hold: {}", judged.in_words(), against.in_words()),
            ),
            Place::Policy(policy) => {
                let process = &scope.processes[judged.process];
                let name = &process.process.header.name;
                let words = judged.in_words();
                let message = format!(
                    "`{words}` of the policy `{policy}` does not hold for `{}`: {}",
                    name.as_str(),
                    against.in_words()
                );
                let finding = findings.add(process.file, name.span, message);
                finding.also(judged.stated.file, judged.span(), "the policy demands it here")
            }
        };
        finding.maybe_help(against.help.clone());
        for place in against.places.iter().take(MAX_PLACES) {
            finding.also(place.file, place.span, place.message.clone());
        }
    }
}

fn asks_nobody(process: &ProcessScope<'_>) -> bool {
    process.steps().any(|step| match &step.kind {
        StepKind::HumanApproval(approval) => approval.approvers.is_none() && approval.policy.is_none(),
        _ => false,
    })
}

/// Whose guarantee it is.
pub(super) enum Place<'j> {
    /// The process's own: it is told there.
    Process,
    /// A policy's: it is told at the process that breaks it.
    Policy(&'j str),
}

/// Where a finding about a guarantee belongs.
pub(super) fn place<'j>(judged: &'j Judged<'_>) -> Place<'j> {
    judged.stated.policy.map_or(Place::Process, Place::Policy)
}
