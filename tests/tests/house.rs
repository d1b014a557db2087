//! The house: who may know whom. What ARCHITECTURE.md says of the rooms is checked here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines of a folder's Rust files that contain one of these words, comments left out.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(&root().join(folder)) {
        let is_test = path.iter().any(|part| part == "tests") || path.ends_with("tests.rs");
        if is_test {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let line = line.trim();
            if !line.starts_with("//") && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    found
}

fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    section
        .lines()
        .filter_map(|line| Some(line.split(['.', ' ', '=']).next()?.to_owned()))
        .filter(|n| !n.is_empty())
        .collect()
}

#[test]
fn core_knows_no_other_room_and_does_no_io() {
    let known = dependencies("core/Cargo.toml");
    for forbidden in ["tokio", "reqwest", "sqlx", "git2", "axum", "octocrab", "flowctl-app", "flowctl-sandbox", "rand"]
    {
        assert!(!known.iter().any(|name| name == forbidden), "core depends on {forbidden}");
    }
    let io = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env::",
        "std::thread",
        "std::io::",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "Uuid::now",
        "Uuid::new_v",
        "async fn",
        "println!",
        "eprintln!",
    ];
    assert_eq!(lines_with("core/src", &io), Vec::<String>::new());
}

#[test]
fn app_knows_core_and_not_the_sandbox() {
    let known = dependencies("app/Cargo.toml");
    assert!(known.iter().any(|name| name == "flowctl-core"));
    assert!(!known.iter().any(|name| name == "flowctl-sandbox"), "for app GitHub is a base URL");
    assert_eq!(lines_with("app/src", &["flowctl_sandbox"]), Vec::<String>::new());
}

#[test]
fn the_sandbox_knows_nobody() {
    let known = dependencies("sandbox/Cargo.toml");
    assert!(!known.iter().any(|name| name.starts_with("flowctl")), "{known:?}");
}

#[test]
fn app_and_sandbox_print_nothing_and_only_cli_ends_the_program() {
    let printing = ["println!", "print!(", "process::exit"];
    assert_eq!(lines_with("app/src", &printing), Vec::<String>::new());
    assert_eq!(lines_with("sandbox/src", &printing), Vec::<String>::new());
}

#[test]
fn time_comes_from_the_clock() {
    let allowed = "app/src/clock.rs";
    let found = lines_with("app/src", &["Timestamp::now()", "SystemTime::now()", "Zoned::now()"]);
    let found: Vec<String> = found.into_iter().filter(|line| !line.contains(allowed)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_an_address_says_which_repository_is_written_to() {
    let wrong =
        lines_with("app/src/github/outbox", &["repository.parse", "RepositoryName::new", "parse::<RepositoryName>"]);
    let elsewhere = |line: &&String| !line.contains("/outbox/address.rs:") && !line.contains("/outbox/audit");
    assert_eq!(
        wrong.iter().filter(elsewhere).collect::<Vec<_>>(),
        [] as [&String; 0],
        "the name may be another's by now"
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut silent = Vec::new();
    for folder in ["core/src", "app/src", "cli/src", "sandbox/src"] {
        for path in sources(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let is_test = path.iter().any(|part| part == "tests") || path.ends_with("tests.rs");
            if !is_test && !text.starts_with("//!") {
                silent.push(path.display().to_string());
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}
