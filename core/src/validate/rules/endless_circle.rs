//! Processes that start each other for ever.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use crate::definition::step::StepKind;
use crate::definition::{ProcessStatus, Trigger};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW708",
    name: "endless-circle",
    severity: Severity::Error,
    summary: "Processes that start each other for ever",
    reason: r"
The end of one starts the next, and in the end the first again. Nothing stops them, and each round costs what it costs.
",
    wrong: r"
# .flow/processes/ping.yaml
name: ping
version: 1
triggers: [manual, process: {name: pong}]
steps:
  - {id: note, type: set, values: {text: ping}}

# .flow/processes/pong.yaml
name: pong
version: 1
triggers: [process: {name: ping}]
steps:
  - {id: note, type: set, values: {text: pong}}
",
    right: r"
# .flow/processes/ping.yaml
name: ping
version: 1
triggers: [manual]
steps:
  - {id: note, type: set, values: {text: ping}}

# .flow/processes/pong.yaml
name: pong
version: 1
triggers: [process: {name: ping}]
steps:
  - {id: note, type: set, values: {text: pong}}
",
    check,
};

/// What starts a process: the end of another one, or a step of it.
struct Start<'p, 'r> {
    process: &'p ProcessScope<'r>,
    /// Where a trigger says so; nothing for a step.
    trigger: Option<Span>,
}

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut leads_to: BTreeMap<&str, Vec<Start<'_, '_>>> = BTreeMap::new();
    for process in scope.processes.iter().filter(|it| it.process.header.status == ProcessStatus::Published) {
        for trigger in process.process.header.triggers.iter().flatten() {
            if let Trigger::Process(other) = &trigger.value {
                let start = Start { process, trigger: Some(other.name.span) };
                leads_to.entry(other.name.as_str()).or_default().push(start);
            }
        }
    }
    if leads_to.is_empty() {
        return;
    }
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Process(call) = &step.kind else { continue };
            let called = scope.process(call.process.as_str());
            let starts = leads_to.entry(process.process.header.name.as_str()).or_default();
            starts.extend(called.map(|called| Start { process: called, trigger: None }));
        }
    }
    let mut told: BTreeSet<Vec<&str>> = BTreeSet::new();
    for process in &scope.processes {
        let own = process.process.header.name.as_str();
        let Some(circle) = circle(own, &leads_to) else { continue };
        let mut names: Vec<&str> = circle.iter().map(|start| start.process.process.header.name.as_str()).collect();
        names.sort_unstable();
        // Through steps alone it is a process that contains itself, which is told as such.
        let Some((first, span)) = circle.iter().find_map(|start| Some((start, start.trigger?))) else { continue };
        if !told.insert(names) {
            continue;
        }
        let way: Vec<&str> = circle.iter().map(|start| start.process.process.header.name.as_str()).collect();
        let message = format!("these start each other for ever: {own} → {}", way.join(" → "));
        let finding = findings.add(first.process.file, span, message);
        finding.help("let one of them start by something else");
        for start in &circle {
            if let Some(other) = start
                .trigger
                .filter(|other| (*other, start.process.file.source.path()) != (span, first.process.file.source.path()))
            {
                finding.also(start.process.file, other, "and here");
            }
        }
    }
}

/// A shortest way from a process back to itself, the last start being its own.
fn circle<'s, 'p, 'r>(own: &str, leads_to: &'s BTreeMap<&str, Vec<Start<'p, 'r>>>) -> Option<Vec<&'s Start<'p, 'r>>> {
    let mut came_by: BTreeMap<&str, (&str, &Start<'_, '_>)> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([own]);
    while let Some(name) = open.pop_front() {
        for start in leads_to.get(name).into_iter().flatten() {
            let next = start.process.process.header.name.as_str();
            if came_by.contains_key(next) {
                continue;
            }
            came_by.insert(next, (name, start));
            if next == own {
                return Some(back(own, &came_by));
            }
            open.push_back(next);
        }
    }
    None
}

fn back<'s, 'p, 'r>(own: &str, came_by: &BTreeMap<&str, (&str, &'s Start<'p, 'r>)>) -> Vec<&'s Start<'p, 'r>> {
    let mut way = Vec::new();
    let mut at = own;
    while let Some((before, start)) = came_by.get(at) {
        way.push(*start);
        at = before;
        if at == own {
            break;
        }
    }
    way.reverse();
    way
}
