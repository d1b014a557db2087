//! An outcome at a deadline that there is not.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW305",
    name: "outcome-without-timeout",
    severity: Severity::Warning,
    summary: "An outcome at a deadline that there is not",
    reason: r#"
`on_timeout` says what happens at the deadline. Without `timeout`, here or in `defaults`, there is none, and the step waits
for ever.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    on_timeout: reject
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
    on_timeout: reject
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    if !scope.settings_say("defaults") {
        return;
    }
    for process in &scope.processes {
        for step in process.steps() {
            let node = process.node(step);
            let Some(key) = node.key_node("on_timeout") else { continue };
            if process.timeout(step).is_none() && node.get("timeout").is_none() {
                findings
                    .add(process.file, key.span(), "there is no deadline")
                    .help("add `timeout`, or remove `on_timeout`");
            }
        }
    }
}
