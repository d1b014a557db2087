//! The one way to write a definition: order of keys, indentation, brackets, quotes. Moves the author's text and writes no
//! value anew; comments stay with what they speak about. What was formatted is read again, and nothing is given back
//! that means something else.

mod anchors;
mod comments;
mod order;
mod printer;
mod scalar;

use crate::definition::digest::canonical;
use crate::definition::repository::FileKind;
use crate::source::{Fault, parse, to_json};

/// Why a file is left as it is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Faulty(Vec<Fault>),
    /// It uses something of YAML that is not formatted.
    #[error("{0} is not formatted; the file is left as it is")]
    Unsupported(&'static str),
    /// What was formatted would mean something else, or lack a comment. A fault of the formatter.
    #[error("formatting would have changed its meaning or lost a comment; the file is left as it is")]
    WouldChange,
}

/// A definition in its one form. Texts that are no definition, such as JSON, come back as they are.
///
/// # Errors
/// Where it cannot be read or cannot be formatted; see [`FormatError`].
pub fn format(path: &str, text: &str) -> Result<String, FormatError> {
    let kind = FileKind::of(path);
    if kind == FileKind::Unknown || path.ends_with(".json") {
        return Ok(text.to_owned());
    }
    // YAML takes either line break for the same (YAML 1.2.2, 5.4); the file keeps the one that it has.
    let crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    let unix = text.replace("\r\n", "\n");
    let formatted = match kind {
        FileKind::Prompt => prompt(&unix)?,
        _ => yaml(kind, &unix)?,
    };
    Ok(if crlf { formatted.replace('\n', "\r\n") } else { formatted })
}

/// A prompt's front matter; its template is left alone.
fn prompt(text: &str) -> Result<String, FormatError> {
    let Some(rest) = text.strip_prefix("---\n") else { return Ok(text.to_owned()) };
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let front = &rest[..end];
            if front.trim().is_empty() {
                return Ok(text.to_owned());
            }
            return Ok(format!("---\n{}{}", yaml(FileKind::Prompt, front)?, &rest[end..]));
        }
        end += line.len();
    }
    Ok(text.to_owned())
}

fn yaml(kind: FileKind, text: &str) -> Result<String, FormatError> {
    let before = parse(text);
    if !before.faults.is_empty() {
        return Err(FormatError::Faulty(before.faults));
    }
    let formatted = printer::print(kind, text, before.document.comments())?;
    if formatted == text {
        return Ok(formatted);
    }
    let after = parse(&formatted);
    let value = |document: &crate::source::Document| document.root().map(|root| canonical(&to_json(document, root)));
    let comments = |document: &crate::source::Document| {
        let mut comments: Vec<String> =
            document.comments().iter().map(|comment| comment.text.trim_end().to_owned()).collect();
        comments.sort_unstable();
        comments
    };
    let same = after.faults.is_empty()
        && value(&before.document) == value(&after.document)
        && comments(&before.document) == comments(&after.document);
    if same { Ok(formatted) } else { Err(FormatError::WouldChange) }
}

#[cfg(test)]
mod tests;
