//! Events: of an execution, page by page and as they happen; and those given to the API.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

/// The messages of a stream, to its end or until there are so many.
async fn messages(response: reqwest::Response, most: usize) -> Vec<(String, Value)> {
    let mut response = response;
    let (mut text, mut found) = (String::new(), Vec::new());
    while found.len() < most {
        let Some(chunk) = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await.unwrap().unwrap()
        else {
            break;
        };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                found.push((id.to_owned(), serde_json::from_str(data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    found
}

#[tokio::test]
async fn events_come_page_by_page_and_say_what_happened() {
    let stage = Stage::set();
    let started = stage.start("sum", json!({"a": 1})).await;
    stage.until(&started["id"], "completed").await;
    let path = format!("/executions/{}/events", started["id"].as_str().unwrap());
    let all = stage.get(&path).await.expect(200);
    let kinds: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["execution.created", "execution.started", "step.started", "step.completed", "execution.completed"]
    );
    for (index, event) in all["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&event["seq"], &event["execution"]), (&json!(index + 1), &started["id"]));
        assert!(event["at"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(all["items"][2]["step"], "add");
    assert_eq!(all["items"][2]["attempt"], 1);
    assert_eq!(all["items"][0]["data"]["inputs"], json!({"a": 1, "b": 2}));
    assert_eq!(all["next"], Value::Null);
    let rest = stage.get(&format!("{path}?after=3")).await.expect(200);
    assert_eq!(rest["items"].as_array().unwrap().as_slice(), &all["items"].as_array().unwrap()[3..]);
    let page = stage.get(&format!("{path}?limit=2")).await.expect(200);
    let cursor = page["next"].as_str().unwrap();
    let next = stage.get(&format!("{path}?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(next["items"][0]["seq"], 3);
    assert_eq!(stage.get(&format!("{path}?after=x")).await.problem(422), "wrong-fields");
    assert_eq!(stage.get(&format!("{path}?after=1&cursor={cursor}")).await.problem(422), "wrong-fields");
}

#[tokio::test]
async fn a_stream_tells_what_happens_to_the_end_and_goes_on_where_it_broke() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let path = format!("/executions/{}/events", started["id"].as_str().unwrap());
    let stored = stage.get(&path).await.expect(200)["items"].as_array().unwrap().clone();
    let follow = |seen: Option<String>| {
        let mut request = stage.request(Method::GET, &format!("{path}/stream"));
        if let Some(seen) = seen {
            request = request.header("Last-Event-ID", seen);
        }
        request.send()
    };
    let response = follow(None).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let first = messages(response, stored.len()).await;
    assert_eq!(first.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), stored);
    assert!(first.iter().all(|(id, event)| event["seq"].as_u64() == id.parse().ok()));
    // On from the last one that was seen, to the end.
    let response = follow(Some(stored.len().to_string())).await.unwrap();
    let approval = execution["steps"][0]["waiting_for"]["approval"].as_str().unwrap();
    let decide = async {
        for person in ["alice", "bob"] {
            let body = json!({"decision": "approve", "as": person});
            stage.post(&format!("/approvals/{approval}/decisions"), body).await.expect(200);
        }
    };
    let (rest, ()) = tokio::join!(messages(response, usize::MAX), decide);
    let all = stage.get(&format!("{path}?limit=200")).await.expect(200)["items"].as_array().unwrap().clone();
    assert_eq!(rest.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), all[stored.len()..]);
    assert_eq!(rest.last().unwrap().1["type"], "execution.completed");
    // Nothing more comes.
    assert_eq!(follow(Some(all.len().to_string())).await.unwrap().status().as_u16(), 204);
    assert_eq!(messages(follow(Some("2".to_owned())).await.unwrap(), usize::MAX).await.len(), all.len() - 2);
    let wrong = answer(stage.request(Method::GET, &format!("{path}/stream")).header("Last-Event-ID", "x")).await;
    assert_eq!(wrong.problem(422), "wrong-fields");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_lets_go_of_its_streams() {
    let mut stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    stage.until(&started["id"], "waiting").await;
    let path = format!("/executions/{}/events/stream", started["id"].as_str().unwrap());
    let response = stage.request(Method::GET, &path).send().await.unwrap();
    let (messages, code) =
        tokio::join!(messages(response, usize::MAX), async { tokio::task::block_in_place(|| stage.server.stop()) });
    assert!(!messages.is_empty());
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn an_event_is_taken_once_and_told_to_who_waits_and_to_who_starts() {
    let stage = Stage::set();
    let waiting = stage.start("paid", json!({})).await;
    stage.until(&waiting["id"], "waiting").await;
    let event = json!({"name": "payment", "payload": {"order": 7}, "id": "pay-1"});
    let first = stage.post("/events", event.clone()).await.expect(202);
    assert_eq!((&first["id"], &first["repeated"]), (&json!("pay-1"), &json!(false)));
    let other = json!({"name": "refund", "payload": {"order": 8}, "id": "pay-1"});
    for again in [event, other] {
        let mut told = stage.post("/events", again).await.expect(200);
        assert_eq!(told["repeated"].take(), true);
        let mut expected = first.clone();
        expected["repeated"].take();
        assert_eq!(told, expected, "the first one is told");
    }
    let done = stage.until(&waiting["id"], "completed").await;
    assert_eq!(done["steps"][0]["output"]["payload"], json!({"order": 7}));
    stage.post("/events", json!({"name": "order", "payload": {"order": 9}})).await.expect(202);
    let started =
        stage.until_that("/executions?process=ordered&status=completed", |list| list["items"] != json!([])).await;
    assert_eq!(started["items"][0]["steps"][0]["output"], json!({"order": 9}));
    assert_eq!(started["items"][0]["trigger"]["type"], "event");
    for wrong in
        [json!({}), json!({"name": ""}), json!({"name": "a\u{0}b"}), json!({"name": "a", "id": "x".repeat(201)})]
    {
        assert_eq!(stage.post("/events", wrong).await.problem(422), "wrong-fields");
    }
}

#[tokio::test]
async fn an_event_for_a_tenant_that_does_not_exist_was_taken() {
    let stage = Stage::set();
    let answered = stage.post("/events", json!({"name": "order", "tenant": "nobody"})).await;
    assert_eq!(answered.problem(422), "wrong-fields");
    assert_eq!(answered.body["errors"][0]["field"], "tenant");
    stage.post("/events", json!({"name": "order", "payload": {"order": 1}, "tenant": "local"})).await.expect(202);
}
