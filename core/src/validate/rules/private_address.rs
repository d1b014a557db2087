//! A call to an address inside.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;
use crate::source::{NodeId, Spanned};
use core::net::{IpAddr, Ipv6Addr};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW504",
    name: "private-address",
    severity: Severity::Warning,
    summary: "A call to an address inside",
    reason: r"
Loopback, private and link-local addresses, and those from which clouds give out credentials, mean another machine wherever
the process runs. A server refuses them unless it was told otherwise (`FLOWCTL_ALLOW_PRIVATE_NETWORKS`).
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://169.254.169.254/things
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            match &step.kind {
                StepKind::ApiCall(call) => tell(process.file, &call.url, call.url.node, findings),
                StepKind::Notify(notify) if notify.channel == Channel::Webhook => {
                    if let Some(Spanned { value: serde_json::Value::String(to), node, .. }) = &notify.to {
                        tell(process.file, to, *node, findings);
                    }
                }
                _ => {}
            }
        }
    }
    for file in scope.all_files() {
        if let Some(Definition::Settings(settings)) = &file.definition {
            settings.integrations.values().for_each(|one| tell(file, &one.url, one.url.node, findings));
            let webhooks = settings.channels.values().filter(|channel| channel.kind == Channel::Webhook);
            webhooks.for_each(|channel| tell(file, &channel.to, channel.to.node, findings));
        }
    }
}

fn tell(file: &File, url: &str, node: NodeId, findings: &mut Findings) {
    let Some(host) = host(url) else { return };
    if let Some(what) = inside(host) {
        let start = host.as_ptr() as usize - url.as_ptr() as usize;
        let span = file.document.span_within(node, start..start + host.len());
        findings.add(file, span, format!("`{host}` is {what}")).help("name the other side as everybody reaches it");
    }
}

/// The host of an address, where it is written out: without user, port and brackets.
pub(super) fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    if scheme.contains('{') || host.contains('{') || host.is_empty() {
        return None;
    }
    match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => host.split(':').next(),
    }
}

/// Whether a host is the machine itself.
pub(super) fn is_this_machine(host: &str) -> bool {
    let named = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What kind of inside address a host is. Sources: RFC 1918, RFC 3927, RFC 4193, RFC 6598; the metadata services of AWS,
/// Google Cloud and Azure share 169.254.169.254.
fn inside(host: &str) -> Option<&'static str> {
    if host == "169.254.169.254" || host.eq_ignore_ascii_case("metadata.google.internal") {
        return Some("where a cloud gives out credentials");
    }
    if is_this_machine(host) {
        return Some("the machine that runs the process");
    }
    match host.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0b1100_0000 == 64;
            let private = address.is_private() || address.is_link_local() || address.is_unspecified() || shared;
            private.then_some("a private address")
        }
        IpAddr::V6(address) => is_private(address).then_some("a private address"),
    }
}

fn is_private(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.is_unicast_link_local() || address.is_unspecified()
}
