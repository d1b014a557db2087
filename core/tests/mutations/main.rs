//! One mistake, one finding, at its place: every sample file is changed in one place at a time, by renaming, deleting,
//! duplicating or retyping one thing, and validation must find exactly that.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::fmt::Write;
use std::ops::Range;

use flowctl_core::definition::repository::{File, FileKind, Repository};
use flowctl_core::source::Span;
use flowctl_core::validate::{Options, validate};
use rayon::prelude::*;

#[path = "../fixtures/mod.rs"]
mod fixtures;
mod keys;
mod others;
mod processes;

use fixtures::{files, folders};

/// A repository's files: path and text.
type Files = Vec<(String, String)>;

/// One change of one file.
struct Mutation {
    what: String,
    path: String,
    replace: Range<usize>,
    by: String,
    /// Where the finding has to be, in the text before the change; what the change inserted counts as its own place.
    at: Range<usize>,
    told: Told,
}

/// Where a change is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Once, at its place.
    Here,
    /// By this rule alone, at whatever reads what was there before.
    ByReaders(&'static str),
    /// The same where something reads it at all.
    ByReadersIfAny(&'static str),
}

fn samples() -> Vec<Files> {
    folders("repositories").iter().map(|folder| files(folder)).collect()
}

/// What is wrong with what was found, if anything.
fn judged(sample: &Files, mutation: &Mutation) -> Option<String> {
    let mut changed = sample.clone();
    let (_, text) = changed.iter_mut().find(|(path, _)| *path == mutation.path).unwrap();
    text.replace_range(mutation.replace.clone(), &mutation.by);
    let grown = mutation.by.len();
    let repository = Repository::read(changed);
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    let start = mutation.at.start.min(mutation.replace.start);
    let end = mutation.at.end.max(mutation.replace.end) + grown;
    let is_there = |span: Span| span.start as usize <= end && start <= span.end as usize;
    let is_here = || matches!(report.findings.as_slice(), [one] if one.path == mutation.path && is_there(one.span));
    let all_are = |code: &str| report.findings.iter().all(|finding| finding.code == code);
    let as_expected = match mutation.told {
        Told::Here => is_here(),
        Told::ByReaders(code) => !report.findings.is_empty() && all_are(code),
        Told::ByReadersIfAny(code) => all_are(code),
    };
    if as_expected {
        return None;
    }
    let mut said = format!("{}: {}\n", mutation.path, mutation.what);
    for finding in &report.findings {
        let at = finding.range.start;
        let here = if finding.path == mutation.path && is_there(finding.span) { "" } else { " (elsewhere)" };
        let _ =
            writeln!(said, "    {}:{}:{} {} {}{here}", finding.path, at.line, at.column, finding.code, finding.message);
    }
    Some(said)
}

/// Tries all changes of all samples. How many there were, and what was wrong with what was found.
fn tried(samples: &[Files], mutations: &dyn Fn(&File) -> Vec<Mutation>) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut wrong = Vec::new();
    for sample in samples {
        let repository = Repository::read(sample.clone());
        let sound = validate(&repository, &Options { performed_only: false, ..Options::default() });
        assert!(sound.findings.is_empty(), "{:#?}", sound.findings);
        let all: Vec<Mutation> = repository.files.values().flat_map(|file| mutations(file)).collect();
        count += all.len();
        wrong.extend(all.par_iter().filter_map(|mutation| judged(sample, mutation)).collect::<Vec<_>>());
    }
    (count, wrong)
}

#[test]
fn one_mistake_in_a_process_is_one_finding_at_its_place() {
    let (count, wrong) = tried(&samples(), &|file| match file.kind {
        FileKind::Process => processes::mutations(file.source.path(), &file.document),
        _ => Vec::new(),
    });
    assert!(count > 500, "only {count} changes were tried");
    assert!(wrong.is_empty(), "{} of {count} changes:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn one_mistake_in_a_file_of_another_kind_is_one_finding_at_its_place() {
    let mut samples = samples();
    samples.push(others::sample());
    let (count, wrong) = tried(&samples, &others::mutations);
    assert!(count > 500, "only {count} changes were tried");
    assert!(wrong.is_empty(), "{} of {count} changes:\n{}", wrong.len(), wrong.join("\n"));
}
