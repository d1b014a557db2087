//! A folder of files and the program in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowctl_tests::program;
use serde_json::Value;
use tempfile::TempDir;

pub const SOUND: &str = "name: a\nversion: 1\nsteps:\n  - {id: one, type: set, values: {x: 1}}\n";
/// Two safe fixes and one that is a guess.
pub const MENDABLE: &str = "name: a
version: 1
steps:
  - id: one
    type: set
    values:
      first: {{ execution.id }}
      second: {{ execution.process }}
  - {id: two, type: set, values: {x: 1}, depends_on: onee}
";

pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    pub fn codes(&self) -> Vec<String> {
        let document = self.json();
        let findings = document["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    }
}

/// A folder of its own.
pub struct Folder(TempDir);

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub fn flowctl(&self, words: &[&str]) -> Said {
        self.flowctl_with(words, "")
    }

    pub fn flowctl_with(&self, words: &[&str], input: &str) -> Said {
        flowctl(self.path(), words, input)
    }

    pub fn git(&self, words: &[&str]) -> String {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "protocol.file.allow=always"];
        let done = Command::new("git").args(identity).args(words).current_dir(self.path()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Commits everything.
    pub fn commit(&self) {
        if !self.at(".git").exists() {
            self.git(&["init", "-q", "-b", "main"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "a change"]);
    }
}

pub fn flowctl(folder: &Path, words: &[&str], input: &str) -> Said {
    use std::io::Write;
    let mut command = command(folder, words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(words).current_dir(folder).env("COLUMNS", "100");
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "FLOWCTL_LOG"] {
        command.env_remove(name);
    }
    command
}
