//! What can be said about a place in a file: what may stand there, what it means, where it comes from, what would have
//! to change with it. Pure, and without a protocol: places are byte offsets. `flowctl lsp` speaks to editors.

pub mod actions;
pub mod completion;
mod cursor;
mod expression;
mod fields;
pub mod formatting;
pub mod hover;
mod meaning;
mod occurrence;
mod outline;
pub mod references;
pub mod rename;
mod schema;
mod steps;
pub mod symbols;
mod values_of;

#[cfg(test)]
mod tests;

use crate::definition::repository::Repository;
use crate::definition::workflows::Workflows;
use crate::validate::Finding;

pub use meaning::Sort;
pub use occurrence::{Occurrence, Symbol, occurrence_at};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View<'r> {
    /// The repository, with files as they are in the editor.
    pub repository: &'r Repository,
    /// The file names in `.github/workflows/`, where they are known.
    pub workflow_files: Option<&'r Workflows>,
}

/// Whether a finding is about something that could be left out: editors show it faded.
pub fn is_unnecessary(finding: &Finding) -> bool {
    finding.name.starts_with("unused-")
}
