//! A first pause that is longer than the longest.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Retry;
use crate::definition::process::Defaults;
use crate::definition::repository::{Definition, File};
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW109",
    name: "contradicting-pauses",
    severity: Severity::Error,
    summary: "A first pause that is longer than the longest",
    reason: r#"
`initial` is the first pause between attempts, `max` the longest. `max` is 5m where it is not written.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: api_call
    url: https://api.example/things
    retry: {max_attempts: 3, initial: 10m, max: 5m}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: api_call
    url: https://api.example/things
    retry: {max_attempts: 3, initial: 5m, max: 10m}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                let root = file.document.node(process.node);
                defaults(file, root, &process.header.defaults, findings);
                for step in process.all_steps() {
                    tell(file, file.document.node(step.node).get("retry"), step.retry.as_ref(), findings);
                }
            }
            Some(Definition::Settings(settings)) => {
                let root = file.document.root().map(|root| file.document.node(root));
                root.into_iter().for_each(|root| defaults(file, root, &settings.defaults, findings));
            }
            _ => {}
        }
    }
}

fn defaults(file: &File, root: Node<'_>, defaults: &Defaults, findings: &mut Findings) {
    let retry = root.get("defaults").and_then(|defaults| defaults.get("retry"));
    tell(file, retry, defaults.retry.as_ref(), findings);
}

fn tell(file: &File, node: Option<Node<'_>>, retry: Option<&Retry>, findings: &mut Findings) {
    let (Some(node), Some(retry)) = (node, retry) else { return };
    if retry.initial > retry.max {
        let span = node.get("initial").or(node.get("max")).map_or(node.span(), |value| value.span());
        let message = format!("the first pause ({}) is longer than the longest ({})", retry.initial, retry.max);
        findings.add(file, span, message).help("raise `max`, or lower `initial`");
    }
}
