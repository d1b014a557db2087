//! Ids with a hyphen in expressions: `steps.fetch-data.output` is read as a difference, and one step is meant.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::expression::{Reference, Template};
use crate::types::{Mistake, MistakeKind};
use crate::validate::scope::ProcessScope;

/// Ids that were written with a hyphen, by how they should be; it is told where they are written.
pub(super) struct Hyphens<'s>(BTreeMap<&'s str, &'s str>);

impl<'s> Hyphens<'s> {
    pub(super) fn of(process: &'s ProcessScope<'_>) -> Self {
        let file = process.file;
        let written =
            process.ids.iter().map(|id| (id.id.as_str(), file.source.slice(file.document.node(id.node).span())));
        Self(written.filter(|(id, written)| written.contains('-') && *id != *written).collect())
    }

    /// Whether an expression names a step with the hyphen that its id has.
    pub(super) fn is_consistent(&self, written: &str) -> bool {
        self.0.get(meant(written).as_str()).is_some_and(|own| own.trim_matches(['"', '\'']) == written)
    }

    /// Puts one mistake, or none, in place of all that seem wrong because an id was written with a hyphen.
    pub(super) fn amend(&self, process: &ProcessScope<'_>, template: &Template, mistakes: &mut Vec<Mistake>) {
        if !template.text().contains('-') {
            return;
        }
        for (name, whole) in template.references().iter().filter_map(|reference| differing(template.text(), reference))
        {
            let written = &template.text()[name.clone()];
            let meant = meant(written);
            if !process.all_ids().any(|id| id == meant) {
                continue;
            }
            let is_about_it = |mistake: &Mistake| mistake.range.start < whole.end && whole.start < mistake.range.end;
            mistakes.retain(|mistake| !is_about_it(mistake) && !is_of_its_type(mistake));
            if !self.is_consistent(written) {
                let mistake = Mistake::new(MistakeKind::UnknownStep, name, format!("there is no step `{written}`"));
                mistakes.push(mistake.meant(Some(&meant), &[]));
            }
        }
        mistakes.sort_by_key(|mistake| (mistake.range.start, mistake.range.end));
    }
}

/// Whether a mistake may follow from the type of a difference, which nobody meant.
fn is_of_its_type(mistake: &Mistake) -> bool {
    use MistakeKind::{NotBoolean, OperatorDoesNotFit, UnlikeComparison, ValueDoesNotFit};
    matches!(mistake.kind, NotBoolean | OperatorDoesNotFit | UnlikeComparison | ValueDoesNotFit)
}

fn meant(written: &str) -> String {
    written.to_lowercase().replace('-', "_")
}

/// The id with its hyphens that was meant by `steps.fetch-data`, and all that is read of it.
fn differing(text: &str, reference: &Reference) -> Option<(Range<usize>, Range<usize>)> {
    let ("steps", [_, id]) = (reference.root(), reference.path.as_slice()) else { return None };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let rest = text.as_bytes().get(id.range.end..)?;
    let length = rest.iter().take_while(|byte| is_of_name(byte)).count();
    let is_hyphenated = rest.first() == Some(&b'-') && length > 1 && !text[..id.range.end + length].ends_with('-');
    let end = id.range.end + length;
    let more = text.as_bytes()[end..].iter().take_while(|byte| is_of_name(byte) || **byte == b'.').count();
    is_hyphenated.then(|| (id.range.start..end, reference.range.start..end + more))
}
