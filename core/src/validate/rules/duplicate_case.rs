//! Two cases of a test with one name.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};
use crate::source::Span;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW424",
    name: "duplicate-case",
    severity: Severity::Warning,
    summary: "Two cases of a test with one name",
    reason: r"
Where one of them fails, nobody can say which.
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
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
  - name: two people agree
    expect: {status: waiting}
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
  - name: nobody agrees
    expect: {status: waiting}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Test) {
        let Some(Definition::Test(test)) = &file.definition else { continue };
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        for case in &test.cases {
            match first.get(case.name.as_str()) {
                Some(earlier) => {
                    let finding = findings.add(file, case.name.span, "there is a case of this name already");
                    finding.help("say what this one shows").also(file, *earlier, "the first one");
                }
                None => drop(first.insert(case.name.as_str(), case.name.span)),
            }
        }
    }
}
