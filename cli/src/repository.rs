//! From paths on the command line to repositories of definitions: which `.flow/` is meant, what of it is looked at, and
//! what it was at another revision. Honours .gitignore.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use flowctl_core::definition::repository::Repository;
use globset::{Glob, GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;

/// The folder of definitions.
pub const FLOW: &str = ".flow";

/// A repository on disk and what of it is looked at.
#[derive(Debug)]
pub struct Checkout {
    /// The folder that holds `.flow/`.
    pub root: PathBuf,
    /// The files below `.flow/` by path from the root.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The files whose findings are wanted; nothing: all.
    pub wanted: Option<BTreeSet<String>>,
}

impl Checkout {
    /// Reads every file below `root/.flow`.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let folder = root.join(FLOW);
        for entry in walk(&folder) {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                let path = entry.path();
                let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                files.insert(slashed(path.strip_prefix(root).unwrap_or(path)), bytes);
            }
        }
        Ok(Self { root: root.to_owned(), files, wanted: None })
    }

    /// The definitions.
    pub fn definitions(&self) -> Repository {
        Repository::read_bytes(&self.files)
    }

    /// Whether findings of this file are wanted.
    pub fn wants(&self, path: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(path))
    }

    /// A file's path as a person in the working directory would type it.
    pub fn shown(&self, path: &str) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let full = self.root.join(path);
        slashed(full.strip_prefix(&here).unwrap_or(&full))
    }

    /// The names of the workflow files; nothing where the root is no git work tree's.
    pub fn workflow_files(&self) -> Option<BTreeSet<String>> {
        let folder = self.root.join(".github/workflows");
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(_) if self.root.join(".git").exists() => return Some(BTreeSet::new()),
            Err(_) => return None,
        };
        Some(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    /// The definitions at a revision of the git repository around the root; nothing where there is none or the
    /// revision (as `HEAD` before the first commit) does not exist and was not asked for.
    pub fn at(&self, revision: Option<&str>) -> anyhow::Result<Option<Repository>> {
        let git = match git2::Repository::discover(&self.root) {
            Ok(git) => git,
            Err(_) if revision.is_none() => return Ok(None),
            Err(error) => bail!("{} is in no git repository: {}", self.root.display(), error.message()),
        };
        let Some(work_tree) = git.workdir() else { return Ok(None) };
        let commit = match git.revparse_single(revision.unwrap_or("HEAD")).and_then(|object| object.peel_to_commit()) {
            Ok(commit) => commit,
            Err(_) if revision.is_none() => return Ok(None),
            Err(error) => bail!("there is no revision `{}`: {}", revision.unwrap_or_default(), error.message()),
        };
        let root = fs::canonicalize(&self.root)?;
        let work_tree = fs::canonicalize(work_tree)?;
        let inside = root.strip_prefix(&work_tree).unwrap_or(Path::new(""));
        let mut files = BTreeMap::new();
        if let Ok(entry) = commit.tree()?.get_path(&inside.join(FLOW)) {
            read_tree(&git, entry.id(), FLOW, &mut files)?;
        }
        Ok(Some(Repository::read_bytes(&files)))
    }
}

fn read_tree(
    git: &git2::Repository,
    tree: git2::Oid,
    path: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<()> {
    for entry in &git.find_tree(tree)? {
        let path = format!("{path}/{}", String::from_utf8_lossy(entry.name_bytes()));
        match entry.kind() {
            Some(git2::ObjectType::Tree) => read_tree(git, entry.id(), &path, files)?,
            Some(git2::ObjectType::Blob) => {
                files.insert(path, git.find_blob(entry.id())?.content().to_vec());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The repository around a folder: the nearest one above with `.flow/`.
pub fn around(folder: &Path) -> Option<PathBuf> {
    let folder = absolute(folder);
    folder.ancestors().find(|above| above.join(FLOW).is_dir()).map(Path::to_owned)
}

/// What the paths of a command line mean; no path means the repository around the working directory.
pub fn checkouts(paths: &[String], stdin_filename: &str) -> anyhow::Result<Vec<Checkout>> {
    let mut found: BTreeMap<PathBuf, Checkout> = BTreeMap::new();
    if paths.is_empty() {
        let root = around(Path::new("."))
            .context("there is no `.flow/` here or above; `flowctl init` lays one out, or name a path")?;
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
        } else if on_disk.is_file() {
            add_file(&on_disk, &mut found)?;
        } else if path.contains(['*', '?', '[', '{']) {
            add_glob(path, &mut found)?;
        } else {
            bail!("there is no file or folder `{path}`");
        }
    }
    Ok(found.into_values().collect())
}

/// A folder: the repositories in it, or, where it lies inside of one, the files below it.
fn add_folder(folder: &Path, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let mut roots = BTreeSet::new();
    for entry in walk(folder) {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let is_flow = entry.file_name() == FLOW && entry.file_type().is_some_and(|kind| kind.is_dir());
        if let (true, Some(root)) = (is_flow, entry.path().parent()) {
            roots.insert(root.to_owned());
        }
    }
    if folder.join(FLOW).is_dir() || (!roots.is_empty() && folder.file_name().is_none_or(|name| name != FLOW)) {
        for root in roots {
            want(&root, None, found)?;
        }
        return Ok(());
    }
    let Some(root) = around(folder) else { return Ok(()) };
    let inside = slashed(folder.strip_prefix(&root).unwrap_or(folder));
    let whole = Checkout::open(&root)?;
    let below = whole.files.keys().filter(|path| path.starts_with(&format!("{inside}/"))).cloned().collect();
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
    let alone = found.entry(folder.join(&name)).or_insert_with(|| Checkout {
        root: folder.to_owned(),
        files: BTreeMap::new(),
        wanted: None,
    });
    alone.files.insert(name, bytes);
    Ok(())
}

fn add_glob(pattern: &str, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let matcher: GlobMatcher = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .or_else(|_| Glob::new(pattern))
        .with_context(|| format!("`{pattern}` is no pattern"))?
        .compile_matcher();
    let here = std::env::current_dir()?;
    for entry in walk(&here) {
        let entry = entry?;
        let path = entry.path();
        let name = path.strip_prefix(&here).unwrap_or(path);
        if entry.file_type().is_some_and(|kind| kind.is_file())
            && matcher.is_match(name)
            && name.iter().any(|part| part == FLOW)
        {
            add_file(path, found)?;
        }
    }
    Ok(())
}

/// Standard input stands for a file of the repository around the working directory.
fn add_stdin(name: &str, found: &mut BTreeMap<PathBuf, Checkout>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    let path = absolute(Path::new(name));
    let root = around(path.parent().unwrap_or(Path::new("/")));
    let (root, inside) = match root {
        Some(root) => {
            let inside = slashed(path.strip_prefix(&root).unwrap_or(&path));
            (root, inside)
        }
        None => (absolute(Path::new(".")), slashed(Path::new(name))),
    };
    if root.join(FLOW).is_dir() {
        want(&root, Some(BTreeSet::from([inside.clone()])), found)?;
    }
    let checkout = found.entry(root.clone()).or_insert_with(|| Checkout { root, files: BTreeMap::new(), wanted: None });
    checkout.files.insert(inside, bytes);
    Ok(())
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

/// Everything below a folder that git would not ignore, dot files too.
fn walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_path(Path::cmp)
        .build()
}

/// An absolute path without `.` and `..`, as far as that can be said without following links.
fn absolute(path: &Path) -> PathBuf {
    let full = std::env::current_dir().unwrap_or_default().join(path);
    let mut clean = PathBuf::new();
    for part in full.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn slashed(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
        .replacen("//", "/", 1)
}
