//! A call whose other side anybody can choose.

use super::super::finding::Severity;
use super::super::reaching::arrivals;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::dataflow::{Field, Origin, Origins, Part};
use crate::definition::{Step, StepType};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW505",
    name: "chosen-host",
    severity: Severity::Error,
    summary: "A call whose other side anybody can choose",
    reason: r"
Text that anybody may have written, or that a model wrote, decides which machine is called: one inside the network that
should never be reached from outside, or one that takes what the call brings. Write the host out, and let text into the path
or the query only.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: fetch
    type: api_call
    url: "https://{{ trigger.pull_request.title }}.example/things"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: fetch
    type: api_call
    url: "https://api.example/things/{{ trigger.pull_request.title | urlencode }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let origins = Origins::of(Origin::Outsider).with(Origins::of(Origin::Model));
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &calls, &is_host, origins) {
            // GitHub itself writes the addresses in what it sends.
            if arrival.begins().starts_with("trigger.payload.") && arrival.begins().ends_with("url") {
                continue;
            }
            let message = format!("`{}` decides who is called, and anybody may have written it", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("write the host out; let text into the path or the query only");
            arrival.tell_way(process, finding);
        }
    }
}

/// Calls whose address is computed from its beginning on.
pub(super) fn calls(step: &Step) -> bool {
    step.step_type() == StepType::ApiCall
}

pub(super) fn is_host(field: &Field) -> bool {
    field.key == "url" && field.part == Part::Host
}
