//! Front matter of a prompt that is never closed.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW025",
    name: "front-matter-never-closed",
    severity: Severity::Error,
    summary: "Front matter of a prompt that is never closed",
    reason: r#"
A prompt may begin with front matter between two lines of `---`. Without the second line everything would be sent to
the model, and no variable would be declared.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/prompts/hello.md
---
variables: {}
Say hello.
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/prompts/hello.md
---
variables: {}
---
Say hello.
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Prompt) {
        let Some(Definition::Prompt(prompt)) = &file.definition else { continue };
        if prompt.is_open {
            let first = file.source.line_span(1);
            findings.add(file, first, "the front matter is never closed").help("write a line `---` below it");
        }
    }
}
