//! What differs in meaning between the definitions of two commits: step by step in the author's words, and every place
//! where less is asked of people, policies, time or secrets than before. Pure; it judges no definition by itself (that
//! is `validate`'s) and prints nothing.

mod definition;
mod edges;
mod kind;
mod matching;
mod model;
mod step;
mod text;
mod tree;
mod weakening;

pub use kind::WeakeningKind;
pub use model::{
    Change, ChangeKind, DefinitionChange, Difference, Line, LineKind, Place, Side, Status, Summary, Weakening,
};

use crate::definition::repository::Repository;

/// What differs between the definitions `before` and `after`. Order of files, keys and formatting make no difference.
pub fn compare(before: &Repository, after: &Repository) -> Difference {
    let matches = matching::definitions(before, after);
    let mut definitions: Vec<DefinitionChange> = matches.iter().filter_map(definition::compare).collect();
    definitions.sort_by_cached_key(DefinitionChange::order);
    let weakenings = weakening::find(before, after, &matches);
    Difference::new(definitions, weakenings)
}

#[cfg(test)]
mod defaults_tests;
#[cfg(test)]
mod escalation_tests;
#[cfg(test)]
mod hidden_tests;
#[cfg(test)]
mod reading_tests;
#[cfg(test)]
mod runs_tests;
#[cfg(test)]
mod smaller_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod type_tests;
