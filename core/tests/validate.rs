//! The fixtures as a person sees them: every invalid repository has exactly one finding, every sample repository none.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use flowctl_core::definition::repository::Repository;
use flowctl_core::definition::workflows::Workflows;
use flowctl_core::validate::rules::RULES;
use flowctl_core::validate::{Options, Report, Rule, examples as examples_of, validate};

mod fixtures;

use fixtures::{files, folders};

fn definitions(repository: &Path) -> Repository {
    Repository::read(files(repository))
}

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let (start, end) = (finding.range.start, finding.range.end);
        let place = format!("{}:{}-{}:{}", start.line, start.column, end.line, end.column);
        let path = finding.path.trim_start_matches(".flow/");
        let _ = writeln!(text, "{path}:{place} {} {} {}", finding.severity, finding.code, finding.message);
        if let Some(help) = &finding.help {
            let _ = writeln!(text, "  help: {help}");
        }
        for related in &finding.related {
            let at = related.range.start;
            let path = related.path.trim_start_matches(".flow/");
            let _ = writeln!(text, "  {path}:{}:{} {}", at.line, at.column, related.message);
        }
    }
    text
}

#[test]
fn every_invalid_repository_has_exactly_one_finding() {
    let mut all = String::new();
    let mut others = String::new();
    for folder in folders("invalid") {
        let repository = definitions(&folder);
        let name = folder.file_name().unwrap().to_str().unwrap();
        let performed_only = name.ends_with("not-performed-yet");
        let report = validate(&repository, &Options { performed_only, is_whole: true, ..Options::default() });
        let _ = writeln!(all, "## {name}\n{}", shown(&report));
        if report.findings.len() != 1 {
            let _ = writeln!(others, "## {name}\n{}", shown(&report));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/invalid.snap.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path, &all).unwrap();
    }
    assert!(others.is_empty(), "not exactly one finding:\n{others}");
    let expected = fs::read_to_string(path).unwrap_or_default();
    let changed: Vec<&str> = all.split("\n\n").filter(|one| !expected.contains(one)).collect();
    assert!(all == expected, "run with UPDATE_SNAPSHOTS=1 and read what changed:\n{}", changed.join("\n\n"));
}

/// What a rule is checked with, for its examples.
fn look(rule: &Rule, example: &str) -> Report {
    let of_example = |text: &str| examples_of(text).into_iter().map(|file| (file.path, file.text));
    let files = |text: &str| of_example(text).filter(|(path, _)| path.starts_with(".flow/")).collect::<Vec<_>>();
    let before = "# .flow/processes/hello.yaml\nname: hello\nversion: 3\nsteps:\n  - {id: note, type: set, values: {text: hello}}\n";
    let before = Repository::read(files(before));
    let mut workflows = Workflows::default();
    workflows.add("release.yml", None);
    for (path, text) in of_example(example) {
        if let Some(name) = path.strip_prefix(".github/workflows/") {
            workflows.add(name, Some(text));
        }
    }
    let options = Options {
        performed_only: rule.name == "not-performed-yet",
        base: (rule.name == "version-not-raised").then_some(&before),
        workflow_files: Some(&workflows),
        is_whole: rule.name == "unused-file",
        prices: None,
    };
    validate(&Repository::read(files(example)), &options)
}

#[test]
fn what_people_read_about_each_wrong_example() {
    let mut all = String::new();
    for rule in RULES {
        let report = look(rule, rule.wrong);
        let _ = writeln!(all, "## {} {}\n{}", rule.code, rule.name, shown(&report));
        for fix in report.findings.iter().filter_map(|finding| finding.fix.as_ref()) {
            for edit in &fix.edits {
                let (start, end) = (edit.range.start, edit.range.end);
                let place = format!("{}:{}-{}:{}", start.line, start.column, end.line, end.column);
                let _ = writeln!(all, "fix ({:?}): {place} becomes {:?}\n", fix.applicability, edit.text);
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules.snap.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path, &all).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let changed: Vec<&str> = all.split("\n\n").filter(|one| !expected.contains(one)).collect();
    assert!(all == expected, "run with UPDATE_SNAPSHOTS=1 and read what changed:\n{}", changed.join("\n\n"));
}

/// The findings that a file's comments announce: `# finds FLOW012, FLOW209` at the end of the line that they are on.
fn announced(path: &str, text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, line.split_once("# finds ")?.1)));
    let mut announced: Vec<String> = lines
        .flat_map(|(number, codes)| codes.split(',').map(move |code| format!("{path}:{number} {}", code.trim())))
        .collect();
    announced.sort();
    announced
}

#[test]
fn several_mistakes_are_several_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/mixed");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = String::new();
    for path in &paths {
        let files = examples_of(&fs::read_to_string(path).unwrap());
        let expected: Vec<String> = files.iter().flat_map(|file| announced(&file.path, &file.text)).collect();
        let read = Repository::read(files.iter().map(|file| (file.path.clone(), file.text.clone())));
        let report = validate(&read, &Options { performed_only: false, is_whole: true, ..Options::default() });
        let mut found: Vec<String> = report
            .findings
            .iter()
            .map(|finding| format!("{}:{} {}", finding.path, finding.range.start.line, finding.code))
            .collect();
        found.sort();
        let missing: Vec<&String> = expected.iter().filter(|one| !found.contains(one)).collect();
        let unexpected: Vec<&String> = found.iter().filter(|one| !expected.contains(one)).collect();
        if found.len() != expected.len() || !missing.is_empty() || !unexpected.is_empty() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let _ = writeln!(wrong, "## {name}\nmissing {missing:#?}\nunexpected {unexpected:#?}\n{}", shown(&report));
        }
    }
    assert!(paths.len() >= 20, "there are {} files", paths.len());
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_sample_repository_is_sound() {
    let mut found = String::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in folders("repositories").into_iter().chain([own]) {
        let report = validate(&definitions(&folder), &Options { is_whole: true, ..Options::default() });
        if !report.findings.is_empty() {
            let _ = writeln!(found, "## {}\n{}", folder.display(), shown(&report));
        }
    }
    assert!(found.is_empty(), "{found}");
}

/// The files in fenced blocks that begin with a line `# .flow/…`: in YAML that is a comment, elsewhere it is left out.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for language in ["yaml", "json", "markdown"] {
        for block in page.split(&format!("```{language}\n# ")).skip(1) {
            let Some((path, rest)) = block.split_once('\n') else { continue };
            let text = rest.split("\n```").next().unwrap_or_default();
            if path.starts_with(".flow/") {
                files.push((path.to_owned(), format!("{text}\n")));
            }
        }
    }
    files
}

#[test]
fn every_example_of_the_pages_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/steps", "docs/files"] {
        pages.extend(fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    pages.sort();
    let (mut found, mut count) = (String::new(), 0);
    for page in pages {
        // The files of one page belong together.
        let files = blocks(&fs::read_to_string(&page).unwrap());
        count += files.len();
        let report = validate(&Repository::read(files), &Options { performed_only: false, ..Options::default() });
        if !report.findings.is_empty() {
            let _ = write!(found, "{}:\n{}", page.display(), shown(&report));
        }
    }
    assert!(count > 30, "the examples were not found");
    assert!(found.is_empty(), "{found}");
}
