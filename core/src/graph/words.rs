//! What pictures say of steps and edges, the same in every format.

use crate::definition::Step;
use crate::definition::step::{Join, RunOn, StepKind};

/// The condition of the branch that leads from a gateway to a step.
pub(super) fn condition(gateway: &Step, target: &Step) -> Option<String> {
    let StepKind::Gateway(fields) = &gateway.kind else { return None };
    let branch = fields.branches.iter().find(|branch| branch.to.iter().any(|to| to.value == target.id.value))?;
    Some(match &branch.when {
        Some(when) => when.as_str().map_or_else(|| when.value.to_string(), bare),
        None => "otherwise".to_owned(),
    })
}

/// A condition without its braces.
pub(super) fn bare(template: &str) -> String {
    let trimmed = template.trim();
    let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inside.filter(|inside| !inside.contains("{{")).unwrap_or(trimmed).trim().to_owned()
}

/// A text on one line of at most so many characters.
pub(super) fn short(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// When a step runs, where that is not simply after what it waits for.
pub(super) fn circumstances(step: &Step) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(when) = &step.when {
        said.push(format!("when {}", when.as_str().map_or_else(|| when.value.to_string(), bare)));
    }
    match step.run_on {
        RunOn::Success => {}
        RunOn::Failure => said.push("on failure".to_owned()),
        RunOn::Always => said.push("always".to_owned()),
        RunOn::Compensation => said.push("to undo".to_owned()),
    }
    if step.join == Join::Any {
        said.push("after the first".to_owned());
    }
    said
}
