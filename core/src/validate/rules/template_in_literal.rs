//! An expression where none is evaluated.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{File, FileKind};
use crate::expression::{Template, markup};
use crate::source::{Node, NodeId};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW210",
    name: "template-in-literal",
    severity: Severity::Warning,
    summary: "An expression where none is evaluated",
    reason: r#"
Constants, fields, names of files and the structure of a process are read as they are written. An expression there would
be taken as its own text.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  greeting: "Hello {{ trigger.actor }}"
steps:
  - id: note
    type: set
    values: {text: "{{ context.greeting }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  greeting: Hello
steps:
  - id: note
    type: set
    values: {text: "{{ context.greeting }} {{ trigger.actor }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        if process.texts.elsewhere.is_empty() {
            continue;
        }
        let document = &process.file.document;
        let root = document.node(process.process.node);
        let told = told(process.file, root);
        let webhook_secrets = root.get("triggers").into_iter().flat_map(below);
        let rules_of_notify = root.get("notify").into_iter().flat_map(below);
        let description = root.get("description").map(Node::id);
        let elsewhere: BTreeSet<NodeId> = webhook_secrets.chain(rules_of_notify).chain(description).collect();
        for node in process.texts.elsewhere.iter().filter(|node| !told.contains(node) && !elsewhere.contains(node)) {
            let finding = findings.add(process.file, document.node(*node).span(), "no expression is evaluated here");
            finding.help("write the value itself, or compute it in a step");
        }
    }
    check_agents(scope, findings);
}

/// An agent serves many steps, so nothing in its file is computed: the model would be sent the markup itself.
fn check_agents(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Agent) {
        let Some(root) = file.document.root() else { continue };
        let root = file.document.node(root);
        let told = told(file, root);
        for node in below(root).into_iter().filter(|node| !told.contains(node)) {
            let text = file.document.node(node).as_text().and_then(|text| Some((text, first_markup(text)?)));
            // A secret there is told as a secret.
            let Some((text, range)) = text else { continue };
            if Template::parse(text).is_ok_and(|text| text.references().iter().any(|one| one.root() == "secrets")) {
                continue;
            }
            let span = file.document.scalar_map(node).span(range);
            let finding = findings.add(file, span, "no expression is evaluated here");
            finding.help("write the value itself, or compute it in `message` of the step");
        }
    }
}

/// The first expression or tag in a text.
fn first_markup(text: &str) -> Option<Range<usize>> {
    markup(text).into_iter().find(|range| !text[range.clone()].starts_with("{#"))
}

/// What other findings speak about: faulty values, and what stands below unknown keys.
fn told(file: &File, root: Node<'_>) -> BTreeSet<NodeId> {
    let faulty: BTreeSet<NodeId> = file.structure.iter().map(|fault| fault.node).collect();
    let mut told = faulty.clone();
    if faulty.is_empty() {
        return told;
    }
    let mut open = vec![root];
    let mut seen = BTreeSet::new();
    while let Some(node) = open.pop() {
        if !seen.insert(node.id()) {
            continue;
        }
        open.extend(node.items().into_iter().flatten());
        for (key, value) in node.entries() {
            match faulty.contains(&key.id()) {
                true => told.extend(below(value)),
                false => open.push(value),
            }
        }
    }
    told
}

/// Every node below one, and itself.
fn below(node: Node<'_>) -> Vec<NodeId> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if found.insert(node.id()) {
            open.extend(node.items().into_iter().flatten());
            open.extend(node.entries().map(|(_, value)| value));
        }
    }
    found.into_iter().collect()
}
