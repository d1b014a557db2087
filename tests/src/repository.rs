//! Local git repositories with processes, made by git itself.

use std::path::Path;
use std::process::Command;

/// A new repository in this folder with these processes, by name, in one commit.
///
/// # Panics
/// Where git cannot make it.
pub fn local_repository(folder: &Path, processes: &[(&str, String)]) {
    let definitions = folder.join(".flow/processes");
    std::fs::create_dir_all(&definitions).unwrap();
    for (name, text) in processes {
        std::fs::write(definitions.join(format!("{name}.yaml")), text).unwrap();
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
