//! Definitions from words through the API: made, paid from the month of an account, and refused where that is used up.

use std::time::{Duration, Instant};

use flowctl_tests::{Server, free_address};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::{Answer, SUM, Stage, TOKEN, answer};

/// A description for the mock, which says in it what it is going to write.
fn description() -> String {
    let definition =
        "name: hello\nversion: 1\ntriggers: [manual]\nsteps:\n  - {id: say, type: set, values: {text: hello}}\n";
    let said = json!([{"say": {"definition": definition, "explanation": "It says hello.", "confidence": 0.8}}]);
    format!("Say hello.\n```mock-script\n{said}\n```")
}

#[tokio::test]
async fn what_a_model_uses_for_a_definition_counts_in_the_month_of_the_account() {
    let settings =
        vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned()), ("FLOWCTL_AI_MONTHLY_BUDGET", "20000 tokens".to_owned())];
    let stage = Stage::with(&[("sum", SUM)], settings);
    let ask = |more: Value| {
        let mut body = json!({"description": description(), "model": "mock/script"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        stage.post("/ai/interpret", body)
    };
    let made = ask(json!({})).await.expect(200);
    assert_eq!((&made["sound"], &made["path"]), (&json!(true), &json!(".flow/processes/hello.yaml")), "{made:#}");
    assert_eq!(made["cost"], "0 USD");
    let each = made["tokens"].as_u64().unwrap();
    assert!(each > 100, "{made:#}");
    let mut answered = 1;
    let refused = loop {
        let answer = ask(json!({"tenant": "local"})).await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered * each <= 20_000, "more was spent than may be");
    };
    assert_eq!(refused.problem(402), "budget-used-up");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the monthly budget of tenant `local` does not allow another call of the model"),
        "{detail}"
    );
    assert!(detail.contains(&format!("{} tokens spent so far, and 0 tokens reserved", answered * each)), "{detail}");
    assert_eq!(ask(json!({"tenant": "globex"})).await.problem(422), "wrong-fields");
    let metrics = stage.anonymous(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let calls = format!("flowctl_model_calls_total{{provider=\"mock\",outcome=\"answered\"}} {answered}");
    assert!(metrics.lines().any(|line| line == calls), "{calls}\n{metrics}");
}

/// A stage whose account may use this much in a month.
fn stage(budget: &str) -> Stage {
    let budget = ("FLOWCTL_AI_MONTHLY_BUDGET", budget.to_owned());
    Stage::with(&[("sum", SUM)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned()), budget])
}

/// What is asked of a model that never answers.
fn hanging(stage: &Stage) -> reqwest::RequestBuilder {
    stage.request(Method::POST, "/ai/interpret").json(&json!({"description": "Hello.", "model": "mock/timeout"}))
}

/// What a server on the same data says about the month of the account, where nothing may be used any more.
async fn month(stage: &mut Stage) -> String {
    let mut settings = stage.settings().to_vec();
    settings.push(("FLOWCTL_AI_MONTHLY_BUDGET", "1 tokens".to_owned()));
    stage.server = Server::start(&settings, &stage.app_data(), free_address());
    let refused = stage.post("/ai/interpret", json!({"description": description(), "model": "mock/script"})).await;
    assert_eq!(refused.problem(402), "budget-used-up");
    refused.body["detail"].as_str().unwrap().to_owned()
}

/// Eight that are under way, since a ninth was refused.
async fn eight(stage: &Stage) -> JoinSet<Answer> {
    let mut asked = JoinSet::new();
    for _ in 0..9 {
        asked.spawn(answer(hanging(stage)));
    }
    // No other is ever answered.
    let refused = asked.join_next().await.unwrap().unwrap();
    assert_eq!(refused.problem(503), "unavailable");
    assert_eq!(refused.headers["retry-after"], "30");
    let detail = "models are asked for 8 requests already, as many as this server takes at a time; try again later";
    assert_eq!(refused.body["detail"], detail);
    asked
}

fn is_counted(month: &str) -> bool {
    !month.contains("; 0 tokens spent so far") && month.ends_with(" 0 tokens reserved by calls under way")
}

#[tokio::test]
async fn the_end_of_the_server_counts_what_is_under_way() {
    let mut stage = stage("1000000 tokens");
    let mut asked = eight(&stage).await;
    assert_eq!(stage.server.stop(), Some(0), "{}", stage.server.log());
    while let Some(ended) = asked.join_next().await {
        assert_eq!(ended.unwrap().problem(503), "unavailable");
    }
    let month = month(&mut stage).await;
    assert!(is_counted(&month), "{month}");
}

#[tokio::test]
async fn whoever_hangs_up_makes_room_and_is_counted() {
    let mut stage = stage("1000000 tokens");
    eight(&stage).await.shutdown().await;
    let began = Instant::now();
    let ask = json!({"description": description(), "model": "mock/script"});
    while stage.post("/ai/interpret", ask.clone()).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "there is never room\n{}", stage.server.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.server.stop(), Some(0), "{}", stage.server.log());
    let month = month(&mut stage).await;
    assert!(is_counted(&month), "{month}");
}
