//! A branch that can never be taken.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::constant;
use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::step::gateway::{Gateway, GatewayMode};
use crate::source::{Node, Span};
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW122",
    name: "unreachable-branch",
    severity: Severity::Error,
    summary: "A branch that can never be taken",
    reason: r"
Its condition is always false, or an earlier branch takes all that it would: one with the same condition, or one that always
holds. Where it leads, nobody ever goes by it.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  size: {type: integer, default: 1}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.size > 5 }}", to: [large]}
      - {when: "{{ inputs.size > 5 }}", to: [huge]}
      - {otherwise: true, to: [small]}
  - {id: large, type: set, values: {way: large}}
  - {id: huge, type: set, values: {way: huge}}
  - {id: small, type: set, values: {way: small}}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  size: {type: integer, default: 1}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.size > 50 }}", to: [large]}
      - {when: "{{ inputs.size > 5 }}", to: [huge]}
      - {otherwise: true, to: [small]}
  - {id: large, type: set, values: {way: large}}
  - {id: huge, type: set, values: {way: huge}}
  - {id: small, type: set, values: {way: small}}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            if let StepKind::Gateway(gateway) = &step.kind {
                tell(process.file, gateway, findings);
            }
        }
    }
}

fn tell(file: &File, gateway: &Gateway, findings: &mut Findings) {
    let first_only = gateway.mode == GatewayMode::First;
    let mut always: Option<Span> = None;
    let mut earlier: BTreeMap<String, Span> = BTreeMap::new();
    for branch in &gateway.branches {
        let Some(when) = &branch.when else {
            // In either mode `otherwise` is for what no branch takes.
            if let Some(always) = always {
                let node = file.document.node(branch.node);
                let span = node.key_node("otherwise").map_or(branch.span, Node::span);
                let finding = findings.add(file, span, "this way is never taken: a branch before it always is");
                finding.help("remove one of them").also(file, always, "always taken");
            }
            continue;
        };
        let text = when.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let same = text.as_ref().and_then(|text| earlier.get(text)).filter(|_| first_only);
        if constant(&when.value) == Some(false) {
            let finding = findings.add(file, when.span, "this way is never taken: its condition is always false");
            finding.help("remove the branch, or give it a condition that can hold");
        } else if let Some(always) = always.filter(|_| first_only) {
            let finding = findings.add(file, when.span, "this way is never taken: a branch before it always is");
            finding.help("remove one of them").also(file, always, "always taken");
        } else if let Some(same) = same {
            let finding =
                findings.add(file, when.span, "this way is never taken: a branch before it has the same condition");
            finding.help("change one of them").also(file, *same, "the same condition");
        }
        if constant(&when.value) == Some(true) {
            always = always.or(Some(when.span));
        }
        if let Some(text) = text {
            earlier.entry(text).or_insert(when.span);
        }
    }
}
