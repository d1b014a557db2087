//! A call to an address inside.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::dataflow::Constants;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::step::notify::Channel;
use crate::source::{NodeId, Spanned};
use core::net::{IpAddr, Ipv6Addr};
use std::borrow::Cow;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW504",
    name: "private-address",
    severity: Severity::Warning,
    summary: "A call to an address inside",
    reason: r"
Loopback, private and link-local addresses, and those from which clouds give out credentials, mean another machine wherever
the process runs. A server refuses them unless it was told otherwise (`FLOWCTL_ALLOW_PRIVATE_NETWORKS`). Constants of
`context` in an address count with their values.
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
        let constants = Constants::of(process.process);
        let address_of = |url| if host(url).is_some() { Cow::Borrowed(url) } else { constants.resolved(url) };
        for step in process.steps() {
            match &step.kind {
                StepKind::ApiCall(call) => {
                    tell(process.file, &address_of(&call.url), call.url.node, findings);
                }
                StepKind::Notify(notify) if notify.channel == Channel::Webhook => {
                    if let Some(Spanned { value: serde_json::Value::String(to), node, .. }) = &notify.to {
                        tell(process.file, &address_of(to), *node, findings);
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

/// `url`: what stands at the node, or what that is once constants stand in it.
fn tell(file: &File, url: &str, node: NodeId, findings: &mut Findings) {
    let Some(host) = host(url) else { return };
    if let Some(what) = inside(host) {
        let start = host.as_ptr() as usize - url.as_ptr() as usize;
        let written = file.document.node(node).as_str().unwrap_or_default();
        let range = if written == url { start..start + host.len() } else { 0..written.len() };
        let span = file.document.span_within(node, range);
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
    is_called_this_machine(host) || address(host).is_some_and(|address| address.is_loopback())
}

fn is_called_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// The address that a host is, in every way in which clients read one: `127.1`, `0x7f000001` and `2130706433` are all
/// `127.0.0.1`. Source: the WHATWG URL standard, "IPv4 parser".
fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
            address => address,
        });
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = number(host.rsplit('.').next()?)?;
    let mut front: Vec<&str> = host.split('.').collect();
    front.pop();
    if front.len() > 3 {
        return None;
    }
    let mut address: u32 = 0;
    for (place, part) in front.iter().enumerate() {
        let byte = u8::try_from(number(part)?).ok()?;
        address |= u32::from(byte) << (24 - 8 * place);
    }
    let room = u64::from(u32::MAX) >> (8 * front.len());
    (last <= room).then(|| u32::try_from(last).ok()).flatten().map(|last| IpAddr::V4((address | last).into()))
}

/// A part of such an address: hexadecimal with `0x`, octal with `0`, else decimal.
fn number(part: &str) -> Option<u64> {
    let low = part.to_ascii_lowercase();
    let (digits, base) = match (low.strip_prefix("0x"), low.strip_prefix('0')) {
        (Some(""), _) => return Some(0),
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (low.as_str(), 10),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_number { u64::from_str_radix(digits, base).ok() } else { None }
}

/// What kind of inside address a host is. Sources: RFC 1918, RFC 3927, RFC 4193, RFC 6598; the metadata services of AWS,
/// Google Cloud and Azure share 169.254.169.254.
fn inside(host: &str) -> Option<&'static str> {
    let address = address(host);
    let is_metadata = address == Some(IpAddr::V4([169, 254, 169, 254].into()));
    if is_metadata || host.eq_ignore_ascii_case("metadata.google.internal") {
        return Some("where a cloud gives out credentials");
    }
    if is_called_this_machine(host) || address.is_some_and(|address| address.is_loopback()) {
        return Some("the machine that runs the process");
    }
    match address? {
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

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn an_address_is_read_as_clients_read_it() {
        for (host, expected) in [
            ("0x7f000001", Some("the machine that runs the process")),
            ("2130706433", Some("the machine that runs the process")),
            ("127.1", Some("the machine that runs the process")),
            ("0177.0.0.1", Some("the machine that runs the process")),
            ("::ffff:127.0.0.1", Some("the machine that runs the process")),
            ("0xa9fea9fe", Some("where a cloud gives out credentials")),
            ("10.1", Some("a private address")),
            ("8.8.8.8", None),
            ("134744072", None),
            ("1.2.3.4.5", None),
            ("4294967296", None),
            ("api.example", None),
            ("0xzz", None),
            ("", None),
        ] {
            assert_eq!(inside(host), expected, "{host}");
        }
    }
}
