//! Asking on the record: what is told to the provider is what was reserved, and what a model does not take is left out, which
//! the record says.

use std::sync::Mutex;

use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{CallRequest, Entry};
use serde_json::{Value, json};

use super::wire::*;
use super::*;
use crate::steps::tests::server::{Server, json_answer};
use crate::steps::{Journal, JournalError, JournalWriter};

/// A journal of somebody with so many tokens left.
struct Nearly {
    left: u64,
    entries: Mutex<Vec<Entry>>,
}

#[async_trait]
impl JournalWriter for Nearly {
    async fn append(&self, _: u32, entry: Entry) -> Result<(), JournalError> {
        if let Entry::ModelAsked { reserved, .. } = &entry
            && reserved.tokens() > self.left
        {
            return Err(JournalError::OverBudget(format!("up to {} of {} tokens", reserved.tokens(), self.left)));
        }
        self.entries.lock().unwrap().push(entry);
        Ok(())
    }

    async fn ask(&self, _: CallRequest) -> JournalError {
        JournalError::Over
    }
}

fn asking(server: &Server, model: &str, journal: Journal, limits: Limits) -> (Asking, Question) {
    let providers = providers(server);
    let resolved = providers.resolve(model).unwrap();
    let question = Question { model: resolved.model.clone(), ..simple() };
    (Asking::new(&providers, resolved, journal, limits), question)
}

fn tokens(max_tokens: u64) -> Limits {
    Limits { max_cost: None, max_tokens: Some(max_tokens) }
}

/// The longest answer that each question reserved.
fn reserved(entries: &[Entry]) -> Vec<u64> {
    let of = |entry: &Entry| match entry {
        Entry::ModelAsked { reserved, .. } => Some(reserved.output_tokens),
        _ => None,
    };
    entries.iter().filter_map(of).collect()
}

#[tokio::test]
async fn the_documented_budget_allowed_no_call() {
    for (limit, own, expected) in
        [(4_000, None, 3_990..4_000), (4_000, Some(9_000), 3_990..4_000), (4_000, Some(50), 50..51)]
    {
        let server = Server::start(|_| spoken("openai", "hel", "lo")).await;
        let (journal, recorded) = Journal::in_memory(Vec::new());
        let (asking, question) = asking(&server, "openai/model-1", journal, tokens(limit));
        asking.ask(&Question { max_output_tokens: own, ..question }).await.unwrap();
        let longest = reserved(&recorded.entries())[0];
        assert!(expected.contains(&longest), "{longest}");
        assert_eq!(sent(&server)["max_completion_tokens"], longest, "what is reserved is what the provider is told");
    }
}

#[tokio::test]
async fn an_answer_was_longer_than_the_context_window_of_its_model() {
    let server = Server::start(|_| spoken("openai", "hel", "lo")).await;
    let asked = simple().about_tokens();
    for (room, own, expected) in [
        (Some(100_000), None, USUAL_ANSWER),
        (Some(1_000), None, 1_000),
        (Some(1_000), Some(50), 50),
        (Some(256), None, 256),
        (Some(255), None, 256),
        (None, None, USUAL_ANSWER),
    ] {
        let window = room.map(|room| format!("context_window = {}\n", asked + room)).unwrap_or_default();
        let table = format!("[[price]]\nmodel = \"openai/model-1\"\ninput = \"1 USD\"\noutput = \"1 USD\"\n{window}");
        let providers = providers(&server).with_prices(Prices::read(&table).unwrap());
        let resolved = providers.resolve("openai/model-1").unwrap();
        let question = Question { model: resolved.model.clone(), max_output_tokens: own, ..simple() };
        let (journal, recorded) = Journal::in_memory(Vec::new());
        let before = server.seen().len();
        Asking::new(&providers, resolved, journal, Limits::default()).ask(&question).await.unwrap();
        assert_eq!(reserved(&recorded.entries()), [expected], "{room:?}");
        assert_eq!(server.seen().len() - before, 1);
    }
}

