//! An address without http:// or https://.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW409",
    name: "url-without-scheme",
    severity: Severity::Error,
    summary: "An address without http:// or https://",
    reason: r#"
Without it nobody can say where the call goes, and it would fail.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: api.example/things
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::ApiCall(call) = &step.kind else { continue };
            // An expression may give the scheme, and an integration gives the base of the address.
            let starts = call.url.trim_start();
            let given = ["https://", "http://", "{{", "{%"].iter().any(|start| starts.starts_with(start));
            if !given && call.integration.is_none() {
                let finding = findings.add(process.file, call.url.span, "the address does not say how to get there");
                finding.help(format!("write for example `https://{}`", starts.trim_start_matches('/')));
            }
        }
    }
}
