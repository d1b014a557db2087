//! `docs/cli.md` is what `--help` says: made from it, so that neither can drift.

use std::fmt::Write;
use std::fs;

use super::stage::flowctl;

const HEAD: &str = "# The command line

Made from what `flowctl --help` says; `UPDATE_DOCS=1 cargo test -p flowctl-tests --test validating help` writes it anew.
Results go to standard output, everything else to standard error. `flowctl completions SHELL` and `flowctl man` print what
shells and `man` read.
";

fn help(words: &[&str]) -> String {
    let said = flowctl(&flowctl_tests::root(), &[words, &["--help"]].concat(), "");
    assert_eq!(said.code, 0, "{words:?}: {}", said.err);
    let lines: Vec<&str> = said.out.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| line.starts_with(' '));
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn section(words: &[&str], page: &mut String) {
    let help = help(words);
    let title = if words.is_empty() { "flowctl".to_owned() } else { format!("flowctl {}", words.join(" ")) };
    let _ = write!(page, "\n## {title}\n\n```text\n{}\n```\n", help.trim_end());
    for command in commands(&help) {
        section(&[words, &[command.as_str()]].concat(), page);
    }
}

#[test]
fn the_page_is_what_help_says() {
    let mut page = HEAD.to_owned();
    section(&[], &mut page);
    let path = flowctl_tests::root().join("docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap_or_default() == page,
        "docs/cli.md is stale: run this test with UPDATE_DOCS=1"
    );
}

#[test]
fn help_fits_a_hundred_columns() {
    let mut page = String::new();
    section(&[], &mut page);
    let long: Vec<&str> = page.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(long, Vec::<&str>::new());
}
