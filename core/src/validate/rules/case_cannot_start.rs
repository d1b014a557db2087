//! A case of a test that cannot start.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::simulation::start_faults;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW432",
    name: "case-cannot-start",
    severity: Severity::Error,
    summary: "A case of a test that cannot start",
    reason: r#"
A trigger that the process does not have, or a moment that is none: the case would fail before its first step, and show
nothing.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - push: {branches: [main]}
steps:
  - id: note
    type: set
    values: {text: "hello {{ trigger.actor }}"}

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    trigger: {type: comment, actor: ann}
    expect: {status: completed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - push: {branches: [main]}
steps:
  - id: note
    type: set
    values: {text: "hello {{ trigger.actor }}"}

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    trigger: {type: push, actor: ann}
    expect: {status: completed}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for (file, test, process) in super::tests(scope) {
        // A trigger that could not be read is there all the same.
        if !process.file.structure.is_empty() {
            continue;
        }
        for fault in test.cases.iter().flat_map(|case| start_faults(process.process, case)) {
            findings.add(file, fault.span, fault.message).maybe_help(fault.help);
        }
    }
}
