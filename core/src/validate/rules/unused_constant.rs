//! A constant that nothing reads.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::unused_input::used;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW029",
    name: "unused-constant",
    severity: Severity::Info,
    summary: "A constant that nothing reads",
    reason: r"
It is left over, or an expression was forgotten.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  page: https://status.example
steps:
  - id: note
    type: set
    values: {text: hello}
",
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  page: https://status.example
steps:
  - id: note
    type: set
    values: {text: "{{ context.page }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let constants = &process.process.header.context;
        if constants.is_empty() {
            continue;
        }
        let Some(used) = used(process, "context") else { continue };
        for name in constants.keys().filter(|name| !used.contains(name.as_str())) {
            let finding = findings.add(process.file, name.span, format!("nothing reads the constant `{}`", name.value));
            finding.help(format!("read it as `context.{}`, or remove it", name.value));
        }
    }
}
