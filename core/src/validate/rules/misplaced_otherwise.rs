//! An `otherwise` that is not the last branch, or not the only one.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::step::gateway::Branch;
use crate::source::{Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW105",
    name: "misplaced-otherwise",
    severity: Severity::Error,
    summary: "An `otherwise` that is not the last branch, or not the only one",
    reason: r#"
`otherwise` is taken where no other branch holds. It is written last so that it reads as what it does; a second one
could never be taken, and `otherwise: false` would be no branch at all.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: route
    type: gateway
    branches:
      - {otherwise: true, to: [slow]}
      - {when: "{{ inputs.urgent }}", to: [fast]}
  - id: fast
    type: set
    values: {way: fast}
  - id: slow
    type: set
    values: {way: slow}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: route
    type: gateway
    branches:
      - {when: "{{ inputs.urgent }}", to: [fast]}
      - {otherwise: true, to: [slow]}
  - id: fast
    type: set
    values: {way: fast}
  - id: slow
    type: set
    values: {way: slow}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Gateway(gateway) = &step.kind else { continue };
            let count = gateway.branches.len();
            let mut first: Option<Span> = None;
            for (place, branch) in gateway.branches.iter().enumerate() {
                let Some(otherwise) = branch.otherwise.as_ref().filter(|_| branch.when.is_none()) else { continue };
                let node = process.file.document.node(branch.node);
                let span = node.key_node("otherwise").map_or(otherwise.span, |key| key.span());
                match first {
                    _ if !otherwise.value => {
                        findings
                            .add(process.file, otherwise.span, "`otherwise: false` is no branch")
                            .help("write `true`");
                    }
                    Some(earlier) => {
                        let finding = findings.add(process.file, span, "there is an `otherwise` already");
                        finding.help("a gateway has one way for everything else").also(
                            process.file,
                            earlier,
                            "the first",
                        );
                    }
                    None if place + 1 < count && !later_otherwise(&gateway.branches[place + 1..]) => {
                        let finding = findings.add(process.file, span, "`otherwise` is not the last branch");
                        finding.help("move it to the end");
                    }
                    None => {}
                }
                first = first.or(Some(span));
            }
        }
    }
}

fn later_otherwise(branches: &[Spanned<Branch>]) -> bool {
    branches.iter().any(|branch| branch.otherwise.is_some())
}
