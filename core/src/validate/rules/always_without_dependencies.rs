//! A step that is to run in any case, and runs first.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_graph;
use crate::definition::step::RunOn;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW127",
    name: "always-without-dependencies",
    severity: Severity::Warning,
    summary: "A step that is to run in any case, and runs first",
    reason: r"
`run_on: always` runs after the steps that it waits for, however they ended. One that waits for nothing runs at the start.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: report
    type: set
    run_on: always
    values: {text: done}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: report
    type: set
    depends_on: note
    run_on: always
    values: {text: done}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        each_graph(process, &mut |graph| {
            for (index, step) in graph.steps().enumerate() {
                let waits = !graph.before(index).is_empty() || process.node(step).get("depends_on").is_some();
                if step.run_on == RunOn::Always && !waits && graph.len() > 1 {
                    let message = format!("`{}` waits for nothing, so it runs first", step.id.as_str());
                    let finding = findings.add(process.file, process.value_span(step, "run_on"), message);
                    finding.help("name the steps after which it runs in `depends_on`");
                }
            }
        });
    }
}
