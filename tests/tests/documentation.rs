//! The documentation is run: every whole file in it validates, and every transcript says what the program says.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowctl_core::definition::repository::Repository;
use flowctl_core::simulation::Suite;
use flowctl_core::validate::{Options, Report, validate};
use flowctl_tests::program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Markdown page of the documentation, generated ones too.
fn pages() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The pages of the rules hold wrong examples too; they are made and run with the rules.
            if path.is_dir() && !path.ends_with("docs/rules") {
                below(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("ARCHITECTURE.md")];
    below(&root().join("docs"), &mut found);
    found.sort();
    found
}

/// The fenced blocks of a page with this word behind the fence: line of the fence and text.
fn blocks(page: &Path, word: &str) -> Vec<(usize, String)> {
    let text = fs::read_to_string(page).unwrap();
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_end()) {
            (None, fence) if fence == format!("```{word}") => open = Some((number + 1, String::new())),
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, block)), line) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_whole_file_in_the_documentation_is_sound() {
    let (mut checked, mut played) = (0, 0);
    for page in pages() {
        // The files of one page belong together: a process and the schema that it names.
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for word in ["yaml", "json", "markdown"] {
            for (_, block) in blocks(&page, word) {
                let first = block.lines().next().unwrap_or_default();
                if let Some(path) = first.strip_prefix("# .flow/") {
                    // In YAML the first line is a comment; elsewhere it is no part of the file.
                    let text = if word == "yaml" {
                        block.clone()
                    } else {
                        block.replacen(first, "", 1).trim_start().to_owned()
                    };
                    files.insert(format!(".flow/{}", path.trim()), text);
                }
            }
        }
        if files.is_empty() {
            continue;
        }
        checked += files.len();
        let repository = Repository::read(files);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let findings: Vec<String> = report
            .findings
            .iter()
            .map(|f| format!("{}:{}: {} {}", f.path, f.range.start.line, f.code, f.message))
            .collect();
        assert_eq!(findings, Vec::<String>::new(), "{}", page.display());
        played += play(&page, &repository, &report);
    }
    assert!(played > 3, "{played} cases were played");
    assert!(checked > 5, "{checked} files were checked");
}

/// Plays the tests of a page; how many cases there are.
fn play(page: &Path, repository: &Repository, report: &Report) -> usize {
    let suite = Suite::of(repository, report, |_| true, |_, _| true);
    for case in suite.play().into_iter().flatten() {
        assert_eq!(case.failures, [], "{}: {}", page.display(), case.case.name.value);
    }
    suite.len()
}

#[test]
fn every_transcript_says_what_the_program_says() {
    let mut run = 0;
    for page in pages() {
        for (line, block) in blocks(&page, "console") {
            for (command, expected) in commands(&block) {
                let words: Vec<&str> = command.split_whitespace().skip(1).collect();
                let folder = root().join("fixtures/repositories/release");
                let output =
                    Command::new(program()).args(&words).current_dir(&folder).env("NO_COLOR", "1").output().unwrap();
                let printed = [output.stdout, output.stderr].concat();
                let printed = String::from_utf8_lossy(&printed).trim_end().to_owned();
                assert_eq!(printed, expected.trim_end(), "{}:{line}: {command}", page.display());
                run += 1;
            }
        }
    }
    println!("{run} transcripts were run");
}

/// The commands of a transcript that begin with `$ flowctl`, each with what it prints.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => found.push((command.to_owned(), String::new())),
            None => {
                if let Some((_, printed)) = found.last_mut() {
                    printed.push_str(line);
                    printed.push('\n');
                }
            }
        }
    }
    found.retain(|(command, _)| command.starts_with("flowctl "));
    found
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            let local =
                !file.is_empty() && !file.contains("://") && !file.contains(' ') && !file.starts_with("mailto:");
            if local && !page.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// The words behind every place where a page says this, wherever its lines break.
fn words_after(said: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in text.split(said).skip(1) {
            let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
            found.push((page.clone(), part.chars().take_while(is_part).collect()));
        }
    }
    found.retain(|(_, word): &(_, String)| word.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

#[test]
fn every_template_that_a_page_names_is_one() {
    let named = words_after("flowctl init --template ");
    assert!(!named.is_empty());
    for (page, template) in named {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(program())
            .args(["init", "--template", &template])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {template}: {}", page.display(), String::from_utf8_lossy(&output.stderr));
    }
}
