//! A policy that extends itself.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::policy::Policy;
use crate::definition::repository::{Definition, File, FileKind, stem};
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW416",
    name: "circular-policy",
    severity: Severity::Error,
    summary: "A policy that extends itself",
    reason: r"
Directly or through others, nobody could say which of them is the base.
",
    wrong: r#"
# .flow/policies/careful.yaml
name: careful
extends: [strict]
applies_to: ["*"]
approvers: {team: leads}

# .flow/policies/strict.yaml
name: strict
extends: [careful]
applies_to: [release]
approvers: {team: security}
"#,
    right: r#"
# .flow/policies/careful.yaml
name: careful
extends: [strict]
applies_to: ["*"]
approvers: {team: leads}

# .flow/policies/strict.yaml
name: strict
applies_to: [release]
approvers: {team: security}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let policies: BTreeMap<&str, (&File, &Policy)> = scope
        .files(FileKind::Policy)
        .filter_map(|file| match &file.definition {
            Some(Definition::Policy(policy)) => Some((stem(file.source.path()), (file, &**policy))),
            _ => None,
        })
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for name in policies.keys() {
        follow(name, &policies, &mut Vec::new(), &mut done, findings);
    }
}

/// Longer chains are left alone: nobody could follow them.
const MAX_DEPTH: usize = 64;

/// Depth first; each policy is left once, so that each circle is told once.
fn follow<'p>(
    name: &'p str,
    policies: &BTreeMap<&'p str, (&'p File, &'p Policy)>,
    way: &mut Vec<&'p str>,
    done: &mut BTreeSet<&'p str>,
    findings: &mut Findings,
) {
    let Some((file, policy)) = policies.get(name).filter(|_| !done.contains(name) && way.len() < MAX_DEPTH) else {
        return;
    };
    way.push(name);
    for base in &policy.extends {
        let Some((base_name, _)) = policies.get_key_value(base.as_str()) else { continue };
        match way.iter().position(|earlier| earlier == base_name) {
            Some(start) => {
                let circle = way[start..].join(" → ");
                findings.add(file, base.span, format!("policy `{base_name}` extends itself: {circle} → {base_name}"));
            }
            None => follow(base_name, policies, way, done, findings),
        }
    }
    way.pop();
    done.insert(name);
}
