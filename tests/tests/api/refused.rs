//! Words that did not count in tenant `local`, as the audit log has them: by the API, by a resume token and on its page.

use std::process::Command;

use flowctl_tests::program;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

/// The entries of refused words, oldest first: whose word, which, why, how it came, and about which step.
fn refused(stage: &Stage) -> Vec<Value> {
    let export = Command::new(program()).args(["audit", "export"]).env("FLOWCTL_DATA_DIR", stage.app_data()).output();
    let lines = String::from_utf8(export.unwrap().stdout).unwrap();
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = |entry: Value| {
        let data = &entry["data"];
        assert!(entry["execution"].is_string() && data["why"].as_str().is_some_and(|why| !why.is_empty()), "{entry:#}");
        json!([entry["actor"]["login"], data["command"], data["reason"], data["source"]["kind"], data["named"]])
    };
    entries.filter(|entry| entry["type"] == "command.refused").map(told).collect()
}

#[tokio::test]
async fn a_word_that_did_not_count_left_no_entry() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let waits = &execution["steps"][0]["waiting_for"];
    let decisions = format!("/approvals/{}/decisions", waits["approval"].as_str().unwrap());
    let say = |decision: &'static str, login: &'static str| {
        stage.post(&decisions, json!({"decision": decision, "as": login}))
    };
    for login in ["mallory", "Mallory", "trudy"] {
        assert_eq!(say("approve", login).await.problem(403), "ineligible");
    }
    say("withdraw", "bob").await.problem(409);
    // A key under which something was said is no refusal.
    for _ in 0..2 {
        let request = stage.request(Method::POST, &decisions).header("Idempotency-Key", "click-1");
        answer(request.json(&json!({"decision": "approve", "as": "alice"}))).await.expect(200);
    }
    say("approve", "bob").await.expect(200);
    assert_eq!(say("reject", "bob").await.problem(409), "ended");
    let expected = [
        json!(["mallory", "approve", "ineligible", "api", "leads"]),
        json!(["trudy", "approve", "ineligible", "api", "leads"]),
        json!(["bob", "withdraw", "execution", "api", "leads"]),
        json!(["bob", "reject", "nothing_waits", "api", "leads"]),
    ];
    assert_eq!(refused(&stage), expected);
}

#[tokio::test]
async fn whoever_holds_a_link_leaves_one_entry_whatever_name_they_say() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let token = execution["steps"][0]["waiting_for"]["resume_token"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/executions/{}/resume", execution["id"].as_str().unwrap());
    for login in ["mallory", "trudy"] {
        let said = json!({"token": token, "decision": "approve", "as": login});
        assert_eq!(answer(stage.anonymous(Method::POST, &path).json(&said)).await.problem(403), "ineligible");
    }
    let page = stage.anonymous(Method::POST, &format!("/resume/{token}"));
    let said = page.form(&[("decision", "approve"), ("as", "eve")]).send().await.unwrap();
    assert_eq!(said.status().as_u16(), 403);
    assert_eq!(refused(&stage), [json!(["mallory", "approve", "ineligible", "web", "leads"])]);
    let asked = stage.start("access", json!({})).await;
    let asked = stage.until(&asked["id"], "waiting").await;
    let answers = format!("/executions/{}/steps/request/answers", asked["id"].as_str().unwrap());
    stage.post(&answers, json!({"values": {"system": "hr"}, "as": "ann"})).await.problem(422);
    assert_eq!(refused(&stage)[1..], [json!(["ann", "answer", "execution", "api", "request"])]);
}
