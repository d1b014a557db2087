//! A name that is not the name of its file.

use super::super::finding::Applicability;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, stem};
use crate::value::Slug;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW017",
    name: "name-differs-from-file",
    severity: Severity::Error,
    summary: "A name that is not the name of its file",
    reason: r#"
A process, an agent, a tool or a policy is found by the name of its file. `release.yaml` holds `release`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hallo
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
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let (name, span) = match &file.definition {
            Some(Definition::Process(process)) if !process.header.name.is_unread() => {
                (process.header.name.as_str(), process.header.name.span)
            }
            Some(Definition::Agent(agent)) => (agent.name.as_str(), agent.name.span),
            Some(Definition::Tool(tool)) => (tool.name.as_str(), tool.name.span),
            Some(Definition::Policy(policy)) => match &policy.name {
                Some(name) => (name.as_str(), name.span),
                None => continue,
            },
            _ => continue,
        };
        let path = file.source.path();
        let expected = stem(path);
        // A single file that is looked at by itself may be called anything.
        let in_place = path.starts_with(".flow/") || path.contains("/.flow/");
        if in_place && name != expected {
            let message = format!("the name is `{name}`, but the file is called `{expected}`");
            let finding = findings.add(file, span, message);
            finding.help("rename one of them");
            if expected.parse::<Slug>().is_ok() {
                finding.fix(file, Applicability::Unsafe, span, expected);
            }
        }
    }
}
