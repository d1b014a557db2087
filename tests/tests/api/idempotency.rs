//! Idempotency keys: the same request again counts once, whatever became of things since; another one is refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, SUM, Stage, answer};

fn keyed(stage: &Stage, path: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
    stage.request(Method::POST, path).header("Idempotency-Key", key).json(body)
}

async fn with_key(stage: &Stage, path: &str, key: &str, body: Value) -> Answer {
    answer(keyed(stage, path, key, &body)).await
}

#[tokio::test]
async fn another_decision_under_the_same_key_was_taken() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let approval = execution["steps"][0]["waiting_for"]["approval"].as_str().unwrap().to_owned();
    let path = format!("/approvals/{approval}/decisions");
    let first = json!({"decision": "approve", "note": "fine", "as": "alice"});
    with_key(&stage, &path, "click-1", first.clone()).await.expect(200);
    for other in [
        json!({"decision": "reject", "note": "fine", "as": "alice"}),
        json!({"decision": "approve", "note": "not so fine", "as": "alice"}),
        json!({"decision": "approve", "as": "alice"}),
        json!({"decision": "approve", "note": "fine", "as": "bob"}),
        json!({"decision": "approve", "note": "fine", "as": "alice", "commit": "1".repeat(40)}),
    ] {
        let refused = with_key(&stage, &path, "click-1", other.clone()).await;
        assert_eq!(refused.problem(422), "key-used-otherwise", "{other}");
        assert_eq!(refused.body["execution"], execution["id"]);
    }
    let again = with_key(&stage, &path, "click-1", first.clone()).await.expect(200);
    assert_eq!((&again["status"], again["decisions"].as_array().unwrap().len()), (&json!("pending"), 1));
    // Also when the approval has ended.
    stage.post(&path, json!({"decision": "approve", "as": "bob"})).await.expect(200);
    assert_eq!(with_key(&stage, &path, "click-1", first).await.expect(200)["status"], "approved");
}

