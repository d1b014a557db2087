//! A link or a folder where a definition should be.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::Form;
use crate::source::Span;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW040",
    name: "no-regular-file",
    severity: Severity::Error,
    summary: "A link or a folder where a file should be",
    reason: r#"
Definitions are read from git at a commit. There a symbolic link is only the name that it points at, and it is never
followed: what it leads to may lie outside the repository, and would change without a commit. A folder that is called
like a definition holds none.
"#,
    wrong: r#"
# .flow/processes/hello.yaml -> ../../shared/hello.yaml
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let (message, help) = match file.form {
            Form::Text => continue,
            Form::Link => ("a symbolic link is not followed", "put what it leads to in its place"),
            Form::Folder => ("a folder is called like a definition", "rename it, or put a file in its place"),
            Form::Device => ("a pipe, a socket or a device is not read", "put a file in its place"),
        };
        findings.add(file, Span::default(), message).help(help);
    }
}
