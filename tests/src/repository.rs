//! Local git repositories with processes, made by git itself.

use std::path::Path;
use std::process::Command;

/// A new repository in this folder with these processes, by name, in one commit.
///
/// # Panics
/// Where git cannot make it.
pub fn local_repository(folder: &Path, processes: &[(&str, String)]) {
    let path = |name: &str| format!(".flow/processes/{name}.yaml");
    let files: Vec<(String, String)> = processes.iter().map(|(name, text)| (path(name), text.clone())).collect();
    local_repository_of(folder, &files);
}

/// A new repository in this folder with these files, by path, in one commit.
///
/// # Panics
/// Where git cannot make it.
pub fn local_repository_of(folder: &Path, files: &[(String, String)]) {
    for (path, text) in files {
        let place = folder.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(arguments).current_dir(folder);
        assert!(command.output().unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=Processes"]);
}
