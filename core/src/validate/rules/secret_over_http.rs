//! A secret that travels in the open.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::private_address::{host, is_this_machine};
use crate::dataflow::Constants;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::source::{Node, Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW503",
    name: "secret-over-http",
    severity: Severity::Error,
    summary: "A secret that travels in the open",
    reason: r"
With `http://` everybody on the way can read it. This is fine only on the machine itself. Constants of `context` in an
address count with their values.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: http://api.example/things
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
        for step in process.steps() {
            let StepKind::ApiCall(call) = &step.kind else { continue };
            // Nearly every address says at its beginning how it is reached.
            if !call.url.trim_start().starts_with("https://") {
                tell(process.file, &call.url, &constants.resolved(&call.url), process.node(step), findings);
            }
        }
    }
    for file in scope.all_files() {
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        match &file.definition {
            Some(Definition::Settings(settings)) => {
                for (name, integration) in &settings.integrations {
                    let node = root.get("integrations").and_then(|all| all.get(name.as_str()));
                    node.into_iter().for_each(|node| tell(file, &integration.url, &integration.url, node, findings));
                }
            }
            Some(Definition::Tool(tool)) => tool.url.iter().for_each(|url| tell(file, url, url, root, findings)),
            _ => {}
        }
    }
}

/// `address`: what a url is once constants stand in it.
fn tell(file: &File, url: &Spanned<String>, address: &str, around: Node<'_>, findings: &mut Findings) {
    if !is_in_the_open(address) {
        return;
    }
    let secret =
        ["url", "query", "headers", "body", "body_text"].into_iter().find_map(|key| secret(around.get(key)?, 0));
    if let Some(secret) = secret {
        let scheme = url.find("http://").map(|at| at..at + "http://".len());
        let is_written = scheme.is_some();
        let span = file.document.span_within(url.node, scheme.unwrap_or(0..url.len()));
        let finding = findings.add(file, span, "a secret travels where everybody on the way can read it");
        let help = if is_written { "write `https://`" } else { "write `https://` in the constant" };
        finding.help(help).also(file, secret, "the secret");
    }
}

/// Whether everybody on the way to an address can read what is sent there.
pub(crate) fn is_in_the_open(url: &str) -> bool {
    url.trim_start().starts_with("http://") && host(url).is_some_and(|host| !is_this_machine(host))
}

/// Values nest; deeper than this nobody writes them.
const MAX_DEPTH: usize = 32;

/// Where a secret stands in a value.
pub(super) fn secret(value: Node<'_>, depth: usize) -> Option<Span> {
    if value.as_text().is_some_and(|text| text.contains("{{") && text.contains("secrets.")) {
        return Some(value.span());
    }
    if depth > MAX_DEPTH {
        return None;
    }
    let items = value.items().into_iter().flatten();
    let entries = value.entries().map(|(_, value)| value);
    items.chain(entries).find_map(|inner| secret(inner, depth + 1))
}
