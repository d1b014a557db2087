//! `FLOWCTL_API_ACT_AS`: what the administrator's token may say in a person's name outside tenant `local`, and that the
//! person's word weighs there what it weighs anywhere.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ORDER, RELEASE, Stage};

/// The one question that is open.
async fn question(stage: &Stage) -> Value {
    let (status, list) = stage.api(Method::GET, "/approvals?status=pending", Value::Null).await;
    assert_eq!((status, list["items"].as_array().unwrap().len()), (200, 1), "{list:#}");
    list["items"][0].clone()
}

async fn decided(stage: &Stage, question: &Value, login: &str) -> (u16, Value) {
    let path = format!("/approvals/{}/decisions", question["id"].as_str().unwrap());
    stage.api(Method::POST, &path, json!({"decision": "approve", "note": "carts work", "as": login})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_speaks_in_nobodys_name_unless_the_operator_lets_it() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let asked = question(&stage).await;
    let (status, problem) = decided(&stage, &asked, "bob").await;
    assert_eq!((status, &problem["type"]), (403, &json!("urn:flowctl:problem:acting-forbidden")), "{problem:#}");

    stage.allow_acting().await;
    for (login, expected) in [("carol", "ineligible"), ("alice", "ineligible"), ("nobody-at-all", "wrong-fields")] {
        let (_, problem) = decided(&stage, &asked, login).await;
        assert_eq!(problem["type"], format!("urn:flowctl:problem:{expected}"), "{login}: {problem:#}");
    }
    let (status, after) = decided(&stage, &asked, "bob").await;
    assert_eq!((status, &after["status"]), (200, &json!("pending")), "{after:#}");
    let word = &after["decisions"][0];
    assert_eq!((&word["person"]["login"], &word["source"]["kind"]), (&json!("bob"), &json!("api")), "{after:#}");
    assert_ne!(word["person"]["id"], 0, "the person that GitHub knows");
    let (status, after) = decided(&stage, &asked, "dave").await;
    assert_eq!((status, &after["status"]), (200, &json!("approved")), "{after:#}");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_resume_token_speaks_in_nobodys_name() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.allow_acting().await;
    let execution = question(&stage).await["execution"].as_str().unwrap().to_owned();
    let (_, shown) = stage.api(Method::GET, &format!("/executions/{execution}"), Value::Null).await;
    let asking = shown["steps"].as_array().unwrap().iter().find(|step| step["id"] == "leads").unwrap();
    let token = asking["waiting_for"]["resume_token"].clone();
    let path = format!("/executions/{execution}/resume");
    for (said, problem) in [
        (json!({"token": token, "decision": "approve", "as": "bob"}), "acting-forbidden"),
        (json!({"token": token, "decision": "approve"}), "person-needed"),
    ] {
        let (status, answer) = stage.api_as_anybody(Method::POST, &path, said).await;
        assert_eq!((status, &answer["type"]), (403, &json!(format!("urn:flowctl:problem:{problem}"))), "{answer:#}");
    }
    let said = json!({"token": token, "decision": "approve", "as": "bob"});
    let (status, answer) = stage.api(Method::POST, &path, said).await;
    assert_eq!(status, 200, "{answer:#}");
    let word = &question(&stage).await["decisions"][0];
    assert_eq!((&word["person"]["login"], &word["source"]["kind"]), (&json!("bob"), &json!("api")), "{word:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_in_a_persons_name_needs_what_the_person_needs() {
    let mut stage = Stage::raise(&[("order", ORDER)]).await;
    // A repository is known once something was heard of it.
    let number = stage.pull_request("release-1.4");
    assert!(stage.comment(number, "/help").by("bob").await.starts_with('🚀'));
    let start = |login: &str| json!({"process": "octo-org/shop:order", "as": login});
    let (status, problem) = stage.api(Method::POST, "/executions", start("bob")).await;
    assert_eq!((status, &problem["type"]), (403, &json!("urn:flowctl:problem:acting-forbidden")), "{problem:#}");
    stage.allow_acting().await;
    let (status, problem) = stage.api(Method::POST, "/executions", start("carol")).await;
    assert_eq!((status, &problem["type"]), (403, &json!("urn:flowctl:problem:ineligible")), "{problem:#}");
    let (status, started) = stage.api(Method::POST, "/executions", start("bob")).await;
    assert_eq!((status, &started["trigger"]["actor"]["login"]), (202, &json!("bob")), "{started:#}");
}
