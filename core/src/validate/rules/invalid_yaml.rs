//! Text that is no YAML.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW001",
    name: "invalid-yaml",
    severity: Severity::Error,
    summary: "Text that is no YAML",
    reason: r#"
A file that cannot be read as YAML means nothing: no process in it ever starts. What follows the place that is shown
was not read, so mend this first and look again.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "hello"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| kind == FaultKind::Syntax);
}
