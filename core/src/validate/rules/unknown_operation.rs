//! An operation that a tool does not allow.

use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File, FileKind, stem};
use crate::definition::step::StepKind;
use crate::definition::tool::Tool;
use crate::source::closest;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW414",
    name: "unknown-operation",
    severity: Severity::Error,
    summary: "An operation that a tool does not allow",
    reason: r"
`operations` of a tool lists those that may be used. A call of another one is refused.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: look
    type: mcp_call
    tool: search
    operation: fnd

# .flow/tools/search.yaml
name: search
type: mcp
url: https://search.example/mcp
operations: [find]
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: look
    type: mcp_call
    tool: search
    operation: find

# .flow/tools/search.yaml
name: search
type: mcp
url: https://search.example/mcp
operations: [find]
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let tools = tools(scope);
    if tools.is_empty() {
        return;
    }
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::McpCall(call) = &step.kind else { continue };
            let Some((_, tool)) = tools.get(call.tool.as_str()) else { continue };
            let Some(operations) = tool.operations.as_ref().filter(|list| !list.is_empty()) else { continue };
            if operations.iter().any(|operation| operation.value == call.operation.value) {
                continue;
            }
            let known: Vec<&str> = operations.iter().map(|operation| operation.as_str()).collect();
            let message = format!("tool `{}` does not allow the operation `{}`", call.tool.value, call.operation.value);
            let finding = findings.add(process.file, call.operation.span, message);
            match closest(&call.operation, known.iter().copied()) {
                Some(meant) => drop(finding.meant(process.file, call.operation.span, Some(meant))),
                None => drop(finding.help(format!("it allows {}", listed(&known)))),
            }
        }
    }
}

/// The tools that could be read without a fault, by name.
pub(super) fn tools<'r>(scope: &Scope<'r>) -> BTreeMap<&'r str, (&'r File, &'r Tool)> {
    let sound = scope.files(FileKind::Tool).filter(|file| file.faults.is_empty() && file.structure.is_empty());
    sound
        .filter_map(|file| match &file.definition {
            Some(Definition::Tool(tool)) => Some((stem(file.source.path()), (file, &**tool))),
            _ => None,
        })
        .collect()
}
