//! Processes that run each other deeper than the engine lets them.

use std::collections::BTreeMap;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::process_contains_itself::{Calls, calls};
use crate::execution::MAX_DEPTH;
use crate::source::Spanned;
use crate::value::Slug;

/// Most calls of a chain that are shown beside the first.
const MAX_SHOWN: usize = 16;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW428",
    name: "sub-processes-too-deep",
    severity: Severity::Error,
    summary: "A process that runs others deeper than 16 below itself",
    reason: r#"
Sub-processes are at most 16 deep: the process that would be the seventeenth below the first is refused when everything before it
has run. Let one process of the chain do the work of two.
"#,
    wrong: r#"
# .flow/processes/level-0.yaml
{name: level-0, version: 1, steps: [{id: run, type: process, process: level-1}]}

# .flow/processes/level-1.yaml
{name: level-1, version: 1, steps: [{id: run, type: process, process: level-2}]}

# .flow/processes/level-2.yaml
{name: level-2, version: 1, steps: [{id: run, type: process, process: level-3}]}

# .flow/processes/level-3.yaml
{name: level-3, version: 1, steps: [{id: run, type: process, process: level-4}]}

# .flow/processes/level-4.yaml
{name: level-4, version: 1, steps: [{id: run, type: process, process: level-5}]}

# .flow/processes/level-5.yaml
{name: level-5, version: 1, steps: [{id: run, type: process, process: level-6}]}

# .flow/processes/level-6.yaml
{name: level-6, version: 1, steps: [{id: run, type: process, process: level-7}]}

# .flow/processes/level-7.yaml
{name: level-7, version: 1, steps: [{id: run, type: process, process: level-8}]}

# .flow/processes/level-8.yaml
{name: level-8, version: 1, steps: [{id: run, type: process, process: level-9}]}

# .flow/processes/level-9.yaml
{name: level-9, version: 1, steps: [{id: run, type: process, process: level-10}]}

# .flow/processes/level-10.yaml
{name: level-10, version: 1, steps: [{id: run, type: process, process: level-11}]}

# .flow/processes/level-11.yaml
{name: level-11, version: 1, steps: [{id: run, type: process, process: level-12}]}

# .flow/processes/level-12.yaml
{name: level-12, version: 1, steps: [{id: run, type: process, process: level-13}]}

# .flow/processes/level-13.yaml
{name: level-13, version: 1, steps: [{id: run, type: process, process: level-14}]}

# .flow/processes/level-14.yaml
{name: level-14, version: 1, steps: [{id: run, type: process, process: level-15}]}

# .flow/processes/level-15.yaml
{name: level-15, version: 1, steps: [{id: run, type: process, process: level-16}]}

# .flow/processes/level-16.yaml
{name: level-16, version: 1, steps: [{id: run, type: process, process: level-17}]}

# .flow/processes/level-17.yaml
{name: level-17, version: 1, steps: [{id: note, type: set, values: {text: hello}}]}
"#,
    right: r#"
# .flow/processes/level-0.yaml
{name: level-0, version: 1, steps: [{id: run, type: process, process: level-1}]}

# .flow/processes/level-1.yaml
{name: level-1, version: 1, steps: [{id: note, type: set, values: {text: hello}}]}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let calls = calls(scope);
    let deepest = deepest(&calls);
    for process in &scope.processes {
        let own = process.process.header.name.as_str();
        // What is above it is too deep by the same mistake, and another one of its name is a fault of its own.
        let is_first = scope.process(own).is_some_and(|first| std::ptr::eq(first, process));
        if !is_first || deepest.get(own).is_none_or(|deepest| deepest.levels != MAX_DEPTH + 1) {
            continue;
        }
        let mut way: Vec<(&str, &Spanned<Slug>)> = Vec::new();
        let mut at = own;
        while let Some(call) = deepest.get(at).and_then(|deepest| deepest.call) {
            way.push((at, call));
            at = call.as_str();
        }
        let Some((_, first)) = way.first() else { continue };
        let message = format!("process `{own}` runs others {} deep, down to `{at}`; at most {MAX_DEPTH}", way.len());
        let finding = findings.add(process.file, first.span, message);
        for (from, call) in way.iter().skip(1).take(MAX_SHOWN) {
            if let Some(from) = scope.process(from) {
                let name = from.process.header.name.as_str();
                finding.also(from.file, call.span, format!("`{name}` runs `{}`", call.as_str()));
            }
        }
        finding.help("let one process of the chain do the work of two");
    }
}

/// How deep a process runs others.
struct Deepest<'p> {
    levels: u32,
    /// The call by which it comes so deep; nothing where it calls nobody.
    call: Option<&'p Spanned<Slug>>,
}

/// How deep every process runs others, but those that run themselves, or others that do: that is told elsewhere.
fn deepest<'p>(calls: &Calls<'p>) -> BTreeMap<&'p str, Deepest<'p>> {
    let mut callers: BTreeMap<&str, Vec<&'p str>> = BTreeMap::new();
    let mut waiting: BTreeMap<&'p str, usize> = BTreeMap::new();
    for (caller, called) in calls {
        let known = called.iter().filter(|call| calls.contains_key(call.as_str()));
        waiting.insert(*caller, known.clone().count());
        known.for_each(|call| callers.entry(call.as_str()).or_default().push(*caller));
    }
    let mut open: Vec<&'p str> = waiting.iter().filter(|(_, calls)| **calls == 0).map(|(name, _)| *name).collect();
    let mut deepest: BTreeMap<&'p str, Deepest<'p>> = BTreeMap::new();
    while let Some(name) = open.pop() {
        let mut own = Deepest { levels: 0, call: None };
        for call in calls.get(name).into_iter().flatten() {
            if let Some(levels) = deepest.get(call.as_str()).map(|below| below.levels + 1).filter(|it| *it > own.levels)
            {
                own = Deepest { levels, call: Some(*call) };
            }
        }
        deepest.insert(name, own);
        for caller in callers.get(name).into_iter().flatten() {
            let waiting = waiting.entry(*caller).or_default();
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                open.push(*caller);
            }
        }
    }
    deepest
}
