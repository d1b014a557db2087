//! How findings are printed: one file a format. A format takes what was found and gives a text; it decides nothing.

mod concise;
mod difference;
mod github;
mod human;
mod json;
mod junit;
mod sarif;
mod statistics;

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowctl_core::source::SourceFile;
use flowctl_core::validate::baseline::Known;
use flowctl_core::validate::{Applicability, Finding, Severity};
use flowctl_core::value::visible::is_unseen;
use serde::Serialize;

pub use concise::concise;
pub use difference::difference;
pub use github::github;
pub use human::human;
pub use json::{json, json_line};
pub use junit::junit;
pub use sarif::sarif;
pub use statistics::statistics;

/// What one look gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many files were looked at.
    pub files: usize,
    /// Those files: where they are, and how a person would type that.
    pub looked_at: BTreeMap<PathBuf, String>,
    /// The repositories' folders.
    pub roots: Vec<PathBuf>,
    /// What is told.
    pub found: Vec<Found>,
    /// The texts that findings stand in.
    pub sources: Sources,
    /// How many findings the baseline knows, where there is one.
    pub known: Option<usize>,
    /// What the baseline knows and is not there any more.
    pub gone: Vec<Known>,
    /// What was fixed, where that was asked for.
    pub fixed: Option<Vec<Fixed>>,
}

/// A finding as it is told: its paths are as a person in the working directory would type them.
#[derive(Debug)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// What identifies it from one revision to the next.
    pub fingerprint: String,
    /// Its file.
    pub location: PathBuf,
}

/// A fix that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Fixed {
    /// The rule's code.
    pub code: &'static str,
    /// What was wrong.
    pub message: String,
    /// The file.
    pub path: String,
    /// The line, from 1, before the fix.
    pub line: u32,
}

impl Fixed {
    /// The fix of a finding whose path a person would type so.
    pub fn of(finding: &Finding, path: &str) -> Self {
        let line = finding.range.start.line;
        Self { code: finding.code, message: finding.message.clone(), path: path.to_owned(), line }
    }
}

/// The texts of files, by the paths that are printed.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, SourceFile>);

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, shown: String, source: &SourceFile) {
        self.0.entry(shown).or_insert_with(|| source.clone());
    }

    /// Adds a file that is read only where it is not there yet.
    pub fn add_with(&mut self, shown: String, read: impl FnOnce() -> Option<SourceFile>) {
        if !self.0.contains_key(&shown)
            && let Some(source) = read()
        {
            self.0.insert(shown, source);
        }
    }

    fn text(&self, path: &str) -> &str {
        self.0.get(path).map_or("", SourceFile::text)
    }
}

/// How many findings of each severity there are, and how many could be fixed.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Counts {
    errors: usize,
    warnings: usize,
    infos: usize,
    #[serde(skip)]
    safe: usize,
    #[serde(skip)]
    guessed: usize,
}

impl Counts {
    fn of(found: &[Found]) -> Self {
        let mut counts = Self::default();
        for Found { finding, .. } in found {
            // Of a rule that is found very often in one file not each finding is told, but each is counted.
            let all = 1 + finding.more;
            match finding.severity {
                Severity::Error => counts.errors += all,
                Severity::Warning => counts.warnings += all,
                Severity::Info => counts.infos += all,
            }
            if finding.is_fixable(Applicability::Safe) {
                counts.safe += 1;
            } else if finding.is_fixable(Applicability::Unsafe) {
                counts.guessed += 1;
            }
        }
        counts
    }
}

/// A count with its word.
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text on one line that no terminal obeys: what is quoted from a file may hold anything.
fn tame(text: &str) -> String {
    let tamed = |character| match character {
        '\n' | '\r' | '\t' => ' ',
        character if is_unseen(character) => '\u{fffd}',
        character => character,
    };
    text.chars().map(tamed).collect()
}
