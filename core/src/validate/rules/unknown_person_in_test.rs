//! A person in a test who is nobody.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{each_case, words};
use crate::definition::repository::{Definition, File};
use crate::source::{Node, closest};
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW421",
    name: "unknown-person-in-test",
    severity: Severity::Warning,
    summary: "A person in a test who is nobody",
    reason: r"
`people` says who there is. A person who is neither among the users nor in a team has no permission and belongs to no group:
what they say does not count.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bib, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut last: Option<(*const File, BTreeSet<String>)> = None;
    each_case(scope, &mut |file, _, case| {
        if last.as_ref().is_none_or(|(known, _)| !std::ptr::eq(*known, file)) {
            last = Some((std::ptr::from_ref(file), people(file)));
        }
        let Some((_, known)) = last.as_ref().filter(|(_, known)| !known.is_empty()) else { return };
        for one in ["decisions", "answers"].into_iter().flat_map(|key| words(case, key)) {
            let Some(by) = one.get("by") else { continue };
            let Some(login) = by.as_str().filter(|login| !known.contains(&login.to_lowercase())) else { continue };
            let finding = findings.add(file, by.span(), format!("`{login}` is not among the people of this test"));
            match closest(login, known.iter().map(String::as_str)) {
                Some(meant) => drop(finding.meant(file, by.span(), Some(meant))),
                None => drop(finding.help("add them to `people`")),
            }
        }
    });
}

/// Everybody whom a test names, in small letters.
fn people(file: &File) -> BTreeSet<String> {
    let Some(Definition::Test(_)) = &file.definition else { return BTreeSet::new() };
    let root = file.document.root().map(|root| file.document.node(root));
    let Some(people) = root.and_then(|root| root.get("people")) else { return BTreeSet::new() };
    let users = people.get("users").into_iter().flat_map(Node::entries).map(|(login, _)| login);
    let teams = people.get("teams").into_iter().flat_map(Node::entries).map(|(_, members)| members);
    let members = teams.filter_map(Node::items).flatten();
    users.chain(members).filter_map(Node::as_str).map(str::to_lowercase).collect()
}
