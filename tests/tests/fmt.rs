//! `flowctl fmt` as people and scripts use it: real files, the real program. The example of `docs/formatting.md` is run
//! here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flowctl_tests::{program, root};

const UNTIDY: &str = "version: 1\nname: 'p'\nsteps:\n- type: set # sets\n  id: one\n  values: {x: 1}\n";
const TIDY: &str = "name: p\nversion: 1\nsteps:\n  - id: one\n    type: set # sets\n    values: {x: 1}\n";
const PATH: &str = ".flow/processes/p.yaml";

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn flowctl(folder: &Path, words: &[&str], input: &str) -> Said {
    let mut command = Command::new(program());
    command.args(words).current_dir(folder).env("NO_COLOR", "1");
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

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn files_are_written_once_and_then_left_alone() {
    let here = folder(&[(PATH, UNTIDY), (".flow/flow.yaml", "models: {default: mock}\n")]);
    let first = flowctl(here.path(), &["fmt"], "");
    assert_eq!((first.code, first.out.as_str()), (0, ""), "{}", first.err);
    assert_eq!(first.err, "1 file formatted; 1 file is as it should be\n");
    assert_eq!(fs::read_to_string(here.path().join(PATH)).unwrap(), TIDY);
    let modified = || fs::metadata(here.path().join(PATH)).unwrap().modified().unwrap();
    let before = modified();
    assert_eq!(flowctl(here.path(), &["fmt"], "").err, "0 files formatted; 2 files are as they should be\n");
    assert_eq!(modified(), before, "what is formatted is not written again");
}

#[test]
fn check_lists_files_and_writes_none() {
    let here = folder(&[(PATH, UNTIDY), (".flow/processes/q.yaml", &TIDY.replace("name: p", "name: q"))]);
    let said = flowctl(here.path(), &["fmt", "--check"], "");
    assert_eq!((said.code, said.out.as_str()), (1, ".flow/processes/p.yaml\n"));
    assert_eq!(fs::read_to_string(here.path().join(PATH)).unwrap(), UNTIDY);
    assert_eq!(flowctl(here.path(), &["fmt", "--check", ".flow/processes/q.yaml"], "").code, 0);
    let diff = flowctl(here.path(), &["fmt", "--diff"], "");
    assert_eq!(diff.code, 1, "as `--check` and `validate --diff` have it");
    assert_eq!(flowctl(here.path(), &["fmt", "--diff", ".flow/processes/q.yaml"], "").code, 0);
    assert!(diff.out.starts_with("--- a/.flow/processes/p.yaml\n+++ b/.flow/processes/p.yaml\n@@"), "{}", diff.out);
    assert_eq!(fs::read_to_string(here.path().join(PATH)).unwrap(), UNTIDY);
}

#[test]
fn standard_input_comes_back_on_standard_output() {
    let here = folder(&[]);
    let said = flowctl(here.path(), &["fmt", "-"], UNTIDY);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, TIDY, ""));
    let broken = flowctl(here.path(), &["fmt", "-"], "name: [\n");
    assert_eq!((broken.code, broken.out.as_str()), (1, ""));
    assert!(broken.err.contains(".flow/processes/stdin.yaml:1:7: `[` is never closed"), "{}", broken.err);
}

#[test]
fn a_faulty_file_is_left_alone_and_the_others_are_formatted() {
    let here = folder(&[(PATH, UNTIDY), (".flow/processes/broken.yaml", "name: broken\nversion: {\n")]);
    let said = flowctl(here.path(), &["fmt"], "");
    assert_eq!(said.code, 1);
    assert!(said.err.contains(".flow/processes/broken.yaml:2:10: "), "{}", said.err);
    assert_eq!(fs::read_to_string(here.path().join(PATH)).unwrap(), TIDY);
    assert_eq!(
        fs::read_to_string(here.path().join(".flow/processes/broken.yaml")).unwrap(),
        "name: broken\nversion: {\n"
    );
    let nothing = folder(&[("README.md", "x")]);
    assert_eq!(flowctl(nothing.path(), &["fmt", "."], "").code, 3);
    assert_eq!(flowctl(nothing.path(), &["fmt", "no/such/path"], "").code, 2);
}

#[test]
fn formatting_is_no_change_of_meaning_for_diff() {
    let here = folder(&[(PATH, UNTIDY)]);
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(words).current_dir(here.path()).output().unwrap();
        assert!(done.status.success(), "{words:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    assert_eq!(flowctl(here.path(), &["fmt"], "").code, 0);
    let said = flowctl(here.path(), &["diff", "HEAD", "--exit-code"], "");
    assert_eq!(
        (said.code, said.out.lines().next()),
        (0, Some(".flow/processes/p.yaml only formatting")),
        "{}",
        said.err
    );
}

#[test]
fn the_samples_and_the_example_of_the_documentation_are_formatted() {
    for entry in fs::read_dir(root().join("fixtures/repositories")).unwrap() {
        let said = flowctl(&entry.unwrap().path(), &["fmt", "--check"], "");
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    }
    let page = fs::read_to_string(root().join("docs/formatting.md")).unwrap();
    let block = |after: &str| {
        let rest = page.split_once(after).unwrap().1.split_once("```text\n").unwrap().1;
        rest.split_once("```\n").unwrap().0.to_owned()
    };
    let (before, after) = (block("This file"), block("becomes"));
    assert_ne!(before, after);
    assert_eq!(flowctl(&root(), &["fmt", "-"], &before).out, after);
}
