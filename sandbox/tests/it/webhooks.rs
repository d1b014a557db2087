//! What the webhook address hears.

use std::time::Duration;

use flowctl_sandbox::state::ReviewState;
use flowctl_sandbox::{Fault, FaultRule, signature};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stage::{PATIENCE, REPOSITORY, files, stage};

#[tokio::test]
async fn a_webhook_is_signed_over_its_bytes_and_names_its_target() {
    let mut stage = stage().await;
    let ping = stage.webhook().await;
    assert_eq!(ping.event, "ping");
    let number = stage.pull_request();
    let opened = stage.webhook_named("pull_request.opened").await;
    let app = stage.sandbox.app();
    assert_eq!(opened.signature, signature(&app.webhook_secret, &opened.body));
    assert_ne!(opened.signature, signature("another", &opened.body));
    assert_eq!(opened.headers["x-github-hook-installation-target-type"], "integration");
    assert_eq!(opened.headers["x-github-hook-installation-target-id"], app.id.to_string().as_str());
    assert_eq!(opened.headers["content-type"], "application/json");
    let payload = opened.payload();
    assert_eq!(payload["number"], number);
    assert_eq!(payload["installation"]["id"], stage.installation);
    assert_eq!(payload["repository"]["full_name"], REPOSITORY);
    assert_eq!(payload["organization"]["login"], "octo-org");
    assert_eq!(payload["sender"]["login"], "alice");
    assert_eq!(payload["pull_request"]["head"]["sha"], stage.head(number));
    assert_eq!(payload["pull_request"]["changed_files"], 1);
    assert!(payload["repository"]["id"].as_u64().unwrap() > u64::from(u32::MAX));
}

#[tokio::test]
async fn every_deed_is_heard_of() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    let sandbox = &stage.sandbox;
    let comment = sandbox.comment(REPOSITORY, "carol", number, "/approve").unwrap();
    sandbox.edit_comment(REPOSITORY, "carol", comment, "/reject").unwrap();
    sandbox.delete_comment(REPOSITORY, "carol", comment).unwrap();
    let review = sandbox.review(REPOSITORY, "bob", number, ReviewState::Approved, "").unwrap();
    sandbox.edit_review("bob", review, "fine").unwrap();
    sandbox.dismiss_review("alice", review, "pushed since").unwrap();
    sandbox.push(REPOSITORY, "alice", "release", "More", &files(&[("a.txt", "a")])).unwrap();
    sandbox.label(REPOSITORY, "bob", number, "urgent").unwrap();
    sandbox.unlabel(REPOSITORY, "bob", number, "urgent").unwrap();
    sandbox.edit_issue(REPOSITORY, "alice", number, Some("Release 1.5"), None).unwrap();
    sandbox.close(REPOSITORY, "alice", number).unwrap();
    sandbox.reopen(REPOSITORY, "alice", number).unwrap();
    sandbox.merge(REPOSITORY, "bob", number).unwrap();
    sandbox.open_issue(REPOSITORY, "carol", "It is slow", None).unwrap();
    sandbox.rename_repository(REPOSITORY, "store").unwrap();
    sandbox.suspend_installation(stage.installation).unwrap();
    sandbox.unsuspend_installation(stage.installation).unwrap();
    sandbox.select_repositories(stage.installation, Some(&[])).unwrap();
    sandbox.delete_installation(stage.installation).unwrap();
    let names = stage.webhook_names().await;
    assert_eq!(
        names,
        [
            "ping",
            "create",
            "push",
            "check_suite.requested",
            "pull_request.opened",
            "pull_request.labeled",
            "issue_comment.created",
            "issue_comment.edited",
            "issue_comment.deleted",
            "pull_request_review.submitted",
            "pull_request_review.edited",
            "pull_request_review.dismissed",
            "push",
            "check_suite.requested",
            "pull_request.synchronize",
            "pull_request.labeled",
            "pull_request.unlabeled",
            "pull_request.edited",
            "pull_request.closed",
            "pull_request.reopened",
            "push",
            "check_suite.requested",
            "pull_request.closed",
            "issues.opened",
            "repository.renamed",
            "installation.suspend",
            "installation.unsuspend",
            "installation_repositories.removed",
            "installation.deleted",
        ]
    );
}

#[tokio::test]
async fn the_app_hears_of_its_own_words() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    stage.repo(Method::POST, &format!("/issues/{number}/comments"), &token, json!({"body": "Hello"})).await;
    let heard = stage.webhook_named("issue_comment.created").await.payload();
    assert_eq!(heard["sender"]["type"], "Bot");
    assert_eq!(heard["comment"]["user"]["login"], "flowctl-sandbox[bot]");
    assert_eq!(heard["comment"]["performed_via_github_app"]["id"], stage.sandbox.app().id);
}

