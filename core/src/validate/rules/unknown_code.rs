//! A rule that does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{closest_name, find};
use crate::definition::repository::{Definition, FileKind};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW903",
    name: "unknown-code",
    severity: Severity::Error,
    summary: "A rule that does not exist",
    reason: r#"
A suppression or a level names a rule by its code or its name. One that does not exist changes nothing.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/flow.yaml
validate:
  levels: {unused-inputs: error}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/flow.yaml
validate:
  levels: {unused-input: error}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Settings) {
        let Some(Definition::Settings(settings)) = &file.definition else { continue };
        for name in settings.validate.levels.keys().filter(|name| find(name).is_none()) {
            let finding = findings.add(file, name.span, format!("there is no rule `{}`", name.value));
            finding.meant(file, name.span, closest_name(name));
        }
    }
}
