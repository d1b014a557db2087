//! Two steps with one id.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::source::NodeId;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW015",
    name: "duplicate-step-id",
    severity: Severity::Error,
    summary: "Two steps with one id",
    reason: r#"
Expressions and dependencies name steps by id. With two of one name nobody can say which is meant. Ids are unique in
the whole process, bodies of `foreach` included.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: note
    type: set
    values: {text: again}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: again
    type: set
    values: {text: again}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let document = &process.file.document;
        let mut first: BTreeMap<&str, NodeId> = BTreeMap::new();
        for (id, node) in &process.ids {
            match first.entry(id) {
                Entry::Vacant(place) => drop(place.insert(*node)),
                Entry::Occupied(earlier) if earlier.get() == node => {}
                Entry::Occupied(earlier) => {
                    let span = document.node(*node).span();
                    let other = document.node(*earlier.get()).span();
                    let finding = findings.add(process.file, span, format!("there is a step `{id}` already"));
                    finding.also(process.file, other, "the first one");
                }
            }
        }
    }
}
