//! Conditions that lack their braces or have a `$` before them: which are sound once they are exactly one `{{ … }}`.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::{Place, Readers};
use crate::expression::Template;
use crate::source::NodeId;
use crate::types::text::{Text, Usage};
use crate::types::{ProcessTypes, Types};
use crate::validate::scope::ProcessScope;

/// Most conditions of one process that are tried; no fix is offered for more.
const MAX_TRIED: usize = 200;

/// The scalars of those in a process; one that an alias repeats must be sound wherever it stands.
pub(in crate::validate) fn sound_in_braces(types: &Types<'_>, process: &ProcessScope<'_>) -> BTreeSet<NodeId> {
    let Some(own) = types.process(process.file.source.path()) else { return BTreeSet::new() };
    let readers = Readers::of(process);
    let behind_dollar: Vec<Text> = process.texts.texts.iter().filter_map(without_dollar).collect();
    let (mut sound, mut unsound) = (BTreeSet::new(), BTreeSet::new());
    for text in process.texts.bare.iter().chain(&behind_dollar).take(MAX_TRIED) {
        let alike = if is_sound(types, own, &readers, text) { &mut sound } else { &mut unsound };
        alike.insert(text.node);
    }
    sound.retain(|node| !unsound.contains(node));
    sound
}

/// A condition that is written as GitHub Actions write it, without its `$`.
fn without_dollar(text: &Text) -> Option<Text> {
    if text.role.usage != Usage::Condition {
        return None;
    }
    let template = Template::parse(text.template.as_ref().ok()?.text().strip_prefix('$')?);
    Some(Text { node: text.node, template, owner: text.owner.clone(), role: text.role })
}

fn is_sound<'r>(types: &Types<'r>, own: &ProcessTypes<'r>, readers: &Readers<'_, '_>, text: &Text) -> bool {
    let Ok(template) = &text.template else { return false };
    let around = OnceCell::new();
    let place = Place { types: own, text, template, around: &around };
    template.is_native()
        && own.mistakes_of(types, text, template).is_empty()
        && template.references().iter().all(|reference| readers.check(&place, reference).is_none())
}
