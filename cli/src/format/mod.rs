//! How findings are printed: one file a format.

mod concise;
mod github;
mod human;
mod json;

use std::collections::BTreeMap;

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Finding, Severity};

use crate::repository::Checkout;

pub use concise::concise;
pub use github::github;
pub use human::human;
pub use json::json;

/// The texts of the files, by the paths that are printed.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Adds the files of a repository.
    pub fn add(&mut self, checkout: &Checkout, definitions: &Repository) {
        for (path, file) in &definitions.files {
            self.0.insert(checkout.shown(path), file.source.text().to_owned());
        }
    }

    fn text(&self, path: &str) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }
}

/// How many findings of each severity there are.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    errors: usize,
    warnings: usize,
    infos: usize,
}

impl Counts {
    fn of(findings: &[Finding]) -> Self {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self { errors: count(Severity::Error), warnings: count(Severity::Warning), infos: count(Severity::Info) }
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
