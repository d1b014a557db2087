//! `tests/requirements.yaml` says which tests show which requirement. Here it is held against the sources: each test that it names
//! is there and is a test. What the tests themselves say is theirs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use flowctl_tests::root;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: String,
    says: String,
    tests: Vec<String>,
}

/// Groups of requirements, and which of each are delivered, in full or in part.
const DELIVERED: &[(&str, &[u8])] = &[
    ("L", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("E", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("G", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ("H", &[1, 2, 3, 4]),
    ("A", &[1, 2, 3, 5, 6]),
    ("P", &[1]),
    ("S", &[4, 5, 6]),
    ("W", &[3]),
    ("N", &[1]),
    ("O", &[1]),
];

fn requirements() -> Vec<Requirement> {
    serde_yaml::from_str(&fs::read_to_string(root().join("tests/requirements.yaml")).unwrap()).unwrap()
}

/// Why a text names no test of this house; nothing where it does.
fn fault(test: &str) -> Option<String> {
    let Some((file, function)) = test.split_once("::") else {
        let suites = fs::read_to_string(root().join("tests/run")).unwrap();
        let is_run = root().join(test).is_file() && suites.contains(&format!("./{test} "));
        return (!is_run).then(|| format!("tests/run starts no {test}"));
    };
    let Ok(source) = fs::read_to_string(root().join(file)) else { return Some(format!("there is no file {file}")) };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    let defines =
        |line: &&str| line.strip_prefix("pub(crate) ").unwrap_or(line).trim_start_matches("async ").starts_with(&head);
    let Some(at) = lines.iter().position(defines) else { return Some(format!("{file} has no test {function}")) };
    // Attributes and descriptions stand right above.
    let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with('#') || line.starts_with("//"));
    let is_test = above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    // Cases of the store are made into tests of each back end by a list.
    let is_case = file.starts_with("app/src/store/conformance/") && {
        let list = fs::read_to_string(root().join("app/src/store/conformance/mod.rs")).unwrap();
        list.lines().any(|line| line.trim() == function)
    };
    (!is_test && !is_case).then(|| format!("{function} in {file} is no test"))
}

#[test]
fn every_test_that_shows_a_requirement_is_there() {
    let mut faults = Vec::new();
    for Requirement { id, tests, .. } in requirements() {
        faults.extend(tests.iter().filter_map(|test| fault(test)).map(|fault| format!("{id}: {fault}")));
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn every_requirement_that_is_delivered_is_there_once() {
    let ids: Vec<String> = requirements().into_iter().map(|requirement| requirement.id).collect();
    let delivered: Vec<String> = DELIVERED
        .iter()
        .flat_map(|(group, numbers)| numbers.iter().map(move |number| format!("{group}{number}")))
        .collect();
    assert_eq!(ids, delivered);
}

#[test]
fn each_is_said_in_a_sentence_and_shown_by_two_to_six_tests() {
    for Requirement { id, says, tests } in requirements() {
        assert!(says.ends_with('.') && says.len() > 30, "{id}: {says}");
        assert!((2..=6).contains(&tests.len()), "{id} has {} tests", tests.len());
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        tests.iter().for_each(|test| *times.entry(test).or_default() += 1);
        assert!(times.values().all(|times| *times == 1), "{id} names a test twice");
    }
}

#[test]
fn what_is_no_test_is_found() {
    let this = "tests/tests/requirements.rs";
    assert_eq!(fault(&format!("{this}::what_is_no_test_is_found")), None);
    assert_eq!(fault("app/src/store/conformance/work.rs::work_is_claimed_once"), None);
    let wrong = [
        (format!("{this}::fault"), "fault in tests/tests/requirements.rs is no test"),
        (format!("{this}::what_is_no_test"), "tests/tests/requirements.rs has no test what_is_no_test"),
        ("tests/tests/nowhere.rs::it".to_owned(), "there is no file tests/tests/nowhere.rs"),
        ("tests/nothing".to_owned(), "tests/run starts no tests/nothing"),
    ];
    for (test, said) in wrong {
        assert_eq!(fault(&test).as_deref(), Some(said));
    }
}
