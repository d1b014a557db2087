//! A list or mapping printed into an address.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW219",
    name: "list-in-address",
    severity: Severity::Error,
    summary: "A list or mapping is printed into an address",
    reason: r#"
Printed, a list or a mapping is JSON with quotes and brackets: no address that anybody answers at. Print one field of it, or
join the entries and encode them.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  tags: {type: list, items: {type: string}, default: [stable]}
steps:
  - id: fetch
    type: api_call
    url: "https://builds.example/search/{{ inputs.tags }}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  tags: {type: list, items: {type: string}, default: [stable]}
steps:
  - id: fetch
    type: api_call
    url: "https://builds.example/search/{{ inputs.tags | join(',') | urlencode }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::InAddress);
}
