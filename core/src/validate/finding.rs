//! A finding: what is wrong, where, and what to do about it. Serialises as `flowctl validate --format json` shows it.
//! Knows no rule and no output format.

use serde::Serialize;

use super::reference::listed;
use crate::definition::repository::File;
use crate::source::{MAX_KNOWN, Range, Span, closest};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It would fail, hang or be unsafe when it runs.
    Error,
    /// It probably is not meant.
    Warning,
    /// Style.
    Info,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a rule found in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's code, `FLOW012`.
    pub code: &'static str,
    /// The rule's name, `unknown-dependency`.
    pub name: &'static str,
    /// How bad it is, the repository's own levels applied.
    pub severity: Severity,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The file, relative to the repository.
    pub path: String,
    /// The smallest text that is wrong, in bytes of the file.
    #[serde(skip)]
    pub span: Span,
    /// The same in lines and columns.
    pub range: Range,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// How it can be mended by a machine.
    pub fix: Option<Fix>,
    /// The rule's page: its address, or where it stands in flowctl's repository where the program knows of no address.
    pub url: String,
    /// How many more of the rule there are in the file that are not told one by one. Only the last one that is told has
    /// any; they count in the summary.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// All that the finding speaks about, where other findings inside it come first: what is wrong is told before
    /// what is only not performed yet.
    #[serde(skip)]
    pub(super) yields_inside: Option<Span>,
    /// Whether it is only counted, because its rule has told enough in this file.
    #[serde(skip)]
    pub(super) left_out: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// The file, relative to the repository.
    pub path: String,
    /// Where.
    pub range: Range,
}

/// Changes to the finding's file that mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Whether it may be made without asking.
    pub applicability: Applicability,
    /// The changes; they do not overlap.
    pub edits: Vec<Edit>,
}

/// Whether a fix may be made without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applicability {
    /// What it does is what was meant.
    Safe,
    /// It is a guess.
    Unsafe,
}

/// One change: the text of a span becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced, in bytes of the file; empty to insert.
    #[serde(skip)]
    pub span: Span,
    /// The same in lines and columns.
    pub range: Range,
    /// The new text.
    pub text: String,
}

impl Finding {
    /// The address of the rule's page, where one is known.
    pub fn link(&self) -> Option<&str> {
        Some(self.url.as_str()).filter(|url| url.contains("://"))
    }

    /// Adds what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do about it, where there is something to say.
    pub fn maybe_help(&mut self, help: Option<impl Into<String>>) -> &mut Self {
        self.help = help.map(Into::into).or(self.help.take());
        self
    }

    /// Takes it back where something else is found inside this span.
    pub(super) fn yield_inside(&mut self, span: Span) -> &mut Self {
        self.yields_inside = Some(span);
        self
    }

    /// Adds another place that belongs to it.
    pub fn also(&mut self, file: &File, span: Span, message: impl Into<String>) -> &mut Self {
        let (path, range) = (file.source.path().to_owned(), file.source.range(span));
        self.related.push(Related { message: message.into(), path, range });
        self
    }

    /// Adds a change that mends it.
    pub fn fix(&mut self, file: &File, applicability: Applicability, span: Span, text: impl Into<String>) -> &mut Self {
        let edit = Edit { span, range: file.source.range(span), text: text.into() };
        self.fix = Some(Fix { applicability, edits: vec![edit] });
        self
    }

    /// Adds the removal of a span that mends it, where it is known what to remove.
    pub(super) fn remove(&mut self, file: &File, applicability: Applicability, span: Option<Span>) -> &mut Self {
        match span {
            Some(span) => self.fix(file, applicability, span, ""),
            None => self,
        }
    }

    /// Adds the other places where the same wrong name is written, to be mended alike.
    pub(super) fn same_name(&mut self, file: &File, places: &[Span]) -> &mut Self {
        for span in places {
            self.also(file, *span, "it is written here too");
            if let Some(fix) = &mut self.fix
                && let Some(text) = fix.edits.first().map(|edit| edit.text.clone())
            {
                fix.edits.push(Edit { span: *span, range: file.source.range(*span), text });
            }
        }
        self
    }

    /// Adds the name that was probably meant, as help and as a change that a person has to agree to.
    pub(super) fn meant(&mut self, file: &File, span: Span, name: Option<&str>) -> &mut Self {
        match name {
            Some(name) => self.help(format!("did you mean `{name}`?")).fix(file, Applicability::Unsafe, span, name),
            None => self,
        }
    }

    /// Which of the known names was probably meant. Nothing is compared for what is only counted.
    pub(super) fn closest<'n>(&self, wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        if self.left_out { None } else { closest(wrong, known.into_iter().take(MAX_KNOWN)) }
    }

    /// The name that was probably meant for a wrong one, else all that there are: "it has `a`, `b`", with `has` as the verb.
    pub(super) fn meant_among(
        &mut self,
        file: &File,
        span: Span,
        wrong: &str,
        known: &[&str],
        verb: &str,
    ) -> &mut Self {
        self.meant_instead(file, span, wrong, known, known, verb)
    }

    /// The same, where only those can have been meant that are not given already.
    pub(super) fn meant_instead(
        &mut self,
        file: &File,
        span: Span,
        wrong: &str,
        not_given: &[&str],
        known: &[&str],
        verb: &str,
    ) -> &mut Self {
        match self.closest(wrong, not_given.iter().copied()) {
            Some(meant) => self.meant(file, span, Some(meant)),
            None if known.is_empty() => self.help(format!("it {verb} none")),
            None => self.help(format!("it {verb} {}", listed(known))),
        }
    }
}
