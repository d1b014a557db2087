//! A process as a Mermaid flowchart, for Markdown pages and GitHub comments.

use std::fmt::Write;

use super::words::condition;
use super::{Graph, Marks};
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Process, Step};

/// The flowchart's source (<https://mermaid.js.org/syntax/flowchart.html>).
pub fn mermaid(process: &Process) -> String {
    mermaid_marked(process, &Marks::none())
}

/// The same with steps marked that have findings.
pub fn mermaid_marked(process: &Process, marks: &Marks) -> String {
    let mut text = String::from("flowchart TD\n");
    steps(&mut text, &process.steps, marks, 1);
    let classes = marked(process, marks);
    if !classes.is_empty() {
        text.push_str("  classDef error stroke:#cf222e,stroke-width:3px\n");
        text.push_str("  classDef warning stroke:#9a6700,stroke-width:3px\n");
        text.push_str("  classDef info stroke:#0969da,stroke-width:3px\n");
        text.push_str(&classes);
    }
    text
}

fn marked(process: &Process, marks: &Marks) -> String {
    let mut text = String::new();
    for step in process.all_steps() {
        if let Some(mark) = marks.at(step) {
            let _ = writeln!(text, "  class {} {}", node(step), mark.severity);
        }
    }
    text
}

fn steps(text: &mut String, steps: &[Step], marks: &Marks, depth: usize) {
    let graph = Graph::of_steps(steps);
    let indent = "  ".repeat(depth);
    for step in graph.steps() {
        if let StepKind::Foreach(foreach) = &step.kind {
            let _ = writeln!(text, "{indent}subgraph {}[\"{}\"]", node(step), label(step, marks));
            self::steps(text, &foreach.steps, marks, depth + 1);
            let _ = writeln!(text, "{indent}end");
        } else {
            let (open, close) = shape(step);
            let _ = writeln!(text, "{indent}{}{open}\"{}\"{close}", node(step), label(step, marks));
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

fn label(step: &Step, marks: &Marks) -> String {
    let id = escape(step.id.as_str());
    let mut label = match &step.name {
        Some(name) => format!("{}<br/><i>{id}: {}</i>", escape(name), step.step_type()),
        None => format!("{id}<br/><i>{}</i>", step.step_type()),
    };
    if let Some(mark) = marks.at(step) {
        let _ = write!(label, "<br/>{} {}", mark.sign(), mark.words());
    }
    label
}

fn run_on(step: &Step) -> Option<&'static str> {
    match step.run_on {
        RunOn::Success | RunOn::Compensation => None,
        RunOn::Failure => Some("on failure"),
        RunOn::Always => Some("always"),
    }
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
