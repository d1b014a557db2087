//! `flowctl test` as people and pipelines use it: the real program, real files.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use flowctl_tests::{program, root};
use serde_json::Value;

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn flowctl(folder: &Path, words: &[&str]) -> Said {
    let output = Command::new(program()).args(words).current_dir(folder).env_remove("NO_COLOR").output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with the process and the tests of the documentation's repository, some of the tests' text replaced.
fn changed(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sample = root().join("fixtures/repositories/testing");
    for path in [".flow/processes/ship.yaml", ".flow/tests/ship.yaml"] {
        let mut text = fs::read_to_string(sample.join(path)).unwrap();
        if path.contains("tests") {
            for (from, to) in changes {
                assert!(text.contains(from), "{from}");
                text = text.replacen(from, to, 1);
            }
        }
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }
    folder
}

#[test]
fn every_test_of_every_sample_passes() {
    for name in ["testing", "release", "production-access", "incident", "vendor-onboarding", "ai-triage", "shipping"] {
        let said = flowctl(&root().join("fixtures/repositories").join(name), &["test"]);
        assert_eq!(said.code, 0, "{name}: {}{}", said.out, said.err);
    }
    let own = flowctl(&root(), &["test", ".flow"]);
    assert_eq!(own.code, 0, "{}", own.out);
}

#[test]
fn what_init_lays_out_passes() {
    let folder = tempfile::tempdir().unwrap();
    let laid_out = flowctl(folder.path(), &["init"]);
    assert!(laid_out.err.contains("flowctl test"), "{}", laid_out.err);
    let said = flowctl(folder.path(), &["test", "--coverage", "--fail-under", "100"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

#[test]
fn a_failing_case_says_where_why_and_what_happened() {
    let folder = changed(&[
        ("path: [draft, route, approval, publish]", "path: [draft, approval, publish]"),
        ("outputs: {release: 14}", "outputs: {release: 15}"),
        (", refused: author", ""),
        ("expect: {status: completed, took: 7h}", "expect: {status: failed, took: 6h}"),
        ("      publish: {error: the answer has no id, class: schema}\n", ""),
    ]);
    let said = flowctl(folder.path(), &["test"]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.out, @r#"
    ship .flow/tests/ship.yaml
      ✗ a lead approves
      ✗ nobody approves their own release
      ✗ after six hours the directors are asked too
      ✓ silence is a refusal
      ✓ a busy registry is asked again
      ✗ a registry that answers nonsense is not believed

    ✗ ship: a lead approves
      .flow/tests/ship.yaml:15:13  another path was taken
        - expected
        + found
          draft
        + route
          approval
          publish
      .flow/tests/ship.yaml:17:16  not the expected outputs of the execution
        - expected
        + found
          {
        -   "release": 15
        +   "release": 14
          }
      what happened:
        0s  started: pull_request by @alice
        0s  ✓ draft      completed {notes: "Carts survive.", risk: 2}
        0s  ✓ route      goes to approval
        0s  ◦ approval   asks 1 of team leads
        0s  · approval   @bob approves
        0s  ✓ approval   approved
        0s  ✓ publish    completed {status: 201, headers: {}, body: {id: 14}}
        0s  - apologize  skipped: nothing failed
        0s  completed with {release: 14}

    ✗ ship: nobody approves their own release
      .flow/tests/ship.yaml:22:14  @alice's approve of `approval` does not count: the author of a change cannot approve it without `allow_author`
        help: where that is what the test shows, add `refused: author`
      what happened:
        0s  started: pull_request by @alice
        0s  ✓ draft      completed {notes: "A sturdy notes (2235)", risk: 8}
        0s  ✓ route      goes to approval
        0s  ◦ approval   asks 1 of team leads
        0s  ✗ approval   @alice's approve does not count: the author of a change cannot approve it without `allow_author`
        1h  · approval   @bob rejects: The notes are wrong.
        1h  ✗ approval   failed: @bob rejected: The notes are wrong.
        1h  - publish    skipped: what it depends on failed
        1h  ✓ apologize  completed {text: "A change was not shipped"}
        1h  failed: @bob rejected: The notes are wrong.

    ✗ ship: after six hours the directors are asked too
      .flow/tests/ship.yaml:38:22  expected status failed, found completed
      .flow/tests/ship.yaml:38:36  expected to take 6h, took 7h
      what happened:
        0s  started: pull_request by @octocat
        0s  ✓ draft      completed {notes: "A sturdy notes (2235)", risk: 8}
        0s  ✓ route      goes to approval
        0s  ◦ approval   asks 1 of team leads
        4h  · approval   people are reminded
        5h  ✗ approval   @carol's approve does not count: it needs 1 of team leads
        6h  · approval   escalated: more people are asked
        7h  · approval   @carol approves
        7h  ✓ approval   approved
        7h  ✓ publish    completed {status: 201, headers: {}, body: {id: 14}}
        7h  - apologize  skipped: nothing failed
        7h  completed with {release: 14}

    ✗ ship: a registry that answers nonsense is not believed
      .flow/tests/ship.yaml:62:11  step `publish` (api_call) would call the world and has no stub
        help: write below `stubs`, for example: publish: {output: {status: 201, body: {id: 37}}}

    2 passed, 4 failed
    "#);
}

#[test]
fn a_test_with_errors_is_not_played_and_others_are() {
    let folder = changed(&[("decision: approve}", "decision: aprove}")]);
    let sound = "process: ship\ncases: [{name: sound, expect: {status: failed}}]\n";
    fs::write(folder.path().join(".flow/tests/sound.yaml"), sound).unwrap();
    let said = flowctl(folder.path(), &["test"]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.out, @r#"
    error[FLOW014]: `aprove` is none of the allowed values
      --> .flow/tests/ship.yaml:12:45
       |
    12 |       - {by: bob, step: approval, decision: aprove}
       |                                             ^^^^^^
       |
    help: did you mean `approve`? (`--fix --unsafe-fixes` does this)
       |
    12 |       - {by: bob, step: approval, decision: approve}
       |                                               +

    ship .flow/tests/sound.yaml
      ✓ sound

    1 passed, 1 file not played: errors in what is tested come first
    "#);
}

#[test]
fn tests_of_a_process_with_errors_are_not_played() {
    let folder = changed(&[]);
    let process = folder.path().join(".flow/processes/ship.yaml");
    let text = fs::read_to_string(&process).unwrap();
    fs::write(&process, text.replace("depends_on: draft", "depends_on: drat")).unwrap();
    let said = flowctl(folder.path(), &["test"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("did you mean `draft`?") && said.out.contains("1 file not played"), "{}", said.out);
}

#[test]
fn coverage_names_what_no_case_shows() {
    let folder = changed(&[]);
    let said = flowctl(folder.path(), &["test", "--coverage", "--fail-under", "90", "--filter", "own release"]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.out + &said.err, @r#"
    ship .flow/tests/ship.yaml
      ✓ nobody approves their own release

    coverage 42%
       42%  ship  steps 4/5    branches 1/2   outcomes 1/7
            .flow/processes/ship.yaml:10  step `draft` never fails
            .flow/processes/ship.yaml:27  step `route` never takes branch 2
            .flow/processes/ship.yaml:30  step `approval` is never approved
            .flow/processes/ship.yaml:35  step `approval` never times out
            .flow/processes/ship.yaml:30  step `approval` is never skipped
            .flow/processes/ship.yaml:42  step `publish` never runs
            .flow/processes/ship.yaml:52  step `apologize` is never skipped

    1 passed
    the cases show 42% of the processes, and 90% are asked for
    "#);
    assert_eq!(flowctl(folder.path(), &["test", "--fail-under", "90"]).code, 0);
    let other = "name: other\nversion: 1\nsteps: [{id: a, type: set, values: {x: 1}}]\n";
    fs::write(folder.path().join(".flow/processes/other.yaml"), other).unwrap();
    let whole = flowctl(folder.path(), &["test", "--coverage"]);
    assert!(whole.out.contains("other.yaml  no case plays it"), "{}", whole.out);
}

#[test]
fn json_is_the_same_each_time_but_for_its_timing() {
    let folder = changed(&[("took: 7h", "took: 6h")]);
    let document = || {
        let said = flowctl(folder.path(), &["test", "--format", "json", "--coverage"]);
        assert_eq!(said.code, 1);
        let mut document: Value = serde_json::from_str(&said.out).unwrap();
        assert!(document.as_object_mut().unwrap().shift_remove("timing").unwrap()["cases_per_s"].is_number());
        document
    };
    let first = document();
    assert_eq!(first, document());
    assert_eq!(first["summary"], serde_json::json!({"cases": 6, "passed": 5, "failed": 1, "files_not_played": 0}));
    let failed = first["cases"].as_array().unwrap().iter().find(|case| case["status"] == "failed").unwrap();
    assert_eq!(failed["failures"][0]["message"], "expected to take 6h, took 7h");
    assert_eq!((failed["line"].as_u64(), &failed["path"]), (Some(32), &Value::from(".flow/tests/ship.yaml")));
    assert_eq!(failed["run"]["refused"][0]["reason"], "not_listed");
    assert_eq!(failed["run"]["path"], serde_json::json!(["draft", "route", "approval", "publish"]));
    assert_eq!(first["coverage"]["processes"][0]["process"], "ship");
}

#[test]
fn junit_holds_what_happened() {
    let folder = changed(&[("took: 7h", "took: 6h"), ("nobody approves their own release", "a < b & \"c\"")]);
    let said = flowctl(folder.path(), &["test", "--format", "junit"]);
    assert_eq!(said.code, 1);
    let suite = r#"<testsuite name=".flow/tests/ship.yaml" tests="6" skipped="0" errors="0" failures="1">"#;
    assert!(said.out.contains(suite), "{}", said.out);
    assert!(said.out.contains("a &lt; b &amp; ") && said.out.contains("what happened:"), "{}", said.out);
}

#[test]
fn nothing_to_test_is_no_failure_and_no_success() {
    let folder = changed(&[]);
    let said = flowctl(folder.path(), &["test", "--filter", "no such case"]);
    let words = "no case contains `no such case` in its `PROCESS: NAME`; there are ";
    assert_eq!((said.code, said.err.starts_with(words)), (3, true), "{}", said.err);
    fs::create_dir(folder.path().join(".flow/prompts")).unwrap();
    fs::write(folder.path().join(".flow/prompts/greet.md"), "Hello.\n").unwrap();
    let said = flowctl(folder.path(), &["test", ".flow/prompts/greet.md"]);
    let words = "nothing of what is named is tested; there are 6 cases";
    assert_eq!((said.code, said.err.trim_end()), (3, words));
    fs::remove_dir_all(folder.path().join(".flow/tests")).unwrap();
    let said = flowctl(folder.path(), &["test"]);
    assert_eq!((said.code, said.err.contains(".flow/tests/NAME.yaml")), (3, true), "{}", said.err);
    assert_eq!(flowctl(folder.path(), &["test", "no/such/folder"]).code, 2);
    assert_eq!(flowctl(folder.path(), &["test", "--fail-under", "101"]).code, 2);
}

#[test]
fn the_file_of_a_process_stands_for_its_tests() {
    let folder = changed(&[]);
    let processes = fs::read_dir(folder.path().join(".flow/processes")).unwrap();
    for process in processes.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let of_process = flowctl(folder.path(), &["test", &format!(".flow/processes/{process}"), "--format", "json"]);
        let of_tests = flowctl(folder.path(), &["test", &format!(".flow/tests/{process}"), "--format", "json"]);
        let cases = |said: &Said| serde_json::from_str::<Value>(&said.out).unwrap()["summary"]["cases"].clone();
        assert_eq!((of_process.code, cases(&of_process)), (0, cases(&of_tests)), "{}", of_process.err);
        assert_ne!(cases(&of_process), 0);
    }
}

#[test]
fn quiet_tells_only_what_fails() {
    let folder = changed(&[]);
    assert_eq!(flowctl(folder.path(), &["--quiet", "test"]).out, "");
    let failing = changed(&[("took: 7h", "took: 6h")]);
    let said = flowctl(failing.path(), &["--quiet", "test"]);
    assert!(said.out.starts_with("✗ ship: after six hours"), "{}", said.out);
}
