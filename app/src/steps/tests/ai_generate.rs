//! `ai_generate` with the mock provider.

use flowctl_core::execution::{Entry, Usage};
use serde_json::json;

use super::*;

fn input(model: &str) -> Value {
    json!({
        "model": model,
        "prompt": "Release notes for public: Faster start",
        "output_schema": {
            "type": "object",
            "required": ["notes", "risk"],
            "properties": {"notes": {"type": "string"}, "risk": {"type": "integer", "minimum": 0, "maximum": 10}}
        },
        "max_repairs": 2
    })
}

async fn generate(attempt: Attempt) -> Performed {
    AiGeneratePerformer::new(Arc::new(Providers::default()), clock()).perform(attempt).await
}

/// The same, with what it recorded.
async fn generate_on_record(mut attempt: Attempt, before: Vec<Entry>) -> (Performed, Vec<Entry>) {
    let (journal, recorded) = Journal::in_memory(before);
    attempt.journal = journal;
    let performed = generate(attempt).await;
    (performed, recorded.entries())
}

fn kinds(entries: &[Entry]) -> Vec<String> {
    let name = |entry: &Entry| serde_json::to_value(entry.kind()).unwrap().as_str().unwrap().to_owned();
    entries.iter().map(name).collect()
}

fn used(entries: &[Entry]) -> Usage {
    let usages = entries.iter().filter_map(|entry| match entry {
        Entry::ModelAnswered { usage, .. } => Some(usage),
        _ => None,
    });
    usages.fold(Usage::default(), |sum, usage| sum.plus(usage))
}

#[tokio::test]
async fn an_answer_satisfies_the_schema_and_is_the_same_for_the_same_question() {
    let (performed, entries) = generate_on_record(attempt(input("mock"), Vec::new()), Vec::new()).await;
    let value = performed.result.clone().unwrap();
    assert!(value["notes"].is_string() && value["risk"].as_i64().is_some_and(|risk| (0..=10).contains(&risk)));
    assert_eq!(generate(attempt(input("mock"), Vec::new())).await, performed);
    let mut other = input("mock");
    other["prompt"] = json!("Release notes for internal: Faster start");
    assert_ne!(generate(attempt(other, Vec::new())).await.result.unwrap(), value);
    let usage = used(&entries);
    assert_eq!(kinds(&entries), ["message", "model_asked", "model_answered"]);
    assert_eq!((usage.model.as_str(), usage.calls, usage.cost.as_deref()), ("mock", 1, Some("0 USD")));
    assert!(usage.input_tokens > 10 && usage.output_tokens > 5, "{usage:?}");
}

#[tokio::test]
async fn a_wrong_answer_is_shown_to_the_model_and_mended() {
    let asked = attempt(input("mock/schema_violation"), Vec::new());
    let (performed, entries) = generate_on_record(asked.clone(), Vec::new()).await;
    assert!(performed.result.clone().unwrap()["notes"].is_string());
    let expected =
        ["message", "model_asked", "model_answered", "message", "model_asked", "model_answered"].map(str::to_owned);
    assert_eq!(kinds(&entries), expected);
    // Wherever the server dies, what follows is what would have followed, and nothing is asked again that was answered.
    for dies_after in 1..=entries.len() {
        let (again, more) = generate_on_record(asked.clone(), entries[..dies_after].to_vec()).await;
        assert_eq!(again, performed);
        // A question without an answer is asked again; what was recorded besides is not.
        let open = usize::from(entries[dies_after - 1].kind() == entries[1].kind());
        assert_eq!(kinds(&more), expected[dies_after - open..], "after {dies_after}");
    }
}

#[tokio::test]
async fn a_model_that_never_satisfies_the_schema_fails_after_the_repairs() {
    let (performed, entries) =
        generate_on_record(attempt(input("mock/always_violating"), Vec::new()), Vec::new()).await;
    assert_eq!(used(&entries).calls, 3);
    let expected = "the answer of `mock/always_violating` does not satisfy `output_schema`, also after 2 repairs: \
                    `notes` is required; `risk` is required. Its last answer: {\"mock\":\"this violates the schema\"}";
    assert_eq!(failure(performed), (ErrorClass::Schema, expected.to_owned()));
    let mut once = input("mock/always_violating");
    once["max_repairs"] = json!(0);
    let (performed, entries) = generate_on_record(attempt(once, Vec::new()), Vec::new()).await;
    assert_eq!(used(&entries).calls, 1);
    assert!(
        failure(performed).1.starts_with("the answer of `mock/always_violating` does not satisfy `output_schema`: ")
    );
}

#[tokio::test]
async fn a_model_that_never_answers_times_out() {
    let mut attempt = attempt(input("mock/timeout"), Vec::new());
    attempt.deadline = Some(now().checked_add(SignedDuration::from_millis(10)).unwrap());
    let expected = "`mock/timeout` took longer than the step's `timeout`".to_owned();
    assert_eq!(failure(generate(attempt).await), (ErrorClass::Timeout, expected));
}

#[tokio::test]
async fn a_transient_error_is_gone_at_the_next_attempt() {
    let mut attempt = attempt(input("mock/transient_error"), Vec::new());
    assert_eq!(failure(generate(attempt.clone()).await).0, ErrorClass::ServerError);
    attempt.attempt = 2;
    assert!(generate(attempt).await.result.is_ok());
}

#[tokio::test]
async fn a_model_that_cannot_be_asked_is_refused() {
    let cases = [
        ("openai/gpt-5", "provider `openai` of model `openai/gpt-5` is not set up on this server; set up are: `mock`"),
        ("careful", "model `careful` is neither an alias of flow.yaml nor `provider/model`"),
        (
            "mock/moody",
            "`mock/moody`: the mock provider has no model `moody`; it has: success, schema_violation, \
             always_violating, timeout, transient_error, script",
        ),
    ];
    for (model, expected) in cases {
        let performed = generate(attempt(input(model), Vec::new())).await;
        assert_eq!(failure(performed), (ErrorClass::Refused, expected.to_owned()));
    }
    let mut impossible = input("mock");
    impossible["output_schema"] = json!({"type": "integer", "minimum": 2, "maximum": 1});
    let expected = "`mock`: the mock provider cannot make a value for `output_schema`: no whole number fits `value`";
    assert_eq!(failure(generate(attempt(impossible, Vec::new())).await), (ErrorClass::Refused, expected.to_owned()));
}
