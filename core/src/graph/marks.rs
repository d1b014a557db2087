//! Which steps have findings, for pictures that mark them.

use std::collections::BTreeMap;

use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::source::{NodeId, Span};
use crate::validate::{Finding, Severity};

/// What was found in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The worst of it.
    pub severity: Severity,
    /// How many findings are as bad.
    pub count: usize,
}

/// What was found in the steps of a process.
#[derive(Debug, Clone, Default)]
pub struct Marks(BTreeMap<NodeId, Mark>);

impl Marks {
    /// No marks.
    pub fn none() -> Self {
        Self::default()
    }

    /// The marks of a process: each finding belongs to the innermost step that it lies in.
    pub fn of(file: &File, process: &Process, findings: &[Finding]) -> Self {
        let mut marks = Self::default();
        let spans = |step: &Step| file.document.node(step.node).outer_span();
        for finding in findings.iter().filter(|finding| finding.path == file.source.path()) {
            let Some(step) = innermost(&process.steps, &spans, finding.span) else { continue };
            let mark = marks.0.entry(step.node).or_insert(Mark { severity: finding.severity, count: 0 });
            if finding.severity < mark.severity {
                *mark = Mark { severity: finding.severity, count: 0 };
            }
            mark.count += usize::from(finding.severity == mark.severity);
        }
        marks
    }

    /// What was found in a step.
    pub fn at(&self, step: &Step) -> Option<Mark> {
        self.0.get(&step.node).copied()
    }
}

impl Mark {
    /// `2 errors`
    pub fn words(self) -> String {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        format!("{} {word}{}", self.count, if self.count == 1 { "" } else { "s" })
    }

    /// A sign that needs no colour.
    pub fn sign(self) -> char {
        match self.severity {
            Severity::Error => '✗',
            Severity::Warning => '!',
            Severity::Info => 'i',
        }
    }
}

fn innermost<'p>(steps: &'p [Step], spans: &dyn Fn(&Step) -> Span, wanted: Span) -> Option<&'p Step> {
    let after = steps.partition_point(|step| spans(step).start <= wanted.start);
    let step = steps.get(after.checked_sub(1)?)?;
    if !spans(step).contains(wanted) {
        return None;
    }
    match &step.kind {
        StepKind::Foreach(foreach) => innermost(&foreach.steps, spans, wanted).or(Some(step)),
        _ => Some(step),
    }
}
