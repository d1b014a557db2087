//! A guarantee that names a step or a type that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::unread::UnreadIds;
use crate::definition::StepType;
use crate::definition::repository::File;
use crate::guarantee::Nameless;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW603",
    name: "guarantee-names-nothing",
    severity: Severity::Error,
    summary: "A guarantee that names a step or a type that does not exist",
    reason: r#"
Nothing is proved about a step that is not there: the guarantee would say nothing, and look as if it said something. A
guarantee of a policy may name a step that only some of its processes have, but not one that none of them has.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: shipp, passes: ask}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship, passes: ask}
steps:
  - id: ask
    type: human_approval
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    depends_on: ask
    url: https://example.com/ship
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    // The steps of all processes that a policy governs, by the policy's file.
    let mut governed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut unread: BTreeMap<&str, Vec<&UnreadIds>> = BTreeMap::new();
    for judged in scope.judged().iter().filter(|judged| judged.stated.policy.is_some()) {
        let process = &scope.processes[judged.process];
        let path = judged.stated.file.source.path();
        governed.entry(path).or_default().extend(process.all_ids());
        if !process.unread_ids.is_empty() {
            unread.entry(path).or_default().push(&process.unread_ids);
        }
    }
    let mut told: BTreeSet<(&str, Span)> = BTreeSet::new();
    for judged in scope.judged() {
        let process = &scope.processes[judged.process];
        let file = judged.stated.file;
        let path = file.source.path();
        let own: BTreeSet<&str> = process.all_ids().collect();
        let known = if judged.stated.policy.is_some() { governed.get(path).unwrap_or(&own) } else { &own };
        // A step whose id cannot be read may be what is meant.
        let is_unread = |name: &str| unread.get(path).into_iter().flatten().any(|ids| ids.may_be(name));
        for nameless in judged.nameless.iter().filter(|nameless| !known.contains(nameless.name.as_str())) {
            if !is_unread(&nameless.name) && told.insert((path, nameless.span)) {
                tell(file, nameless, known, findings);
            }
        }
    }
}

fn tell(file: &File, nameless: &Nameless, known: &BTreeSet<&str>, findings: &mut Findings) {
    let name = nameless.name.as_str();
    let mut names: Vec<&str> = known.iter().copied().collect();
    if nameless.type_allowed {
        names.extend(StepType::ALL.into_iter().map(|step_type| -> &str { step_type.as_str() }));
    }
    let what = if nameless.type_allowed { "no step and no type of steps is called" } else { "there is no step" };
    let finding = findings.add(file, nameless.span, format!("{what} `{name}`"));
    if let Some(meant) = finding.closest(name, names) {
        finding.help(format!("did you mean `{meant}`?"));
        finding.fix(file, super::super::finding::Applicability::Unsafe, nameless.span, meant);
    }
}
