//! Giving something another name everywhere at once, or saying why that cannot be done.

use super::meaning::Sort;
use super::occurrence::{Occurrence, Symbol, occurrence_at};
use super::references::{definitions_of, references_of};
use crate::definition::repository::{File, FileKind, Repository};
use crate::source::Span;
use crate::value::{Slug, StepId};

/// Why something cannot be renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// Nothing at the place has a name of its own.
    #[error(
        "there is nothing to rename here: place the cursor on the id of a step, an input, a constant or a variable"
    )]
    Nothing,
    /// What is there does not get its name in the repository's definitions.
    #[error("the {0} has its name from its file: rename the file")]
    File(&'static str),
    /// What is there cannot be renamed at all.
    #[error("a {0} cannot be renamed")]
    Fixed(&'static str),
    /// It is not defined anywhere.
    #[error("there is no {0} `{1}`: mend that first")]
    Undefined(&'static str, String),
    /// A file that may name it cannot be read to its end.
    #[error("`{0}` cannot be read, so not every place would be renamed: mend it first")]
    Broken(String),
    /// A place is written so that its name cannot be replaced alone.
    #[error("in `{0}` it is written with escapes: write it plainly first")]
    Escaped(String),
    /// The new name is not allowed.
    #[error("`{name}` is no name for this {sort}: {reason}")]
    Invalid {
        /// The new name.
        name: String,
        /// Of what.
        sort: &'static str,
        /// Why not.
        reason: String,
    },
    /// The new name is somebody else's.
    #[error("there is a {0} `{1}` already")]
    Taken(&'static str, String),
}

/// One change of a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the repository.
    pub path: String,
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// What would be renamed at an offset: the text to select, and the name as it is.
///
/// # Errors
/// Why nothing can be renamed there.
pub fn prepare(repository: &Repository, file: &File, offset: u32) -> Result<(Span, String), RenameError> {
    let occurrence = renamable(repository, file, offset)?;
    Ok((occurrence.span, occurrence.symbol.name))
}

/// Every change that gives what is named at an offset another name.
///
/// # Errors
/// Why it cannot be renamed, or not so.
pub fn rename(repository: &Repository, file: &File, offset: u32, name: &str) -> Result<Vec<Change>, RenameError> {
    let occurrence = renamable(repository, file, offset)?;
    let symbol = occurrence.symbol;
    if symbol.name == name {
        return Ok(Vec::new());
    }
    check_name(symbol.sort, name)?;
    let new = Symbol { name: name.to_owned(), ..symbol.clone() };
    if !definitions_of(repository, &new).is_empty() {
        return Err(RenameError::Taken(symbol.sort.word(), name.to_owned()));
    }
    for (path, file) in &repository.files {
        let matters = **path == *symbol.home || matches!(file.kind, FileKind::Test | FileKind::Process);
        if matters && !file.document.is_complete() && file.source.text().contains(symbol.name.as_str()) {
            return Err(RenameError::Broken(path.to_string()));
        }
    }
    let mut changes = Vec::new();
    for (path, one) in references_of(repository, &symbol) {
        let file = repository.files.get(path.as_str());
        if file.is_none_or(|file| file.source.slice(one.span) != symbol.name) {
            return Err(RenameError::Escaped(path));
        }
        changes.push(Change { path, span: one.span, text: name.to_owned() });
    }
    Ok(changes)
}

fn renamable(repository: &Repository, file: &File, offset: u32) -> Result<Occurrence, RenameError> {
    let occurrence = occurrence_at(repository, file, offset).ok_or(RenameError::Nothing)?;
    let symbol = &occurrence.symbol;
    let word = symbol.sort.word();
    match symbol.sort {
        Sort::Step
        | Sort::Input
        | Sort::Constant
        | Sort::Variable
        | Sort::Model
        | Sort::Integration
        | Sort::Channel => {}
        Sort::Agent | Sort::Tool | Sort::Prompt | Sort::Policy | Sort::Schema | Sort::Process | Sort::Workflow => {
            return Err(RenameError::File(word));
        }
        Sort::Rule | Sort::StepType | Sort::Operation => return Err(RenameError::Fixed(word)),
    }
    if definitions_of(repository, symbol).is_empty() {
        return Err(RenameError::Undefined(word, symbol.name.clone()));
    }
    Ok(occurrence)
}

fn check_name(sort: Sort, name: &str) -> Result<(), RenameError> {
    let invalid = |reason: String| RenameError::Invalid { name: name.to_owned(), sort: sort.word(), reason };
    match sort {
        Sort::Step => name.parse::<StepId>().map(drop).map_err(|error| invalid(error.to_string())),
        // What expressions read must be a name to them: `inputs.my-name` would be a difference.
        Sort::Input | Sort::Constant | Sort::Variable => {
            let mut characters = name.chars();
            let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            let is_word = begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
            let reason = "use letters, digits and `_`, beginning with a letter";
            if is_word { Ok(()) } else { Err(invalid(reason.to_owned())) }
        }
        _ => name.parse::<Slug>().map(drop).map_err(|error| invalid(error.to_string())),
    }
}
