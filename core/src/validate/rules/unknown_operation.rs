//! An operation that a tool does not allow.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::telling::described_operations;
use super::tools;
use crate::definition::repository::File;
use crate::definition::step::{McpCall, StepKind};
use crate::definition::tool::Tool;
use crate::source::Spanned;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW414",
    name: "unknown-operation",
    severity: Severity::Error,
    summary: "An operation that a tool does not have or does not allow",
    reason: r"
`operations` of a tool lists those that may be used. A call of another one is refused. Where a document in the repository
describes the tool, only what stands there can be listed or called.
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
    let described: BTreeMap<&str, Vec<String>> = tools
        .iter()
        .map(|(name, (_, tool))| (*name, described_operations(scope, tool).into_keys().collect()))
        .collect();
    for (name, (file, tool)) in &tools {
        listed(file, tool, &described[name], findings);
    }
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::McpCall(call) = &step.kind else { continue };
            if let Some((_, tool)) = tools.get(call.tool.as_str()) {
                called(process.file, call, tool, &described[call.tool.as_str()], findings);
            }
        }
    }
}

/// Tells what a tool lists and its document does not describe.
fn listed(file: &File, tool: &Tool, described: &[String], findings: &mut Findings) {
    let known: Vec<&str> = described.iter().map(String::as_str).collect();
    let unknown = |operation: &&Spanned<String>| !known.is_empty() && !known.contains(&operation.as_str());
    for operation in tool.operations.iter().flatten().filter(unknown) {
        let message = format!("the document of the tool describes no operation `{}`", operation.value);
        let finding = findings.add(file, operation.span, message);
        finding.meant_among(file, operation.span, operation, &known, "describes");
    }
}

/// Tells a call of what a tool does not list, or of what its document does not describe where it lists nothing.
fn called(file: &File, call: &McpCall, tool: &Tool, described: &[String], findings: &mut Findings) {
    let listed = tool.operations.iter().flatten().map(|operation| operation.as_str());
    let listed: Vec<&str> = listed.collect();
    let described: Vec<&str> = described.iter().map(String::as_str).collect();
    let known = if listed.is_empty() { &described } else { &listed };
    let name = call.operation.as_str();
    // A list that was misspelt is told at the list.
    let is_misspelt = described.contains(&name) && listed.iter().any(|listed| !described.contains(listed));
    if known.is_empty() || known.contains(&name) || is_misspelt {
        return;
    }
    let message = format!("tool `{}` does not allow the operation `{name}`", call.tool.value);
    let finding = findings.add(file, call.operation.span, message);
    finding.meant_among(file, call.operation.span, &call.operation, known, "allows");
}
