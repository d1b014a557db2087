//! A comment trigger with the word of a command.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::command::Verb;
use crate::definition::Trigger;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW112",
    name: "comment-word-taken",
    severity: Severity::Error,
    summary: "A comment trigger with the word of a command",
    reason: r#"
`/approve`, `/run` and the other commands mean something already. A process cannot take their word.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /approve
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - comment: /hello
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

/// The words of commands.
pub(super) const VERBS: [Verb; 14] = [
    Verb::Approve,
    Verb::Reject,
    Verb::Run,
    Verb::Cancel,
    Verb::Retry,
    Verb::Answer,
    Verb::Status,
    Verb::Recheck,
    Verb::Help,
    Verb::Ask,
    Verb::Delegate,
    Verb::Override,
    Verb::Hold,
    Verb::Unhold,
];

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for trigger in process.process.header.triggers.iter().flatten() {
            let Trigger::Comment(word) = &trigger.value else { continue };
            if VERBS.iter().any(|verb| verb.word() == word.word()) {
                let message = format!("`/{}` is a command of its own", word.word());
                let help = format!("take another word, for example `/{}`", process.process.header.name.as_str());
                findings.add(process.file, word.span, message).help(help);
            }
        }
    }
}
