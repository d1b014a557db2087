//! What can be wrong with a file as text, before anybody asks what it means.
//! Messages are for the person who wrote the file; codes and severities belong to `validate`.

use serde::Serialize;

use super::file::Span;

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The text is no YAML; what follows this place was not read.
    Syntax,
    /// A key stands twice in one mapping; the first counts.
    DuplicateKey,
    /// A second document after `---` or `...`.
    SecondDocument,
    /// A key that is or has a template.
    TemplateKey,
    /// `x: {{ y }}` without quotes, which YAML reads as a mapping.
    UnquotedTemplate,
    /// A YAML tag such as `!!str`.
    Tag,
    /// A list or mapping as a key, or no key at all.
    NotAScalarKey,
    /// `*name` without `&name` before it, or inside it.
    UnknownAnchor,
    /// More bytes than [`super::MAXIMUM_BYTES`].
    TooLarge,
    /// Deeper than [`super::MAXIMUM_DEPTH`].
    TooDeep,
    /// More nodes than [`super::MAXIMUM_NODES`].
    TooManyNodes,
    /// Aliases that stand for more nodes than [`super::MAXIMUM_NODES`].
    TooManyAliases,
    /// `<<` with something that is no mapping.
    MergeKey,
    /// Nothing in the file.
    Empty,
}

impl FaultKind {
    /// Whether the rest of the file was not read, so that what is missing from it says nothing.
    pub fn ends_parsing(self) -> bool {
        matches!(self, Self::Syntax | Self::TooLarge | Self::TooDeep | Self::TooManyNodes)
    }
}

/// A mistake in the text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of mistake.
    pub kind: FaultKind,
    /// Where it is.
    pub span: Span,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to it, each with what it is.
    pub related: Vec<(Span, String)>,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, span: Span, message: impl Into<String>) -> Self {
        Self { kind, span, message: message.into(), help: None, related: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push((span, message.into()));
        self
    }
}
