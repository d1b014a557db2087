//! Two processes with one name.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::scope::ProcessScope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW016",
    name: "duplicate-process-name",
    severity: Severity::Error,
    summary: "Two processes with one name",
    reason: r#"
People and triggers start a process by its name. With two of one name, one of them would never run.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/processes/hello.yml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}

# .flow/processes/hallo.yaml
name: hallo
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<&str, &ProcessScope<'_>> = BTreeMap::new();
    for process in scope.processes.iter().filter(|process| !process.process.header.name.is_unread()) {
        let name = &process.process.header.name;
        match first.entry(name.as_str()) {
            Entry::Vacant(place) => drop(place.insert(process)),
            Entry::Occupied(earlier) => {
                let other = earlier.get();
                let message = format!("there is a process `{}` already", name.as_str());
                let finding = findings.add(process.file, name.span, message);
                finding.also(other.file, other.process.header.name.span, "the first one");
            }
        }
    }
}
