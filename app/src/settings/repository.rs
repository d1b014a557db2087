//! Local git repositories, as a setting names them.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository, RepositoryOpenFlags};

/// Reads `NAME=DIRECTORY`.
pub(super) fn repository(entry: &str) -> Result<(String, PathBuf), String> {
    let (name, directory) = entry.split_once('=').ok_or("expected NAME=DIRECTORY")?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(allowed) {
        return Err("expected a name of letters, digits, `-`, `_` and `.` before the `=`".to_owned());
    }
    let directory = PathBuf::from(directory);
    if !directory.is_dir() {
        return Err("expected a directory that exists after the `=`".to_owned());
    }
    match open(&directory) {
        Ok(_) => Ok((name.to_owned(), directory)),
        Err(error) if error.code() == ErrorCode::NotFound => {
            Err("expected a git repository after the `=`; `git init` makes one of a directory".to_owned())
        }
        Err(error) => Err(format!("expected a git repository that can be opened after the `=`: {}", error.message())),
    }
}

/// Whether there is nothing yet that could be served.
pub(super) fn has_no_commit(directory: &Path) -> bool {
    open(directory).is_ok_and(|git| git.head().is_err_and(|error| error.code() == ErrorCode::UnbornBranch))
}

/// The repository of this directory, and not one around it.
fn open(directory: &Path) -> Result<Repository, git2::Error> {
    let none: [&Path; 0] = [];
    Repository::open_ext(directory, RepositoryOpenFlags::NO_SEARCH, none)
}
