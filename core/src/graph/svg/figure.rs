//! The boxes and lines of one list of steps: a process's own, or the body of a `foreach` in its frame.

use std::fmt::Write;

use super::outline::{inset, outline};
use super::text::{escaped, fixed_width, name_width};
use crate::definition::Step;
use crate::definition::step::{RunOn, StepKind};
use crate::graph::layout::{Link, Point, Size, Way, layered};
use crate::graph::words::{circumstances, condition, short};
use crate::graph::{Graph, Marks};
use crate::validate::Severity;

/// Longest name and longest line below it, in characters; the whole text is shown where the pointer rests.
const LONGEST: usize = 38;
/// Deepest body that is drawn.
const DEEPEST: usize = 16;
/// Space inside a box: beside and above its texts.
const BESIDE: f64 = 14.0;
const ABOVE: f64 = 9.0;
/// Heights of lines.
const NAME: f64 = 18.0;
const SAID: f64 = 15.0;

/// Something drawn, from 0 to its size.
pub(super) struct Figure {
    pub(super) size: Size,
    pub(super) text: String,
}

/// How a line looks.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Failure,
    Undo,
}

/// Draws steps and what is between them.
pub(super) fn figure(steps: &[Step], marks: &Marks, depth: usize) -> Figure {
    let graph = Graph::of_steps(steps);
    let boxes: Vec<Figure> = graph.steps().map(|step| step_box(step, marks, depth)).collect();
    let (links, looks) = links(&graph);
    let sizes: Vec<Size> = boxes.iter().map(|figure| figure.size).collect();
    let placed = layered(&sizes, &links);
    let mut text = String::new();
    for (look, way) in looks.iter().zip(&placed.ways) {
        if let Some(way) = way {
            draw_line(&mut text, look, way);
        }
    }
    for (figure, Point { x, y }) in boxes.iter().zip(&placed.boxes) {
        let _ = write!(text, "<g transform=\"translate({x:.1} {y:.1})\">\n{}</g>\n", figure.text);
    }
    // Labels come last: where a line had to pass behind, they stay readable.
    for (look, way) in looks.iter().zip(&placed.ways) {
        if let (Some(label), Some(at)) = (&look.label, way.as_ref().and_then(|way| way.label)) {
            draw_label(&mut text, label, &look.whole, at);
        }
    }
    Figure { size: placed.size, text }
}

struct Look {
    kind: Kind,
    label: Option<String>,
    whole: String,
}

fn links(graph: &Graph<'_>) -> (Vec<Link>, Vec<Look>) {
    let (mut links, mut looks) = (Vec::new(), Vec::new());
    let mut add = |from: usize, to: usize, kind: Kind, words: Option<String>| {
        let label = words.as_ref().map(|words| short(words, LONGEST));
        links.push(Link { from, to, label: label.as_deref().map(label_size) });
        looks.push(Look { kind, label, whole: words.unwrap_or_default() });
    };
    for (index, step) in graph.steps().enumerate() {
        for edge in graph.before(index) {
            let kind = if step.run_on == RunOn::Failure { Kind::Failure } else { Kind::Plain };
            let words = condition(graph.step(edge.from), step).filter(|_| edge.gateway);
            add(edge.from, index, kind, words);
        }
        for undone in graph.undone_by(index) {
            add(undone, index, Kind::Undo, Some("undone by".to_owned()));
        }
    }
    (links, looks)
}

fn label_size(label: &str) -> Size {
    Size { width: fixed_width(label) + 12.0, height: 18.0 }
}

fn draw_line(text: &mut String, look: &Look, way: &Way) {
    let class = match look.kind {
        Kind::Plain => "line",
        Kind::Failure => "line failure",
        Kind::Undo => "line undo",
    };
    let Some((first, rest)) = way.points.split_first() else { return };
    let mut path = format!("M{:.1} {:.1}", first.x, first.y);
    let mut last = first;
    for point in rest {
        if (point.x - last.x).abs() < 0.05 {
            let _ = write!(path, "V{:.1}", point.y);
        } else {
            let middle = f64::midpoint(last.y, point.y);
            let _ = write!(path, "C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}", last.x, point.x, point.x, point.y);
        }
        last = point;
    }
    let _ = writeln!(text, "<path class=\"{class}\" marker-end=\"url(#flow-head)\" d=\"{path}\"/>");
}

