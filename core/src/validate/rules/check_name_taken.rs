//! A process whose check would have the name of validation's.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW033",
    name: "check-name-taken",
    severity: Severity::Warning,
    summary: "A process whose check would have the name of validation's",
    reason: r#"
On GitHub the check of a process is called `flowctl / NAME`, and `flowctl / validate` says whether definitions are sound.
A process `validate` would have both under one name, and whichever ran last would count for a rule of the branch. So its check is
called `flowctl / validate (process)`, and whoever requires `flowctl / validate` requires something else than they may think.
"#,
    wrong: r#"
# .flow/processes/validate.yaml
name: validate
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/acceptance.yaml
name: acceptance
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

/// What the check of validation is called after `flowctl / `.
const VALIDATION: &str = "validate";

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let name = &process.process.header.name;
        if name.as_str() == VALIDATION {
            let message =
                "the check `flowctl / validate` is validation's; this one is called `flowctl / validate (process)`";
            findings.add(process.file, name.span, message).help("give the process another name");
        }
    }
}
