//! From paths on the command line to repositories of definitions: which `.flow/` is meant, what of it is looked at, and
//! what it was at another revision. Honours .gitignore.

mod git;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use flowctl_core::definition::repository::{FileKind, Form, Repository};
use flowctl_core::definition::workflows::Workflows;
use flowctl_core::validate::Texts;
use ignore::WalkBuilder;
use rayon::prelude::*;

pub use git::outside;
pub use paths::checkouts;

/// The folder of definitions.
pub const FLOW: &str = ".flow";
/// Fewer files than this are read one after the other: starting threads costs more.
const FEW: usize = 16;

/// A repository on disk and what of it is looked at.
#[derive(Debug)]
pub struct Checkout {
    /// The folder that holds `.flow/`.
    pub root: PathBuf,
    /// The files below `.flow/` by path from the root.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What lies below `.flow/` like a file and is none.
    pub irregular: BTreeMap<String, Form>,
    /// The files whose findings are wanted; nothing: all.
    pub wanted: Option<BTreeSet<String>>,
    /// The file that standard input stands for.
    pub stdin: Option<String>,
}

impl Checkout {
    /// A repository of no files.
    pub fn empty(root: &Path) -> Self {
        let (files, irregular) = (BTreeMap::new(), BTreeMap::new());
        Self { root: root.to_owned(), files, irregular, wanted: None, stdin: None }
    }

    /// Reads every file below `root/.flow`.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let mut checkout = Self::empty(root);
        let folder = root.join(FLOW);
        if folder.is_symlink() {
            checkout.irregular.insert(FLOW.to_owned(), Form::Link);
        }
        let mut found = Vec::new();
        for entry in walk(&folder) {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let path = slashed(entry.path().strip_prefix(root).unwrap_or(entry.path()));
            let Some(kind) = entry.file_type() else { continue };
            if kind.is_file() {
                found.push((path, entry.into_path()));
            } else if kind.is_symlink() && path != FLOW && !entry.file_name().to_string_lossy().starts_with('.') {
                checkout.irregular.insert(path, Form::Link);
            } else if kind.is_dir() && path != FLOW && FileKind::of(&path) != FileKind::Unknown {
                checkout.irregular.insert(path, Form::Folder);
            } else if !kind.is_dir() && !kind.is_symlink() && FileKind::of(&path) != FileKind::Unknown {
                checkout.irregular.insert(path, Form::Device);
            }
        }
        checkout.files = read(found)?;
        Ok(checkout)
    }

    /// The definitions as texts.
    pub fn texts(&self) -> Texts<'_> {
        Texts { files: &self.files, irregular: &self.irregular }
    }

    /// The definitions.
    pub fn definitions(&self) -> Repository {
        self.texts().repository()
    }

    /// The paths of files, and of what lies in the place of some; each once.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let irregular = self.irregular.keys().filter(|path| !self.files.contains_key(*path));
        self.files.keys().chain(irregular).map(String::as_str)
    }

    /// Whether findings of this file are wanted.
    pub fn wants(&self, path: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(path))
    }

    /// A file's path as a person in the working directory would type it; of a file far away its whole path.
    pub fn shown(&self, path: &str) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let full = self.root.join(path);
        let is_near = full.components().nth(1) == here.components().nth(1);
        if is_near { relative(&full, &here) } else { slashed(&full) }
    }

    /// The names of the workflow files; nothing where the root is no git work tree's.
    pub fn workflow_files(&self) -> Option<Workflows> {
        let folder = self.root.join(".github/workflows");
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(_) if self.root.join(".git").exists() => return Some(Workflows::default()),
            Err(_) => return None,
        };
        let mut workflows = Workflows::default();
        for entry in entries.flatten() {
            workflows.add(entry.file_name().to_string_lossy(), fs::read_to_string(entry.path()).ok());
        }
        Some(workflows)
    }
}

/// The repository around a folder: the nearest one above with `.flow/`.
pub fn around(folder: &Path) -> Option<PathBuf> {
    let folder = absolute(folder);
    folder.ancestors().find(|above| above.join(FLOW).is_dir()).map(Path::to_owned)
}

/// The same, where there has to be one.
pub fn nearest(folder: &Path) -> anyhow::Result<PathBuf> {
    around(folder).with_context(|| {
        let place = if folder == Path::new(".") { "here or above" } else { "in or above" };
        let named = if folder == Path::new(".") { String::new() } else { format!(" {}", folder.display()) };
        format!("there is no `{FLOW}/` {place}{named}; `flowctl init` lays one out")
    })
}

/// Files by their path in the repository.
fn read(found: Vec<(String, PathBuf)>) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let one = |(name, path): (String, PathBuf)| {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((name, bytes))
    };
    match found.len() {
        0..FEW => found.into_iter().map(one).collect(),
        _ => found.into_par_iter().map(one).collect(),
    }
}

/// Everything below a folder that git would not ignore, dot files too.
pub fn walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_path(Path::cmp)
        .build()
}

/// An absolute path without `.` and `..`, as far as that can be said without following links.
pub fn absolute(path: &Path) -> PathBuf {
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

/// A path with `/`.
pub fn slashed(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
        .replacen("//", "/", 1)
}

/// A path as seen from a folder, with `/`; both absolute.
pub fn relative(path: &Path, folder: &Path) -> String {
    let common = path.components().zip(folder.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    slashed(&up.chain(path.components().skip(common)).collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::relative;

    #[test]
    fn paths_are_told_from_a_folder() {
        let told = |path: &str, folder: &str| relative(Path::new(path), Path::new(folder));
        assert_eq!(told("/a/b/.flow/c.yaml", "/a/b"), ".flow/c.yaml");
        assert_eq!(told("/a/b/c.yaml", "/a/d/e"), "../../b/c.yaml");
        assert_eq!(told("/a/b", "/a/b"), "");
    }
}
