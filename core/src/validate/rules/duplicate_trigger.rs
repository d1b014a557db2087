//! A trigger that stands twice.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::digest::canonical;
use crate::source::{Node, to_json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW115",
    name: "duplicate-trigger",
    severity: Severity::Warning,
    summary: "A trigger that stands twice",
    reason: r"
The process starts once all the same. Usually the second was meant to be another.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /hello
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let document = &process.file.document;
        let triggers = document.node(process.process.node).get("triggers");
        let mut first: BTreeMap<String, Node<'_>> = BTreeMap::new();
        for trigger in triggers.and_then(Node::items).into_iter().flatten() {
            let key = trigger.entries().next().map_or(trigger, |(key, _)| key);
            // As it is written: what could not be read may be the difference.
            match first.entry(canonical(&to_json(document, trigger.id()))) {
                Entry::Vacant(place) => drop(place.insert(key)),
                Entry::Occupied(earlier) => {
                    let finding = findings.add(process.file, key.span(), "this trigger stands here already");
                    finding.help("remove it, or write what was meant");
                    finding.also(process.file, earlier.get().span(), "the first one");
                    let item = edit::of_item(&process.file.source, trigger.outer_span());
                    finding.remove(process.file, Applicability::Safe, item);
                }
            }
        }
    }
}
