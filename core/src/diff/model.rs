//! The result of a comparison: data that a terminal, a pull request and programs show each in their way.

use serde::Serialize;

use super::kind::WeakeningKind;
use crate::definition::repository::{File, FileKind};
use crate::source::{Range, Span};

/// Everything that differs between two commits.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The version of this form.
    pub version: u32,
    /// Where less is asked than before; approvals first.
    pub weakenings: Vec<Weakening>,
    /// What changed, by kind of file and name.
    pub definitions: Vec<DefinitionChange>,
    /// How much there is.
    pub summary: Summary,
}

/// How much there is of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Weakenings.
    pub weakenings: usize,
    /// Definitions that were added.
    pub added: usize,
    /// Definitions that were removed.
    pub removed: usize,
    /// Definitions that mean something else than before, renamed and moved ones included.
    pub changed: usize,
    /// Files that differ only in formatting, order or comments.
    pub formatting: usize,
}

/// One definition that is not as it was.
#[derive(Debug, Clone, Serialize)]
pub struct DefinitionChange {
    /// What it is: `process`, `agent`, `tool`, `policy`, `prompt`, `schema`, `test`, `settings` or `file`.
    pub kind: &'static str,
    /// Its name now; where it was removed, the name it had.
    pub name: String,
    /// What happened to it.
    pub status: Status,
    /// The name it had, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_before: Option<String>,
    /// Its file before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_before: Option<String>,
    /// Its file now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_after: Option<String>,
    /// What differs, in the order of the file.
    pub changes: Vec<Change>,
    #[serde(skip)]
    pub(super) file_kind: FileKind,
}

/// What happened to a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another name.
    Renamed,
    /// It lies in another file.
    Moved,
    /// It means something else.
    Changed,
    /// It means the same: only formatting, order or comments differ.
    Formatting,
    /// It cannot be read before, now, or both; what it means is not known.
    Unreadable,
}

/// One thing that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The step that it belongs to; none for what belongs to the whole definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it is: a chain of keys such as `approvers.any[0].count`; empty for the step itself.
    pub key: String,
    /// What was written before, shortened where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is written now, shortened where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The lines of a long text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// A sentence, where keys and values do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where: in the file as it is now, or as it was.
    pub place: Place,
}

/// What happened to a part of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another value.
    Changed,
    /// It has another name.
    Renamed,
    /// It lies elsewhere: in a loop's body or outside.
    Moved,
    /// Its parts have another order, which means something.
    Reordered,
    /// A step waits for another one that it did not wait for.
    WaitsFor,
    /// A step does not wait any more for one that it waited for.
    NoLongerWaitsFor,
}

/// One line of a longer text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Whether it is new, gone or the same.
    pub kind: LineKind,
    /// The line without its break.
    pub text: String,
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// The same.
    Same,
    /// It is gone.
    Removed,
    /// It is new.
    Added,
    /// Lines that are the same are left out here.
    Gap,
}

/// Which of the two commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The earlier one.
    Before,
    /// The later one.
    After,
}

/// A place in a file of one of the two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Which commit.
    pub side: Side,
    /// The file.
    pub path: String,
    /// Where in it.
    pub range: Range,
}

impl Place {
    /// A place in a file.
    pub(super) fn of(side: Side, file: &File, span: Span) -> Self {
        Self { side, path: file.source.path().to_owned(), range: file.source.range(span) }
    }
}

/// Something asks less than before.
#[derive(Debug, Clone, Serialize)]
pub struct Weakening {
    /// Which; its name never changes.
    pub kind: WeakeningKind,
    /// The definition: `process release`.
    pub definition: String,
    /// The step, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What is weaker, with what was and what is.
    pub message: String,
    /// The place to look at: where it is now, or, where it is gone, where it was.
    pub place: Place,
    /// The same before the change, where there was such a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_before: Option<Place>,
}

impl Difference {
    pub(super) fn new(definitions: Vec<DefinitionChange>, mut weakenings: Vec<Weakening>) -> Self {
        let key = |one: &Weakening| (one.kind, one.place.path.clone(), one.place.range.start, one.message.clone());
        weakenings.sort_by_cached_key(key);
        weakenings
            .dedup_by(|one, other| one.kind == other.kind && one.place == other.place && one.message == other.message);
        let count = |wanted: &[Status]| definitions.iter().filter(|one| wanted.contains(&one.status)).count();
        let summary = Summary {
            weakenings: weakenings.len(),
            added: count(&[Status::Added]),
            removed: count(&[Status::Removed]),
            changed: count(&[Status::Changed, Status::Renamed, Status::Moved, Status::Unreadable]),
            formatting: count(&[Status::Formatting]),
        };
        Self { version: 1, weakenings, definitions, summary }
    }

    /// Whether the two commits mean the same.
    pub fn is_empty(&self) -> bool {
        self.weakenings.is_empty() && self.definitions.iter().all(|one| one.status == Status::Formatting)
    }

    /// Only what lies in files that are wanted, before or now.
    #[must_use]
    pub fn only(self, wanted: impl Fn(&str) -> bool) -> Self {
        let Self { mut weakenings, mut definitions, .. } = self;
        let lies = |path: &Option<String>| path.as_deref().is_some_and(&wanted);
        definitions.retain(|one| lies(&one.path_before) || lies(&one.path_after));
        weakenings.retain(|one| {
            wanted(&one.place.path) || one.place_before.as_ref().is_some_and(|place| wanted(&place.path))
        });
        Self::new(definitions, weakenings)
    }
}

impl DefinitionChange {
    /// Processes first, then as the documentation has the kinds; by name.
    pub(super) fn order(&self) -> (usize, String, String) {
        use FileKind::{Agent, Policy, Process, Prompt, Schema, Settings, Test, Tool, Unknown};
        let order = [Process, Policy, Settings, Agent, Tool, Prompt, Schema, Test, Unknown];
        let place = order.iter().position(|kind| *kind == self.file_kind).unwrap_or(order.len());
        let path = self.path_after.clone().or_else(|| self.path_before.clone()).unwrap_or_default();
        (place, self.name.clone(), path)
    }
}
