//! Models: who has which, what they cost, and how each provider is spoken to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod asking;
mod failures;
mod published;
mod wire;

use serde_json::{Value, json};

use super::*;

#[test]
fn a_model_is_found_with_its_provider() {
    let providers = Providers::default();
    for (model, inner, name) in [("mock", "success", "mock"), ("mock/timeout", "timeout", "mock/timeout")] {
        let resolved = providers.resolve(model).unwrap();
        assert_eq!((resolved.model.as_str(), resolved.name.as_str()), (inner, name));
    }
    let error = providers.resolve("openai/gpt-5").unwrap_err();
    let expected = "provider `openai` of model `openai/gpt-5` is not set up on this server; set up are: `mock`";
    assert_eq!(error.to_string(), expected);
    let error = providers.resolve("careful").unwrap_err();
    assert_eq!(error.to_string(), "model `careful` is neither an alias of flow.yaml nor `provider/model`");
}

#[test]
fn the_default_provider_answers_for_models_without_one() {
    let providers = Providers::default().with_default("mock").unwrap();
    assert_eq!(providers.resolve("careful").unwrap().name, "mock/success");
    assert!(providers.resolve("openai/gpt-5").is_err());
    assert!(Providers::default().with_default("openai").is_err());
    let local = Providers::default().with("local", Arc::new(MockProvider::default())).with_default("local").unwrap();
    let resolved = local.resolve("llama").unwrap();
    assert_eq!((resolved.model.as_str(), resolved.name.as_str()), ("llama", "local/llama"));
}

#[test]
fn the_mock_can_answer_for_every_model() {
    let providers = Providers::only_mock();
    for model in ["openai/gpt-5", "careful", "mock"] {
        assert_eq!(providers.resolve(model).unwrap().name, "mock");
    }
    assert_eq!(providers.resolve("mock/timeout").unwrap().model, "timeout");
}

#[test]
fn validation_knows_everybody_who_can_be_asked() {
    use flowctl_core::definition::model::PROVIDERS;
    let mut known: Vec<&str> = wire::ALL.into_iter().chain([MOCK]).collect();
    known.sort_unstable();
    let mut told = PROVIDERS;
    told.sort_unstable();
    assert_eq!(known, told);
}

#[tokio::test]
async fn a_mock_with_a_seed_answers_by_seed_schema_and_attempt_whatever_it_is_asked() {
    let schema = |name: &str| {
        let properties = json!({name: {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}});
        json!({"type": "object", "required": [name], "properties": properties})
    };
    let (count, share) = (schema("count"), schema("share"));
    let ask = async |seed: Option<u64>, attempt: u32, schema: &Value, text: &str| {
        let messages = vec![Message::User { text: text.to_owned() }];
        let schema = Some(schema.clone());
        let question = Question { model: "success".to_owned(), messages, schema, attempt, ..Question::default() };
        let text = MockProvider { seed }.answer(&question).await.unwrap().text;
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let first = ask(Some(7), 1, &count, "How many?").await;
    assert_eq!(ask(Some(7), 1, &count, "And how many here?").await, first);
    assert_ne!(ask(Some(8), 1, &count, "How many?").await, first);
    assert_ne!(ask(Some(7), 2, &count, "How many?").await, first);
    assert_ne!(ask(Some(7), 1, &share, "How many?").await["share"], first["count"]);
    let without = ask(None, 1, &count, "How many?").await;
    assert_eq!(ask(None, 2, &count, "How many?").await, without, "without a seed the question alone says");
    assert_ne!(ask(None, 1, &count, "And how many here?").await, without);
}
