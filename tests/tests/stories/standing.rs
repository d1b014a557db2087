//! What stands on commits and pull requests that an execution has left: nothing there passes, and nobody is asked there.

use crate::stage::{RELEASE, REPOSITORY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_back_after_the_execution_has_ended_elsewhere_passed_no_check() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let before = stage.concluded(number, "release", "action_required").await;
    stage.push("release-1.4", "other\n");
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/cancel").by("alice").await, "🚀");
    stage.concluded(number, "release", "cancelled").await;
    stage.hub.create_branch(REPOSITORY, "alice", "release-1.4", &before.head_sha).unwrap();
    stage.concluded(number, "release", "cancelled").await;
    let there = stage.hub.check_runs(REPOSITORY, &before.head_sha).unwrap();
    let told: Vec<_> = there.iter().map(|run| (run.name.as_str(), run.conclusion.as_deref())).collect();
    assert!(told.contains(&("flowctl / release", Some("cancelled"))), "{told:?}");
    let passes = |conclusion: Option<&str>| matches!(conclusion, Some("success" | "neutral" | "skipped"));
    assert!(!told.iter().any(|(name, conclusion)| *name == "flowctl / release" && passes(*conclusion)), "{told:?}");
}

/// Reminds at once, and gives up soon after.
const HURRY: &str = "
name: hurry
version: 1
triggers: [{comment: /hurry}]
steps:
  - {id: leads, type: human_approval, approvers: {team: leads, count: 2}, reminders: [1s], timeout: 2s, on_timeout: fail}
";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reminded_of_what_is_closed() {
    let stage = Stage::raise(&[("hurry", HURRY)]).await;
    stage.expect_comments();
    let (open, closed) = (stage.pull_request("open"), stage.pull_request("closed"));
    stage.hub.close(REPOSITORY, "alice", closed).unwrap();
    for number in [closed, open] {
        assert_eq!(stage.comment(number, "/hurry").by("alice").await, "🚀");
        stage.concluded(number, "hurry", "failure").await;
    }
    stage.eventually("the reminder", || stage.app_comments(open, "still waits").pop()).await;
    assert_eq!(stage.app_comments(closed, "still waits"), Vec::<String>::new());
}
