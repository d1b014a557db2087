//! An output in a test that the process, or a step of it, does not give.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_case;
use crate::definition::repository::File;
use crate::source::{Kind, Node};
use crate::types::Type;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW426",
    name: "unknown-output-in-test",
    severity: Severity::Error,
    summary: "An output in a test that the process, or a step of it, does not give",
    reason: r"
The expectation can never come true. Usually the name is misspelt, or the output was renamed.
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
      outputs: {txt: hello}
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
    each_case(scope, &mut |file, process, case| {
        let header = &process.scope.process.header;
        let known: Vec<&str> = header.outputs.keys().map(|name| name.as_str()).collect();
        let expect = case.get("expect");
        let expected = ["outputs", "outputs_contain"].into_iter().filter_map(|key| expect?.get(key));
        for wrong in expected.clone().filter(|outputs| outputs.kind() != Kind::Mapping && !outputs.is_null()) {
            findings.add(file, wrong.span(), "the outputs of a process are values by name, and never this");
        }
        for (name, _) in expected.flat_map(Node::entries) {
            let Some(text) = name.as_str().filter(|text| !known.contains(text)) else { continue };
            let message = format!("process `{}` has no output `{text}`", header.name.as_str());
            let finding = findings.add(file, name.span(), message);
            finding.meant_among(file, name.span(), text, &known, "gives");
        }
        let steps = expect.and_then(|expect| expect.get("steps")).into_iter().flat_map(Node::entries);
        for (id, step) in steps {
            let Some(id) = id.as_str() else { continue };
            let known = process.steps.get(id).filter(|step| !process.scope.is_faulty(step));
            let types = scope.types.process(process.scope.file.source.path()).filter(|_| known.is_some());
            let Some(of) = types.and_then(|types| types.step_type(&scope.types, id).at_field("output")) else {
                continue;
            };
            let outputs = ["output", "output_contains"].into_iter().filter_map(|key| step.get(key));
            outputs.for_each(|output| fields(&format!("steps.{id}.output"), &of, output, file, findings));
        }
    });
}

/// The fields that are expected of a value and that it cannot have.
fn fields(whole: &str, of: &Type, expected: Node<'_>, file: &File, findings: &mut Findings) {
    let is_record = |one: &Type| matches!(one, Type::Record(_) | Type::Null);
    if !of.alternatives().iter().all(is_record) {
        return;
    }
    if expected.kind() != Kind::Mapping && !expected.is_null() {
        findings.add(file, expected.span(), format!("`{whole}` is values by name, and never this"));
    }
    for (name, value) in expected.entries() {
        let Some(text) = name.as_str() else { continue };
        if let Some(of) = of.at_field(text) {
            fields(&format!("{whole}.{text}"), &of, value, file, findings);
            continue;
        }
        let records =
            of.alternatives().iter().filter_map(|one| if let Type::Record(one) = one { Some(one) } else { None });
        let known: Vec<&str> = records.flat_map(|record| record.names()).collect();
        let finding = findings.add(file, name.span(), format!("`{whole}` has no field `{text}`"));
        finding.meant_among(file, name.span(), text, &known, "has");
    }
}
