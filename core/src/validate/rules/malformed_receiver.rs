//! A receiver that does not fit its channel.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;
use crate::source::{Node, Span};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW419",
    name: "malformed-receiver",
    severity: Severity::Error,
    summary: "A receiver that does not fit its channel",
    reason: r"
E-mail goes to addresses, Slack to a channel, a webhook to a URL or a channel of `flow.yaml`; a comment goes to its pull
request and has no receiver. Otherwise nobody is told.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tell
    type: notify
    channel: email
    to: release team
    message: It is out.
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tell
    type: notify
    channel: email
    to: release-team@example.com
    message: It is out.
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let knows_all = scope.settings_say("channels");
    let named = |name: &str| !knows_all || scope.repository.settings().is_some_and(|it| it.channels.contains_key(name));
    for process in &scope.processes {
        let document = &process.file.document;
        for step in process.steps() {
            if let StepKind::Notify(notify) = &step.kind {
                tell(process.file, process.node(step), step.id.span, notify.channel, &named, findings);
            }
        }
        for rule in &process.process.header.notify {
            let node = document.node(rule.node);
            tell(process.file, node, node.naming_span(), rule.channel, &named, findings);
        }
    }
    for file in scope.files(FileKind::Settings) {
        let Some(Definition::Settings(settings)) = &file.definition else { continue };
        for rule in &settings.notify {
            let node = file.document.node(rule.node);
            tell(file, node, node.naming_span(), rule.channel, &named, findings);
        }
        for channel in settings.channels.values() {
            if let Some(wrong) = wrong(channel.kind, &channel.to, &|_| false) {
                findings.add(file, channel.to.span, format!("`{}` is {wrong}", channel.to.value));
            }
        }
    }
}

fn tell(
    file: &File,
    node: Node<'_>,
    place: Span,
    channel: Channel,
    named: &dyn Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let to = node.get("to").filter(|to| !to.is_null());
    let key = node.key_node("to").map_or(place, Node::span);
    match (channel, to) {
        (Channel::Comment, Some(_)) => {
            findings.add(file, key, "a comment has no receiver").help("remove `to`");
        }
        (Channel::Comment, None) => {}
        (_, None) => {
            let span = node.get("channel").map_or(place, Node::span);
            findings.add(file, span, "nobody is named who is told").help("add `to`");
        }
        (_, Some(to)) => {
            let receivers: Vec<Node<'_>> = match to.items() {
                Some(items) => items.collect(),
                None => vec![to],
            };
            for receiver in receivers {
                let Some(text) = receiver.as_text() else {
                    findings.add(file, receiver.span(), "a receiver is a text");
                    continue;
                };
                if let Some(wrong) = wrong(channel, text, named) {
                    findings.add(file, receiver.span(), format!("`{text}` is {wrong}"));
                }
            }
        }
    }
}

/// What a receiver is not. What is empty or computed is left to others.
fn wrong(channel: Channel, to: &str, named: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    if has_markup(to) || to.trim().is_empty() || named(to) {
        return None;
    }
    match channel {
        Channel::Email => {
            let one = |address: &str| {
                let parts = address.trim().split_once('@');
                parts.is_some_and(|(name, host)| {
                    !name.is_empty() && host.contains('.') && !host.contains('@') && !address.trim().contains(' ')
                })
            };
            (!to.split(',').all(one)).then_some("no e-mail address")
        }
        Channel::Slack => to.trim().contains([' ', '/', ',']).then_some("no channel of Slack"),
        // A plain word is the name of a channel, and told where there is none of that name.
        Channel::Webhook => {
            let is_url = ["http://", "https://"].iter().any(|scheme| to.starts_with(scheme)) && !to.contains(' ');
            (!is_url && to.contains(['/', '.', ' ', ':'])).then_some("no URL; it begins with `https://`")
        }
        Channel::Comment => None,
    }
}
