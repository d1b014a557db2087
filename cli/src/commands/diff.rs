//! `diff`: reads two commits' definitions, compares, prints.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flowctl_app::github::wording::{MARKDOWN, difference as markdown};
use flowctl_core::definition::repository::Repository;
use flowctl_core::diff::{Difference, compare};

use crate::arguments::{DiffArguments, DiffFormat};
use crate::exit::Exit;
use crate::format;
use crate::repository::{Checkout, around, outside};
use crate::terminal;

/// Compares what the arguments name.
pub fn run(arguments: &DiffArguments) -> anyhow::Result<Exit> {
    let root = root()?;
    let checkout = Checkout::open(&root)?;
    let (from, to) = revisions(&checkout, arguments)?;
    let before = at(&checkout, &from)?;
    let after = match &to {
        Some(to) => at(&checkout, to)?,
        None => checkout.definitions(),
    };
    let paths = inside(&root, &arguments.path)?;
    for path in paths.iter().filter(|path| !holds(&before, path) && !holds(&after, path)) {
        anstream::eprintln!("note: there is no definition at {}, before or after", checkout.shown(path));
    }
    let difference = limited(compare(&before, &after), &paths);
    print(&difference, arguments.format)?;
    // A change cannot turn off what it is judged by.
    let asks =
        |definitions: &Repository| definitions.settings().is_some_and(|settings| settings.validate.fail_on_weakening);
    let fails = arguments.fail_on_weakening || asks(&before) || asks(&after);
    let weakened = fails && !difference.weakenings.is_empty();
    let differs = arguments.exit_code && !difference.is_empty();
    Ok(if weakened || differs { Exit::Findings } else { Exit::Done })
}

/// The folder that holds `.flow/`; without one the work tree, where a revision may have one.
fn root() -> anyhow::Result<PathBuf> {
    if let Some(root) = around(Path::new(".")) {
        return Ok(root);
    }
    let here = Path::new(".");
    let git = git2::Repository::discover(here).map_err(|error| outside(here, &error))?;
    git.workdir().map(Path::to_owned).context("this git repository has no work tree")
}

/// The two revisions; none for the files as they are.
fn revisions(checkout: &Checkout, arguments: &DiffArguments) -> anyhow::Result<(String, Option<String>)> {
    let or_head = |name: &str| if name.is_empty() { "HEAD".to_owned() } else { name.to_owned() };
    let (from, to, since_common) = match (arguments.from.split_once("..."), arguments.from.split_once("..")) {
        (Some((from, to)), _) => (from, to, true),
        (None, Some((from, to))) => (from, to, false),
        (None, None) => return Ok((arguments.from.clone(), arguments.to.clone())),
    };
    if let Some(to) = &arguments.to {
        bail!("`{}` names two revisions already; leave `{to}` out", arguments.from);
    }
    let (from, to) = (or_head(from), or_head(to));
    let from = if since_common { checkout.common_ancestor(&from, &to)? } else { from };
    Ok((from, Some(to)))
}

fn at(checkout: &Checkout, revision: &str) -> anyhow::Result<Repository> {
    let read = checkout.at(Some(revision)).with_context(|| {
        let path = Path::new(revision).exists();
        if path {
            format!("`{revision}` is a path; name a revision, and paths behind `--`")
        } else {
            "cannot compare".to_owned()
        }
    });
    read?.with_context(|| format!("{} has no work tree", checkout.root.display()))
}

/// The paths, as the person in the working directory names them, by their place below the root.
fn inside(root: &Path, paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let here = std::env::current_dir()?;
    paths
        .iter()
        .map(|path| {
            let full = crate::repository::absolute(&here.join(path));
            let inside = full
                .strip_prefix(root)
                .with_context(|| format!("{} lies outside {}", path.display(), root.display()))?;
            Ok(crate::repository::slashed(inside))
        })
        .collect()
}

/// Only what lies in the paths; without any: everything.
fn limited(difference: Difference, paths: &[String]) -> Difference {
    match paths {
        [] => difference,
        _ => difference.only(|file| paths.iter().any(|path| lies_in(file, path))),
    }
}

fn lies_in(file: &str, path: &str) -> bool {
    path.is_empty() || file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

fn holds(definitions: &Repository, path: &str) -> bool {
    definitions.files.keys().any(|file| lies_in(file, path))
}

fn print(difference: &Difference, format: DiffFormat) -> anyhow::Result<()> {
    let text = match format {
        DiffFormat::Human => format::difference(difference),
        DiffFormat::Json => serde_json::to_string_pretty(difference)?,
        DiffFormat::Markdown => markdown(difference, MARKDOWN),
    };
    terminal::print(text.trim_end_matches('\n'))
}