fn draw_label(text: &mut String, label: &str, whole: &str, at: Point) {
    let size = label_size(label);
    let (x, y) = (at.x - size.width / 2.0, at.y - size.height / 2.0);
    let title = if label == whole { String::new() } else { format!("<title>{}</title>", escaped(whole)) };
    let _ = writeln!(
        text,
        "<g>{title}<rect class=\"paper\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"4\"/>\
         <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        size.width,
        size.height,
        at.x,
        at.y + 4.0,
        escaped(label)
    );
}

/// A line in a box: its class, its text, its height.
type Line = (String, String, f64);

fn step_box(step: &Step, marks: &Marks, depth: usize) -> Figure {
    let (lines, class) = lines(step, marks);
    let width = |(class, text, _): &Line| if class == "name" { name_width(text) } else { fixed_width(text) };
    let widest = lines.iter().map(width).fold(0.0, f64::max);
    let beside = BESIDE + inset(step);
    let mut size = Size {
        width: (widest + 2.0 * beside).max(96.0),
        height: lines.iter().map(|(_, _, height)| height).sum::<f64>() + 2.0 * ABOVE,
    };
    let title = format!("<title>{}</title>\n", escaped(&whole(step)));
    let StepKind::Foreach(foreach) = &step.kind else {
        let text = format!("{title}{}{}", outline(step, size, &format!("box{class}")), texts(&lines, size.width / 2.0));
        return Figure { size, text };
    };
    let head = size.height;
    let (body, below) = match depth {
        0..DEEPEST => (figure(&foreach.steps, marks, depth + 1), BESIDE),
        _ => (Figure { size: Size { width: 0.0, height: 0.0 }, text: String::new() }, 0.0),
    };
    size.width = size.width.max(body.size.width + 2.0 * BESIDE);
    size.height = head + body.size.height + below;
    let mut text = title;
    let _ = writeln!(
        text,
        "<rect class=\"frame{class}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>",
        size.width, size.height
    );
    text.push_str(&texts(&lines, size.width / 2.0));
    let left = (size.width - body.size.width) / 2.0;
    let _ = write!(text, "<g transform=\"translate({left:.1} {head:.1})\">\n{}</g>\n", body.text);
    Figure { size, text }
}

/// What stands in a box, and the class of its outline where it is marked.
fn lines(step: &Step, marks: &Marks) -> (Vec<Line>, String) {
    let said = |text: &str| ("said".to_owned(), short(text, LONGEST), SAID);
    let id = step.id.as_str();
    let mut lines = match &step.name {
        Some(name) => vec![
            ("name".to_owned(), short(name, LONGEST), NAME),
            said(&format!("{} · {}", short(id, LONGEST - 18), step.step_type())),
        ],
        None => vec![("name".to_owned(), short(id, LONGEST), NAME), said(step.step_type().as_str())],
    };
    lines.extend(circumstances(step).iter().map(|words| said(words)));
    let Some(mark) = marks.at(step) else { return (lines, String::new()) };
    let class = match mark.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    lines.push((format!("said {class}-text"), format!("{} {}", mark.sign(), mark.words()), SAID));
    (lines, format!(" {class}"))
}

fn texts(lines: &[Line], centre: f64) -> String {
    let mut text = String::new();
    let mut y = ABOVE;
    for (class, line, height) in lines {
        let base = y + height - 5.0;
        let _ = writeln!(
            text,
            "<text class=\"{class}\" text-anchor=\"middle\" x=\"{centre:.1}\" y=\"{base:.1}\">{}</text>",
            escaped(line)
        );
        y += height;
    }
    text
}

/// All that a box says, uncut.
fn whole(step: &Step) -> String {
    let mut said = vec![format!("{} ({})", step.id.as_str(), step.step_type())];
    said.extend(step.name.iter().map(|name| name.value.clone()));
    said.extend(circumstances(step));
    said.join("; ")
}
