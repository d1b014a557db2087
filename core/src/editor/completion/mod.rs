//! What may be written at a place: keys, values, names, the inside of expressions, codes of rules in comments.
//! Works in files that are broken at the place, which is how files are while somebody types.

mod comment;
mod expression;
mod keys;
mod values;

#[cfg(test)]
mod tests;

use super::View;
use super::cursor::Cursor;
use super::outline::Role;
use crate::definition::repository::File;
use crate::source::Span;

/// Something that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What is shown and what is typed to find it.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// A few words beside it.
    pub detail: Option<String>,
    /// What it means, in Markdown.
    pub documentation: Option<String>,
    /// What it replaces: empty to insert. Lies on one line.
    pub replace: Span,
    /// The new text.
    pub text: String,
    /// The new text with places to fill in (`${1:…}`, `$0`), where that says more.
    pub snippet: Option<String>,
    /// Its rank: smaller ones come first.
    pub rank: u8,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// A key.
    Key,
    /// One of several words.
    Choice,
    /// An example of how a value is written.
    Example,
    /// A whole part, as a step.
    Part,
    /// A step, an input, a constant: something with a name.
    Name,
    /// A field of a value.
    Field,
    /// A file.
    File,
    /// A filter, a test or a function.
    Function,
    /// A word of the expression language.
    Word,
    /// A rule's code.
    Code,
}

/// What may be written at a byte offset of a file.
pub fn completions(view: &View<'_>, file: &File, offset: u32) -> Vec<Completion> {
    let cursor = Cursor::new(file, offset);
    if let Some(comment) = cursor.outline.comment_at(offset) {
        return comment::codes(&cursor, comment);
    }
    if cursor.inside.is_some() {
        return expression::completions(view, &cursor);
    }
    let Some(spot) = &cursor.spot else { return Vec::new() };
    let mut found = match spot.role {
        Role::Key => keys::completions(view, &cursor, spot),
        Role::Value => values::completions(view, &cursor, spot),
        Role::Item => keys::items(&cursor, spot),
        Role::Either => {
            let mut found = values::completions(view, &cursor, spot);
            found.extend(keys::completions(view, &cursor, spot));
            found
        }
    };
    // Editors replace within one line only.
    let line = file.source.line_span(file.source.position(offset).line);
    found.retain(|one| line.contains(one.replace));
    found
}

impl Completion {
    fn new(label: impl Into<String>, kind: CompletionKind, replace: Span) -> Self {
        let label = label.into();
        let text = label.clone();
        Self { label, kind, detail: None, documentation: None, replace, text, snippet: None, rank: 50 }
    }

    fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    fn detail(mut self, detail: Option<impl Into<String>>) -> Self {
        self.detail = detail.map(Into::into);
        self
    }

    fn documentation(mut self, text: Option<impl Into<String>>) -> Self {
        self.documentation = text.map(Into::into);
        self
    }
}
