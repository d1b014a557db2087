//! Executions: started, shown, listed, steered.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

#[tokio::test]
async fn an_execution_is_started_and_shown() {
    let stage = Stage::set();
    let answered = stage.post("/executions", json!({"process": "sum", "inputs": {"a": 40}})).await;
    let location = answered.headers["location"].to_str().unwrap().to_owned();
    let started = answered.expect(202);
    assert_eq!(location, format!("/api/v1/executions/{}", started["id"].as_str().unwrap()));
    let shown = stage.until(&started["id"], "completed").await;
    assert_eq!(shown["outputs"], json!({"total": 42}));
    assert_eq!(shown["inputs"], json!({"a": 40, "b": 2}));
    for (member, expected) in [
        ("tenant", json!("local")),
        ("repository", json!("shop")),
        ("process", json!("sum")),
        ("version", json!(1)),
        ("error", Value::Null),
        ("cost", Value::Null),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    assert_eq!(shown["id"].as_str().unwrap().as_bytes()[14], b'7', "a UUIDv7");
    assert_eq!(shown["trigger"]["type"], "manual");
    assert_eq!(shown["revision"].as_str().unwrap().len(), 40);
    assert_eq!(shown["digest"].as_str().unwrap().len(), 64);
    for moment in ["created_at", "started_at", "completed_at"] {
        let text = shown[moment].as_str().unwrap();
        assert!(text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(), "{moment}: {text}");
    }
    assert!(shown["duration_ms"].is_u64());
    assert!(shown["url"].as_str().unwrap().ends_with(shown["id"].as_str().unwrap()));
    let step = &shown["steps"][0];
    assert_eq!((&step["id"], &step["type"], &step["status"]), (&json!("add"), &json!("set"), &json!("completed")));
    assert_eq!((&step["attempt"], &step["output"]), (&json!(1), &json!({"total": 42})));
    let output = format!("/executions/{}/steps/add/output", shown["id"].as_str().unwrap());
    assert_eq!(stage.get(&output).await.expect(200), json!({"total": 42}));
    assert_eq!(stage.get(&output.replace("add", "sub")).await.problem(404), "not-found");
}

#[tokio::test]
async fn wrong_inputs_are_told_each_by_its_field() {
    let stage = Stage::set();
    let inputs = json!({"a": -1, "b": "two", "unit": "miles", "colour": "red"});
    let answered = stage.post("/executions", json!({"process": "sum", "inputs": inputs})).await;
    assert_eq!(answered.problem(422), "wrong-inputs");
    let fields: BTreeSet<&str> =
        answered.body["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect();
    assert_eq!(fields, BTreeSet::from(["inputs.a", "inputs.b", "inputs.unit", "inputs.colour"]));
    let answered = stage.post("/executions", json!({"process": "sum"})).await;
    assert_eq!(answered.body["errors"], json!([{"field": "inputs.a", "message": "is required"}]));
    let wrong = json!({"proces": "sum", "inputs": [], "revision": "main"});
    let answered = stage.post("/executions", wrong).await;
    assert_eq!(answered.problem(422), "wrong-fields");
    assert_eq!(answered.body["errors"].as_array().unwrap().len(), 4, "{:#}", answered.body);
    // Which of both is meant nobody knows.
    let doubled = r#"{"process": "sum", "inputs": {"a": 1, "a": 2}}"#;
    let request = stage.request(Method::POST, "/executions").header("content-type", "application/json").body(doubled);
    let answered = answer(request).await;
    assert_eq!(answered.problem(400), "malformed");
    assert!(answered.body["detail"].as_str().unwrap().contains("\"a\" stands twice"), "{:#}", answered.body);
    for query in ["q=%zz", "q=%ff"] {
        assert_eq!(stage.get(&format!("/executions?{query}")).await.problem(422), "wrong-fields");
    }
    assert_eq!(stage.get("/executions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_process_is_named_in_full_or_by_its_name_alone() {
    let stage = Stage::set();
    for name in ["sum", "shop:sum"] {
        stage.start(name, json!({"a": 1})).await;
    }
    for (name, words) in [
        ("smu", "did you mean `sum`?"),
        ("shop:smu", "did you mean `sum`?"),
        ("other:sum", "not served here"),
        ("octocat/shop:sum", "not served here"),
    ] {
        let answered = stage.post("/executions", json!({"process": name})).await;
        assert_eq!(answered.problem(422), "wrong-fields");
        assert!(answered.body["errors"][0]["message"].as_str().unwrap().contains(words), "{:#}", answered.body);
    }
    let answered = stage.post("/executions", json!({"process": "ordered"})).await;
    assert_eq!(answered.problem(409), "not-by-hand");
}

#[tokio::test]
async fn what_reads_a_pull_request_was_started_without_one_and_failed_half_way() {
    let process = |name: &str, triggers: &str, title: &str| {
        format!(
            "name: {name}\nversion: 1\ntriggers: [{triggers}]\nsteps:\n  - {{id: note, type: set, values: {{title: \"{title}\"}}}}\n"
        )
    };
    let reads = "{{ trigger.pull_request.title }}";
    let or_none = "{{ trigger.pull_request.title | default('none') }}";
    let both = "manual, {pull_request: {actions: [opened]}}";
    let label = process("label", both, reads);
    let family = "name: family\nversion: 1\nsteps:\n  - {id: child, type: process, process: label}\n";
    let tolerant = process("tolerant", both, or_none);
    let settings = vec![("FLOWCTL_API_TOKEN", crate::stage::TOKEN.to_owned())];
    let stage = Stage::with(&[("label", &label), ("family", family), ("tolerant", &tolerant)], settings);
    for name in ["label", "family"] {
        let refused = stage.post("/executions", json!({"process": name})).await;
        assert_eq!(refused.problem(409), "not-by-hand");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with("`label` reads `trigger.pull_request`"), "{detail}");
        assert!(detail.contains("`flowctl test`") && detail.contains("default('none')"), "{detail}");
    }
    let said = crate::client::flowctl(&stage.url(""), crate::stage::TOKEN, &["processes", "start", "label"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    assert!(said.err.contains("`label` reads `trigger.pull_request`"), "{}", said.err);
    assert_eq!(stage.get("/executions").await.expect(200)["items"], json!([]), "nothing was started");
    let started = stage.start("tolerant", json!({})).await;
    assert_eq!(stage.until(&started["id"], "completed").await["steps"][0]["output"]["title"], "none");
    // By the definition of the commit that is named, and not by the newest one.
    stage.repository.write(".flow/processes/tolerant.yaml", &process("tolerant", both, reads));
    stage.repository.commit("reads one");
    let start = json!({"process": "tolerant", "revision": started["revision"]});
    stage.post("/executions", start).await.expect(202);
    stage.until_that("/processes/tolerant", |process| process["revision"] != started["revision"]).await;
    assert_eq!(stage.post("/executions", json!({"process": "tolerant"})).await.problem(409), "not-by-hand");
    let rerun = format!("/executions/{}/rerun", started["id"].as_str().unwrap());
    assert_eq!(stage.post(&rerun, json!({})).await.problem(409), "not-by-hand");
}

#[tokio::test]
async fn a_key_starts_once_and_belongs_to_its_request() {
    let stage = Stage::set();
    let start = |key: &'static str, inputs: Value| {
        let request = stage.request(Method::POST, "/executions").header("Idempotency-Key", key);
        answer(request.json(&json!({"process": "sum", "inputs": inputs})))
    };
    let first = start("order-7", json!({"a": 1, "b": 3})).await.expect(202);
    let again = start("order-7", json!({"b": 3, "a": 1})).await.expect(200);
    assert_eq!(first["id"], again["id"]);
    let other = start("order-7", json!({"a": 2})).await;
    assert_eq!(other.problem(422), "key-used-otherwise");
    assert_eq!(other.body["execution"], first["id"]);
    let next = start("order-8", json!({"a": 1, "b": 3})).await.expect(202);
    assert_ne!(first["id"], next["id"]);
    // A key made from process and inputs.
    let auto = start("auto", json!({"a": 1, "b": 3})).await.expect(202);
    let same = start("auto", json!({"b": 3, "a": 1})).await;
    assert!(same.headers["idempotency-key"].to_str().unwrap().starts_with("auto-"));
    assert_eq!(auto["id"], same.expect(200)["id"]);
    assert_ne!(auto["id"], start("auto", json!({"a": 2})).await.expect(202)["id"]);
    // Without one each start is a new execution.
    assert_ne!(stage.start("sum", json!({"a": 1})).await["id"], stage.start("sum", json!({"a": 1})).await["id"]);
    // Starts at the same time are one start.
    let starts = (0..8).map(|_| start("order-9", json!({"a": 5})));
    let answers = futures(starts).await;
    let ids: BTreeSet<String> = answers.iter().map(|answer| answer.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1);
}

async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut done = Vec::new();
    let mut set: Vec<std::pin::Pin<Box<dyn Future<Output = T>>>> = Vec::new();
    for future in all {
        set.push(Box::pin(future));
    }
    std::future::poll_fn(|context| {
        set.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if set.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn lists_are_filtered_and_come_page_by_page() {
    let stage = Stage::set();
    let mut started = Vec::new();
    for a in 0..5 {
        started.push(stage.start("sum", json!({"a": a})).await["id"].clone());
    }
    let waiting = stage.start("release", json!({})).await["id"].clone();
    stage.until(&waiting, "waiting").await;
    for id in &started {
        stage.until(id, "completed").await;
    }
    started.push(waiting.clone());
    // Page by page, newest first, each once.
    let (mut seen, mut next) = (Vec::new(), Value::Null);
    loop {
        let cursor = next.as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
        let page = stage.get(&format!("/executions?limit=2{cursor}")).await.expect(200);
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(page["items"].as_array().unwrap().iter().map(|execution| execution["id"].clone()));
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen, started);
    let ids = |query: &'static str| {
        let stage = &stage;
        async move {
            let body = stage.get(&format!("/executions?{query}")).await.expect(200);
            body["items"].as_array().unwrap().iter().map(|execution| execution["id"].clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids("status=waiting").await, std::slice::from_ref(&waiting));
    assert_eq!(ids("status=completed").await.len(), 5);
    assert_eq!(ids("status=failed").await.len(), 0);
    assert_eq!(ids("process=release").await, std::slice::from_ref(&waiting));
    assert_eq!(ids("process=shop:sum&status=completed").await.len(), 5);
    assert_eq!(ids("process=other:sum").await.len(), 0);
    assert_eq!(ids("q=RELEA").await, [waiting]);
    assert_eq!(ids("since=2000-01-01T00:00:00Z").await.len(), 6);
    assert_eq!(ids("until=2000-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(ids("since=2999-01-01T00:00:00Z").await.len(), 0);
    // A cursor serves the list that gave it.
    let page = stage.get("/executions?limit=1").await.expect(200);
    let cursor = page["next"].as_str().unwrap();
    for query in [format!("status=waiting&cursor={cursor}"), format!("cursor={}A", &cursor[1..]), "cursor=1".to_owned()]
    {
        let answered = stage.get(&format!("/executions?{query}")).await;
        assert_eq!(answered.problem(422), "wrong-fields");
        assert_eq!(answered.body["errors"][0]["field"], "cursor");
    }
    // Every slip is told, all at once.
    let answered = stage.get("/executions?statsu=failed&status=finished&limit=0&since=yesterday&since=now").await;
    assert_eq!(answered.problem(422), "wrong-fields");
    let words = answered.body["detail"].as_str().unwrap();
    for expected in ["did you mean `status`?", "pending, running", "from 1 to 200", "RFC 3339", "more than once"] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[tokio::test]
async fn an_execution_is_cancelled_retried_and_run_again() {
    let stage = Stage::set();
    let waiting = stage.start("release", json!({"what": "api"})).await;
    let path = |id: &Value, verb: &str| format!("/executions/{}/{verb}", id.as_str().unwrap());
    let cancelled = stage.post(&path(&waiting["id"], "cancel"), json!({"reason": "not today", "as": "ann"})).await;
    assert_eq!(cancelled.expect(200)["status"], "cancelled");
    let again = stage.post(&path(&waiting["id"], "cancel"), json!({})).await;
    assert_eq!(again.problem(409), "ended");
    // Without a body too.
    let retried = answer(stage.request(Method::POST, &path(&waiting["id"], "retry"))).await.expect(200);
    assert_eq!((&retried["id"], &retried["status"]), (&waiting["id"], &json!("waiting")));

    let failed = stage.start("broken", json!({})).await;
    let failed = stage.until(&failed["id"], "failed").await;
    assert_eq!(failed["error"]["step"], "second");
    let retried = stage.post(&path(&failed["id"], "retry"), json!({"step": "second"})).await.expect(200);
    assert_eq!(retried["id"], failed["id"]);
    let failed = stage.until(&failed["id"], "failed").await;
    assert_eq!(failed["steps"][1]["attempt"], 2);
    let completed = stage.start("sum", json!({"a": 1})).await;
    stage.until(&completed["id"], "completed").await;
    assert_eq!(stage.post(&path(&completed["id"], "retry"), json!({})).await.problem(409), "nothing-to-retry");

    let rerun = answer(stage.request(Method::POST, &path(&completed["id"], "rerun"))).await.expect(202);
    assert_ne!(rerun["id"], completed["id"]);
    let rerun = stage.until(&rerun["id"], "completed").await;
    assert_eq!(rerun["inputs"], json!({"a": 1, "b": 2}));
    let nowhere = json!("01900000-0000-7000-8000-000000000001");
    for verb in ["cancel", "retry", "rerun"] {
        assert_eq!(stage.post(&path(&nowhere, verb), json!({})).await.problem(404), "not-found");
    }
}

#[tokio::test]
async fn an_earlier_commit_of_the_default_branch_can_be_named_and_nothing_else() {
    let stage = Stage::set();
    let before = stage.start("sum", json!({"a": 1})).await["revision"].clone();
    let newer =
        crate::stage::SUM.replace("version: 1", "version: 2").replace("inputs.a + inputs.b", "inputs.a * inputs.b");
    stage.repository.write(".flow/processes/sum.yaml", &newer);
    let after = stage.repository.commit("multiply");
    // Commits are seen within two seconds.
    let seen = stage.until_that("/processes/sum", |process| process["revision"] == json!(after)).await;
    assert_eq!(seen["version"], 2);
    let run = |body: Value| {
        let stage = &stage;
        async move {
            let started = stage.post("/executions", body).await.expect(202);
            stage.until(&started["id"], "completed").await["outputs"]["total"].clone()
        }
    };
    assert_eq!(run(json!({"process": "sum", "inputs": {"a": 5}})).await, 10);
    assert_eq!(run(json!({"process": "sum", "inputs": {"a": 5}, "revision": before})).await, 7);
    let foreign = json!({"process": "sum", "inputs": {"a": 5}, "revision": "0".repeat(40)});
    let answered = stage.post("/executions", foreign).await;
    assert_eq!(answered.problem(422), "wrong-fields");
    assert_eq!(answered.body["errors"][0]["field"], "revision");
}

#[tokio::test]
async fn forms_are_answered_in_a_persons_name() {
    let stage = Stage::set();
    let asked = stage.start("access", json!({})).await;
    let asked = stage.until(&asked["id"], "waiting").await;
    let waiting = &asked["steps"][0]["waiting_for"];
    assert_eq!((&waiting["kind"], &waiting["schema"]["required"]), (&json!("form"), &json!(["system"])));
    let path = format!("/executions/{}/steps/request/answers", asked["id"].as_str().unwrap());
    assert_eq!(stage.post(&path, json!({"values": {"system": "shop"}})).await.problem(403), "person-needed");
    let wrong = json!({"values": {"system": "hr", "days": 99, "why": "so"}, "as": "ann"});
    let answered = stage.post(&path, wrong).await;
    assert_eq!(answered.problem(422), "wrong-fields");
    assert_eq!(answered.body["errors"].as_array().unwrap().len(), 3, "{:#}", answered.body);
    stage.post(&path, json!({"values": {"system": "shop"}, "as": "ann"})).await.expect(200);
    let done = stage.until(&asked["id"], "completed").await;
    assert_eq!(done["steps"][0]["output"], json!({"system": "shop", "days": 7}));
    assert_eq!(stage.post(&path, json!({"values": {"system": "shop"}, "as": "ann"})).await.problem(409), "not-waiting");
}

const BULKY: &str = "name: bulky
version: 1
inputs:
  text: {type: string}
steps:
  - id: keep
    type: set
    values: {text: \"{{ inputs.text }}\"}
outputs: {text: \"{{ steps.keep.output.text }}\"}
";

#[tokio::test]
async fn a_page_of_large_executions_had_no_bound() {
    let stage = Stage::with(&[("bulky", BULKY)], vec![("FLOWCTL_API_TOKEN", crate::stage::TOKEN.to_owned())]);
    let started = stage.start("bulky", json!({"text": "x".repeat(900_000)})).await;
    let id = started["id"].as_str().unwrap();
    let whole = stage.until(&started["id"], "completed").await;
    assert_eq!(whole["inputs"]["text"].as_str().unwrap().len(), 900_000);
    let reference = |value: &Value, at: &str| {
        let large = &value["$large_output"];
        assert_eq!(
            (large["at"].as_str(), large["sha256"].as_str().map(str::len)),
            (Some(at), Some(64)),
            "{value:.300}"
        );
        assert!(large["bytes"].as_u64().is_some_and(|bytes| bytes > 900_000));
    };
    let output = format!("executions/{id}/steps/keep/output");
    reference(&whole["steps"][0]["output"], &output);
    assert_eq!(stage.get(&format!("/{output}")).await.expect(200)["text"].as_str().unwrap().len(), 900_000);
    let listed = stage.get("/executions").await.expect(200);
    assert!(listed.to_string().len() < 20_000, "{}", listed.to_string().len());
    let item = &listed["items"][0];
    let at = format!("executions/{id}");
    for value in [&item["inputs"], &item["outputs"], &item["steps"][0]["input"]] {
        reference(value, &at);
    }
    reference(&item["steps"][0]["output"], &output);
    // What is small is shown as it is.
    let small = stage.start("bulky", json!({"text": "small"})).await;
    stage.until(&small["id"], "completed").await;
    let listed = stage.get("/executions?limit=1").await.expect(200);
    assert_eq!(
        (&listed["items"][0]["inputs"], &listed["items"][0]["outputs"]),
        (&json!({"text": "small"}), &json!({"text": "small"}))
    );
    // An event has the same form as the step.
    let events = stage.get(&format!("/executions/{id}/events")).await.expect(200);
    let completed = events["items"].as_array().unwrap().iter().find(|event| event["type"] == "step.completed").unwrap();
    reference(&completed["data"]["output"], &output);
}

#[tokio::test]
async fn a_page_of_many_goes_on_where_it_ended() {
    let stage = Stage::set();
    let mut started = Vec::new();
    for number in 0..60 {
        started.push(stage.start("sum", json!({"a": number})).await["id"].clone());
    }
    started.reverse();
    for limit in [7, 25, 50, 60, 200] {
        let (mut seen, mut next, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = stage.get(&format!("/executions?limit={limit}{next}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|item| item["id"].clone()));
            pages += 1;
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&cursor={cursor}");
        }
        assert_eq!(seen, started, "{limit}");
        assert_eq!(pages, 60_usize.div_ceil(limit), "{limit}");
    }
}

#[tokio::test]
async fn the_reason_of_a_cancellation_was_shown_nowhere() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    stage.until(&started["id"], "waiting").await;
    let path = format!("/executions/{}", started["id"].as_str().unwrap());
    let body = json!({"reason": "the depot burned down", "as": "alice"});
    let expected = json!({"class": "cancelled", "message": "the depot burned down"});
    assert_eq!(stage.post(&format!("{path}/cancel"), body).await.expect(200)["error"], expected);
    assert_eq!(stage.get(&path).await.expect(200)["error"], expected);
    let retried = stage.post(&format!("{path}/retry"), json!({})).await.expect(200);
    assert_eq!((&retried["status"], &retried["error"]), (&json!("waiting"), &Value::Null));
    let again = stage.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!(again["error"]["message"], "cancelled by the administrator");
}
