//! A required input that a trigger cannot give.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::{ProcessStatus, Trigger};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW116",
    name: "input-never-given",
    severity: Severity::Error,
    summary: "A required input that a trigger cannot give",
    reason: r"
A pull request, a push, a time table, a webhook, an event, a `repository_dispatch`, a deployment, a merge group and the end of
another process bring no inputs; what comes with them is `trigger.payload`. A start by them is refused where a required input has
no default.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - push: {branches: [main]}
inputs:
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - push: {branches: [main]}
inputs:
  who: {type: string, default: world}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let header = &process.process.header;
        let silent = header.triggers.iter().flatten().find(|trigger| brings_nothing(&trigger.value));
        let Some(trigger) = silent.filter(|_| header.status == ProcessStatus::Published) else { continue };
        for (name, _) in header.inputs.iter().filter(|(_, field)| field.required && field.default.is_none()) {
            let message = format!("a start by `{}` cannot give the input `{}`", trigger.key(), name.value);
            let finding = findings.add(process.file, name.span, message);
            let node = process.file.document.node(trigger.node);
            let key = node.key_node(trigger.key()).unwrap_or(node);
            finding.help("give it a `default`, or remove `required`").also(process.file, key.span(), "the trigger");
        }
    }
}

fn brings_nothing(trigger: &Trigger) -> bool {
    match trigger {
        // Who starts it says what the inputs are.
        Trigger::Manual | Trigger::Comment(_) => false,
        Trigger::PullRequest(_)
        | Trigger::Push(_)
        | Trigger::Schedule(_)
        | Trigger::Webhook(_)
        | Trigger::Event(_)
        | Trigger::RepositoryDispatch(_)
        | Trigger::Process(_)
        | Trigger::Deployment(_)
        | Trigger::MergeGroup => true,
    }
}
