//! Who is asked is told once: in the execution's own comment where that is new, and beside it where it stood before.

use flowctl_sandbox::{Fault, FaultRule};
use reqwest::Method;
use serde_json::json;

use crate::stage::Stage;

/// Waits for something before it asks.
const RELEASE: &str = "
name: release
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: built, type: wait, event: {name: built, timeout: 1h}}
  - {id: leads, type: human_approval, depends_on: built, title: Ship it?, approvers: {team: leads}}
";

const MARKED: &str = "<!-- flowctl:reply:asked:";

async fn built(stage: &Stage) {
    let (status, told) =
        stage.api(Method::POST, "/events", json!({"name": "built", "payload": {}, "tenant": "octo-org"})).await;
    assert_eq!(status / 100, 2, "{told:#}");
}

async fn approved(stage: &Stage, number: u64) {
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_in_a_comment_that_is_new_was_asked_in_a_second_one_at_once() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let fault = FaultRule::new(Fault::ErrorBefore { status: 502 })
        .method("POST")
        .path("/repos/octo-org/shop/issues/*/comments");
    stage.hub.faults.add(fault.times(1_000));
    let number = stage.pull_request("release-1.4");
    stage.until_statuses(&["waiting"]).await;
    built(&stage).await;
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.app_comments(number, "").len(), 0, "GitHub takes none");
    stage.hub.faults.clear();
    let comment =
        || stage.app_comments(number, "flowctl:execution").pop().filter(|comment| comment.contains("Ship it?"));
    stage.eventually("the question in the execution's own comment", comment).await;
    approved(&stage, number).await;
    assert_eq!(stage.app_comments(number, MARKED), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_while_the_comment_stands_is_told_beside_it() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.eventually("the comment", || stage.app_comments(number, "flowctl:execution").pop()).await;
    built(&stage).await;
    let asked = || stage.app_comments(number, MARKED).pop();
    let told = stage.eventually("a comment of its own", asked).await;
    assert!(told.contains("Ship it?") && told.contains("@octo-org/leads"), "{told}");
    approved(&stage, number).await;
    assert_eq!(stage.app_comments(number, MARKED).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_asked_while_two_answers_were_lost_one_after_the_other_was_never_told() {
    for fault in [Fault::ErrorAfter { status: 502 }, Fault::ResetAfter] {
        let stage = Stage::raise(&[("release", RELEASE)]).await;
        stage.expect_comments();
        stage.disturb(fault.clone(), "POST", "/repos/octo-org/shop/issues/*/comments");
        stage.disturb(fault, "PATCH", "/repos/octo-org/shop/issues/comments/*");
        let number = stage.pull_request("release-1.4");
        stage.eventually("the comment", || stage.app_comments(number, "flowctl:execution").pop()).await;
        built(&stage).await;
        let told = stage.eventually("a comment of its own", || stage.app_comments(number, MARKED).pop()).await;
        assert!(told.contains("Ship it?") && told.contains("@octo-org/leads"), "{told}");
        approved(&stage, number).await;
        assert_eq!(stage.app_comments(number, MARKED).len(), 1);
        assert_eq!(stage.app_comments(number, "flowctl:execution").len(), 1);
    }
}
