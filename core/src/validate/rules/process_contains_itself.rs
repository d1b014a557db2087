//! A process that runs itself.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::definition::Process;
use crate::definition::step::StepKind;
use crate::source::Spanned;
use crate::value::Slug;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW407",
    name: "process-contains-itself",
    severity: Severity::Error,
    summary: "A process that runs itself",
    reason: r#"
Directly or through others, it would start itself for ever.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: again
    type: process
    process: hello
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: other
    type: process
    process: note

# .flow/processes/note.yaml
name: note
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let calls = calls(scope);
    // The processes of a circle that was told: each of them runs itself by the same mistake.
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for process in &scope.processes {
        let own = process.process.header.name.as_str();
        if told.contains(own) {
            continue;
        }
        for call in called(process.process) {
            let Some(way) = way(&calls, call.as_str(), own) else { continue };
            let message = format!("process `{own}` runs itself: {own} → {}", way.join(" → "));
            let finding = findings.add(process.file, call.span, message);
            for (from, to) in way.iter().zip(way.iter().skip(1)).take(MAX_SHOWN) {
                let Some(file) = scope.process(from).map(|process| process.file) else { continue };
                let call = calls.get(from).into_iter().flatten().find(|call| call.as_str() == *to);
                if let Some(call) = call {
                    finding.also(file, call.span, format!("`{from}` runs `{to}`"));
                }
            }
            told.extend(way);
        }
    }
}

/// Most calls of a circle that are shown beside the first.
const MAX_SHOWN: usize = 16;

/// By the name of each process its calls of others.
pub(super) type Calls<'p> = BTreeMap<&'p str, Vec<&'p Spanned<Slug>>>;

/// Who calls whom; of processes with one name the first.
pub(super) fn calls<'r>(scope: &Scope<'r>) -> Calls<'r> {
    let mut calls = Calls::new();
    for process in &scope.processes {
        calls.entry(process.process.header.name.as_str()).or_insert_with(|| called(process.process));
    }
    calls
}

fn called(process: &Process) -> Vec<&Spanned<Slug>> {
    process
        .all_steps()
        .filter_map(|step| match &step.kind {
            StepKind::Process(call) => Some(&call.process),
            _ => None,
        })
        .collect()
}

/// A way from one process to another by what they call, both included.
fn way<'p>(calls: &Calls<'p>, from: &'p str, to: &str) -> Option<Vec<&'p str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(name) = open.pop_front() {
        if name == to {
            let mut way = vec![name];
            while let Some(before) = way.last().filter(|last| **last != from).and_then(|last| came_from.get(last)) {
                way.push(before);
            }
            way.reverse();
            return Some(way);
        }
        for next in calls.get(name).into_iter().flatten() {
            if next.as_str() != from && !came_from.contains_key(next.as_str()) {
                came_from.insert(next.as_str(), name);
                open.push_back(next.as_str());
            }
        }
    }
    None
}
