//! A process as a picture that stands alone: readable in light and dark, without colour, and by a screen reader.
//! Layout is `layout`'s; here is what a box says and how it looks.

mod figure;
mod outline;
mod text;

use std::fmt::Write;

use super::{Graph, Marks};
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use figure::figure;
use text::escaped;

/// Space around the picture.
const MARGIN: f64 = 16.0;

/// Colours by their use, for light and dark pages. An image in a page cannot see the page's own colours.
const STYLE: &str = "
.flow{--paper:#fff;--box:#f6f8fa;--ink:#1f2328;--dim:#59636e;--line:#6e7781;--error:#cf222e;--warning:#8a5b00;--info:#0969da;font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}
@media(prefers-color-scheme:dark){.flow{--paper:#0d1117;--box:#161b22;--ink:#f0f6fc;--dim:#9da7b1;--line:#8b949e;--error:#ff7b72;--warning:#e3b341;--info:#79c0ff}}
.paper{fill:var(--paper)}
.box{fill:var(--box);stroke:var(--line);stroke-width:1.2}
.bar{fill:none;stroke:var(--line);stroke-width:1.2}
.frame{fill:none;stroke:var(--line);stroke-width:1.2;stroke-dasharray:6 4}
.name{fill:var(--ink);font-size:13px;font-weight:600}
.said{fill:var(--dim);font-size:11px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.line{fill:none;stroke:var(--line);stroke-width:1.4}
.failure{stroke-dasharray:7 4}
.undo{stroke-dasharray:2 4}
.head{fill:var(--line)}
.label{fill:var(--ink);font-size:11px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;text-anchor:middle}
.error{stroke:var(--error);stroke-width:2.6}
.warning{stroke:var(--warning);stroke-width:2.6}
.info{stroke:var(--info);stroke-width:2.6}
.error-text{fill:var(--error);font-weight:600}
.warning-text{fill:var(--warning);font-weight:600}
.info-text{fill:var(--info);font-weight:600}
";

/// The picture; steps with findings are marked.
pub fn svg(process: &Process, marks: &Marks) -> String {
    let drawn = figure(&process.steps, marks, 0);
    let (width, height) = (drawn.size.width + 2.0 * MARGIN, drawn.size.height + 2.0 * MARGIN);
    let name = process.header.name.as_str();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flow\" role=\"img\" aria-labelledby=\"flow-title flow-desc\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">"
    );
    let _ = writeln!(text, "<title id=\"flow-title\">Process {}</title>", escaped(name));
    let _ = writeln!(text, "<desc id=\"flow-desc\">{}</desc>", escaped(&description(process, marks)));
    let _ = writeln!(text, "<style>{STYLE}</style>");
    text.push_str(
        "<defs><marker id=\"flow-head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" \
         markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head\" d=\"M0 1L10 5L0 9z\"/></marker></defs>\n",
    );
    text.push_str("<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n");
    let _ = write!(text, "<g transform=\"translate({MARGIN} {MARGIN})\">\n{}</g>\n</svg>\n", drawn.text);
    text
}

/// The process in words, for who does not see the picture.
fn description(process: &Process, marks: &Marks) -> String {
    let mut text = String::new();
    let _ = write!(text, "{} steps. ", process.all_steps().count());
    describe(&process.steps, marks, &mut text);
    text.trim_end().to_owned()
}

fn describe(steps: &[Step], marks: &Marks, text: &mut String) {
    let graph = Graph::of_steps(steps);
    for (index, step) in graph.steps().enumerate() {
        let _ = write!(text, "{} ({})", step.id.as_str(), step.step_type());
        let before: Vec<&str> = graph.before(index).iter().map(|edge| graph.step(edge.from).id.as_str()).collect();
        if !before.is_empty() {
            let _ = write!(text, " after {}", before.join(", "));
        }
        if let Some(mark) = marks.at(step) {
            let _ = write!(text, ", {}", mark.words());
        }
        text.push_str(". ");
        if let StepKind::Foreach(foreach) = &step.kind {
            let _ = write!(text, "For each item of {}: ", step.id.as_str());
            describe(&foreach.steps, marks, text);
        }
    }
}
