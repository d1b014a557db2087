//! An approval by people who never count.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use super::self_approval::only_reference;
use crate::approval::is_program;
use crate::definition::Approvers;
use crate::definition::step::StepKind;
use crate::source::{Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW310",
    name: "excluded-approvers",
    severity: Severity::Error,
    summary: "An approval by people who never count",
    reason: r"
The author of a change and everybody who wrote one of its commits never count, unless the step says `allow_author`; nor do
programs. Where only the author is asked, nobody can approve, and the process waits until its deadline or for ever.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: review
    type: human_approval
    approvers: {users: ["{{ trigger.pull_request.author }}"]}
"#,
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: review
    type: human_approval
    approvers: {codeowners: union}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let (approvers, help) = match &step.kind {
                StepKind::HumanApproval(approval) if !approval.allow_author => {
                    (&approval.approvers, "ask somebody else, or say `allow_author: true`")
                }
                StepKind::AgentTask(task) => (&task.approvers, "ask somebody else"),
                _ => continue,
            };
            if let Some(span) = approvers.as_ref().and_then(missing) {
                findings.add(process.file, span, "the author of the change never counts").help(help);
            }
        }
    }
}

/// Where somebody who never counts is needed.
fn missing(approvers: &Spanned<Approvers>) -> Option<Span> {
    match &approvers.value {
        Approvers::Users { users, count } => {
            let is_author = |user: &&Spanned<String>| only_reference(user) == Some("trigger.pull_request.author");
            let others = users.iter().filter(|user| !is_author(user) && !is_program(user));
            // Another template may give any number of people.
            let enough = others.clone().any(|user| has_markup(user)) || others.count() >= *count as usize;
            users.iter().find(is_author).map(|user| user.span).filter(|_| !enough && users.len() >= *count as usize)
        }
        Approvers::Any { any, count } => {
            let lacking: Vec<Span> = any.iter().filter_map(missing).collect();
            let left = any.len().saturating_sub(lacking.len());
            lacking.into_iter().next().filter(|_| left < *count as usize)
        }
        Approvers::All { all } => all.iter().find_map(missing),
        Approvers::Team { .. } | Approvers::Role { .. } | Approvers::Codeowners { .. } => None,
    }
}
