//! Approvals: listed, decided in a person's name, and by resume tokens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

async fn ask(stage: &Stage) -> (Value, Value) {
    let started = stage.start("release", json!({"what": "api"})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let approval = execution["steps"][0]["waiting_for"]["approval"].clone();
    (execution, approval)
}

#[tokio::test]
async fn an_execution_is_held_and_goes_on() {
    let stage = Stage::set();
    let (execution, id) = ask(&stage).await;
    let path = |verb: &str| format!("/executions/{}/{verb}", execution["id"].as_str().unwrap());
    let held = stage.post(&path("hold"), json!({"note": "an incident", "as": "ann"})).await.expect(200);
    assert_eq!(held["status"], "waiting");
    assert_eq!(stage.post(&path("hold"), json!({})).await.problem(409), "refused");
    let decisions = format!("/approvals/{}/decisions", id.as_str().unwrap());
    for person in ["alice", "bob"] {
        stage.post(&decisions, json!({"decision": "approve", "as": person})).await.expect(200);
    }
    let shown = stage.get(&format!("/executions/{}", execution["id"].as_str().unwrap())).await.expect(200);
    assert_ne!(shown["status"], "completed", "nothing new starts");
    stage.post(&path("unhold"), json!({})).await.expect(200);
    stage.until(&execution["id"], "completed").await;
    let events = stage.get(&format!("/executions/{}/events", execution["id"].as_str().unwrap())).await.expect(200);
    let held: Vec<&Value> =
        events["items"].as_array().unwrap().iter().filter(|event| event["type"] == "execution.held").collect();
    assert_eq!((held.len(), &held[0]["actor"]["login"]), (1, &json!("ann")));
}

#[tokio::test]
async fn a_word_is_given_away_for_a_time() {
    let stage = Stage::set();
    let (_, id) = ask(&stage).await;
    let path = |what: &str| format!("/approvals/{}/{what}", id.as_str().unwrap());
    let delegations = path("delegations");
    let give = |body: Value| stage.post(&delegations, body);
    assert_eq!(give(json!({"to": "carol"})).await.problem(403), "person-needed");
    assert_eq!(give(json!({"to": "carol", "as": "mallory"})).await.problem(403), "ineligible");
    give(json!({"to": "carol", "as": "alice", "until": "someday"})).await.problem(422);
    give(json!({"to": "carol", "as": "alice", "until": "91d"})).await.problem(409);
    let given = give(json!({"to": "carol", "as": "alice", "until": "3d", "note": "on leave"})).await.expect(200);
    assert_eq!((&given["from"]["login"], &given["to"]["login"]), (&json!("alice"), &json!("carol")));
    let said = stage.post(&path("decisions"), json!({"decision": "approve", "as": "carol"})).await.expect(200);
    assert_eq!(said["missing"][0]["have"], 1, "carol speaks in alice's place: {said:#}");
}

#[tokio::test]
async fn people_decide_and_the_execution_goes_on() {
    let stage = Stage::set();
    let (execution, id) = ask(&stage).await;
    let listed = stage.get("/approvals?status=pending").await.expect(200);
    let approval = &listed["items"][0];
    assert_eq!(approval["id"], id);
    assert_eq!(approval["execution"], execution["id"]);
    assert_eq!(approval["step"], "leads");
    assert_eq!(approval["status"], "pending");
    assert_eq!(approval["title"], "Release api?");
    assert_eq!(approval["approvers"], json!({"users": ["alice", "bob"], "count": 2}));
    assert_eq!(approval["missing"][0]["needed"], 2);
    assert_eq!(approval["missing"][0]["have"], 0);
    assert_eq!(approval["decisions"], json!([]));
    assert_eq!(approval["url"], execution["url"]);
    assert!(approval["requested_at"].is_string() && approval["due_at"].is_string());
    assert_eq!(approval["id"].as_str().unwrap().as_bytes()[14], b'7', "a UUIDv7");

    let path = format!("/approvals/{}/decisions", id.as_str().unwrap());
    assert_eq!(stage.post(&path, json!({"decision": "approve"})).await.problem(403), "person-needed");
    let stranger = stage.post(&path, json!({"decision": "approve", "as": "mallory"})).await;
    assert_eq!(stranger.problem(403), "ineligible");
    assert!(stranger.body["detail"].as_str().unwrap().contains("alice"), "{:#}", stranger.body);
    let one = stage.post(&path, json!({"decision": "approve", "note": "fine", "as": "alice"})).await.expect(200);
    assert_eq!((&one["status"], &one["missing"][0]["have"]), (&json!("pending"), &json!(1)));
    let word = &one["decisions"][0];
    assert_eq!(word["person"], json!({"login": "alice", "id": 0}));
    assert_eq!(
        (&word["decision"], &word["note"], &word["source"]["kind"]),
        (&json!("approve"), &json!("fine"), &json!("api"))
    );
    // The same person again is one person; who takes it back is none.
    stage.post(&path, json!({"decision": "approve", "as": "Alice"})).await.expect(200);
    let back = stage.post(&path, json!({"decision": "withdraw", "as": "alice"})).await.expect(200);
    assert_eq!(back["missing"][0]["have"], 0);
    assert_eq!(stage.post(&path, json!({"decision": "withdraw", "as": "bob"})).await.problem(409), "not-waiting");
    for person in ["alice", "bob"] {
        stage.post(&path, json!({"decision": "approve", "as": person})).await.expect(200);
    }
    let done = stage.until(&execution["id"], "completed").await;
    assert_eq!(done["outputs"], json!({"shipped": "api"}));
    let ended = stage.get(&format!("/approvals/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!((&ended["status"], ended["decisions"].as_array().unwrap().len()), (&json!("approved"), 5));
    assert!(ended["ended_at"].is_string());
    assert_eq!(stage.get("/approvals?status=pending").await.expect(200)["items"], json!([]));
    assert_eq!(stage.get("/approvals?status=approved").await.expect(200)["items"][0]["id"], id);
    assert_eq!(stage.post(&path, json!({"decision": "approve", "as": "alice"})).await.problem(409), "ended");
}

#[tokio::test]
async fn a_rejection_ends_it_and_a_key_counts_a_word_once() {
    let stage = Stage::set();
    let (execution, id) = ask(&stage).await;
    let path = format!("/approvals/{}/decisions", id.as_str().unwrap());
    let say = |decision: &'static str| {
        let request = stage.request(Method::POST, &path).header("Idempotency-Key", "click-1");
        answer(request.json(&json!({"decision": decision, "as": "alice"})))
    };
    say("approve").await.expect(200);
    let again = say("approve").await.expect(200);
    assert_eq!(again["decisions"].as_array().unwrap().len(), 1);
    let rejected = stage.post(&path, json!({"decision": "reject", "note": "too early", "as": "bob"})).await.expect(200);
    assert_eq!(rejected["status"], "rejected");
    let failed = stage.until(&execution["id"], "failed").await;
    assert!(failed["error"]["message"].as_str().unwrap().contains("too early"));
    assert_eq!(stage.get("/approvals?status=rejected").await.expect(200)["items"][0]["id"], id);
    // Another attempt is another question.
    let retry = format!("/executions/{}/retry", execution["id"].as_str().unwrap());
    let retried = stage.post(&retry, json!({})).await.expect(200);
    let new = &retried["steps"][0]["waiting_for"]["approval"];
    assert_ne!(*new, id);
    let of_execution = format!("/approvals?execution={}", execution["id"].as_str().unwrap());
    assert_eq!(stage.get(&of_execution).await.expect(200)["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_resume_token_answers_once_and_nothing_else() {
    let mut stage = Stage::set();
    let asked = stage.start("access", json!({})).await;
    let asked = stage.until(&asked["id"], "waiting").await;
    let token = asked["steps"][0]["waiting_for"]["resume_token"].as_str().unwrap().to_owned();
    // The key outlives the server.
    stage.restart();
    let resume = |stage: &Stage, id: &Value, body: Value| {
        let path = format!("/api/v1/executions/{}/resume", id.as_str().unwrap());
        // The token is the authority: no other one comes with it.
        answer(stage.anonymous(Method::POST, &path).json(&body))
    };
    let (_, release) = ask(&stage).await;
    let other = stage.get(&format!("/approvals/{}", release.as_str().unwrap())).await.expect(200)["execution"].clone();
    for (name, id, body, status, problem) in [
        ("forged", &asked["id"], json!({"token": format!("{token}x"), "answer": {}}), 403, "resume-token-refused"),
        ("elsewhere", &other, json!({"token": token, "answer": {}}), 403, "resume-token-refused"),
        ("a decision", &asked["id"], json!({"token": token, "decision": "approve"}), 422, "wrong-fields"),
        ("nothing", &asked["id"], json!({"token": token}), 422, "wrong-fields"),
        ("wrong", &asked["id"], json!({"token": token, "answer": {"system": "hr"}}), 422, "wrong-fields"),
    ] {
        assert_eq!(resume(&stage, id, body).await.problem(status), problem, "{name}");
    }
    let right = json!({"token": token, "answer": {"system": "billing"}});
    let resumed = resume(&stage, &asked["id"], right.clone()).await.expect(200);
    assert_eq!(resumed["id"], asked["id"]);
    stage.until(&asked["id"], "completed").await;
    assert_eq!(resume(&stage, &asked["id"], right).await.problem(409), "resume-token-used");
}

#[tokio::test]
async fn each_token_of_an_approval_is_one_persons_word() {
    let stage = Stage::set();
    let (execution, _) = ask(&stage).await;
    let path = format!("/executions/{}", execution["id"].as_str().unwrap());
    let mut used = Vec::new();
    for _ in 0..2 {
        let now = stage.get(&path).await.expect(200);
        let token = now["steps"][0]["waiting_for"]["resume_token"].as_str().unwrap().to_owned();
        assert!(!used.contains(&token));
        let body = json!({"token": token, "decision": "approve"});
        stage.post(&format!("{path}/resume"), body.clone()).await.expect(200);
        assert_eq!(stage.post(&format!("{path}/resume"), body).await.problem(409), "resume-token-used");
        used.push(token);
    }
    let done = stage.until(&execution["id"], "completed").await;
    assert_eq!(done["steps"][0]["decisions"][0]["source"]["kind"], "web");
    // Somebody named is weighed as anywhere else.
    let (execution, _) = ask(&stage).await;
    let token = execution["steps"][0]["waiting_for"]["resume_token"].clone();
    let path = format!("/executions/{}/resume", execution["id"].as_str().unwrap());
    let answered = stage.post(&path, json!({"token": token, "decision": "approve", "as": "mallory"})).await;
    assert_eq!(answered.problem(403), "ineligible");
    stage.post(&path, json!({"token": token, "decision": "approve", "as": "bob"})).await.expect(200);
}

#[tokio::test]
async fn a_resume_token_served_several_that_came_at_once() {
    let stage = Stage::set();
    for _ in 0..5 {
        let (execution, _) = ask(&stage).await;
        let path = format!("/executions/{}/resume", execution["id"].as_str().unwrap());
        let token = execution["steps"][0]["waiting_for"]["resume_token"].clone();
        let mut calls = tokio::task::JoinSet::new();
        for decision in ["approve", "reject"].repeat(4) {
            let body = json!({"token": token, "decision": decision, "note": "at once"});
            let request = stage.request(Method::POST, &path).json(&body);
            calls.spawn(async move { (decision, answer(request).await) });
        }
        let mut taken = Vec::new();
        while let Some(call) = calls.join_next().await {
            let (decision, answered) = call.unwrap();
            match answered.status {
                200 => taken.push(json!(decision)),
                _ => assert_eq!(answered.problem(409), "resume-token-used"),
            }
        }
        let listed = format!("/approvals?execution={}", execution["id"].as_str().unwrap());
        let words = stage.get(&listed).await.expect(200)["items"][0]["decisions"].clone();
        assert_eq!(taken, vec![words[0]["decision"].clone()], "{words:#}");
        assert_eq!(words.as_array().unwrap().len(), 1);
    }
}
