//! A value that stands twice in a list.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::each_field;
use crate::definition::digest::canonical;
use crate::definition::repository::{File, FileKind};
use crate::definition::step::StepType;
use crate::source::{Kind, Node, to_json};
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW026",
    name: "duplicate-value",
    severity: Severity::Warning,
    summary: "A value that stands twice in a list",
    reason: r"
The second one changes nothing. Usually another value was meant.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened, reopened, opened]}
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
  - pull_request: {actions: [opened, reopened, synchronize]}
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        of_process(process, findings);
    }
    each_field(scope, &mut |file, _, node| tell(file, node.get("enum"), findings));
    for file in scope.all_files() {
        let keys: &[&str] = match file.kind {
            FileKind::Agent => &["tools"],
            FileKind::Tool => &["operations"],
            FileKind::Policy => &["extends"],
            _ => continue,
        };
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        keys.iter().for_each(|key| tell(file, root.get(key), findings));
        for window in root.get("windows").and_then(Node::items).into_iter().flatten() {
            tell(file, window.get("days"), findings);
        }
        root.get("approvers").into_iter().for_each(|people| of_people(file, people, 0, findings));
    }
}

fn of_process(process: &ProcessScope<'_>, findings: &mut Findings) {
    let file = process.file;
    let root = file.document.node(process.process.node);
    for trigger in root.get("triggers").and_then(Node::items).into_iter().flatten() {
        for (_, fields) in trigger.entries() {
            for key in ["actions", "labels", "environments", "branches", "tags", "paths"] {
                // Of patterns the last one that matches decides: one may be taken back and given again.
                let list = fields.get(key).filter(|list| !takes_back(*list));
                tell(file, list, findings);
            }
        }
    }
    for rule in root.get("notify").and_then(Node::items).into_iter().flatten() {
        tell(file, rule.get("on"), findings);
    }
    for step in process.steps() {
        let node = process.node(step);
        tell(file, node.get("retry").and_then(|retry| retry.get("on")), findings);
        match step.step_type() {
            StepType::AgentTask => tell(file, node.get("tools"), findings),
            StepType::HumanApproval | StepType::Form => {
                tell(file, node.get("reminders"), findings);
                for key in ["approvers", "assignees"] {
                    node.get(key).into_iter().for_each(|people| of_people(file, people, 0, findings));
                }
            }
            StepType::Gateway => {
                for branch in node.get("branches").and_then(Node::items).into_iter().flatten() {
                    tell(file, branch.get("to"), findings);
                }
            }
            StepType::ApiCall => tell(file, node.get("expect").and_then(|expect| expect.get("status")), findings),
            StepType::Notify => tell(file, node.get("to"), findings),
            _ => {}
        }
    }
}

fn takes_back(list: Node<'_>) -> bool {
    list.items().into_iter().flatten().any(|item| item.as_str().is_some_and(|text| text.starts_with('!')))
}

/// Approvers nest; deeper than this nobody writes them.
const MAX_DEPTH: usize = 16;

/// People and groups that are named twice. Where more are needed than there are, another rule says so.
fn of_people(file: &File, people: Node<'_>, depth: usize, findings: &mut Findings) {
    if depth > MAX_DEPTH || people.kind() != Kind::Mapping {
        return;
    }
    let count: usize = people.get("count").and_then(Node::as_str).and_then(|count| count.parse().ok()).unwrap_or(1);
    if let Some(users) = people.get("users").filter(|users| distinct(*users) >= count) {
        tell(file, Some(users), findings);
    }
    for key in ["any", "all"] {
        tell(file, people.get(key), findings);
        let groups = people.get(key).and_then(Node::items).into_iter().flatten();
        groups.for_each(|group| of_people(file, group, depth + 1, findings));
    }
}

fn distinct(list: Node<'_>) -> usize {
    let items = list.items().into_iter().flatten().filter_map(Node::as_str);
    items.map(str::to_lowercase).collect::<BTreeSet<_>>().len()
}

/// Whether all items are texts and no two the same: nearly every list that is looked at.
fn are_different_texts(list: Node<'_>) -> bool {
    let mut known = BTreeSet::new();
    list.items().into_iter().flatten().all(|item| item.as_text().is_some_and(|text| known.insert(text)))
}

fn tell(file: &File, list: Option<Node<'_>>, findings: &mut Findings) {
    let list = list.filter(|list| list.len() > 1 && !are_different_texts(*list));
    let mut first: BTreeMap<String, Node<'_>> = BTreeMap::new();
    for item in list.and_then(Node::items).into_iter().flatten() {
        let value = canonical(&to_json(&file.document, item.id()));
        if let Some(earlier) = first.get(&value) {
            // A misspelt value is taken for what was probably meant, and told as misspelt.
            if file.structure.iter().any(|fault| fault.node == item.id() || fault.node == earlier.id()) {
                continue;
            }
            let span = item.pointing_span();
            let message = match item.as_str() {
                Some(text) => format!("`{text}` stands in this list already"),
                None => "the same stands in this list already".to_owned(),
            };
            let finding = findings.add(file, span, message);
            finding.also(file, earlier.pointing_span(), "the first one");
            finding.help("remove it, or write what was meant");
            finding.remove(file, Applicability::Safe, edit::of_item(&file.source, item.outer_span()));
        } else {
            first.insert(value, item);
        }
    }
}
