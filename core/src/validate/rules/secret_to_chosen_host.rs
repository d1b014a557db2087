//! A secret that goes wherever the one who starts says.

use super::super::finding::Severity;
use super::super::reaching::arrivals;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::chosen_host::{calls, is_host};
use super::secret_over_http::secret;
use crate::dataflow::{Origin, Origins, Source};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW506",
    name: "secret-to-chosen-host",
    severity: Severity::Error,
    summary: "A secret that goes wherever the one who starts says",
    reason: r"
Whoever may start the process names the machine that is called, and so who is told the secret. Offer the hosts that are meant
with `enum`, hold the input to a `pattern`, or write the host out.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  base: {type: string, required: true}
steps:
  - id: fetch
    type: api_call
    url: "{{ inputs.base }}/things"
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  base: {type: string, enum: ["https://eu.example", "https://us.example"], required: true}
steps:
  - id: fetch
    type: api_call
    url: "{{ inputs.base }}/things"
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &calls, &is_host, Origins::of(Origin::Starter)) {
            let node = process.node(arrival.step);
            let keys = ["url", "query", "headers", "body", "body_text"];
            let Some(secret) = keys.into_iter().find_map(|key| secret(node.get(key)?, 0)) else { continue };
            let Source::Input(name) = &arrival.path.source else { continue };
            if process.process.header.inputs.get(name.as_str()).is_some_and(|field| field.pattern.is_some()) {
                continue;
            }
            let message = format!("whoever gives `{name}` decides who is told the secret");
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("offer the hosts with `enum`, hold the input to a `pattern`, or write the host out");
            finding.also(process.file, secret, "the secret");
            arrival.tell_way(process, finding);
        }
    }
}
