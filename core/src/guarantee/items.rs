//! How many items lists have, as far as their definitions say: a list that is written out, or an input or an answer of a
//! form with `min_items` and `max_items`.

use super::conditions::bare;
use crate::definition::Process;
use crate::definition::step::{Foreach, StepKind};
use crate::expression::Template;

/// How many items a `foreach` has that begins with them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Items {
    pub(super) least: u64,
    /// Nothing where it is not known.
    pub(super) most: Option<u64>,
}

/// How many items a `foreach` has at most, where that is known.
pub(super) fn most_items(process: &Process, foreach: &Foreach) -> Option<u64> {
    items_of(process, foreach)?.most
}

/// What is known of the list of a `foreach`. Where the list is missing, the step fails.
pub(super) fn items_of(process: &Process, foreach: &Foreach) -> Option<Items> {
    let exactly = |items: usize| Items { least: items as u64, most: Some(items as u64) };
    if let Some(items) = foreach.items.value.as_array() {
        return Some(exactly(items.len()));
    }
    let template = Template::parse(foreach.items.value.as_str()?).ok().filter(Template::is_native)?;
    let [reference] = template.references() else { return None };
    let inside = bare(template.text());
    if inside != template.text().get(reference.range.clone())? {
        return None;
    }
    let field = match (reference.root(), reference.path.len()) {
        ("inputs", 2) => process.header.inputs.get(reference.name(1)?)?,
        ("steps", 4) if reference.name(2) == Some("output") => match &process.step(reference.name(1)?)?.kind {
            StepKind::Form(form) => form.fields.get(reference.name(3)?)?,
            _ => return None,
        },
        ("context", 2) => {
            let constant = process.header.context.get(reference.name(1)?)?;
            return constant.value.as_array().map(|items| exactly(items.len()));
        }
        _ => return None,
    };
    let least = field.min_items.as_ref().map_or(0, |least| least.value);
    Some(Items { least, most: field.max_items.as_ref().map(|most| most.value) })
}
