//! A process as a Mermaid flowchart, for Markdown pages and GitHub comments.

use std::fmt::Write;

use super::Graph;
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Process, Step};

/// The flowchart's source (<https://mermaid.js.org/syntax/flowchart.html>).
pub fn mermaid(process: &Process) -> String {
    let mut text = String::from("flowchart TD\n");
    steps(&mut text, &process.steps, 1);
    text
}

fn steps(text: &mut String, steps: &[Step], depth: usize) {
    let graph = Graph::of_steps(steps);
    let indent = "  ".repeat(depth);
    for step in graph.steps() {
        if let StepKind::Foreach(foreach) = &step.kind {
            let _ = writeln!(text, "{indent}subgraph {}[\"{}\"]", node(step), label(step));
            self::steps(text, &foreach.steps, depth + 1);
            let _ = writeln!(text, "{indent}end");
        } else {
            let (open, close) = shape(step);
            let _ = writeln!(text, "{indent}{}{open}\"{}\"{close}", node(step), label(step));
        }
    }
    for (index, step) in graph.steps().enumerate() {
        for edge in graph.before(index) {
            let from = graph.step(edge.from);
            let words = if edge.gateway { condition(from, step) } else { run_on(step).map(str::to_owned) };
            let arrow = if step.run_on == RunOn::Failure { "-.->" } else { "-->" };
            let words = words.map(|words| format!("|\"{}\"|", escape(&words))).unwrap_or_default();
            let _ = writeln!(text, "{indent}{} {arrow}{words} {}", node(from), node(step));
        }
        for undone in graph.undone_by(index) {
            let _ = writeln!(text, "{indent}{} -.->|\"undone by\"| {}", node(graph.step(undone)), node(step));
        }
    }
}

/// A step's id as Mermaid takes it: some ids (`end`) are words of its own.
fn node(step: &Step) -> String {
    format!("step_{}", step.id.as_str())
}

fn shape(step: &Step) -> (&'static str, &'static str) {
    match &step.kind {
        StepKind::Gateway(_) => ("{", "}"),
        StepKind::HumanApproval(_) | StepKind::Form(_) => ("([", "])"),
        StepKind::Wait(_) => ("((", "))"),
        _ => ("[", "]"),
    }
}

fn label(step: &Step) -> String {
    let id = escape(step.id.as_str());
    match &step.name {
        Some(name) => format!("{}<br/><i>{id}: {}</i>", escape(name), step.step_type()),
        None => format!("{id}<br/><i>{}</i>", step.step_type()),
    }
}

fn run_on(step: &Step) -> Option<&'static str> {
    match step.run_on {
        RunOn::Success | RunOn::Compensation => None,
        RunOn::Failure => Some("on failure"),
        RunOn::Always => Some("always"),
    }
}

/// The condition of the branch that leads from a gateway to a step.
fn condition(gateway: &Step, target: &Step) -> Option<String> {
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

/// A text inside quotes of a flowchart: what Mermaid or HTML would read as markup becomes an entity, line breaks spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '|' => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
