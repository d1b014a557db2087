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
