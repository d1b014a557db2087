//! A join that has nothing to choose from.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_graph;
use crate::definition::step::Join;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW125",
    name: "join-without-choice",
    severity: Severity::Info,
    summary: "A join that has nothing to choose from",
    reason: r"
`join: any` starts a step with the first edge that is ok. With one edge, or none, it says the same as `all`.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: build
    type: api_call
    url: https://api.example/build
  - id: note
    type: set
    depends_on: build
    join: any
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
  - id: note
    type: set
    depends_on: build
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        if process.steps().all(|step| step.join == Join::All) || process.steps().count() < process.ids.len() {
            continue;
        }
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                let edges = graph.before(index).len();
                // An edge to a step that does not exist was meant to be one.
                if step.join == Join::All || edges > 1 || step.depends_on.len() > edges {
                    continue;
                }
                let message = match edges {
                    0 => "the step waits for nothing",
                    _ => "the step waits for one step only",
                };
                let finding = findings.add(process.file, process.value_span(step, "join"), message);
                finding.help("remove `join`");
                let entry = edit::of_entry(&process.file.source, process.node(step), "join");
                finding.remove(process.file, Applicability::Safe, entry);
            }
        });
    }
}
