//! Inputs in a test that the process does not take.

use super::super::faults::LeftOut;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_case;
use crate::definition::field::schema_of_fields;
use crate::source::{Kind, Node, Schema, SchemaFaultKind, Span};
use indexmap::IndexMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW425",
    name: "inputs-of-test",
    severity: Severity::Error,
    summary: "Inputs in a test that the process does not take",
    reason: r"
The start would be refused: an input that does not exist, a value that does not fit, or a required one that is missing.
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
    inputs: {whom: you}
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
    let mut missing: IndexMap<(&str, &str), LeftOut<'_>> = IndexMap::new();
    each_case(scope, &mut |file, process, case| {
        let declared = &process.scope.process.header.inputs;
        let root = process.scope.file.document.node(process.scope.process.node);
        // An input that could not be read is there all the same.
        if root.get("inputs").map_or(0, Node::len) != declared.len() {
            return;
        }
        let mut lacks = |name: &str, place: Span| {
            let Some((name, _)) = declared.get_key_value(name) else { return };
            let known = missing.entry((file.source.path(), name.as_str())).or_insert_with(|| LeftOut {
                file,
                help: "give it in `inputs`".to_owned(),
                declared: vec![(process.scope.file, name.span)],
                places: Vec::new(),
            });
            known.places.push(place);
        };
        if let Some(inputs) = case.get("inputs").filter(|inputs| !inputs.is_null()) {
            // That these are no inputs at all is told of the file.
            if inputs.kind() != Kind::Mapping {
                return;
            }
            let Ok(schema) = Schema::compile(&schema_of_fields(declared)) else { return };
            for fault in schema.check(&file.document, inputs.id()) {
                match &fault.kind {
                    SchemaFaultKind::MissingKey { key } if fault.path.is_empty() => lacks(key, fault.span),
                    _ => {
                        let message = format!("the process does not take this: {}", fault.message);
                        findings.add(file, fault.span, message).maybe_help(fault.help);
                    }
                }
            }
        } else if let Some((name, _)) = declared.iter().find(|(_, field)| field.required && field.default.is_none()) {
            lacks(name.as_str(), case.get("name").unwrap_or(case).span());
        }
    });
    for ((_, name), missing) in &missing {
        missing.tell(&RULE, &format!("the process needs the input `{name}`"), findings);
    }
}
