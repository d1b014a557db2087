//! Rules against their own examples, and properties of all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::*;
use crate::definition::repository::Repository;

fn read(example: &str) -> Repository {
    Repository::read(examples(example).into_iter().map(|file| (file.path, file.text)))
}

/// What rules that look beyond the definitions need, for their examples.
fn look(rule: &Rule, example: &str) -> Report {
    let before = read(
        "# .flow/processes/hello.yaml\nname: hello\nversion: 3\nsteps:\n  - id: note\n    type: set\n    values: {text: hello}\n",
    );
    let workflows = BTreeSet::from(["release.yml".to_owned()]);
    let options = Options {
        // Examples may use the whole language; only the rule about that looks at what is performed.
        performed_only: rule.name == "not-performed-yet",
        base: (rule.name == "version-not-raised").then_some(&before),
        workflow_files: Some(&workflows),
    };
    validate(&read(example), &options)
}

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let (start, end) = (finding.range.start, finding.range.end);
        let _ = writeln!(
            text,
            "{}:{}:{}-{}:{} {} {} {}",
            finding.path, start.line, start.column, end.line, end.column, finding.severity, finding.code, finding.message
        );
    }
    text
}

#[test]
fn codes_and_names_are_unique_and_sorted() {
    let codes: Vec<&str> = rules::RULES.iter().map(|rule| rule.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
    let names: BTreeSet<&str> = rules::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), codes.len());
    for rule in rules::RULES {
        assert!(rule.code.len() == 7 && rule.code.starts_with("FLOW"), "{}", rule.code);
        assert!(!rule.summary.ends_with('.'), "{}", rule.code);
    }
}

#[test]
fn each_wrong_example_has_exactly_that_finding_and_each_right_one_none() {
    let mut faults = String::new();
    for rule in rules::RULES {
        let report = look(rule, rule.wrong);
        if report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>() != [rule.code] {
            let _ = writeln!(faults, "{} wrong example:\n{}", rule.code, shown(&report));
        }
        let report = look(rule, rule.right);
        if !report.findings.is_empty() {
            let _ = writeln!(faults, "{} right example:\n{}", rule.code, shown(&report));
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn the_pages_of_the_rules_are_what_the_rules_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules");
    let pages: BTreeMap<String, String> = documentation().into_iter().collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in &pages {
            std::fs::write(format!("{folder}/{name}"), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let checked_in = std::fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
        assert!(&checked_in == text, "docs/rules/{name} is stale: run this test with UPDATE_DOCS=1");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains_key(&name), "docs/rules/{name} belongs to no rule");
    }
}
