//! What executions used of models, as the command line gives it to a spreadsheet: the whole file.

use serde_json::{Value, json};

use crate::client::flowctl;
use crate::stage::{SUM, Stage, TOKEN};

const DRAFT: &str = "name: draft
version: 1
steps:
  - id: ask
    type: ai_generate
    model: mock/schema_violation
    prompt: Say something kind.
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
";

#[test]
fn every_execution_is_in_the_csv_with_what_its_models_used() {
    let stage = Stage::with(&[("draft", DRAFT), ("sum", SUM)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())]);
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    for words in [&["draft"][..], &["sum", "--input", "a=1"]] {
        let started = run(&[&["processes", "start", "--watch"], words].concat());
        assert_eq!(started.code, Some(0), "{}{}", started.out, started.err);
    }
    let listed = run(&["executions", "list", "--format", "json"]).json();
    let [sum, draft] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed:#}") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let own = |execution: &Value| format!("{},shop,{}", text(&execution["id"]), text(&execution["process"]));
    let usage = &draft["steps"][0]["usage"];
    assert_eq!(usage["calls"], json!(2), "its first answer is repaired: {usage:#}");
    assert!(usage["input_tokens"].as_u64() > Some(10) && usage["output_tokens"].as_u64() > Some(1), "{usage:#}");
    let expected = [
        "execution,repository,process,status,created_at,step,model,calls,input_tokens,output_tokens,cost,currency,estimated,provider,unpriced".to_owned(),
        format!("{},completed,{},,,,,,,,,,", own(sum), text(&sum["created_at"])),
        format!(
            "{},completed,{},ask,mock/schema_violation,2,{},{},0,USD,false,mock,false",
            own(draft),
            text(&draft["created_at"]),
            usage["input_tokens"],
            usage["output_tokens"]
        ),
    ];
    let csv = run(&["executions", "list", "--format", "csv"]);
    assert_eq!((csv.code, csv.err.as_str()), (Some(0), ""));
    assert_eq!(csv.out, format!("{}\n", expected.join("\r\n")));
    let of_one = run(&["executions", "list", "--format", "csv", "--process", "sum", "--limit", "1"]);
    assert_eq!(of_one.out, format!("{}\n", expected[..2].join("\r\n")));
}
