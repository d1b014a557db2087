//! The outline of a step: its type can be told without colour.

use std::fmt::Write;

use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::graph::layout::Size;

/// How far an outline that is no rectangle cuts into its box, on each side.
const CUT: f64 = 14.0;

/// Room that an outline takes from what stands in it, on each side.
pub(super) fn inset(step: &Step) -> f64 {
    match &step.kind {
        StepKind::Gateway(_) | StepKind::Wait(_) => CUT,
        StepKind::Process(_) | StepKind::Workflow(_) | StepKind::HumanApproval(_) | StepKind::Form(_) => 6.0,
        _ => 0.0,
    }
}

/// The outline, from 0 to its size; `class` says how it is painted.
pub(super) fn outline(step: &Step, size: Size, class: &str) -> String {
    let Size { width, height } = size;
    let rectangle = |radius: f64| {
        format!("<rect class=\"{class}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\"/>\n")
    };
    match &step.kind {
        StepKind::Gateway(_) => polygon(
            class,
            &[
                (CUT, 0.0),
                (width - CUT, 0.0),
                (width, height / 2.0),
                (width - CUT, height),
                (CUT, height),
                (0.0, height / 2.0),
            ],
        ),
        StepKind::Wait(_) => polygon(
            class,
            &[
                (0.0, 0.0),
                (width, 0.0),
                (width - CUT, height / 2.0),
                (width, height),
                (0.0, height),
                (CUT, height / 2.0),
            ],
        ),
        StepKind::HumanApproval(_) | StepKind::Form(_) => rectangle((height / 2.0).min(22.0)),
        StepKind::AgentTask(_) | StepKind::AiGenerate(_) => polygon(
            class,
            &[
                (8.0, 0.0),
                (width - 8.0, 0.0),
                (width, 8.0),
                (width, height - 8.0),
                (width - 8.0, height),
                (8.0, height),
                (0.0, height - 8.0),
                (0.0, 8.0),
            ],
        ),
        StepKind::Process(_) | StepKind::Workflow(_) => {
            let mut text = rectangle(3.0);
            for x in [6.0, width - 6.0] {
                let _ = writeln!(text, "<path class=\"bar\" d=\"M{x:.1} 0V{height:.1}\"/>");
            }
            text
        }
        StepKind::Set(_) => {
            let mut text = rectangle(3.0);
            let fold = format!("M{:.1} 0V10H{width:.1}", width - 10.0);
            let _ = writeln!(text, "<path class=\"bar\" d=\"{fold}\"/>");
            text
        }
        _ => rectangle(3.0),
    }
}

fn polygon(class: &str, corners: &[(f64, f64)]) -> String {
    let corners: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!("<polygon class=\"{class}\" points=\"{}\"/>\n", corners.join(" "))
}
