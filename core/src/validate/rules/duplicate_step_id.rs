//! Two steps with one id.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope, WrittenId};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW015",
    name: "duplicate-step-id",
    severity: Severity::Error,
    summary: "Two steps with one id",
    reason: r#"
Expressions and dependencies name steps by id. With two of one name nobody can say which is meant. Ids are unique in
the whole process, bodies of `foreach` included. A step that takes its keys from an anchor (`<<: *step`) needs an `id` of its own too.
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
        let mut first: BTreeMap<&str, &WrittenId> = BTreeMap::new();
        for written in &process.ids {
            match first.entry(&written.id) {
                Entry::Vacant(place) => drop(place.insert(written)),
                Entry::Occupied(earlier) => tell(process, earlier.get(), written, findings),
            }
        }
    }
}

fn tell(process: &ProcessScope<'_>, earlier: &WrittenId, written: &WrittenId, findings: &mut Findings) {
    let document = &process.file.document;
    let first = document.node(earlier.node).span();
    let id = &written.id;
    if earlier.node != written.node {
        let span = document.node(written.node).span();
        let finding = findings.add(process.file, span, format!("there is a step `{id}` already"));
        finding.also(process.file, first, "the first one");
    } else if earlier.step != written.step {
        let step = document.node(written.step);
        let own = step.entries().map(|(key, _)| key.span()).find(|key| step.outer_span().contains(*key));
        let message = format!("this step has the id `{id}` from an anchor, and there is a step `{id}` already");
        let finding = findings.add(process.file, own.unwrap_or_else(|| step.span()), message);
        finding.help("give it an `id` of its own").also(process.file, first, "the first one");
    } else {
        let message = format!("the step `{id}` stands here and, by an alias, a second time");
        let help = "write `<<: *ANCHOR` and an `id` of its own where the alias is";
        findings.add(process.file, first, message).help(help);
    }
}
