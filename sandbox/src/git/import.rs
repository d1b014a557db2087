//! Reads a folder of the machine into files to commit.
//! Inside a git work tree it takes what git would take; nothing that is ignored, no links.

use std::path::Path;

use git2::{FileMode, ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use super::{FileContent, Files, GitStore};
use crate::error::SandboxError;

/// The files below `directory` by slash-separated path, without `.git`, ignored files and symbolic links.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn read_directory(directory: &Path) -> Result<Files, SandboxError> {
    let directory = directory.canonicalize().map_err(SandboxError::file(directory))?;
    let repository = Repository::discover(&directory).ok();
    let mut files = Files::new();
    walk(&directory, &directory, repository.as_ref(), &mut files)?;
    Ok(files)
}

fn walk(root: &Path, folder: &Path, repository: Option<&Repository>, files: &mut Files) -> Result<(), SandboxError> {
    for entry in std::fs::read_dir(folder).map_err(SandboxError::file(folder))? {
        let entry = entry.map_err(SandboxError::file(folder))?;
        let path = entry.path();
        if entry.file_name() == ".git" || repository.is_some_and(|git| git.is_path_ignored(&path).unwrap_or(false)) {
            continue;
        }
        let kind = entry.file_type().map_err(SandboxError::file(&path))?;
        if kind.is_dir() {
            walk(root, &path, repository, files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).map_err(SandboxError::file(&path))?;
            let name = path.strip_prefix(root).unwrap_or(&path).components();
            let name: Vec<_> = name.map(|part| part.as_os_str().to_string_lossy()).collect();
            let executable = executable(&entry);
            files.insert(name.join("/"), Some(FileContent { bytes, executable }));
        }
    }
    Ok(())
}

impl GitStore {
    /// Fetches the branch that a work tree stands on, with its history, into `branch`; returns its commit.
    /// A folder that is no work tree's root, or stands on no branch, gives nothing.
    pub(crate) fn adopt(&self, id: u64, directory: &Path, branch: &str) -> Result<Option<String>, SandboxError> {
        let Ok(source) = Repository::open(directory) else { return Ok(None) };
        let Ok(head) = source.head() else { return Ok(None) };
        let (true, Ok(name)) = (head.is_branch(), head.name()) else { return Ok(None) };
        let tip = head.peel_to_commit()?.id();
        let target = self.open(id)?;
        let url = source.commondir().to_string_lossy().into_owned();
        let refspec = format!("+{name}:refs/heads/{branch}");
        target.remote_anonymous(&url)?.fetch(&[refspec], None, None)?;
        Ok(Some(tip.to_string()))
    }

    /// Which of `files` differ from commit `sha`, and which of its files are gone from `directory`.
    pub(crate) fn differing(&self, id: u64, sha: &str, directory: &Path, files: &Files) -> Result<Files, SandboxError> {
        let repository = self.open(id)?;
        let tree = repository.find_commit(Oid::from_str(sha)?)?.tree()?;
        let mut differing = Files::new();
        for (path, content) in files {
            let Some(file) = content else { continue };
            let same = tree.get_path(Path::new(path)).is_ok_and(|entry| {
                let mode = if file.executable { FileMode::BlobExecutable } else { FileMode::Blob };
                let known = Oid::hash_object(ObjectType::Blob, &file.bytes).is_ok_and(|oid| oid == entry.id());
                known && entry.filemode() == i32::from(mode)
            });
            if !same {
                differing.insert(path.clone(), content.clone());
            }
        }
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            let gone = entry.kind() == Some(ObjectType::Blob) && directory.join(&path).symlink_metadata().is_err();
            if gone {
                differing.insert(path, None);
            }
            TreeWalkResult::Ok
        })?;
        Ok(differing)
    }
}

#[cfg(unix)]
fn executable(entry: &std::fs::DirEntry) -> bool {
    use std::os::unix::fs::PermissionsExt;
    entry.metadata().is_ok_and(|data| data.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn executable(_entry: &std::fs::DirEntry) -> bool {
    false
}
