//! `--watch`: reports follow each other as files change.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::stage::{Folder, SOUND, command};

const A: &str = ".flow/processes/a.yaml";
/// How long a report may take before the test is given up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    fn start(folder: &Folder, words: &[&str]) -> Self {
        Self::of(folder, &[&["validate", "--watch"], words].concat())
    }

    fn of(folder: &Folder, words: &[&str]) -> Self {
        let mut command = command(folder.path(), words);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (tell, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    /// Reports until one has these findings: a change may be seen in two halves.
    fn until(&self, codes: &[&str]) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a report");
            let report: Value = serde_json::from_str(&line).expect("one report a line");
            let found: Vec<&str> =
                report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
            if found == codes {
                return;
            }
        }
    }

    /// Reports of tests until one counts so many cases that passed and failed.
    fn until_played(&self, passed: u64, failed: u64) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a report");
            let report: Value = serde_json::from_str(&line).expect("one report a line");
            let count = |key: &str| report["summary"][key].as_u64().unwrap();
            if (count("passed"), count("failed")) == (passed, failed) {
                return;
            }
        }
    }

    fn interrupt(mut self) -> i32 {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn each_change_gives_a_report_and_an_interruption_ends() {
    let repository = Folder::with(&[(A, SOUND)]);
    let watcher = Watcher::start(&repository, &["--format", "json"]);
    watcher.until(&[]);
    repository.write(A, &SOUND.replace("values", "vaules"));
    watcher.until(&["FLOW010"]);
    repository.write(A, SOUND);
    watcher.until(&[]);
    // As editors do: another file, then renamed over the first.
    repository.write(".flow/processes/.a.yaml.swp", &SOUND.replace("type: set", "type: sett"));
    fs::rename(repository.at(".flow/processes/.a.yaml.swp"), repository.at(A)).unwrap();
    watcher.until(&["FLOW014"]);
    // A folder that goes and comes back.
    fs::remove_dir_all(repository.at(".flow/processes")).unwrap();
    watcher.until(&[]);
    repository.write(A, &SOUND.replace("values", "vaules"));
    watcher.until(&["FLOW010"]);
    assert_eq!(watcher.interrupt(), 130);
}

#[test]
fn all_definitions_may_go_and_come_back() {
    let repository = Folder::with(&[(A, &SOUND.replace("values", "vaules"))]);
    let watcher = Watcher::start(&repository, &["--format", "json"]);
    watcher.until(&["FLOW010"]);
    fs::remove_dir_all(repository.at(".flow")).unwrap();
    repository.write(A, SOUND);
    watcher.until(&[]);
    assert_eq!(watcher.interrupt(), 130);
}

#[test]
fn people_read_it_without_escapes_where_there_is_no_terminal() {
    let repository = Folder::with(&[(A, SOUND)]);
    let watcher = Watcher::start(&repository, &[]);
    let line = watcher.lines.recv_timeout(PATIENCE).expect("a report");
    assert_eq!(line, "sound: 1 file, no findings");
    assert_eq!(watcher.interrupt(), 130);
}

#[test]
fn tests_are_played_again_when_a_process_changes() {
    let process = "name: a\nversion: 1\nsteps:\n  - {id: s, type: set, values: {x: 1}}\noutputs:\n  x: \"{{ steps.s.output.x }}\"\n";
    let tests = "process: a\ncases:\n  - name: one\n    expect: {status: completed, outputs: {x: 1}}\n";
    let repository = Folder::with(&[(A, process), (".flow/tests/a.yaml", tests)]);
    let watcher = Watcher::of(&repository, &["test", "--watch", "--format", "json"]);
    watcher.until_played(1, 0);
    repository.write(A, &process.replace("x: 1", "x: 2"));
    watcher.until_played(0, 1);
    repository.write(".flow/tests/a.yaml", &tests.replace("x: 1", "x: 2"));
    watcher.until_played(1, 0);
    assert_eq!(watcher.interrupt(), 130);
    let refused = repository.flowctl(&["test", "--watch", "--format", "junit"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
}
