//! What was refused elsewhere than in a comment, as the audit log has it: buttons, reviews, and words by the API.

use flowctl_sandbox::state::ReviewState;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ORDER, RELEASE, REPOSITORY, Stage};

/// What an entry says was refused: whose word, which, why, how it came, and about which step or process.
fn told(entry: &Value) -> Value {
    let data = &entry["data"];
    json!([entry["actor"]["login"], data["command"], data["reason"], data["source"]["kind"], data["named"]])
}

async fn count(stage: &Stage) -> usize {
    stage.audit().await.iter().filter(|entry| entry.starts_with("command.refused")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_was_not_taken_left_no_entry() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "release", "action_required").await;
    let pressed = async |button: &str, times: usize| {
        stage.hub.press("gina", asks.id, button).unwrap();
        let replies = || stage.app_comments(number, "flowctl:reply:button:");
        stage.eventually("an answer", || (replies().len() == times).then_some(())).await;
    };
    // However often it is pressed.
    pressed("approve", 1).await;
    pressed("approve", 2).await;
    pressed("reject", 3).await;
    let first = stage.until_told("command.refused").await;
    assert_eq!(told(&first), json!(["gina", "approve", "ineligible", "button", null]), "{first:#}");
    assert_eq!((&first["repository"], &first["process"]), (&json!(REPOSITORY), &json!("release")));
    assert!(first["execution"].is_string() && first["data"]["source"]["url"].is_string(), "{first:#}");
    assert!(first["data"]["why"].as_str().unwrap().contains("leads"), "{first:#}");
    let second = stage.until_told_again("command.refused", 2).await;
    assert_eq!(told(&second), json!(["gina", "reject", "ineligible", "button", null]), "{second:#}");
    assert_eq!(count(&stage).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_was_not_taken_left_no_entry_and_one_that_nobody_asked_for_leaves_none() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let head = stage.push_in_another_name("release-1.4", "bob");
    let moved = || stage.runs(number, "release").into_iter().find(|run| run.head_sha == head);
    stage.eventually("the new head", moved).await;
    stage.seconds_pass();
    stage.review(number, "carol", ReviewState::Approved, "Reads well.");
    stage.review(number, "bob", ReviewState::Approved, "Reads well.");
    stage.eventually("an answer", || stage.app_comments(number, "Your review was not taken").pop()).await;
    let entry = stage.until_told("command.refused").await;
    assert_eq!(told(&entry), json!(["bob", "approve", "ineligible", "review", "leads"]), "{entry:#}");
    assert!(entry["execution"].is_string() && entry["data"]["source"]["url"].is_string(), "{entry:#}");
    assert_eq!(count(&stage).await, 1, "carol was not asked, and is told nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_by_the_api_that_did_not_count_left_no_entry() {
    let mut stage = Stage::raise(&[("release", RELEASE), ("order", ORDER)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.allow_acting().await;
    let (_, list) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
    let (approval, execution) = (list["items"][0]["id"].clone(), list["items"][0]["execution"].clone());
    let approval = format!("/approvals/{}", approval.as_str().unwrap());
    let execution = format!("/executions/{}", execution.as_str().unwrap());
    let (decisions, delegations) = (format!("{approval}/decisions"), format!("{approval}/delegations"));
    let cancel = format!("{execution}/cancel");
    let (decisions, delegations, cancel) = (decisions.as_str(), delegations.as_str(), cancel.as_str());
    for (path, body, status) in [
        (decisions, json!({"decision": "approve", "as": "carol"}), 403),
        (decisions, json!({"decision": "approve", "as": "carol", "note": "please"}), 403),
        (decisions, json!({"decision": "reject", "as": "bob"}), 422),
        (decisions, json!({"decision": "approve", "as": "nobody-at-all"}), 422),
        (decisions, json!({"decision": "approve"}), 403),
        (delegations, json!({"to": "gina", "as": "carol"}), 403),
        (cancel, json!({"as": "carol"}), 403),
        ("/executions", json!({"process": "octo-org/shop:order", "as": "carol"}), 403),
    ] {
        let (found, answer) = stage.api(Method::POST, path, body).await;
        assert_eq!(found, status, "{path}: {answer:#}");
    }
    let expected = [
        json!(["carol", "approve", "ineligible", "api", "leads"]),
        json!(["bob", "reject", "execution", "api", "leads"]),
        json!(["carol", "delegate", "ineligible", "api", "leads"]),
        json!(["carol", "cancel", "permission", "api", null]),
        json!(["carol", "run", "permission", "api", "order"]),
    ];
    for (nth, expected) in (1..).zip(&expected) {
        let entry = stage.until_told_again("command.refused", nth).await;
        assert_eq!(told(&entry), *expected, "{entry:#}");
        // A start that is refused is of no execution.
        assert_eq!(entry["execution"].is_string(), expected[1] != "run", "{entry:#}");
    }
    assert_eq!(count(&stage).await, expected.len(), "who is nobody, and what names nobody, leave none");
}
