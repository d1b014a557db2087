//! What the paths of a command line mean: folders, files, globs, standard input.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use flowctl_core::definition::repository::own_place;
use globset::{Glob, GlobBuilder, GlobMatcher};

use super::{Checkout, FLOW, absolute, around, nearest, slashed, walk};

/// What the paths of a command line mean; no path means the repository around the working directory.
/// Standard input without a file name is the process that it says it is.
pub fn checkouts(paths: &[String], stdin_filename: Option<&str>) -> anyhow::Result<Vec<Checkout>> {
    let mut found: BTreeMap<PathBuf, Checkout> = BTreeMap::new();
    if paths.is_empty() {
        let root = nearest(Path::new(".")).map_err(|error| anyhow!("{error}, or name a path"))?;
        found.insert(root.clone(), Checkout::open(&root)?);
    }
    for path in paths {
        if path == "-" {
            add_stdin(stdin_filename, &mut found)?;
            continue;
        }
        let on_disk = absolute(Path::new(path));
        if on_disk.is_dir() {
            add_folder(&on_disk, &mut found)?;
        } else if on_disk.is_file() || on_disk.is_symlink() {
            add_file(&on_disk, &mut found)?;
        } else if path.contains(['*', '?', '[', '{']) {
            add_glob(path, &mut found)?;
        } else if on_disk.exists() {
            bail!("`{path}` is a pipe or a device; `-` reads standard input");
        } else {
            bail!("there is no file or folder `{path}`");
        }
    }
    Ok(found.into_values().collect())
}

/// A folder: the repositories in it, or, where it lies inside of one, the files below it.
fn add_folder(folder: &Path, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    if let (Some(root), true) = (folder.parent(), folder.file_name().is_some_and(|name| name == FLOW)) {
        return want(root, None, found);
    }
    let mut roots = BTreeSet::new();
    for entry in walk(folder) {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        // Also where it is a link to a folder: that nothing is read there on GitHub is what has to be said.
        let is_flow = entry.file_name() == FLOW && entry.path().is_dir();
        if let (true, Some(root)) = (is_flow, entry.path().parent()) {
            roots.insert(root.to_owned());
        }
    }
    if !roots.is_empty() {
        for root in roots {
            want(&root, None, found)?;
        }
        return Ok(());
    }
    let Some(root) = around(folder) else { return Ok(()) };
    let inside = slashed(folder.strip_prefix(&root).unwrap_or(folder));
    let whole = Checkout::open(&root)?;
    let paths = whole.files.keys().chain(whole.irregular.keys());
    let below = paths.filter(|path| path.starts_with(&format!("{inside}/")) || **path == inside).cloned().collect();
    want(&root, Some(below), found)
}

/// A file: with the repository around it for context, or alone.
fn add_file(file: &Path, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    if let Some(root) = around(folder) {
        let inside = slashed(file.strip_prefix(&root).unwrap_or(file));
        if inside.starts_with(".flow/") {
            return want(&root, Some(BTreeSet::from([inside])), found);
        }
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let alone = found.entry(folder.join(&name)).or_insert_with(|| Checkout::empty(folder));
    alone.files.insert(name, bytes);
    Ok(())
}

/// Every definition that a pattern matches: below the folder that the pattern begins with, wherever that lies.
fn add_glob(pattern: &str, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let (folder, rest) = literal_beginning(pattern);
    let matcher: GlobMatcher = GlobBuilder::new(rest)
        .literal_separator(true)
        .build()
        .or_else(|_| Glob::new(rest))
        .map_err(|error| anyhow!("`{pattern}` is no pattern: {}", error.kind()))?
        .compile_matcher();
    let folder = absolute(Path::new(folder));
    if !folder.is_dir() {
        bail!("there is no folder `{}`, in which `{pattern}` would begin", folder.display());
    }
    for entry in walk(&folder) {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type().is_some_and(|kind| kind.is_file())
            && matcher.is_match(path.strip_prefix(&folder).unwrap_or(path))
            && path.iter().any(|part| part == FLOW)
        {
            add_file(path, found)?;
        }
    }
    Ok(())
}

/// The folder that a pattern begins with, and the rest of it.
fn literal_beginning(pattern: &str) -> (&str, &str) {
    let first_mark = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    match pattern[..first_mark].rfind('/') {
        Some(slash) => (&pattern[..=slash], &pattern[slash + 1..]),
        None => (".", pattern),
    }
}

/// Standard input stands for a file of the repository around the working directory.
fn add_stdin(name: Option<&str>, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    let (root, inside) = match name {
        Some(name) => place_of(name),
        None => {
            let root = around(Path::new(".")).unwrap_or_else(|| absolute(Path::new(".")));
            let inside = stdin_place(&root, &bytes);
            (root, inside)
        }
    };
    if root.join(FLOW).is_dir() {
        want(&root, Some(BTreeSet::from([inside.clone()])), found)?;
    }
    let checkout = found.entry(root.clone()).or_insert_with(|| Checkout::empty(&root));
    checkout.irregular.remove(&inside);
    checkout.files.insert(inside.clone(), bytes);
    checkout.stdin = Some(inside);
    Ok(())
}

/// The repository that a path lies in, and the path in it.
fn place_of(name: &str) -> (PathBuf, String) {
    let path = absolute(Path::new(name));
    match around(path.parent().unwrap_or(Path::new("/"))) {
        Some(root) => {
            let inside = slashed(path.strip_prefix(&root).unwrap_or(&path));
            (root, inside)
        }
        None => (absolute(Path::new(".")), slashed(Path::new(name))),
    }
}

/// Where the process of standard input lies, by what it says.
fn stdin_place(root: &Path, bytes: &[u8]) -> String {
    let place = own_place(bytes).unwrap_or_else(|| format!("{FLOW}/processes/stdin"));
    let yml = format!("{place}.yml");
    if root.join(&yml).is_file() { yml } else { format!("{place}.yaml") }
}

/// Adds to what is wanted of a repository; `None`: all of it.
fn want(root: &Path, files: Option<BTreeSet<String>>, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    if let Some(known) = found.get_mut(root) {
        known.wanted = match (known.wanted.take(), files) {
            (Some(mut wanted), Some(more)) => {
                wanted.extend(more);
                Some(wanted)
            }
            _ => None,
        };
        return Ok(());
    }
    let checkout = Checkout { wanted: files, ..Checkout::open(root)? };
    found.insert(root.to_owned(), checkout);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_begins_with_a_folder() {
        for (pattern, folder, rest) in [
            ("*.yaml", ".", "*.yaml"),
            ("./.flow/processes/*.yaml", "./.flow/processes/", "*.yaml"),
            ("../team/.flow/{a,b}/x.yaml", "../team/.flow/", "{a,b}/x.yaml"),
            ("/srv/*/.flow/**/*.yaml", "/srv/", "*/.flow/**/*.yaml"),
            ("/*", "/", "*"),
        ] {
            assert_eq!(literal_beginning(pattern), (folder, rest));
        }
    }
}
