//! A step that can never run.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

use super::super::scope::ProcessScope;
use super::{constant, each_graph};
use crate::definition::Step;
use crate::definition::step::{OnFailure, RunOn};
use crate::graph::{Edge, Graph, StepIndex};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW103",
    name: "never-runs",
    severity: Severity::Error,
    summary: "A step that can never run",
    reason: r#"
Its condition is always false, or it runs only after a failure and waits for nothing that could fail. What depends on
it is skipped as well.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    when: false
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                tell(process, graph, index, step, findings);
            }
        });
    }
}

fn tell(process: &ProcessScope<'_>, graph: &Graph<'_>, index: StepIndex, step: &Step, findings: &mut Findings) {
    let file = process.file;
    if let Some(when) = &step.when
        && constant(&when.value) == Some(false)
    {
        let message = format!("step `{}` never runs: its condition is always false", step.id.as_str());
        findings.add(file, when.span, message).help("remove the step, or give it a condition that can hold");
        return;
    }
    if step.run_on != RunOn::Failure {
        return;
    }
    let id = step.id.as_str();
    let span = process.value_span(step, "run_on");
    let help = "name a step whose failure is not tolerated in `depends_on`";
    // An edge that could not be read may be the one that fails.
    let names_others = process.node(step).get("depends_on").is_some_and(|before| !before.is_null());
    let tolerated = |edge: &Edge| graph.step(edge.from).on_failure == OnFailure::Continue;
    let edges = graph.before(index);
    if edges.is_empty() && !names_others {
        let message = format!("step `{id}` never runs: it waits for nothing that could fail");
        findings.add(file, span, message).help(help);
    } else if !edges.is_empty() && step.depends_on.len() <= edges.len() && edges.iter().all(tolerated) {
        let message = format!("step `{id}` never runs: every failure that it waits for is tolerated");
        findings.add(file, span, message).help(help);
    }
}
