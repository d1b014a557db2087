//! A secret in a message to people.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::secret_over_http::secret;
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW511",
    name: "secret-in-message",
    severity: Severity::Error,
    summary: "A secret in a message to people",
    reason: r"
A comment, an e-mail or a message in Slack is kept and read by whoever sees the channel, now and later.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tell
    type: notify
    channel: slack
    to: releases
    message: "The key is {{ secrets.DEPLOY_KEY }}."
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tell
    type: notify
    channel: slack
    to: releases
    message: "It is out."
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Notify(notify) = &step.kind else { continue };
            if notify.channel == Channel::Webhook {
                continue;
            }
            for key in ["subject", "message"] {
                let Some(node) = process.node(step).get(key) else { continue };
                let Some(whole) = secret(node, 0) else { continue };
                let at = node.as_text().and_then(|text| text.find("secrets."));
                let span =
                    at.map_or(whole, |at| process.file.document.span_within(node.id(), at..at + "secrets".len()));
                let finding = findings.add(process.file, span, "people read this, and it is kept");
                finding.help("say where the secret is found, not what it is");
            }
        }
    }
}
