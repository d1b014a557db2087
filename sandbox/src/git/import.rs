//! Reads a folder of the machine into files to commit.
//! Inside a git work tree it takes what git would take; nothing that is ignored, no links.

use std::path::Path;

use super::{FileContent, Files};
use crate::error::SandboxError;

/// The files below `directory` by slash-separated path, without `.git`, ignored files and symbolic links.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn read_directory(directory: &Path) -> Result<Files, SandboxError> {
    let directory = directory.canonicalize().map_err(SandboxError::file(directory))?;
    let repository = git2::Repository::discover(&directory).ok();
    let mut files = Files::new();
    walk(&directory, &directory, repository.as_ref(), &mut files)?;
    Ok(files)
}

fn walk(
    root: &Path,
    folder: &Path,
    repository: Option<&git2::Repository>,
    files: &mut Files,
) -> Result<(), SandboxError> {
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

#[cfg(unix)]
fn executable(entry: &std::fs::DirEntry) -> bool {
    use std::os::unix::fs::PermissionsExt;
    entry.metadata().is_ok_and(|data| data.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn executable(_entry: &std::fs::DirEntry) -> bool {
    false
}
