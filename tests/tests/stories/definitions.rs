//! Definitions: only those of the default branch run; those of a pull request are validated and shown.

use std::collections::BTreeMap;

use flowctl_sandbox::{Fault, OpenPullRequest};

use crate::stage::{ORDER, RELEASE, REPOSITORY, Stage};

/// Opens a pull request that brings this definition.
fn propose(stage: &Stage, name: &str, yaml: &str) -> u64 {
    let files = BTreeMap::from([(format!(".flow/processes/{name}.yaml"), Some(yaml.to_owned()))]);
    let new = OpenPullRequest {
        title: "Change it".to_owned(),
        head: "change".to_owned(),
        files,
        ..OpenPullRequest::default()
    };
    stage.hub.open_pull_request(REPOSITORY, "alice", &new).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_cannot_approve_itself_by_changing_the_process() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let lax = RELEASE.replace("{team: leads, count: 2}", "{users: [alice]}").replace("version: 1", "version: 2");
    let number = propose(&stage, "release", &lax);
    let asks = stage.concluded(number, "release", "action_required").await;
    assert!(asks.summary.unwrap().contains("2 of team `leads`"));
    let answer = stage.comment(number, "/approve leads").by("alice").await;
    assert!(answer.contains("The author of a change cannot approve it"), "{answer}");
    let validated = stage.concluded(number, "validate", "success").await;
    assert_eq!(validated.title.as_deref(), Some("1 weakening"));
    let summary = validated.summary.unwrap();
    let opening: Vec<&str> = summary.lines().filter(|line| !line.is_empty()).take(2).collect();
    insta::assert_snapshot!(opening.join("\n"), @r"
    ### ⚠️ 1 place asks less than before
    - **Fewer people are needed**: step `leads` of process `release`, `.flow/processes/release.yaml:12`. `approvers`\: `{team: leads, count: 2}` became `{users: [alice]}`. (`fewer-approvers`)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_forks_definitions_runs_and_its_checks_are_shown_all_the_same() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let weaker = RELEASE.replace("count: 2", "count: 1").replace("type: human_approval", "type: human_aproval");
    let files = [(".flow/processes/release.yaml".to_owned(), Some(weaker))].into();
    let (title, head) = ("from outside".to_owned(), "patch".to_owned());
    let new = OpenPullRequest { title, head, files, ..OpenPullRequest::default() };
    let number = stage.hub.open_pull_request_from_fork(REPOSITORY, "carol", &new).unwrap();
    let asks = stage.concluded(number, "release", "action_required").await;
    assert!(asks.summary.unwrap().contains("2 of team `leads`"), "the default branch says who approves");
    let validated = stage.concluded(number, "validate", "failure").await;
    assert!(stage.hub.branch(REPOSITORY, "patch").is_err(), "nothing was pushed to the repository");
    stage.hub.rerequest_suite("bob", validated.suite).unwrap();
    for process in ["release", "validate"] {
        let what = format!("{process} once more");
        stage.eventually(&what, || (stage.runs(number, process).len() == 2).then_some(())).await;
    }
    for lead in ["bob", "dave"] {
        assert_eq!(stage.comment(number, "/approve leads").by(lead).await, "🚀");
    }
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weakening_fails_the_check_where_the_repository_says_so_and_cannot_take_that_back() {
    let strict = "validate: {fail_on_weakening: true}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", strict)]).await;
    let lax = RELEASE.replace("note_required: on_reject", "allow_author: true").replace("version: 1", "version: 2");
    let files = BTreeMap::from([
        (".flow/processes/release.yaml".to_owned(), Some(lax)),
        (".flow/flow.yaml".to_owned(), Some("models: {default: mock}\n".to_owned())),
    ]);
    let new =
        OpenPullRequest { title: "Faster".to_owned(), head: "change".to_owned(), files, ..OpenPullRequest::default() };
    let number = stage.hub.open_pull_request(REPOSITORY, "alice", &new).unwrap();
    let validated = stage.concluded(number, "validate", "failure").await;
    assert_eq!(validated.title.as_deref(), Some("3 weakenings"));
    let summary = validated.summary.unwrap();
    for kind in ["author-allowed", "note-not-required", "weakening-allowed"] {
        assert!(summary.contains(kind), "{kind} in {summary}");
    }
    assert!(summary.contains("`validate.fail_on_weakening` of `flow.yaml` makes the weakenings a failure."));
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_of_a_pull_request_are_annotations_and_none_comes_twice() {
    let stage = Stage::raise(&[("order", ORDER)]).await;
    stage.disturb(Fault::ErrorAfter { status: 502 }, "PATCH", "/repos/octo-org/shop/check-runs/*");
    let mut yaml = "name: many\nversion: 1\nsteps:\n".to_owned();
    for number in 0..120 {
        yaml.push_str(&format!("  - {{id: s{number}, type: set, depends_on: nowhere-{number}, values: {{x: 1}}}}\n"));
    }
    let number = propose(&stage, "many", &yaml);
    let run = stage
        .eventually("all annotations", || {
            let run = stage.runs(number, "validate").pop()?;
            (run.annotations.len() >= 120).then_some(run)
        })
        .await;
    assert_eq!((run.conclusion.as_deref(), run.title.as_deref()), (Some("failure"), Some("120 errors")));
    let mut lines: Vec<u64> = run.annotations.iter().map(|annotation| annotation.start_line).collect();
    lines.sort_unstable();
    assert_eq!(lines, (4..124).collect::<Vec<u64>>());
    assert_eq!(stage.runs(number, "validate").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_cannot_run_is_told_where_it_should_have_started() {
    let broken = RELEASE.replace("depends_on: draft", "depends_on: drafts");
    let stage = Stage::raise(&[("release", &broken), ("order", "name: order\nversion: [\n")]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    let told = stage.eventually("a reply", || stage.app_comments(number, "flowctl:reply:start").pop()).await;
    let told = told.split_once("-->").unwrap().1.trim();
    insta::assert_snapshot!(told, @"@alice The process `release` should have started and did not. The definition on the default branch cannot be used: process `release` cannot run: .flow/processes/release.yaml:10:17: step `leads` depends on `drafts`, which does not exist; `flowctl validate` shows where.");
    let answer = stage.comment(number, "/run order").by("bob").await;
    insta::assert_snapshot!(answer, @"😕 @bob `/run order` was not taken. The definition on the default branch cannot be used: .flow/processes/order.yaml:2:10: `[` is never closed.");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_outlives_the_branch_that_it_began_on() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.hub.delete_branch(REPOSITORY, "alice", "release-1.4").unwrap();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
}
