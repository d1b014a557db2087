//! An operation that a tool does not allow.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tools;
use crate::definition::step::StepKind;

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
            finding.meant_among(process.file, call.operation.span, &call.operation, &known, "allows");
        }
    }
}
