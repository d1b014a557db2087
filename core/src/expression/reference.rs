//! What a text reads from its context: every chain with its ranges, and whether a missing value is provided for.
//! Data only; whether the chains exist is for validation.

use std::ops::Range;

/// One chain that a template reads, such as `steps.draft.output.notes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The chain; the first segment is the root (`inputs`, `steps`, …).
    pub path: Vec<Segment>,
    /// The whole chain, in bytes of the template's text.
    pub range: Range<usize>,
    /// Whether `| default(…)` covers the chain wherever it breaks off.
    pub has_default: bool,
    /// Whether it is the subject of `is defined`, or is read only where such a test has passed.
    pub conditional: bool,
}

/// One part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What is looked up.
    pub key: Key,
    /// The part itself, in bytes of the template's text; a quoted key without its quotes.
    pub range: Range<usize>,
}

/// What a part of a chain looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A field, from `.name` or `["name"]`.
    Name(String),
    /// A place in a list, from the end if negative.
    Index(i64),
    /// Known only when it runs, from `[expression]`.
    Dynamic,
}

impl Reference {
    /// The name of the root.
    pub fn root(&self) -> &str {
        self.name(0).unwrap_or_default()
    }

    /// The name at a position of the path, if that part is a name.
    pub fn name(&self, position: usize) -> Option<&str> {
        match self.path.get(position).map(|segment| &segment.key) {
            Some(Key::Name(name)) => Some(name),
            _ => None,
        }
    }
}
