//! Free text in a header.

use super::super::finding::Severity;
use super::super::reaching::arrivals;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::chosen_host::calls;
use crate::dataflow::{Field, Origin, Origins};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW510",
    name: "text-in-header",
    severity: Severity::Warning,
    summary: "Free text in a header",
    reason: r"
A header holds plain letters on one line. A title with an umlaut, an emoji or a line break fails the call, and whoever writes
it decides what the other side takes for a header's value. A body holds any text.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: record
    type: api_call
    method: POST
    url: https://api.example/changes
    headers: {x-title: "{{ trigger.pull_request.title }}"}
    body: {number: "{{ trigger.pull_request.number }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: record
    type: api_call
    method: POST
    url: https://api.example/changes
    body: {title: "{{ trigger.pull_request.title }}", number: "{{ trigger.pull_request.number }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let origins = Origins::of(Origin::Outsider).with(Origins::of(Origin::Model));
    let field = |field: &Field| field.key == "headers";
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &calls, &field, origins) {
            // Text that is encoded has plain letters only.
            if process.file.source.slice(arrival.span()).is_empty()
                || is_encoded(process.file.source.text(), arrival.span().end as usize)
            {
                continue;
            }
            let message = format!("`{}` is free text, and a header holds plain letters only", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("put it into the body, or encode it with `| urlencode`");
            arrival.tell_way(process, finding);
        }
    }
}

fn is_encoded(text: &str, end: usize) -> bool {
    text.get(end..).is_some_and(|rest| rest.split("}}").next().is_some_and(|rest| rest.contains("urlencode")))
}