#[tokio::test]
async fn a_button_is_for_those_who_may_write_and_only_when_completed() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let run = json!({"name": "ci", "head_sha": stage.head(number), "status": "in_progress", "actions": [{"label": "Approve", "identifier": "approve", "description": "Let it pass"}]});
    let run = stage.repo(Method::POST, "/check-runs", &token, run).await;
    assert_eq!(run.status, StatusCode::CREATED, "{}", run.body);
    let id = run.body["id"].as_u64().unwrap();
    assert!(stage.sandbox.press("bob", id, "approve").unwrap_err().to_string().contains("in_progress"));
    let done = stage
        .repo(
            Method::PATCH,
            &format!("/check-runs/{id}"),
            &token,
            json!({"status": "completed", "conclusion": "action_required"}),
        )
        .await;
    assert_eq!(done.body["conclusion"], "action_required");
    assert!(stage.sandbox.press("carol", id, "approve").is_err());
    assert!(stage.sandbox.press("bob", id, "reject").unwrap_err().to_string().contains("there is: approve"));
    stage.sandbox.press("bob", id, "approve").unwrap();
    let pressed = stage.webhook_named("check_run.requested_action").await.payload();
    assert_eq!(pressed["requested_action"]["identifier"], "approve");
    assert_eq!(pressed["sender"]["login"], "bob");
    assert_eq!(pressed["check_run"]["pull_requests"][0]["number"], number);
    assert_eq!(pressed["check_run"]["check_suite"]["head_branch"], "release");
    stage.sandbox.rerequest("alice", id).unwrap();
    assert_eq!(stage.webhook_named("check_run.rerequested").await.payload()["check_run"]["status"], "completed");
}

#[tokio::test]
async fn lost_doubled_and_late_webhooks() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    stage.webhook_names().await;
    let say = |words: &str| stage.sandbox.comment(REPOSITORY, "alice", number, words).unwrap();
    stage.sandbox.faults.add(FaultRule::new(Fault::LoseDelivery).path("issue_comment"));
    stage.sandbox.faults.add(FaultRule::new(Fault::DuplicateDelivery).path("issue_comment"));
    stage.sandbox.faults.add(FaultRule::new(Fault::ReorderDelivery).path("issue_comment"));
    for words in ["lost", "doubled", "late", "early"] {
        say(words);
    }
    stage.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    let mut heard = Vec::new();
    let mut guids = std::collections::BTreeSet::new();
    while let Ok(arrived) = stage.webhooks.try_recv() {
        heard.push(arrived.payload()["comment"]["body"].as_str().unwrap().to_owned());
        guids.insert(arrived.guid);
    }
    assert_eq!(heard, ["doubled", "doubled", "early", "late"]);
    assert_eq!(guids.len(), 3);
}

#[tokio::test]
async fn a_failed_delivery_is_found_and_redelivered_under_its_id() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    stage.webhook_names().await;
    stage.sandbox.faults.add(FaultRule::new(Fault::LoseDelivery).path("issue_comment"));
    stage.sandbox.comment(REPOSITORY, "alice", number, "lost").unwrap();
    stage.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    let jwt = stage.jwt();
    let failed = stage.get("/app/hook/deliveries?status=failure", &jwt).await.body;
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    let (id, guid) = (failed[0]["id"].as_u64().unwrap(), failed[0]["guid"].as_str().unwrap());
    assert!(id > 1 << 53, "ids do not fit a double");
    let whole = stage.get(&format!("/app/hook/deliveries/{id}"), &jwt).await.body;
    assert_eq!(whole["request"]["payload"]["comment"]["body"], "lost");
    let again = stage.ask(Method::POST, &format!("/app/hook/deliveries/{id}/attempts"), &jwt, None).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    let arrived = stage.webhook().await;
    assert_eq!((arrived.guid.as_str(), arrived.payload()["comment"]["body"].as_str()), (guid, Some("lost")));
    stage.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    let all = stage.get("/app/hook/deliveries?per_page=1", &jwt).await;
    assert_eq!((all.body[0]["redelivery"].as_bool(), all.body[0]["status_code"].as_u64()), (Some(true), Some(202)));
    let next = all.headers["link"].to_str().unwrap().to_owned();
    let next = next.trim_start_matches('<').split('>').next().unwrap();
    assert_eq!(stage.get(next, &jwt).await.body[0]["id"], id);
}

#[tokio::test]
async fn nobody_listening_is_recorded_and_not_repeated() {
    let stage = stage().await;
    stage.sandbox.set_webhook_url("http://127.0.0.1:9/closed").unwrap();
    stage.sandbox.deliveries_settled(Duration::from_secs(30)).await.unwrap();
    let last = stage.sandbox.deliveries().pop().unwrap();
    assert_eq!((last.event.as_str(), last.status_code), ("ping", 502));
    assert_eq!(stage.sandbox.deliveries().iter().filter(|delivery| delivery.guid == last.guid).count(), 1);
}
