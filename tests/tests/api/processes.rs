//! Processes: listed, shown, paused; and definitions that are only validated.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ORDERED, SUM, Stage, TOKEN, answer};

#[tokio::test]
async fn processes_are_listed_and_shown() {
    let stage = Stage::set();
    let listed = stage.get("/processes?limit=4").await.expect(200);
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["shop:access", "shop:broken", "shop:ordered", "shop:paid"]);
    let cursor = listed["next"].as_str().unwrap();
    let rest = stage.get(&format!("/processes?limit=4&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    for id in ["release", "shop:release", "shop%3Arelease"] {
        let shown = stage.get(&format!("/processes/{id}")).await.expect(200);
        assert_eq!(shown["id"], "shop:release");
        assert_eq!(shown["description"], "Have it approved.");
        assert_eq!(shown["triggers"], json!(["manual"]));
        assert_eq!(shown["inputs"]["properties"]["what"]["type"], "string");
        assert_eq!(shown["steps"][1]["depends_on"], json!(["leads"]));
        assert_eq!((&shown["paused_since"], &shown["fault"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(stage.get("/processes?q=approved").await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(stage.get("/processes?repository=other").await.expect(200)["items"], json!([]));
    // What cannot run is listed with the reason, and not started.
    stage.repository.write(".flow/processes/sum.yaml", &SUM.replace("inputs.a +", "inputs.c +"));
    stage.repository.commit("a fault");
    let faulty = stage.until_that("/processes/sum", |process| !process["fault"].is_null()).await;
    assert!(faulty["fault"].as_str().unwrap().contains("sum.yaml:"), "{faulty:#}");
    let refused = stage.post("/executions", json!({"process": "sum", "inputs": {"a": 1}})).await;
    assert_eq!(refused.problem(409), "definition-unsound");
}

#[tokio::test]
async fn a_name_that_several_repositories_have_must_be_said_in_full() {
    let data = tempfile::tempdir().unwrap();
    let other = crate::stage::Repository::at(&data.path().join("depot"));
    other.write(".flow/processes/sum.yaml", SUM);
    other.commit("another sum");
    let shop = crate::stage::Repository::at(&data.path().join("shop"));
    shop.write(".flow/processes/sum.yaml", SUM);
    shop.commit("a sum");
    let repositories = format!("shop={},depot={}", shop.path.display(), other.path.display());
    let settings = vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned()), ("FLOWCTL_REPOSITORIES", repositories)];
    let server = flowctl_tests::Server::start(&settings, &data.path().join("app"), flowctl_tests::free_address());
    let start = |process: &str| {
        let url = format!("http://{}/api/v1/executions", server.address);
        let body = json!({"process": process, "inputs": {"a": 1}});
        answer(reqwest::Client::new().post(url).bearer_auth(TOKEN).json(&body))
    };
    let answered = start("sum").await;
    assert_eq!(answered.problem(422), "wrong-fields");
    assert!(answered.body["detail"].as_str().unwrap().contains("depot:sum, shop:sum"), "{:#}", answered.body);
    assert_eq!(start("depot:sum").await.expect(202)["repository"], "depot");
}

#[tokio::test]
async fn a_paused_process_starts_nothing_until_it_goes_on() {
    let mut stage = Stage::with(&[("sum", SUM), ("ordered", ORDERED)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())]);
    for process in ["sum", "shop:ordered"] {
        let paused = stage.post(&format!("/processes/{process}/pause"), Value::Null).await.expect(200);
        assert!(paused["paused_since"].is_string());
    }
    // A pause outlives the server.
    stage.restart();
    let refused = stage.post("/executions", json!({"process": "sum", "inputs": {"a": 1}})).await;
    assert_eq!(refused.problem(409), "paused");
    stage.post("/events", json!({"name": "order", "payload": {"order": 1}})).await.expect(202);
    for process in ["sum", "shop:ordered"] {
        let resumed = stage.post(&format!("/processes/{process}/resume"), Value::Null).await.expect(200);
        assert_eq!(resumed["paused_since"], Value::Null);
    }
    let again = stage.post("/processes/sum/resume", Value::Null).await.expect(200);
    assert_eq!(again["paused_since"], Value::Null);
    stage.start("sum", json!({"a": 1})).await;
}

#[tokio::test]
async fn definitions_are_validated_without_being_stored() {
    let stage = Stage::set();
    let send = |kind: &'static str, body: String| {
        answer(stage.request(Method::POST, "/validate").header("Content-Type", kind).body(body))
    };
    let sound = send("application/yaml", SUM.to_owned()).await.expect(200);
    assert_eq!((&sound["version"], &sound["files"], &sound["summary"]["errors"]), (&json!(1), &json!(1), &json!(0)));
    let wrong = send("application/yaml; charset=utf-8", SUM.replace("inputs.a +", "inputs.aa +")).await.expect(200);
    assert_eq!(wrong["summary"]["errors"], 1, "{wrong:#}");
    let finding = wrong["findings"].as_array().unwrap().iter().find(|it| it["severity"] == "error").unwrap();
    assert_eq!(finding["path"], ".flow/processes/sum.yaml");
    assert!(finding["code"].as_str().unwrap().starts_with("FLOW"));
    assert_eq!(finding["range"]["start"]["line"], 10);
    let files = json!({"files": {".flow/processes/sum.yaml": SUM, ".flow/processes/ordered.yaml": ORDERED}});
    assert_eq!(send("application/json", files.to_string()).await.expect(200)["files"], 2);
    assert_eq!(send("application/json", "{\"files\": []}".to_owned()).await.problem(422), "wrong-fields");
    assert_eq!(send("image/png", String::new()).await.problem(415), "unsupported-media-type");
    assert_eq!(send("application/yaml", "x: ".repeat(400_000)).await.problem(413), "too-large");
    let hostile = send("application/yaml", "[".repeat(100_000)).await;
    assert_eq!(hostile.status, 200);
}

#[tokio::test]
async fn defaults_of_inputs_were_left_out() {
    let stage = Stage::set();
    let shown = stage.get("/processes/shop:sum").await.expect(200);
    let inputs = &shown["inputs"]["properties"];
    assert_eq!((&inputs["b"]["default"], &inputs["unit"]["enum"]), (&json!(2), &json!(["m", "km"])));
    assert_eq!(inputs["a"].get("default"), None);
}
