//! A comment where there is nothing to comment on.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::steps_without_change;
use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW128",
    name: "comment-without-place",
    severity: Severity::Error,
    summary: "A comment where there is nothing to comment on",
    reason: r"
A comment is written on the execution's pull request or issue. No trigger of the process brings one and no other process runs it,
so the step fails each time. A start by hand may bring one: `/run` in a comment.
",
    wrong: r##"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - schedule: {cron: "0 9 * * 1"}
steps:
  - id: tell
    type: notify
    channel: comment
    message: It is Monday.
"##,
    right: r##"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - schedule: {cron: "0 9 * * 1"}
steps:
  - id: tell
    type: notify
    channel: slack
    to: "#team"
    message: It is Monday.
"##,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let comments = |step: &Step| matches!(&step.kind, StepKind::Notify(notify) if notify.channel == Channel::Comment);
    for (process, step) in steps_without_change(scope, &comments) {
        let message = "no trigger brings a pull request or an issue, and there is nothing to comment on";
        let finding = findings.add(process.file, process.value_span(step, "channel"), message);
        finding.help("tell somebody by another channel, or add a trigger that brings one");
    }
}
