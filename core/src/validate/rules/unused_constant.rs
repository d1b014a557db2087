//! A constant that nothing reads.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::unused_input::used;
use crate::source::Node;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW029",
    name: "unused-constant",
    severity: Severity::Info,
    summary: "A constant that nothing reads",
    reason: r"
It is left over, or an expression was forgotten.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  page: https://status.example
steps:
  - id: note
    type: set
    values: {text: hello}
",
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  page: https://status.example
steps:
  - id: note
    type: set
    values: {text: "{{ context.page }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let constants = &process.process.header.context;
        if constants.is_empty() {
            continue;
        }
        let Some(used) = used(process, "context") else { continue };
        let shared = shared(process);
        let is_used = |name: &str| used.contains(name) || shared.contains(name);
        for name in constants.keys().filter(|name| !is_used(name.as_str())) {
            let finding = findings.add(process.file, name.span, format!("nothing reads the constant `{}`", name.value));
            finding.help(format!("read it as `context.{}`, or remove it", name.value));
        }
    }
}

/// The constants of which a part is written again elsewhere, by an alias or a merge: what is shared is used.
fn shared<'p>(process: &'p ProcessScope<'_>) -> BTreeSet<&'p str> {
    let text = process.file.source.text();
    let aliases: BTreeSet<&str> = marked(text, '*').map(|(_, name)| name).collect();
    let anchors: Vec<usize> = marked(text, '&').filter(|(_, name)| aliases.contains(name)).map(|(at, _)| at).collect();
    let root = process.file.document.node(process.process.node);
    let constants =
        root.get("context").filter(|_| !anchors.is_empty()).into_iter().flat_map(|context| context.entries());
    let has_anchor = |(key, value): &(Node<'_>, Node<'_>)| {
        let (start, end) = (key.span().end as usize, value.outer_span().end as usize);
        anchors.get(anchors.partition_point(|at| *at < start)).is_some_and(|at| *at < end)
    };
    constants.filter(has_anchor).filter_map(|(key, _)| key.as_str()).collect()
}

/// The names behind a mark, with their places. A mark inside of a text counts as well, which only keeps silence.
fn marked(text: &str, mark: char) -> impl Iterator<Item = (usize, &str)> {
    let name = |rest: &'_ str| rest.find(|c: char| c.is_whitespace() || "[]{},".contains(c)).unwrap_or(rest.len());
    text.match_indices(mark).filter_map(move |(at, _)| {
        let rest = &text[at + 1..];
        Some((at, &rest[..name(rest)])).filter(|(_, name)| !name.is_empty())
    })
}
