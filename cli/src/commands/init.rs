//! `init`: lays out `.flow/` in a repository. Never overwrites a file.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::arguments::InitArguments;
use crate::exit::Exit;
use crate::samples::SAMPLES;
use crate::terminal::{GOOD, TYPE};

/// What `--template` takes: a small process of one approval, and the samples.
pub const NAMES: [&str; 7] =
    ["approval", "release", "production-access", "incident", "vendor-onboarding", "ai-triage", "agent-triage"];

const APPROVAL: &str = include_str!("../../templates/approval.yaml");
const APPROVAL_TEST: &str = include_str!("../../templates/approval-test.yaml");

/// Lays out the files.
pub fn run(arguments: &InitArguments, quiet: bool) -> anyhow::Result<Exit> {
    let files = files(&arguments.template);
    let taken: Vec<&str> =
        files.iter().map(|(path, _)| *path).filter(|path| arguments.directory.join(path).exists()).collect();
    if !taken.is_empty() {
        bail!("{} already there, and nothing is overwritten; nothing was written", listed(&taken));
    }
    for (path, text) in &files {
        write(&arguments.directory.join(path), text)?;
        if !quiet {
            anstream::eprintln!("{GOOD}wrote{GOOD:#} {path}");
        }
    }
    if !quiet {
        if git2::Repository::discover(&arguments.directory).is_err() {
            anstream::eprintln!(
                "note: {} is in no git repository; `serve`, `dev` and `diff` need one, and versions are compared with its \
                 last commit: {TYPE}git init{TYPE:#}",
                arguments.directory.display()
            );
        }
        anstream::eprintln!(
            "\nNext: {TYPE}flowctl validate{TYPE:#} and {TYPE}flowctl test{TYPE:#}, then {TYPE}flowctl dev .{TYPE:#} to try it with \
             people."
        );
    }
    Ok(Exit::Done)
}

/// The files of a template: of a sample, those below `.flow/`.
fn files(template: &str) -> Vec<(&'static str, &'static str)> {
    match SAMPLES.iter().find(|sample| sample.name == template) {
        Some(sample) => sample.files.iter().filter(|(path, _)| path.starts_with(".flow/")).copied().collect(),
        None => vec![(".flow/processes/approval.yaml", APPROVAL), (".flow/tests/approval.yaml", APPROVAL_TEST)],
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a path below the folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn listed(paths: &[&str]) -> String {
    match paths {
        [one] => format!("{one} is"),
        many => format!("{} are", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_template() {
        let samples: Vec<&str> = SAMPLES.iter().map(|sample| sample.name).collect();
        assert_eq!(NAMES[1..], samples);
    }

    #[test]
    fn what_is_laid_out_needs_no_formatting() {
        for (path, text) in NAMES.iter().flat_map(|name| files(name)) {
            if path.ends_with(".yaml") {
                assert_eq!(flowctl_core::format::format(path, text).ok().as_deref(), Some(text), "{path}");
            }
        }
    }
}
