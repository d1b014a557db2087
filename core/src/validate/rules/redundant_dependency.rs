//! A dependency that another one implies.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::Owner;
use super::each_graph;
use crate::definition::Step;
use crate::definition::step::{Join, RunOn};
use crate::graph::{Graph, StepIndex};
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW121",
    name: "redundant-dependency",
    severity: Severity::Info,
    summary: "A dependency that another one implies",
    reason: r"
The step waits for a step that waits for nothing but this one, and reads nothing of this one itself. Without it, it runs at
the same times.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: build
    type: api_call
    url: https://api.example/build
  - id: check
    type: api_call
    url: https://api.example/check
    depends_on: build
  - id: note
    type: set
    depends_on: [build, check]
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: build
    type: api_call
    url: https://api.example/build
  - id: check
    type: api_call
    url: https://api.example/check
    depends_on: build
  - id: note
    type: set
    depends_on: check
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        if process.steps().all(|step| step.depends_on.len() < 2) {
            continue;
        }
        let reads = reads(process);
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                if step.depends_on.len() > 1 && step.run_on == RunOn::Success && step.join == Join::All {
                    tell(process, graph, index, step, &reads, findings);
                }
            }
        });
    }
}

/// Which steps read which others.
fn reads<'p>(process: &'p ProcessScope<'_>) -> BTreeSet<(&'p str, &'p str)> {
    let mut reads = BTreeSet::new();
    for text in &process.texts.texts {
        let (Owner::Step { id: Some(reader), .. }, Ok(template)) = (&text.owner, &text.template) else { continue };
        let of_steps = template.references().iter().filter(|reference| reference.root() == "steps");
        reads.extend(of_steps.filter_map(|reference| Some((reader.as_str(), reference.name(1)?))));
    }
    reads
}

fn tell(
    process: &ProcessScope<'_>,
    graph: &Graph<'_>,
    index: StepIndex,
    step: &Step,
    reads: &BTreeSet<(&str, &str)>,
    findings: &mut Findings,
) {
    let plain = |from: StepIndex| graph.before(index).iter().any(|edge| edge.from == from && !edge.gateway);
    for id in &step.depends_on {
        let Some(from) = graph.find(id.as_str()).filter(|from| plain(*from)) else { continue };
        if reads.contains(&(step.id.as_str(), id.as_str())) {
            continue;
        }
        let others = step.depends_on.iter().filter(|other| other.value != id.value);
        let Some(other) = others.into_iter().find(|other| {
            graph.find(other.as_str()).is_some_and(|other| plain(other) && stands_and_falls_with(graph, other, from))
        }) else {
            continue;
        };
        let message = format!("`{}` waits for `{}` already", other.as_str(), id.as_str());
        let finding = findings.add(process.file, id.span, message);
        finding.help("remove this dependency").also(process.file, other.span, "the other one");
        let list = process.value_span(step, "depends_on");
        // A list that is used twice through an anchor belongs to another step as well.
        if list.contains(id.span) && list.start >= process.node(step).span().start {
            let item = process.file.document.node(id.node).outer_span();
            finding.remove(process.file, Applicability::Safe, edit::of_item(&process.file.source, item));
        }
        return;
    }
}

/// Whether one step runs exactly when another was well: a chain of single dependencies without a condition. Chains are
/// followed for so many steps only.
fn stands_and_falls_with(graph: &Graph<'_>, step: StepIndex, other: StepIndex) -> bool {
    let mut at = step;
    for _ in 0..64 {
        let current = graph.step(at);
        let [edge] = graph.before(at) else { return false };
        if edge.gateway || current.when.is_some() || current.run_on != RunOn::Success || current.depends_on.len() != 1 {
            return false;
        }
        if edge.from == other {
            return true;
        }
        at = edge.from;
    }
    false
}
