//! Keys of which exactly one must be given.

use super::super::faults::has_foreign_key;
use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::File;
use crate::definition::step::{StepKind, StepType};
use crate::source::{Node, Span};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW018",
    name: "one-of-keys",
    severity: Severity::Error,
    summary: "Keys of which exactly one must be given",
    reason: r#"
Some keys exclude each other, and one of them has to be there: `prompt` or `template`, `approvers` or `policy`, one of
`for`, `until` and `event`, `when` or `otherwise`. With both, nobody knows which counts; with none, there is nothing to do.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 5m
    until: "2030-01-01T00:00:00Z"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 5m
"#,
    check,
};

/// Types of steps with the keys of which one must be given, and whether none is an error as well.
const CHOICES: [(StepType, &[&str], bool); 4] = [
    (StepType::AiGenerate, &["prompt", "template"], true),
    (StepType::HumanApproval, &["approvers", "policy"], true),
    (StepType::ApiCall, &["body", "body_text"], false),
    (StepType::Wait, &["for", "until", "event"], true),
];

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let node = process.node(step);
            for (step_type, keys, needed) in CHOICES {
                // `policy` adds to `approvers`, so both may stand together.
                let together = step_type == StepType::HumanApproval;
                if step_type == step.step_type() {
                    tell((scope, process.file), node, step.id.span, keys, (needed, together), findings);
                }
            }
            if let StepKind::Gateway(gateway) = &step.kind {
                for branch in &gateway.branches {
                    let node = process.file.document.node(branch.node);
                    tell(
                        (scope, process.file),
                        node,
                        node.naming_span(),
                        &["when", "otherwise"],
                        (true, false),
                        findings,
                    );
                }
            }
        }
    }
}

/// The later of two keys is too much; where there is none, the place that lacks it is shown.
fn tell(
    (scope, file): (&Scope<'_>, &File),
    mapping: Node<'_>,
    place: Span,
    keys: &[&str],
    (needed, together): (bool, bool),
    findings: &mut Findings,
) {
    let mut given: Vec<Node<'_>> = keys.iter().filter_map(|key| mapping.key_node(key)).collect();
    given.sort_by_key(|key| key.span());
    match given.as_slice() {
        [] if needed && !has_foreign_key(scope, file, mapping) => {
            findings.add(file, place, format!("one of {} is missing", listed(keys).replace(" and ", " or ")));
        }
        [first, second, ..] if !together => {
            let (one, two) = (first.as_str().unwrap_or_default(), second.as_str().unwrap_or_default());
            let message = format!("`{two}` cannot stand beside `{one}`");
            findings.add(file, second.span(), message).help("remove one of them").also(
                file,
                first.span(),
                "the other one",
            );
        }
        _ => {}
    }
}
