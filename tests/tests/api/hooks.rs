//! Webhooks from anywhere start the processes that name their secret, once a message, and nobody else's.

use flowctl_app::notify::webhook;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, answer};

const SECRET: &str = "a-secret-of-some-length";
const ORDER: &str = "name: order
version: 1
triggers: [{webhook: {secret: \"{{ secrets.SHOP }}\"}}]
steps:
  - id: note
    type: set
    values: {order: \"{{ trigger.payload.order }}\", by: \"{{ trigger.type }}\"}
";
const DRAFT: &str = "name: draft
version: 1
status: draft
triggers: [{webhook: {secret: \"{{ secrets.SHOP }}\"}}]
steps: [{id: note, type: set, values: {x: 1}}]
";

fn stage() -> Stage {
    // No token: the API is closed, and webhooks come in all the same.
    Stage::with(&[("order", ORDER), ("draft", DRAFT)], vec![("FLOWCTL_SECRET_SHOP", SECRET.to_owned())])
}

/// Signs with this secret a message of this id and time.
async fn sent(stage: &Stage, process: &str, (id, at): (&str, Timestamp), body: &str, secret: &str) -> Answer {
    let headers = webhook::headers(id, at, body, Some(secret));
    answer(stage.anonymous(Method::POST, &format!("/hooks/{process}")).headers(headers).body(body.to_owned())).await
}

#[tokio::test]
async fn a_signed_message_starts_its_process_once() {
    let mut stage = stage();
    let (now, body) = (Timestamp::now(), r#"{"order": 7}"#);
    let first = sent(&stage, "shop:order", ("msg_1", now), body, SECRET).await.expect(202);
    assert_eq!(first["repeated"], false);
    let again = sent(&stage, "shop:order", ("msg_1", now), body, SECRET).await.expect(200);
    assert_eq!((&again["execution"], &again["repeated"]), (&first["execution"], &json!(true)));
    stage.restart();
    let again = sent(&stage, "shop:order", ("msg_1", now), body, SECRET).await.expect(200);
    assert_eq!(again["execution"], first["execution"], "also after a restart");
    let other = sent(&stage, "shop:order", ("msg_2", now), body, SECRET).await.expect(202);
    assert_ne!(other["execution"], first["execution"]);
}

#[tokio::test]
async fn what_is_not_signed_right_learns_nothing() {
    let stage = stage();
    let (now, body) = (Timestamp::now(), r#"{"order": 7}"#);
    let old = now.checked_sub(SignedDuration::from_mins(6)).unwrap();
    let mut told: Vec<Value> = Vec::new();
    for (process, at, secret) in [
        ("shop:order", now, "another-secret-of-some-length"),
        ("shop:order", old, SECRET),
        ("shop:nothing", now, SECRET),
        ("nowhere:order", now, SECRET),
        ("order", now, SECRET),
        ("shop:draft", now, SECRET),
    ] {
        let answer = sent(&stage, process, ("msg_1", at), body, secret).await;
        assert_eq!(answer.problem(401), "signature-refused", "{process}");
        told.push(answer.body);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");
    let unsigned = answer(stage.anonymous(Method::POST, "/hooks/shop:order").body(body)).await;
    assert_eq!(unsigned.problem(401), "signature-refused");
    let large = "x".repeat(256 * 1024 + 1);
    assert_eq!(sent(&stage, "shop:order", ("msg_3", now), &large, SECRET).await.problem(413), "too-large");
    let asked = answer(stage.anonymous(Method::GET, "/hooks/shop:order")).await;
    assert_eq!(asked.problem(405), "method-not-allowed");
}

#[tokio::test]
async fn what_comes_with_it_is_what_the_process_reads() {
    let settings =
        vec![("FLOWCTL_SECRET_SHOP", SECRET.to_owned()), ("FLOWCTL_API_TOKEN", crate::stage::TOKEN.to_owned())];
    let stage = Stage::with(&[("order", ORDER)], settings);
    let started = sent(&stage, "shop:order", ("msg_1", Timestamp::now()), r#"{"order": 7}"#, SECRET).await.expect(202);
    let done = stage.until(&started["execution"], "completed").await;
    assert_eq!(done["steps"][0]["output"], json!({"order": 7, "by": "webhook"}));
    stage.post("/processes/shop:order/pause", json!({})).await.expect(200);
    let paused = sent(&stage, "shop:order", ("msg_2", Timestamp::now()), r#"{"order": 8}"#, SECRET).await;
    assert_eq!(paused.problem(409), "paused");
    stage.post("/processes/shop:order/resume", json!({})).await.expect(200);
    sent(&stage, "shop:order", ("msg_2", Timestamp::now()), r#"{"order": 8}"#, SECRET).await.expect(202);
}
