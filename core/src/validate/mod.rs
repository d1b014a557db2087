//! Proves a repository's definitions sound: every rule looks at everything once, and says what it found with a code, a
//! place and what to do. Pure; whoever calls it reads the files and prints the findings.

pub mod baseline;
mod documentation;
mod edit;
mod faults;
mod finding;
mod fingerprint;
mod given;
mod lists;
mod mend;
mod near;
mod portions;
mod reaching;
mod reference;
mod rule;
pub mod rules;
mod scope;
pub(crate) mod secrets;
mod suppression;
mod telling;
mod unread;
mod walk;

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::Serialize;

use crate::definition::repository::{FEW, Repository};
use crate::definition::settings::Level;
use crate::definition::workflows::Workflows;
use crate::source::Span;
pub(crate) use crate::types::text;
use crate::value::Prices;

pub use documentation::documentation;
pub use finding::{Applicability, Edit, Finding, Fix, Related, Severity};
pub use fingerprint::fingerprints;
pub use mend::{Mended, mend};
pub use near::validate_near;
pub(crate) use portions::Elsewhere;
pub use portions::{Texts, validate_texts};
pub use rule::{Example, Findings, Rule, examples};
pub use scope::{Names, ProcessScope, Scope};
pub(crate) use suppression::suppressed;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options<'r> {
    /// Whether what is not performed yet is refused (true). False shows what the whole language allows.
    pub performed_only: bool,
    /// The definitions before the change, for the rule about versions. Files that did not change may be left out.
    pub base: Option<&'r Repository>,
    /// The files in `.github/workflows/`, where they are known.
    pub workflow_files: Option<&'r Workflows>,
    /// Whether the definitions are all that there are (false), so that what nothing refers to is used by nobody.
    pub is_whole: bool,
    /// What models cost where they are asked (the table that comes with flowctl).
    pub prices: Option<&'r Prices>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { performed_only: true, base: None, workflow_files: None, is_whole: false, prices: None }
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// How many files were looked at.
    pub files: usize,
    /// By path, then place, then code.
    pub findings: Vec<Finding>,
    /// How many of each severity, those that are not told one by one included.
    pub summary: Summary,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Infos.
    pub infos: usize,
}

impl Report {
    /// A report of these findings.
    pub fn new(files: usize, findings: Vec<Finding>) -> Self {
        let count = |severity| {
            let of_it = findings.iter().filter(|finding| finding.severity == severity);
            of_it.map(|finding| 1 + finding.more).sum()
        };
        let summary = Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
        };
        Self { version: 1, files, findings, summary }
    }

    /// Whether anything would fail, hang or be unsafe.
    pub fn has_errors(&self) -> bool {
        self.summary.errors > 0
    }

    /// The report with only the findings of some files.
    #[must_use]
    pub fn only(self, wanted: impl Fn(&str) -> bool) -> Self {
        let findings = self.findings.into_iter().filter(|finding| wanted(&finding.path)).collect();
        Self::new(self.files, findings)
    }
}

/// Looks at a repository with every rule; suppressions and levels are applied.
pub fn validate(repository: &Repository, options: &Options<'_>) -> Report {
    let spread = repository.files.len() >= FEW;
    Report::new(repository.files.len(), judge(repository, options, &Elsewhere::default(), spread))
}

/// What is found in a repository, given what is known of others beside it; on all cores or on this one.
fn judge(repository: &Repository, options: &Options<'_>, elsewhere: &Elsewhere, spread: bool) -> Vec<Finding> {
    let scope = Scope::beside(repository, options, elsewhere, spread);
    let check = |rule: &&'static Rule| {
        let mut findings = Findings::new(rule);
        (rule.check)(&scope, &mut findings);
        findings.into_found()
    };
    let mut found: Vec<Finding> = match spread {
        false => rules::RULES.iter().flat_map(check).collect(),
        true => rules::RULES.par_iter().flat_map_iter(check).collect(),
    };
    tidy(&mut found);
    yield_to_others(&mut found);
    suppression::apply(repository, &mut found);
    apply_levels(repository, &mut found);
    tidy(&mut found);
    found
}

/// By path, place and code; what an anchor or an alias makes appear twice is told once.
fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| (&a.path, a.span, a.code, &a.message).cmp(&(&b.path, b.span, b.code, &b.message)));
    findings.dedup_by(|a, b| (&a.path, a.span, a.code) == (&b.path, b.span, b.code) && a.message == b.message);
}

/// Takes findings back that others inside them come before.
fn yield_to_others(findings: &mut Vec<Finding>) {
    let inside = |findings: &[Finding], place: usize, span: Span| {
        let path = &findings[place].path;
        let others = findings.iter().enumerate().filter(|(other, finding)| *other != place && &finding.path == path);
        others.map(|(_, finding)| finding).any(|finding| span.contains(finding.span) && finding.yields_inside.is_none())
    };
    let yielding: Vec<usize> = findings
        .iter()
        .enumerate()
        .filter_map(|(place, finding)| finding.yields_inside.map(|span| (place, span)))
        .filter(|(place, span)| inside(findings, *place, *span))
        .map(|(place, _)| place)
        .collect();
    for place in yielding.into_iter().rev() {
        findings.remove(place);
    }
}

fn apply_levels(repository: &Repository, findings: &mut Vec<Finding>) {
    let Some(settings) = repository.settings() else { return };
    for (name, level) in &settings.validate.levels {
        let severity = match level {
            Level::Off => None,
            Level::Info => Some(Severity::Info),
            Level::Warning => Some(Severity::Warning),
            Level::Error => Some(Severity::Error),
        };
        let Some(rule) = rules::find(name) else { continue };
        match severity {
            None => findings.retain(|finding| finding.code != rule.code),
            Some(severity) => {
                findings.iter_mut().filter(|finding| finding.code == rule.code).for_each(|f| f.severity = severity);
            }
        }
    }
}
