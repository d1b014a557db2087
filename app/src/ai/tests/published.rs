//! Requests held against what the providers publish: `fixtures/providers` has the shapes of requests, made from the types of their
//! own libraries and reduced to what may ever be sent. A member that they do not know is a fault.

use flowctl_core::definition::field;
use flowctl_core::execution::ToolCall;
use serde_json::{Value, json};

use super::wire::{ALL, ask};
use super::*;
use crate::steps::tests::server::{Server, json_answer};

fn published(provider: &str) -> Value {
    let text = match provider {
        "anthropic" => include_str!("../../../../fixtures/providers/anthropic.schema.json"),
        "google" => include_str!("../../../../fixtures/providers/google.schema.json"),
        // `compatible` speaks what OpenAI published, older fields included.
        _ => include_str!("../../../../fixtures/providers/openai.schema.json"),
    };
    serde_json::from_str(text).unwrap()
}

fn object() -> Value {
    json!({
        "type": "object", "required": ["n", "why"], "additionalProperties": false,
        "properties": {"n": {"type": "integer"}, "why": {"type": "string"}}
    })
}

/// A conversation with everything in it that a question can hold.
fn whole() -> Question {
    let call = |id: &str, name: &str| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: json!({"q": "a"}),
        provider_data: Value::Null,
    };
    let gave = |id: &str, name: &str, is_error| Message::Tool {
        call: id.to_owned(),
        name: name.to_owned(),
        text: "found".to_owned(),
        is_error,
    };
    let parameters = json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]});
    let offer = |name: &str| ToolOffer {
        name: name.to_owned(),
        description: "Looks something up.".to_owned(),
        parameters: parameters.clone(),
    };
    Question {
        messages: vec![
            Message::new(flowctl_core::execution::Speaker::System, "Be brief."),
            Message::new(flowctl_core::execution::Speaker::User, "Look it up."),
            Message::Assistant { text: "I look.".to_owned(), calls: vec![call("t1", "search"), call("t2", "read")] },
            gave("t1", "search", false),
            gave("t2", "read", true),
            Message::new(flowctl_core::execution::Speaker::Assistant, "It is 7."),
            Message::new(flowctl_core::execution::Speaker::User, "Sure?"),
        ],
        tools: vec![offer("search"), offer("read")],
        schema: Some(object()),
        temperature: Some(0.5),
        max_output_tokens: Some(500),
        ..Question::default()
    }
}

#[tokio::test]
async fn every_request_has_the_published_shape() {
    let list = json!({"type": "array", "items": {"type": "integer", "minimum": 0}});
    let questions = [
        ("everything", whole()),
        ("without tools", Question { tools: Vec::new(), ..whole() }),
        ("a list", Question { tools: Vec::new(), schema: Some(list), ..whole() }),
        ("any shape", Question { tools: Vec::new(), schema: Some(json!(true)), ..whole() }),
        ("a text", Question { tools: Vec::new(), schema: None, temperature: None, max_output_tokens: None, ..whole() }),
    ];
    for provider in ALL {
        let schema = published(provider);
        for (what, question) in &questions {
            // What is answered does not matter here.
            let server = Server::start(|_| json_answer(400, json!({"error": {"message": "no"}}))).await;
            // Anthropic's library knows no `temperature` any more: of its models only the older ones take it.
            let temperature = question.temperature.filter(|_| provider != "anthropic");
            ask(&server, provider, Question { temperature, ..question.clone() }).await.unwrap_err();
            let seen = server.seen();
            let body: Value = serde_json::from_str(&seen[0].body).unwrap();
            assert_eq!(field::faults(&schema, &body), [], "{provider}, {what}: {body:#}");
        }
    }
}

#[test]
fn a_request_with_a_member_that_is_not_published_is_a_fault() {
    for (provider, body) in [
        ("openai", json!({"model": "m", "messages": [], "stream": true, "max_output_tokens": 5})),
        ("anthropic", json!({"model": "m", "messages": [], "max_tokens": 5, "stream": true, "response_format": {}})),
        ("google", json!({"contents": [{"role": "user", "parts": [{"txt": "hi"}]}]})),
    ] {
        assert_ne!(field::faults(&published(provider), &body), [], "{provider}");
    }
    let fine = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    assert_eq!(field::faults(&published("google"), &fine), []);
}