#[tokio::test]
async fn where_little_is_left_the_answer_is_shorter_and_where_nothing_is_nobody_is_asked() {
    let server = Server::start(|_| spoken("openai", "hel", "lo")).await;
    let nearly = |left| Arc::new(Nearly { left, entries: Mutex::default() });
    let writer = nearly(1_500);
    let (asker, question) =
        asking(&server, "openai/model-1", Journal::new(Vec::new(), 0, writer.clone()), Limits::default());
    asker.ask(&Question { max_output_tokens: None, ..question }).await.unwrap();
    assert_eq!(reserved(&writer.entries.lock().unwrap()), [1_024]);
    assert_eq!(sent(&server)["max_completion_tokens"], 1_024);

    let writer = nearly(100);
    let (asking, question) =
        asking(&server, "openai/model-1", Journal::new(Vec::new(), 0, writer.clone()), Limits::default());
    let failure = asking.ask(&Question { max_output_tokens: None, ..question }).await.unwrap_err();
    assert!(matches!(failure, AskFailure::Journal(JournalError::OverBudget(_))), "{failure:?}");
    assert_eq!((server.seen().len(), writer.entries.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn a_model_that_takes_no_temperature_failed_whoever_asked_it() {
    for (provider, words) in [
        (
            "anthropic",
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": "`temperature` is deprecated for this model."}}),
        ),
        (
            "openai",
            json!({"error": {"message": "Unsupported value: 'temperature' does not support 0.5 with this model.", "param": "temperature"}}),
        ),
    ] {
        let server = Server::start(move |seen| match seen.body.contains("temperature") {
            true => json_answer(400, words.clone()),
            false => spoken(provider, "hel", "lo"),
        })
        .await;
        let (journal, recorded) = Journal::in_memory(Vec::new());
        let (asking, question) = asking(&server, &format!("{provider}/model-1"), journal, Limits::default());
        assert_eq!(asking.ask(&question).await.unwrap().text, "hello");
        let told = recorded.entries().into_iter().find_map(|entry| match entry {
            Entry::ModelFailed { error, usage, .. } => Some((error.message, usage)),
            _ => None,
        });
        let (message, usage) = told.unwrap();
        assert!(message.ends_with("; it is asked once more without `temperature`"), "{message}");
        assert_eq!(usage, None);
        // The next question of the same step is asked without at once.
        asking.ask(&question).await.unwrap();
        assert_eq!(server.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_held_to_the_schema_is_told_it_once_more_in_words() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    let refusals = [
        ("openai/model-1", "Invalid schema for response_format 'answer'", "response_format"),
        ("anthropic/claude-sonnet-4-5", "output_config.format: not supported for this model", "output_config"),
        (
            "anthropic/model-1",
            "tool_choice: type \"tool\" and \"any\" are not supported for this model.",
            "tool_choice",
        ),
    ];
    for (model, words, field) in refusals {
        let provider = model.split('/').next().unwrap_or_default();
        let server = Server::start(move |seen| match seen.body.contains(field) {
            true => {
                json_answer(400, json!({"type": "error", "error": {"type": "invalid_request_error", "message": words}}))
            }
            false => spoken(provider, "{\"a\"", ": 1}"),
        })
        .await;
        let (journal, recorded) = Journal::in_memory(Vec::new());
        let (asking, question) = asking(&server, model, journal, Limits::default());
        let answer = asking.ask(&Question { schema: Some(closed.clone()), ..question }).await.unwrap();
        assert_eq!(answer.text, "{\"a\": 1}", "{model}");
        assert_eq!(recorded.entries().len(), 4, "asked, refused, asked, answered");
        assert!(sent(&server).to_string().contains("Answer with one JSON value"), "{model}");
        // Whoever refuses again has refused.
        let server = Server::start(move |_| json_answer(400, json!({"error": {"message": words}}))).await;
        let (journal, recorded) = Journal::in_memory(Vec::new());
        let (asking, question) = self::asking(&server, model, journal, Limits::default());
        asking.ask(&Question { schema: Some(closed.clone()), ..question }).await.unwrap_err();
        assert_eq!((server.seen().len(), recorded.entries().len()), (2, 4));
    }
}

#[tokio::test]
async fn claude_was_made_to_call_a_tool_that_its_present_models_refuse() {
    let schema =
        json!({"type": "object", "properties": {"risk": {"type": "integer", "minimum": 0}}, "required": ["risk"]});
    for (model, native) in [
        ("claude-sonnet-4-5", true),
        ("claude-opus-5-5", true),
        ("claude-3-5-haiku-latest", false),
        ("claude-opus-4-1", false),
    ] {
        let server = Server::start(|_| spoken("anthropic", "{\"risk\"", ": 1}")).await;
        let (journal, _) = Journal::in_memory(Vec::new());
        let (asking, question) = asking(&server, &format!("anthropic/{model}"), journal, Limits::default());
        let answer = asking.ask(&Question { schema: Some(schema.clone()), ..question }).await.unwrap();
        assert_eq!(answer.text, "{\"risk\": 1}");
        let body = sent(&server);
        assert_eq!(body.get("tool_choice").is_none(), native, "{model}");
        if native {
            let expected = json!({"type": "object", "properties": {"risk": {"type": "integer"}}, "required": ["risk"], "additionalProperties": false});
            assert_eq!(body["output_config"]["format"], json!({"type": "json_schema", "schema": expected}));
            assert!(body["system"].as_str().unwrap().contains("\"minimum\":0"), "what it is not held to it is told");
        }
    }
}

#[tokio::test]
async fn a_server_with_openais_interface_got_two_system_messages() {
    let server = Server::start(|_| spoken("compatible", "{\"a\"", ": 1}")).await;
    let question = Question { schema: Some(json!({"type": "object"})), ..simple() };
    ask(&server, "compatible", question).await.unwrap();
    let body = sent(&server);
    let roles: Vec<&Value> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["system", "user"]);
    let rules = body["messages"][0]["content"].as_str().unwrap();
    assert!(rules.contains("JSON Schema") && rules.ends_with("Be brief."), "{rules}");
}
