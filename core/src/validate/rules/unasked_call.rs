//! A call, by a step that asks nobody, of a tool that wants a person's word before each call.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tools;
use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::tool::ToolApproval;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW434",
    name: "unasked-call",
    severity: Severity::Error,
    summary: "A call that nobody is asked about, of a tool that wants a person's word each time",
    reason: r"
A tool with `approval: always` is called only after a person allowed that very call. A step of type `mcp_call` asks nobody, so
its call is refused whenever it runs. Let an agent make the call, which then waits for a person; or put a `human_approval` before
the step and set `approval: writes` on the tool, which is about agents only.
",
    wrong: r"
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
approval: always
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
approval: writes
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let tools = tools(scope);
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::McpCall(call) = &step.kind else { continue };
            let Some((file, tool)) = tools.get(call.tool.as_str()) else { continue };
            if tool.approval != ToolApproval::Always {
                continue;
            }
            let message =
                format!("tool `{}` wants a person's word before each call, and this step asks nobody", call.tool.value);
            let finding = findings.add(process.file, call.tool.span, message);
            finding.help("let an agent call it, or put a `human_approval` before this step and set `approval: writes` on the tool");
            if let Some(span) = said(file) {
                finding.also(file, span, "here it wants that");
            }
        }
    }
}

/// Where a tool says whom it asks.
fn said(file: &File) -> Option<Span> {
    let root = file.document.root().map(|root| file.document.node(root))?;
    Some(root.get("approval")?.span())
}
