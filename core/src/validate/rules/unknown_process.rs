//! A process that is referred to and does not exist.

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Trigger;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::source::Spanned;
use crate::value::Slug;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW406",
    name: "unknown-process",
    severity: Severity::Error,
    summary: "A process that is referred to and does not exist",
    reason: r#"
A trigger, a step or a test names another process. Without it nothing would happen.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/tests/hello.yaml
process: helo
cases:
  - name: says hello
    expect: {status: completed}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/tests/hello.yaml
process: hello
cases:
  - name: says hello
    expect: {status: completed}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for trigger in process.process.header.triggers.iter().flatten() {
            if let Trigger::Process(trigger) = &trigger.value {
                tell(scope, process.file, &trigger.name, findings);
            }
        }
        for step in process.steps() {
            if let StepKind::Process(call) = &step.kind {
                tell(scope, process.file, &call.process, findings);
            }
        }
    }
    for file in scope.files(FileKind::Test) {
        if let Some(Definition::Test(test)) = &file.definition {
            tell(scope, file, &test.process, findings);
        }
    }
}

fn tell(scope: &Scope<'_>, file: &File, name: &Spanned<Slug>, findings: &mut Findings) {
    if scope.names.has(FileKind::Process, name.as_str()) {
        return;
    }
    let finding = findings.add(file, name.span, format!("there is no process `{}`", name.as_str()));
    if let Some(meant) = finding.closest(name.as_str(), scope.names.of_kind(FileKind::Process)) {
        finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, name.span, meant);
    }
}
