//! Hostile files end in a finding: whatever a file holds, validation comes back, says something with a place inside the
//! file, and neither panics nor hangs. How long it takes and how much memory is measured by the bench, not here.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fmt::Write;

use flowctl_core::definition::repository::Repository;
use flowctl_core::diff::compare;
use flowctl_core::validate::{Options, Report, validate};

#[path = "../benches/validate/hostile.rs"]
mod hostile;

fn judged(files: Vec<(String, String)>) -> Report {
    let repository = Repository::read(files.clone());
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    for finding in &report.findings {
        let (path, text) = files.iter().find(|(path, _)| *path == finding.path).unwrap();
        let length = u32::try_from(text.len()).unwrap();
        assert!(finding.span.start <= finding.span.end && finding.span.end <= length, "{}: {:?}", path, finding.span);
    }
    report
}

#[test]
fn hostile_files_end_in_a_finding() {
    let mut said = String::new();
    for (name, files) in hostile::repositories(hostile::Size::Small) {
        let report = judged(files);
        let first = report.findings.first();
        let first = first.map_or("nothing".to_owned(), |finding| format!("{} {}", finding.code, finding.message));
        let _ = writeln!(said, "{name}: {first}");
        assert!(!report.findings.is_empty(), "{name} is no sound process");
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_comparison_of_hostile_files_comes_back() {
    for (name, files) in hostile::repositories(hostile::Size::Small) {
        let changed = files.iter().map(|(path, text)| (path.clone(), format!("description: other\n{text}")));
        let (before, after) = (Repository::read(files.clone()), Repository::read(changed));
        let compared = compare(&before, &after).definitions.len();
        assert_eq!(compared, files.len(), "{name}");
    }
}

#[test]
fn every_kind_of_file_may_be_hostile() {
    let folders = ["flow", "agents/a", "tools/a", "policies/a", "tests/a", "schemas/a"];
    for folder in folders {
        for (name, text) in hostile::files(hostile::Size::Small) {
            let report = judged(vec![(format!(".flow/{folder}.yaml"), text)]);
            assert!(folder.starts_with("schemas") || !report.findings.is_empty(), "{name} as {folder}");
        }
    }
}

/// What is measured must be sound: a finding a file would measure how findings are told.
#[path = "../benches/validate/corpus.rs"]
mod corpus;

#[test]
fn the_processes_that_are_measured_are_sound() {
    for files in [corpus::processes(40), vec![(".flow/processes/long.yaml".to_owned(), corpus::long_process(60))]] {
        let report = validate(&Repository::read(files), &Options { performed_only: false, ..Options::default() });
        assert_eq!(report.findings, []);
    }
}
