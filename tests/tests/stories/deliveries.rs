//! Webhooks that no person of these stories causes: programs, unknown events, what is no payload of ours.

use crate::stage::{RELEASE, REPOSITORY, Stage};

/// A payload of `fixtures/payloads`, moved to the stage's repository and installation.
fn payload(stage: &Stage, name: &str, number: u64) -> String {
    let path = format!("{}/../fixtures/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut payload: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    if let Some(id) = payload.pointer_mut("/installation/id") {
        *id = installation.into();
    }
    let repository = stage.hub.read(|view| view.world.repository(REPOSITORY).map(|repository| repository.id));
    if let Some(id) = payload.pointer_mut("/repository/id") {
        *id = repository.unwrap().into();
    }
    if let Some(issue) = payload.pointer_mut("/issue/number") {
        *issue = number.into();
    }
    assert!(payload["repository"].is_null() || payload["repository"]["full_name"] == REPOSITORY);
    payload.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_and_unknown_events_change_nothing() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    for (event, name) in
        [("issue_comment", "comment_by_bot"), ("push", "branch_deleted"), ("ping", "ping"), ("pencil", "unknown_event")]
    {
        let body = payload(&stage, name, number);
        assert_eq!(stage.deliver(event, "one", &body).await, 202, "{event}");
        assert_eq!(stage.deliver(event, "one", &body).await, 200, "{event} again");
    }
    assert_eq!(stage.deliver("issue_comment", "two", r#"{"action": "created", "issue": 1}"#).await, 400);
    let unreadable =
        r#"{"action": "created", "repository": {"full_name": "octo-org/shop", "owner": {"login": "octo-org"}}}"#;
    assert_eq!(stage.deliver("issue_comment", "three", unreadable).await, 202);
    // Deliveries about one pull request are handled in order: this answer comes after all of the above.
    let status = stage.comment(number, "/status").by("bob").await;
    assert!(status.contains("`leads` waits"), "{status}");
    assert!(stage.app_comments(number, "flowctl:reply").len() == 1, "only the status was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_about_two_executions_whose_handling_broke_off_between_them_was_refused_by_the_second_one() {
    let release = RELEASE.replace("triggers:\n", "triggers:\n  - manual\n");
    let mut stage = Stage::raise(&[("release", &release)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/run release").by("bob").await, "🚀");
    stage.until_statuses(&["waiting", "waiting"]).await;
    stage.seconds_pass();
    stage.end().await;
    let comment = stage.comment(number, "/approve leads").said_by("bob");
    stage.was_recorded_of_the_first(&format!("comment:{comment}:0"), "leads").await;
    stage.start_again().await;
    assert_eq!(stage.answer_to(number, comment).await, "🚀");
    let approved = || stage.app_comments(number, "approved by [bob](").pop();
    stage.eventually("the second one heard it", approved).await;
}
