//! A text that was meant to be an expression.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::has_markup;
use crate::definition::StepType;
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW220",
    name: "text-not-expression",
    severity: Severity::Warning,
    summary: "A text that was meant to be an expression",
    reason: r#"
Only what stands in `{{ … }}` is read. A text that is nothing but the name of an input, a constant or a step stays as it
is written, and so do `{ … }` and the `$` of `${{ … }}`, which other systems write.
"#,
    wrong: r#"
# .flow/processes/greet.yaml
name: greet
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: greet
    type: set
    values: {who: "{{ inputs.who }}", again: inputs.who}
"#,
    right: r#"
# .flow/processes/greet.yaml
name: greet
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: greet
    type: set
    values: {who: "{{ inputs.who }}", again: "{{ inputs.who }}"}
"#,
    check,
};

/// Deepest values that are looked at.
const MAX_DEPTH: usize = 16;

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let root = process.file.document.node(process.process.node);
        root.get("outputs").into_iter().for_each(|outputs| look(process, outputs, 0, findings));
        for step in process.steps() {
            for (key, value) in process.node(step).entries() {
                if is_value(step.step_type(), key.as_str().unwrap_or_default()) {
                    look(process, value, 0, findings);
                }
            }
        }
    }
}

/// Whether a key of a step holds what is computed, and no condition, name or words for people.
fn is_value(step_type: StepType, key: &str) -> bool {
    let keys: &[&str] = match step_type {
        StepType::Set => &["values"],
        StepType::ApiCall => &["url", "query", "headers", "body"],
        StepType::McpCall => &["arguments"],
        StepType::Workflow | StepType::Process => &["inputs"],
        StepType::Foreach => &["result"],
        StepType::AiGenerate => &["prompt", "variables"],
        StepType::AgentTask => &["message"],
        _ => &[],
    };
    keys.contains(&key)
}

fn look(process: &ProcessScope<'_>, value: Node<'_>, depth: usize, findings: &mut Findings) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(text) = value.as_str() {
        if let Some(expression) = meant(process, text) {
            let message = "this is a text, and not what it names".to_owned();
            let help = format!("write `\"{{{{ {expression} }}}}\"`");
            findings.add(process.file, value.span(), message).help(help);
        }
        return;
    }
    value.items().into_iter().flatten().for_each(|item| look(process, item, depth + 1, findings));
    value.entries().for_each(|(_, value)| look(process, value, depth + 1, findings));
}

/// The expression that a text was meant to be.
fn meant<'t>(process: &ProcessScope<'_>, text: &'t str) -> Option<&'t str> {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")) {
        return (!has_markup(inside) && !inside.contains("}}")).then_some(inside.trim());
    }
    if has_markup(text) {
        return None;
    }
    let inside = text.strip_prefix("${").or_else(|| text.strip_prefix('{'));
    let chain = inside.and_then(|inside| inside.strip_suffix('}')).unwrap_or(text).trim();
    is_chain_of(process, chain).then_some(chain)
}

/// Whether a text is a chain that begins with something that is there.
fn is_chain_of(process: &ProcessScope<'_>, chain: &str) -> bool {
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mut parts = chain.split('.');
    let (Some(root), Some(first)) = (parts.next(), parts.next()) else { return false };
    let header = &process.process.header;
    let is_there = match root {
        "inputs" => header.inputs.keys().any(|name| name.as_str() == first),
        "context" => header.context.keys().any(|name| name.as_str() == first),
        "steps" => process.all_ids().any(|id| id == first) && chain.matches('.').count() > 1,
        "trigger" => ["type", "actor", "payload", "pull_request"].contains(&first),
        "execution" => ["id", "process", "version", "revision", "repository", "url", "started_at"].contains(&first),
        _ => false,
    };
    is_there && is_name(first) && parts.all(is_name)
}
