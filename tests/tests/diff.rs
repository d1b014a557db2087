//! `flowctl diff` as people and scripts use it: real git repositories, the real program. The transcripts of
//! `docs/diff.md` are run here, in the repository that the page describes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use flowctl_tests::{program, root};
use serde_json::Value;

const PROCESS: &str = ".flow/processes/release.yaml";

/// The process that `docs/diff.md` begins with.
const BEFORE: &str = "name: release
version: 1
inputs:
  audience: {type: string, default: public}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: |
      Write the notes of the release.
      Be short.
    output_schema: {type: object}

  - id: leads
    type: human_approval
    depends_on: draft
    approvers: {team: leads, count: 2}
    timeout: 24h

  - id: ship
    type: api_call
    depends_on: leads
    method: POST
    url: https://api.example/releases
    headers: {authorization: 'Bearer {{ secrets.SHIP_TOKEN }}'}
";

/// The same, changed as `docs/diff.md` tells.
fn after() -> String {
    BEFORE
        .replace("version: 1", "version: 2")
        .replace("default: public}", "default: public}\n  dry_run: {type: boolean, default: false}")
        .replace("Be short.", "Be short, and kind.")
        .replace("count: 2", "count: 1")
        .replace("https://api.example", "https://api.other.example")
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

struct Checkout(tempfile::TempDir);

impl Checkout {
    /// A repository with one commit on `main`.
    fn with(text: &str) -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        checkout.git(&["init", "-q", "-b", "main"]);
        checkout.write(PROCESS, text);
        checkout.commit();
        checkout
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let identity = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(words).current_dir(self.path()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "change"]);
    }

    fn flowctl(&self, words: &[&str]) -> Said {
        let output =
            Command::new(program()).args(words).current_dir(self.path()).env("NO_COLOR", "1").output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn json(&self, words: &[&str]) -> Value {
        let said = self.flowctl(&[words, &["--format", "json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
    }
}

#[test]
fn what_the_documentation_shows_is_what_is_said() {
    let checkout = Checkout::with(BEFORE);
    checkout.write(PROCESS, &after());
    let page = fs::read_to_string(root().join("docs/diff.md")).unwrap();
    let mut run = 0;
    let blocks = page.split("\n```text\n$ flowctl diff").skip(1).map(|block| (block, "\n```\n"));
    // What holds a fence itself stands in a longer one.
    let longer = page.split("\n````text\n$ flowctl diff").skip(1).map(|block| (block, "\n````\n"));
    for (block, end) in blocks.chain(longer) {
        let (block, _) = block.split_once(end).unwrap();
        let (words, expected) = block.split_once('\n').unwrap();
        let words: Vec<&str> = ["diff"].into_iter().chain(words.split_whitespace()).collect();
        let said = checkout.flowctl(&words);
        assert_eq!(said.out.trim_end(), expected.trim_end(), "{words:?}{}", said.err);
        run += 1;
    }
    assert_eq!(run, 2);
    assert!(page.contains(BEFORE), "the page begins with the process that is compared");
}

#[test]
fn lines_are_at_most_eighty_columns_and_carry_no_colour_unasked() {
    let checkout = Checkout::with(BEFORE);
    checkout.write(PROCESS, &after());
    let said = checkout.flowctl(&["diff", "main"]);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'));
    let coloured = Command::new(program())
        .args(["diff", "main", "--color", "always"])
        .current_dir(checkout.path())
        .output()
        .unwrap();
    assert!(String::from_utf8(coloured.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn revisions_are_two_names_a_range_or_one_and_the_work_tree() {
    let checkout = Checkout::with(BEFORE);
    checkout.git(&["checkout", "-qb", "feature"]);
    checkout.write(PROCESS, &after());
    checkout.commit();
    let weakenings = |words: &[&str]| checkout.json(&[&["diff"], words].concat())["summary"]["weakenings"].as_u64();
    assert_eq!(weakenings(&["main", "feature"]), Some(2));
    assert_eq!(weakenings(&["main..feature"]), Some(2));
    assert_eq!(weakenings(&["main.."]), Some(2));
    assert_eq!(weakenings(&["feature..main"]), Some(1), "the other way the host changes as well");
    assert_eq!(weakenings(&["main"]), Some(2), "against the files as they are");
    assert_eq!(weakenings(&["HEAD"]), Some(0));
    // Three dots: what main did since does not count.
    checkout.git(&["checkout", "-q", "main"]);
    checkout.write(PROCESS, &BEFORE.replace("timeout: 24h", "timeout: 12h"));
    checkout.commit();
    assert_eq!(weakenings(&["main..feature"]), Some(3), "the deadline is later than on main");
    assert_eq!(weakenings(&["main...feature"]), Some(2));
}

#[test]
fn exit_codes_tell_weakenings_differences_and_wrong_usage() {
    let checkout = Checkout::with(BEFORE);
    let code = |words: &[&str]| checkout.flowctl(&[&["diff"], words].concat()).code;
    assert_eq!(code(&["main", "--exit-code", "--fail-on-weakening"]), 0);
    checkout.write(PROCESS, &format!("# a comment\n{BEFORE}"));
    assert_eq!(code(&["main", "--exit-code"]), 0, "only formatting");
    checkout.write(PROCESS, &after());
    assert_eq!(code(&["main"]), 0);
    assert_eq!(code(&["main", "--exit-code"]), 1);
    assert_eq!(code(&["main", "--fail-on-weakening"]), 1);
    checkout.write(".flow/flow.yaml", "validate: {fail_on_weakening: true}\n");
    assert_eq!(code(&["main"]), 1, "as the repository wants it");
    checkout.write(PROCESS, BEFORE);
    assert_eq!(code(&["main"]), 0);
    for words in [&["no-such-revision"][..], &["main..main", "main"], &[], &[PROCESS]] {
        assert_eq!(code(words), 2, "{words:?}");
    }
    let path = checkout.flowctl(&["diff", PROCESS]);
    assert!(path.err.contains("is a path"), "{}", path.err);
}

#[test]
fn a_path_limits_what_is_shown() {
    let checkout = Checkout::with(BEFORE);
    checkout.write(PROCESS, &after());
    checkout.write(".flow/flow.yaml", "models: {default: mock}\n");
    let names = |words: &[&str]| -> Vec<String> {
        let definitions = checkout.json(&[&["diff", "main"], words].concat())["definitions"].clone();
        definitions.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    // Options come before the paths.
    let only = |path: &str| {
        let said = checkout.flowctl(&["diff", "main", "--format", "json", "--", path]);
        let document: Value = serde_json::from_str(&said.out).unwrap();
        document["definitions"].as_array().unwrap().len()
    };
    assert_eq!(names(&[]), ["release", "flow.yaml"]);
    assert_eq!((only(".flow/processes"), only(".flow/flow.yaml"), only(".flow"), only(".flow/tests")), (1, 1, 2, 0));
    let nowhere = checkout.flowctl(&["diff", "main", "--", "nosuch"]);
    assert_eq!((nowhere.code, nowhere.err.as_str()), (0, "note: there is no definition at nosuch, before or after\n"));
}

#[test]
fn a_process_that_moved_is_not_taken_for_another_one() {
    let checkout = Checkout::with(BEFORE);
    fs::remove_file(checkout.path().join(PROCESS)).unwrap();
    checkout.write(".flow/processes/team/shipping.yaml", &after().replace("name: release", "name: shipping"));
    let document = checkout.json(&["diff", "main"]);
    let definition = &document["definitions"][0];
    assert_eq!(definition["status"], "renamed");
    assert_eq!((&definition["name_before"], &definition["name"]), (&"release".into(), &"shipping".into()));
    let kinds: Vec<&str> =
        document["weakenings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fewer-approvers", "secret-host-changed"]);
    let place = &document["weakenings"][0]["place"];
    assert_eq!((&place["side"], &place["path"]), (&"after".into(), &".flow/processes/team/shipping.yaml".into()));
    let line = usize::try_from(place["range"]["start"]["line"].as_u64().unwrap()).unwrap();
    assert!(after().lines().nth(line - 1).unwrap().contains("approvers"));
}
