//! Something the language knows and the engine does not perform yet.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::ProcessScope;
use super::super::scope::Scope;
use crate::definition::Step;
use crate::definition::repository::{File, FileKind};
use crate::definition::step::StepType;
use crate::execution::Performable;
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW023",
    name: "not-performed-yet",
    severity: Severity::Error,
    summary: "Something the language knows and the engine does not perform yet",
    reason: r#"
It is part of the language, and `flowctl schema` describes it; but this version would accept it and then do nothing.
So what runs processes, the App and `flowctl run`, refuses it until it is performed. `flowctl validate` proves the language, and
does not say this.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: agree
    type: human_approval
    policy: holidays

# .flow/policies/holidays.yaml
name: holidays
approvers: {team: leads}
freezes:
  - {from: 2026-12-18, to: 2027-01-04, reason: Nobody is there to mend it.}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: agree
    type: human_approval
    policy: holidays

# .flow/policies/holidays.yaml
name: holidays
approvers: {team: leads}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    if !scope.options.performed_only {
        return;
    }
    for process in &scope.processes {
        for step in process.steps() {
            step_keys(process, step, findings);
        }
    }
    for file in scope.files(FileKind::Settings) {
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        tell(file, root, "integrations", findings);
    }
    for file in scope.files(FileKind::Agent) {
        let root = file.document.root().map(|root| file.document.node(root));
        root.into_iter().for_each(|root| remembered(file, root, "memory", findings));
    }
    for file in scope.files(FileKind::Policy) {
        let Some(root) = file.document.root().map(|root| file.document.node(root)) else { continue };
        for key in ["windows", "freezes", "escalate", "quotas"] {
            tell(file, root, key, findings);
        }
        // What a policy applies to matters for its guarantees; without them it would be accepted and do nothing.
        if root.get("guarantees").is_none() {
            tell(file, root, "applies_to", findings);
        }
    }
}

/// An agent begins anew with each task: nobody keeps its thread.
fn remembered(file: &File, mapping: Node<'_>, key: &str, findings: &mut Findings) {
    if mapping.get(key).and_then(|value| value.as_str()) == Some("thread") {
        tell(file, mapping, key, findings);
    }
}

/// Tells a key of a mapping, where it is written.
fn tell(file: &File, mapping: Node<'_>, key: &str, findings: &mut Findings) {
    let (Some(written), Some(value)) = (mapping.key_node(key), mapping.get(key)) else { return };
    let finding = findings.add(file, written.span(), format!("`{key}` is not performed yet"));
    finding.help("remove it, or wait for a version that performs it").yield_inside(written.span().to(value.span()));
}

fn step_keys(process: &ProcessScope<'_>, step: &Step, findings: &mut Findings) {
    let node = process.node(step);
    if !Performable::engine().includes(step.step_type()) {
        let message = format!("steps of type `{}` are not performed yet", step.step_type());
        let performed: Vec<&str> = Performable::engine().types().map(StepType::as_str).collect();
        let span = process.value_span(step, "type");
        findings.add(process.file, span, message).help(format!("performed are {}", performed.join(", ")));
        return;
    }
    let keys: &[&str] = match step.step_type() {
        StepType::ApiCall => &["integration"],
        _ => &[],
    };
    keys.iter().for_each(|key| tell(process.file, node, key, findings));
    if step.step_type() == StepType::AgentTask {
        remembered(process.file, node, "session", findings);
    }
}
