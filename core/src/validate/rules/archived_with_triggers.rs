//! An archived process that still has triggers.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::ProcessStatus;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW111",
    name: "archived-with-triggers",
    severity: Severity::Warning,
    summary: "An archived process that still has triggers",
    reason: r#"
An archived process is never started, so its triggers do nothing. Somebody who reads them would expect otherwise.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
status: archived
triggers:
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
status: archived
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let header = &process.process.header;
        let triggered = header.triggers.as_ref().is_some_and(|triggers| !triggers.is_empty());
        if header.status == ProcessStatus::Archived && triggered {
            let root = process.file.document.node(process.process.node);
            let span = root.key_node("triggers").map_or(header.name.span, |key| key.span());
            let finding = findings.add(process.file, span, "the process is archived: nothing starts it");
            finding.help("remove the triggers, or the status");
        }
    }
}
