//! Definitions from words through the API: made, paid from the month of an account, and refused where that is used up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{SUM, Stage, TOKEN};

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