#[tokio::test]
async fn opposite_words_at_once_under_one_key_are_one_word() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let approval = execution["steps"][0]["waiting_for"]["approval"].as_str().unwrap().to_owned();
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..8 {
        let decision = if index % 2 == 0 { "approve" } else { "reject" };
        let body = json!({"decision": decision, "as": "alice", "note": "at once"});
        let request = keyed(&stage, &format!("/approvals/{approval}/decisions"), "click-2", &body);
        calls.spawn(async move { (decision, answer(request).await) });
    }
    let mut taken = Vec::new();
    while let Some(call) = calls.join_next().await {
        let (decision, answered) = call.unwrap();
        match answered.status {
            200 => taken.push(decision),
            _ => assert_eq!(answered.problem(422), "key-used-otherwise"),
        }
    }
    taken.sort_unstable();
    taken.dedup();
    let now = stage.get(&format!("/approvals/{approval}")).await.expect(200);
    assert_eq!(now["decisions"].as_array().unwrap().len(), 1, "{now:#}");
    assert_eq!(taken, vec![now["decisions"][0]["decision"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_start_was_not_told_again_once_its_process_had_changed() {
    let stage = Stage::set();
    let body = json!({"process": "sum", "inputs": {"a": 1}});
    let whole = json!({"process": "shop:sum", "inputs": {"a": 1}});
    let first = with_key(&stage, "/executions", "order-1", body.clone()).await.expect(202);
    let auto = with_key(&stage, "/executions", "auto", whole.clone()).await.expect(202);
    let archived = SUM.replace("version: 1", "version: 2\nstatus: archived");
    stage.repository.write(".flow/processes/sum.yaml", &archived);
    stage.repository.commit("archive it");
    stage.until_that("/processes/shop:sum", |process| process["status"] == "archived").await;
    let replayed = with_key(&stage, "/executions", "order-1", body.clone()).await.expect(200);
    assert_eq!(replayed["id"], first["id"]);
    assert_eq!(with_key(&stage, "/executions", "auto", whole.clone()).await.expect(200)["id"], auto["id"]);
    assert_eq!(with_key(&stage, "/executions", "order-2", body.clone()).await.problem(409), "not-by-hand");
    // It is gone for good.
    std::fs::remove_file(stage.repository.path.join(".flow/processes/sum.yaml")).unwrap();
    stage.repository.commit("remove it");
    stage.until_that("/processes", |list| list["items"].as_array().unwrap().iter().all(|it| it["name"] != "sum")).await;
    for (key, body, id) in
        [("order-1", &body, &first["id"]), ("order-1", &whole, &first["id"]), ("auto", &whole, &auto["id"])]
    {
        let replayed = with_key(&stage, "/executions", key, body.clone()).await.expect(200);
        assert_eq!(replayed["id"], *id);
    }
    let other = with_key(&stage, "/executions", "order-1", json!({"process": "sum", "inputs": {"a": 2}})).await;
    assert_eq!(other.problem(422), "wrong-fields");
}

#[tokio::test]
async fn starting_over_ignored_its_key_and_took_any_body() {
    let stage = Stage::set();
    let first = stage.start("sum", json!({"a": 1})).await;
    let other = stage.start("sum", json!({"a": 2})).await;
    let path = |execution: &Value| format!("/executions/{}/rerun", execution["id"].as_str().unwrap());
    let over = with_key(&stage, &path(&first), "again-1", json!({})).await.expect(202);
    assert_ne!(over["id"], first["id"]);
    let replayed = with_key(&stage, &path(&first), "again-1", json!({})).await;
    assert_eq!(replayed.headers["idempotency-key"], "again-1");
    assert_eq!(replayed.expect(200)["id"], over["id"]);
    assert_eq!(with_key(&stage, &path(&other), "again-1", json!({})).await.problem(422), "key-used-otherwise");
    let start = json!({"process": "sum", "inputs": {"a": 1}});
    assert_eq!(with_key(&stage, "/executions", "again-1", start).await.problem(422), "key-used-otherwise");
    // `auto` is of the execution that is started over.
    let auto = with_key(&stage, &path(&first), "auto", json!({})).await.expect(202);
    assert_eq!(with_key(&stage, &path(&first), "auto", json!({})).await.expect(200)["id"], auto["id"]);
    assert_ne!(with_key(&stage, &path(&other), "auto", json!({})).await.expect(202)["id"], auto["id"]);
    // Without a key each call is a new one; nothing else can be said.
    let one = answer(stage.request(Method::POST, &path(&first))).await.expect(202);
    assert_ne!(one["id"], answer(stage.request(Method::POST, &path(&first))).await.expect(202)["id"]);
    assert_eq!(stage.post(&path(&first), json!({"inputs": {"a": 3}})).await.problem(422), "wrong-fields");
}

#[tokio::test]
async fn answers_told_again_under_their_key_were_refused() {
    let stage = Stage::set();
    let started = stage.start("access", json!({})).await;
    stage.until(&started["id"], "waiting").await;
    let path = format!("/executions/{}/steps/request/answers", started["id"].as_str().unwrap());
    let body = json!({"values": {"system": "billing", "days": 3}, "as": "alice"});
    let same = json!({"as": "alice", "values": {"days": 3, "system": "billing"}});
    with_key(&stage, &path, "form-1", body.clone()).await.expect(200);
    stage.until(&started["id"], "completed").await;
    let again = with_key(&stage, &path, "form-1", same).await.expect(200);
    assert_eq!((&again["id"], &again["status"]), (&started["id"], &json!("completed")));
    let other = json!({"values": {"system": "shop"}, "as": "alice"});
    assert_eq!(with_key(&stage, &path, "form-1", other.clone()).await.problem(422), "key-used-otherwise");
    assert_eq!(with_key(&stage, &path, "form-2", other).await.problem(409), "not-waiting");
    assert_eq!(stage.post(&path, body).await.problem(409), "not-waiting");
}
