//! A call that is made again after it was done.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::ErrorClass;
use crate::definition::step::StepKind;
use crate::definition::step::api_call::Method;
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW703",
    name: "repeated-write",
    severity: Severity::Warning,
    summary: "A call that is made again after it was done",
    reason: r"
With `schema` or `any` a call is repeated although it was answered: because the answer does not have the right form, or
because it was refused. What a `POST` or `PATCH` did is then done twice, unless the other side heeds `Idempotency-Key`.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: order
    type: api_call
    method: POST
    url: https://shop.example/orders
    body: {item: tea}
    retry: {max_attempts: 3, on: [any]}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: order
    type: api_call
    method: POST
    url: https://shop.example/orders
    body: {item: tea}
    retry: {max_attempts: 3, on: [network, server_error]}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::ApiCall(call) = &step.kind else { continue };
            let Some(retry) = &step.retry else { continue };
            let writes = matches!(call.method, Method::Post | Method::Patch);
            let answered = retry.on.iter().any(|class| matches!(class, ErrorClass::Any | ErrorClass::Schema));
            if !writes || !answered || retry.max_attempts < 2 {
                continue;
            }
            let on = process.node(step).get("retry").and_then(|retry| retry.get("on"));
            let word = on
                .and_then(Node::items)
                .into_iter()
                .flatten()
                .find(|one| matches!(one.as_str(), Some("any" | "schema")));
            let span = word.map_or_else(|| process.key_span(step, "retry"), Node::span);
            let finding =
                findings.add(process.file, span, format!("`{}` is repeated after it was answered", step.id.as_str()));
            finding.help("name what is worth another try: `on: [network, timeout, rate_limited, server_error]`");
        }
    }
}
