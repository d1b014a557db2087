//! An integration or a channel that flow.yaml does not have.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use crate::definition::process::NotifyRule;
use crate::definition::repository::{File, FileKind};
use crate::definition::settings::FlowSettings;
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;
use crate::source::{Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW418",
    name: "unknown-setting",
    severity: Severity::Error,
    summary: "An integration or a channel that flow.yaml does not have",
    reason: r"
`integration` of a call and the channel of a webhook are named in `.flow/flow.yaml`. Without them nobody can say where the
call goes.
",
    wrong: r#"
# .flow/flow.yaml
integrations:
  tracker: {url: "https://tracker.example/api"}

# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    integration: trackr
    url: /things
"#,
    right: r#"
# .flow/flow.yaml
integrations:
  tracker: {url: "https://tracker.example/api"}

# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    integration: tracker
    url: /things
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    if !scope.settings_say("integrations") || !scope.settings_say("channels") {
        return;
    }
    let nothing = FlowSettings::default();
    let settings = scope.repository.settings().unwrap_or(&nothing);
    let integrations: Vec<&str> = settings.integrations.keys().map(|name| name.as_str()).collect();
    let channels: Vec<&str> = settings.channels.keys().map(|name| name.as_str()).collect();
    for file in scope.files(FileKind::Settings) {
        of_rules(file, &settings.notify, &channels, findings);
    }
    for process in &scope.processes {
        for step in process.steps() {
            match &step.kind {
                StepKind::ApiCall(call) => {
                    if let Some(name) = &call.integration {
                        tell(process.file, ("integration", "integrations"), name, name.span, &integrations, findings);
                    }
                }
                StepKind::Notify(notify) if notify.channel == Channel::Webhook => {
                    if let Some(to) = &notify.to
                        && let Some(name) = to.as_str().filter(|to| is_name(to))
                    {
                        tell(process.file, ("channel", "channels"), name, to.span, &channels, findings);
                    }
                }
                _ => {}
            }
        }
        of_rules(process.file, &process.process.header.notify, &channels, findings);
    }
}

/// The channels that rules of `notify` name.
fn of_rules(file: &File, rules: &[Spanned<NotifyRule>], channels: &[&str], findings: &mut Findings) {
    for rule in rules.iter().filter(|rule| rule.channel == Channel::Webhook) {
        if let Some(to) = &rule.to
            && let Some(name) = to.as_str().filter(|to| is_name(to))
        {
            tell(file, ("channel", "channels"), name, to.span, channels, findings);
        }
    }
}

/// Whether the receiver of a webhook is a name, not an address and not computed.
fn is_name(to: &str) -> bool {
    !has_markup(to) && !to.contains("://") && !to.contains(['/', '.', ' ']) && !to.is_empty()
}

fn tell(file: &File, (what, key): (&str, &str), name: &str, span: Span, known: &[&str], findings: &mut Findings) {
    if known.contains(&name) || has_markup(name) {
        return;
    }
    let finding = findings.add(file, span, format!("there is no {what} `{name}`"));
    match finding.closest(name, known.iter().copied()) {
        Some(meant) => drop(finding.meant(file, span, Some(meant))),
        None => drop(finding.help(format!("it would stand in `{key}` of `.flow/flow.yaml`"))),
    }
}
