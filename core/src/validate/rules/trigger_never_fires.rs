//! A trigger that nothing can ever match.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Trigger;
use crate::definition::repository::File;
use crate::definition::trigger::{PullRequestAction, PullRequestTrigger};
use crate::source::{Node, Spanned};
use crate::value::Glob;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW114",
    name: "trigger-never-fires",
    severity: Severity::Error,
    summary: "A trigger that nothing can ever match",
    reason: r"
A time table for a day that does not exist, a list of patterns that only excludes, a draft that is just ready for review:
the process would never start by it.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - schedule: {cron: "0 9 30 2 *"}
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
  - schedule: {cron: "0 9 28 2 *"}
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for trigger in process.process.header.triggers.iter().flatten() {
            let node = process.file.document.node(trigger.node);
            match &trigger.value {
                Trigger::Schedule(schedule) if schedule.cron.never_fires() => {
                    let finding = findings.add(process.file, schedule.cron.span, "this day does not exist in any year");
                    finding.help("the third field is the day of the month, the fourth the month");
                }
                Trigger::PullRequest(fields) => {
                    let node = node.get("pull_request");
                    hopeless(process.file, node, "branches", fields.branches.as_deref(), findings);
                    hopeless(process.file, node, "paths", fields.paths.as_deref(), findings);
                    draft(process.file, node, fields, findings);
                }
                Trigger::Push(fields) => {
                    let node = node.get("push");
                    hopeless(process.file, node, "branches", fields.branches.as_deref(), findings);
                    hopeless(process.file, node, "tags", fields.tags.as_deref(), findings);
                    hopeless(process.file, node, "paths", fields.paths.as_deref(), findings);
                }
                _ => {}
            }
        }
    }
}

/// Patterns of which none takes anything.
fn hopeless(
    file: &File,
    fields: Option<Node<'_>>,
    key: &str,
    patterns: Option<&[Spanned<Glob>]>,
    findings: &mut Findings,
) {
    let Some(patterns) = patterns.filter(|patterns| patterns.iter().all(|pattern| pattern.excludes())) else { return };
    let Some(name) = fields.and_then(|fields| fields.key_node(key)) else { return };
    // A pattern that could not be read may be the one that takes something.
    if fields.and_then(|fields| fields.get(key)).is_none_or(|list| list.len() != patterns.len()) {
        return;
    }
    let finding = match patterns {
        [] => findings.add(file, name.span(), format!("`{key}` is empty, so nothing matches")),
        _ => findings.add(file, name.span(), format!("`{key}` only excludes, so nothing matches")),
    };
    finding.help("name what is to match first, for example `\"**\"`");
}

/// What is just ready for review is no draft, and the other way round.
fn draft(file: &File, node: Option<Node<'_>>, fields: &PullRequestTrigger, findings: &mut Findings) {
    let only = |action| fields.actions.iter().all(|one| *one == action) && !fields.actions.is_empty();
    let never = match fields.draft {
        Some(true) => only(PullRequestAction::ReadyForReview),
        Some(false) => only(PullRequestAction::ConvertedToDraft),
        None => false,
    };
    if let (true, Some(draft)) = (never, node.and_then(|node| node.get("draft"))) {
        let finding = findings.add(file, draft.span(), "after this action a pull request is never such a draft");
        finding.help("remove `draft`");
    }
}
