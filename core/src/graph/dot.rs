//! A process in Graphviz' language (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write;

use super::words::{circumstances, condition, short};
use super::{Graph, Marks};
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Process, Step};
use crate::validate::Severity;

/// Longest text on a line of a box, in characters.
const LONGEST: usize = 48;

/// The graph's source; steps with findings are marked.
pub fn dot(process: &Process, marks: &Marks) -> String {
    let mut text = format!("digraph {} {{\n", quoted(process.header.name.as_str()));
    text.push_str("  graph [fontname=\"Helvetica\", compound=true];\n");
    text.push_str("  node [fontname=\"Helvetica\", shape=box];\n  edge [fontname=\"Helvetica\", fontsize=10];\n");
    steps(&mut text, &process.steps, marks, 1);
    text.push_str("}\n");
    text
}

fn steps(text: &mut String, steps: &[Step], marks: &Marks, depth: usize) {
    let graph = Graph::of_steps(steps);
    let indent = "  ".repeat(depth);
    for (index, step) in graph.steps().enumerate() {
        // Of steps with one id the first counts; the others are drawn as well, under a name of their own.
        let name = node(&graph, index);
        if let StepKind::Foreach(foreach) = &step.kind {
            let _ = writeln!(text, "{indent}subgraph {} {{", quoted(&format!("cluster_{name}")));
            let _ = writeln!(text, "{indent}  style=dashed;");
            let _ = writeln!(text, "{indent}  {} [{}];", quoted(&name), attributes(step, marks));
            self::steps(text, &foreach.steps, marks, depth + 1);
            let _ = writeln!(text, "{indent}}}");
        } else {
            let _ = writeln!(text, "{indent}{} [{}];", quoted(&name), attributes(step, marks));
        }
    }
    for (index, step) in graph.steps().enumerate() {
        for edge in graph.before(index) {
            let mut said = Vec::new();
            if let Some(words) = condition(graph.step(edge.from), step).filter(|_| edge.gateway) {
                said.push(format!("label={}", quoted(&short(&words, LONGEST))));
            }
            if step.run_on == RunOn::Failure {
                said.push("style=dashed".to_owned());
            }
            line(text, &indent, &node(&graph, edge.from), &node(&graph, index), &said);
        }
        for undone in graph.undone_by(index) {
            let said = ["style=dotted".to_owned(), "label=\"undone by\"".to_owned()];
            line(text, &indent, &node(&graph, undone), &node(&graph, index), &said);
        }
    }
}

fn line(text: &mut String, indent: &str, from: &str, to: &str, said: &[String]) {
    let said = if said.is_empty() { String::new() } else { format!(" [{}]", said.join(", ")) };
    let _ = writeln!(text, "{indent}{} -> {}{said};", quoted(from), quoted(to));
}

fn node(graph: &Graph<'_>, index: usize) -> String {
    let id = graph.step(index).id.as_str();
    if graph.find(id) == Some(index) { id.to_owned() } else { format!("{id} #{index}") }
}

fn attributes(step: &Step, marks: &Marks) -> String {
    let mut lines = Vec::new();
    match &step.name {
        Some(name) => lines.extend([short(name, LONGEST), format!("{}: {}", step.id.as_str(), step.step_type())]),
        None => lines.extend([step.id.as_str().to_owned(), step.step_type().to_string()]),
    }
    lines.extend(circumstances(step).iter().map(|said| short(said, LONGEST)));
    let (shape, style) = shape(step);
    let mut colour = String::new();
    if let Some(mark) = marks.at(step) {
        lines.push(format!("{} {}", mark.sign(), mark.words()));
        let name = match mark.severity {
            Severity::Error => "firebrick",
            Severity::Warning => "darkgoldenrod",
            Severity::Info => "steelblue",
        };
        colour = format!(", color={name}, penwidth=2");
    }
    let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    format!("shape={shape}{style}, label=\"{}\"{colour}", label.join("\\n"))
}

/// A shape, and what else of the outline tells the type.
fn shape(step: &Step) -> (&'static str, &'static str) {
    match &step.kind {
        StepKind::Gateway(_) => ("diamond", ""),
        StepKind::HumanApproval(_) | StepKind::Form(_) => ("box", ", style=rounded"),
        StepKind::AgentTask(_) | StepKind::AiGenerate(_) => ("component", ""),
        StepKind::Process(_) | StepKind::Workflow(_) => ("box", ", peripheries=2"),
        StepKind::Wait(_) => ("ellipse", ""),
        StepKind::Set(_) => ("note", ""),
        StepKind::Foreach(_) => ("plaintext", ""),
        StepKind::ApiCall(_) | StepKind::McpCall(_) => ("cds", ""),
        StepKind::Notify(_) => ("box", ""),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text inside quotes: backslashes begin escapes of Graphviz' own, such as `\N`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
