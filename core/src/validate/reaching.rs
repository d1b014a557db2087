//! Where data that somebody else wrote arrives, as the rules about safety ask for it: steps of a type, a field of theirs,
//! and a way from the source into it. What moves where is known to `dataflow`; here is only how it is asked and told.

use super::finding::Finding;
use super::scope::{ProcessScope, Scope};
use crate::dataflow::{Field, FieldIndex, Flow, Origin, Origins, Owner, Path, Reading};
use crate::definition::Step;
use crate::source::Span;

/// Free text that anybody may have written: titles, labels, names of branches, payloads.
pub(super) const OUTSIDERS: Origins = Origins::of(Origin::Outsider);
/// What other programs answered.
pub(super) const SERVICES: Origins = Origins::of(Origin::Service);

/// Where data arrives.
pub(super) struct Arrival<'s> {
    /// The flow of the process.
    pub(super) flow: &'s Flow,
    /// The step.
    pub(super) step: &'s Step,
    /// The field of it that reads.
    pub(super) field: FieldIndex,
    /// The way into it.
    pub(super) path: Path,
}

/// Every field of steps that are wanted into which words of these origins come. What is only a number, a truth or one of
/// some known words brings none.
pub(super) fn arrivals<'s>(
    scope: &'s Scope<'_>,
    process: &'s ProcessScope<'_>,
    step_wanted: &dyn Fn(&Step) -> bool,
    field_wanted: &dyn Fn(&Field) -> bool,
    origins: Origins,
) -> Vec<Arrival<'s>> {
    // The flow is worked out only where somebody asks.
    if !process.steps().any(step_wanted) {
        return Vec::new();
    }
    let flow = scope.flow(process);
    let mut found = Vec::new();
    for (number, step) in process.process.all_steps().enumerate().filter(|(_, step)| step_wanted(step)) {
        for (index, _) in flow.fields_of(number).filter(|(_, field)| field_wanted(field)) {
            if flow.origins(index).and(origins).is_empty() {
                continue;
            }
            let wanted = |_: &crate::dataflow::Source, own: Origins| !own.and(origins).is_empty();
            let carries = |field, reading| carries_words(scope, process, flow, field, reading);
            let path = flow.path_of(&process.file.document, &wanted, index, &carries);
            let path = path.filter(|path| !path.hops.is_empty());
            found.extend(path.map(|path| Arrival { flow, step, field: index, path }));
        }
    }
    found
}

/// Whether words of what a field reads may stand in it.
pub(crate) fn carries_words(
    scope: &Scope<'_>,
    process: &ProcessScope<'_>,
    flow: &Flow,
    field: FieldIndex,
    reading: Reading,
) -> bool {
    let owner = match flow.fields().get(field).map(|field| &field.owner) {
        Some(Owner::Step(step)) => Some(flow.step_id(*step)),
        _ => None,
    };
    let Some(types) = scope.types.process(process.file.source.path()) else { return true };
    let Some(((_, reference), node)) = flow.reference(reading).zip(flow.scalar(reading)) else { return true };
    types.carries_words(&scope.types, node, owner, &reference.range)
}

impl Arrival<'_> {
    /// What is read in the field itself, as written.
    pub(super) fn reads(&self) -> &str {
        self.path.reads()
    }

    /// What was read first on the way: where the data came from.
    pub(super) fn begins(&self) -> &str {
        self.path.hops.first().map_or("", |hop| hop.reads.as_str())
    }

    /// Where it is read in the field.
    pub(super) fn span(&self) -> Span {
        self.path.span()
    }

    /// Adds the stations on the way to a finding.
    pub(super) fn tell_way(&self, process: &ProcessScope<'_>, finding: &mut Finding) {
        tell_way(&self.path, process, finding);
    }
}

/// Adds the stations on a way to a finding.
pub(super) fn tell_way(path: &Path, process: &ProcessScope<'_>, finding: &mut Finding) {
    for hop in path.hops.iter().rev().skip(1) {
        finding.also(process.file, hop.span, format!("`{}` is read here", hop.reads));
    }
}
