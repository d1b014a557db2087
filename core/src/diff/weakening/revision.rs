//! The revisions that workflows run at: written out, or computed of what others may give.

use super::said::names;
use super::{Found, ProcessPair, Subject, View};
use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::text::short;

/// Looks at the workflows of processes that are in both commits.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    for pair in &view.processes {
        for (before, after) in pair.steps() {
            let Some(message) = computed(pair, before, after) else { continue };
            let (place, was) = (pair.after.place(after, "ref"), pair.before.place(before, "ref"));
            found.tell(Kind::RevisionComputed, Subject::step(pair.definition(), after), message, place, Some(was));
        }
    }
}

/// How the revision is computed of more than before, in words.
fn computed(pair: &ProcessPair<'_>, before: &Step, after: &Step) -> Option<String> {
    let (StepKind::Workflow(was), StepKind::Workflow(is)) = (&before.kind, &after.kind) else { return None };
    let is = is.reference.as_ref()?;
    if pair.after.constants.value(is).is_some() {
        return None;
    }
    let known = was.reference.as_ref().map(|was| pair.renames.applied(was, false));
    let known_names = known.as_ref().map(|was| names(was)).unwrap_or_default();
    let reads = names(is).into_iter().find(|name| !known_names.contains(name))?;
    let was = known.map_or_else(|| "the default branch".to_owned(), |was| format!("`{}`", short(&was)));
    Some(format!("`ref`: {was} became `{}`, and `{reads}` decides which form of the workflow runs", short(is)))
}
