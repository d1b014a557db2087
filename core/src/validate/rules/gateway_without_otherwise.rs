//! A gateway without a way for everything else.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::constant;
use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::definition::step::gateway::Branch;
use crate::expression::Template;
use crate::expression::compared::Compared;
use crate::source::{Node, Spanned};
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW104",
    name: "gateway-without-otherwise",
    severity: Severity::Warning,
    summary: "A gateway without a way for everything else",
    reason: r#"
Where no branch holds, a gateway without `otherwise` fails, and everything behind it is skipped. Even where the
conditions seem to cover everything, somebody will change one of them.
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
      - {when: "{{ inputs.urgent }}", to: [fast]}
      - {when: "{{ not inputs.urgent }}", to: [slow]}
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
            let complete = gateway.branches.iter().all(|branch| branch.when.is_some() || branch.otherwise.is_some());
            // Also of a branch that could not be read.
            let written = process.node(step).get("branches").and_then(Node::items);
            let covered = written.into_iter().flatten().any(|branch| branch.get("otherwise").is_some());
            // A branch that always holds takes everything else, and is told as such.
            let always = |branch: &Branch| branch.when.as_ref().and_then(|when| constant(&when.value)) == Some(true);
            let covered = covered || gateway.branches.iter().any(|branch| always(&branch.value));
            let covered = covered || takes_every_word(scope, process, step, &gateway.branches);
            let covered = covered || leads_too_little(process, step);
            if complete && !covered && !gateway.branches.is_empty() {
                let message = format!("gateway `{}` has no way for everything else", step.id.as_str());
                let help = "add a last branch `{otherwise: true, to: [STEP]}`";
                findings.add(process.file, process.key_span(step, "branches"), message).help(help);
            }
        }
    }
}

/// Whether a step to which nothing leads reads what is before the gateway: that is told, and that a branch may be missing.
fn leads_too_little(process: &ProcessScope<'_>, gateway: &Step) -> bool {
    let mut early = process.problems.iter().filter(|problem| problem.kind == ProblemKind::NotBefore);
    early.any(|problem| problem.gateway.as_deref() == Some(gateway.id.as_str()))
}

/// Whether the branches ask one thing for words, and together for all that it can be.
fn takes_every_word(scope: &Scope<'_>, process: &ProcessScope<'_>, step: &Step, branches: &[Spanned<Branch>]) -> bool {
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut words: BTreeSet<String> = BTreeSet::new();
    for branch in branches {
        let Some(template) = branch.value.when.as_ref().and_then(|when| Template::parse(when.value.as_str()?).ok())
        else {
            return false;
        };
        let Some(compared) = Compared::of(&template) else { return false };
        let Some(own) = compared.words() else { return false };
        words.extend(own.into_iter().map(str::to_owned));
        asked.insert(compared.what);
    }
    let (Some(chain), None) = (asked.pop_first(), asked.pop_first()) else { return false };
    let mut texts = process.texts.texts.iter();
    let Some(text) = texts.find(|text| text.owner.id() == Some(step.id.as_str())) else { return false };
    let of = scope.types.chain_of(process.file.source.path(), &text.owner, &chain);
    of.known_words().is_some_and(|known| known.iter().all(|word| words.contains(&**word)))
}
