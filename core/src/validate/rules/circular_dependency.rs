//! Steps that wait for each other.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::ProcessScope;
use super::super::scope::Scope;
use super::each_graph;
use crate::definition::Step;
use crate::graph::{Graph, StepIndex};
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW101",
    name: "circular-dependency",
    severity: Severity::Error,
    summary: "Steps that wait for each other",
    reason: r#"
None of them can ever start. The targets of a gateway wait for it, also where they do not name it in `depends_on`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: one
    type: set
    depends_on: two
    values: {done: true}
  - id: two
    type: set
    depends_on: one
    values: {done: true}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: one
    type: set
    values: {done: true}
  - id: two
    type: set
    depends_on: one
    values: {done: true}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        each_graph(process, &mut |graph| {
            for circle in graph.circles() {
                tell(process, graph, &circle, findings);
            }
        });
    }
}

fn tell(process: &ProcessScope<'_>, graph: &Graph<'_>, circle: &[StepIndex], findings: &mut Findings) {
    let ids: Vec<&str> = circle.iter().map(|index| graph.step(*index).id.as_str()).collect();
    let [first, rest @ ..] = circle else { return };
    let step = graph.step(*first);
    let message = match rest {
        [] => format!("step `{}` waits for itself", ids[0]),
        _ => format!("steps wait for each other in a circle: {} → {}", ids.join(" → "), ids[0]),
    };
    let next = rest.first().map_or(ids[0], |next| graph.step(*next).id.as_str());
    let finding = findings.add(process.file, edge_span(step, next), message);
    finding.help("remove one of these dependencies");
    for (place, index) in rest.iter().enumerate() {
        let step = graph.step(*index);
        let next = ids.get(place + 2).copied().unwrap_or(ids[0]);
        finding.also(process.file, edge_span(step, next), format!("`{}` waits for `{next}`", step.id.as_str()));
    }
}

/// Where a step says that it waits for another: in `depends_on`, else (a gateway names it) its id.
fn edge_span(step: &Step, before: &str) -> Span {
    step.depends_on.iter().find(|id| id.as_str() == before).map_or(step.id.span, |id| id.span)
}
