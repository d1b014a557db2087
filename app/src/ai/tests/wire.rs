//! Each provider's way of speaking, against a server on this machine that speaks it: what is sent is what its documentation
//! describes, what comes is understood, and what goes wrong is told with its class.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use flowctl_core::execution::TenantId;
use flowctl_core::execution::{Speaker, StopReason, ToolCall};
use futures_util::StreamExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::super::setup::{AiSettings, ProviderSettings};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::steps::tests::server::{Server, json_answer};

pub(super) const KEY: &str = "sk-very-secret";
pub(super) const ALL: [&str; 4] = ["openai", "anthropic", "google", "compatible"];

pub(super) fn providers(server: &Server) -> Providers {
    let at = |key: Option<&str>| ProviderSettings {
        api_key: key.map(|key| SecretString::from(key.to_owned())),
        base_url: Some(Url::parse(&server.url("/base")).unwrap()),
    };
    let settings = AiSettings {
        openai: at(Some(KEY)),
        anthropic: at(Some(KEY)),
        google: at(Some(KEY)),
        compatible: at(Some(KEY)),
        ..AiSettings::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Providers::from_settings(&settings, &clock).unwrap()
}

pub(super) async fn ask(server: &Server, provider: &str, question: Question) -> Result<Answer, ProviderError> {
    let resolved = providers(server).resolve(&format!("{provider}/model-1")).unwrap();
    resolved.provider.answer(&Question { model: resolved.model, ..question }).await
}

/// Server-sent events, a chunk each.
pub(super) fn events(events: Vec<(Option<&str>, String)>) -> Response {
    let text: Vec<Result<Bytes, std::convert::Infallible>> = events
        .into_iter()
        .map(|(name, data)| {
            let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
            Ok(Bytes::from(format!("{name}data: {data}\n\n")))
        })
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(text));
    ([("content-type", "text/event-stream; charset=utf-8")], body).into_response()
}

pub(super) fn unnamed(data: &[Value]) -> Vec<(Option<&'static str>, String)> {
    data.iter().map(|data| (None, data.to_string())).collect()
}

pub(super) fn openai_chunks(parts: &[Value], reason: &str) -> Vec<(Option<&'static str>, String)> {
    let chunk = |delta: &Value, reason: Value| json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let mut chunks: Vec<Value> = parts.iter().map(|delta| chunk(delta, Value::Null)).collect();
    chunks.push(chunk(&json!({}), json!(reason)));
    chunks.push(json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}));
    let mut sent = unnamed(&chunks);
    sent.push((None, "[DONE]".to_owned()));
    sent
}

pub(super) fn anthropic_events(blocks: &[(Value, Vec<Value>)], reason: &str) -> Vec<(Option<&'static str>, String)> {
    let start = json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [],
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 1}}});
    let mut sent =
        vec![(Some("message_start"), start.to_string()), (Some("ping"), json!({"type": "ping"}).to_string())];
    for (index, (block, deltas)) in blocks.iter().enumerate() {
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        sent.push((Some("content_block_start"), start.to_string()));
        for delta in deltas {
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            sent.push((Some("content_block_delta"), delta.to_string()));
        }
        let stop = json!({"type": "content_block_stop", "index": index});
        sent.push((Some("content_block_stop"), stop.to_string()));
    }
    let end = json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}});
    sent.push((Some("message_delta"), end.to_string()));
    sent.push((Some("message_stop"), json!({"type": "message_stop"}).to_string()));
    sent
}

pub(super) fn google_chunks(parts: &[Value], reason: &str) -> Vec<(Option<&'static str>, String)> {
    let mut chunks: Vec<Value> = parts
        .iter()
        .map(|part| json!({"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]}))
        .collect();
    chunks.push(json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 18}
    }));
    unnamed(&chunks)
}

/// A text in two pieces, as each provider streams it.
pub(super) fn spoken(provider: &str, one: &str, two: &str) -> Response {
    events(match provider {
        "anthropic" => anthropic_events(
            &[(
                json!({"type": "text", "text": ""}),
                vec![json!({"type": "text_delta", "text": one}), json!({"type": "text_delta", "text": two})],
            )],
            "end_turn",
        ),
        "google" => {
            google_chunks(&[json!({"text": "hm", "thought": true}), json!({"text": one}), json!({"text": two})], "STOP")
        }
        _ => openai_chunks(&[json!({"role": "assistant", "content": one}), json!({"content": two})], "stop"),
    })
}

pub(super) fn simple() -> Question {
    Question {
        messages: vec![Message::new(Speaker::System, "Be brief."), Message::new(Speaker::User, "Say hello.")],
        temperature: Some(0.5),
        max_output_tokens: Some(100),
        attempt: 1,
        ..Question::default()
    }
}

pub(super) fn sent(server: &Server) -> Value {
    serde_json::from_str(&server.seen().last().unwrap().body).unwrap()
}

#[tokio::test]
async fn a_text_comes_in_pieces_with_its_tokens() {
    for provider in ALL {
        let server = Server::start(move |_| spoken(provider, "Hel", "lo ✓")).await;
        let answer = ask(&server, provider, simple()).await.unwrap();
        let expected = ("Hello ✓", StopReason::Finished, 11, 7, false);
        let Answer { text, stop, input_tokens, output_tokens, estimated, .. } = answer;
        assert_eq!((text.as_str(), stop, input_tokens, output_tokens, estimated), expected, "{provider}");
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        let (line, key) = match provider {
            "anthropic" => ("POST /base/v1/messages", ("x-api-key", KEY.to_owned())),
            "google" => {
                ("POST /base/v1beta/models/model-1:streamGenerateContent?alt=sse", ("x-goog-api-key", KEY.to_owned()))
            }
            _ => ("POST /base/chat/completions", ("authorization", format!("Bearer {KEY}"))),
        };
        assert_eq!((seen[0].line.as_str(), seen[0].header(key.0)), (line, Some(key.1.as_str())));
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        let expected = match provider {
            "anthropic" => json!({
                "model": "model-1", "max_tokens": 100, "temperature": 0.5, "stream": true, "system": "Be brief.",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]
            }),
            "google" => json!({
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
                "generationConfig": {"temperature": 0.5, "maxOutputTokens": 100}
            }),
            _ => {
                let longest = if provider == "openai" { "max_completion_tokens" } else { "max_tokens" };
                json!({
                    "model": "model-1", "temperature": 0.5, longest: 100, "stream": true,
                    "stream_options": {"include_usage": true},
                    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
                })
            }
        };
        assert_eq!(sent(&server), expected, "{provider}");
    }
}

fn tools() -> Question {
    let offer = |name: &str| ToolOffer {
        name: name.to_owned(),
        description: "Looks something up.".to_owned(),
        parameters: json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}),
    };
    Question { tools: vec![offer("search"), offer("read")], ..simple() }
}

#[tokio::test]
async fn several_tools_are_called_at_a_time_and_their_results_go_back() {
    for provider in ALL {
        let server = Server::start(move |_| {
            events(match provider {
                "anthropic" => {
                    let part = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
                    let call = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                    let blocks = [
                        (call("t1", "search"), vec![part("{\"q\":"), part(" \"a\"}")]),
                        (call("t2", "read"), vec![part("{\"q\": \"b\"}")]),
                    ];
                    anthropic_events(&blocks, "tool_use")
                }
                "google" => google_chunks(
                    &[
                        json!({"functionCall": {"name": "search", "args": {"q": "a"}}, "thoughtSignature": "SIG"}),
                        json!({"functionCall": {"name": "read", "args": {"q": "b"}}}),
                    ],
                    "STOP",
                ),
                _ => {
                    let part = |index: u64, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
                    let begin = |index: u64, id: &str, name: &str| {
                        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                            "function": {"name": name, "arguments": ""}}]})
                    };
                    let parts = [
                        begin(0, "t1", "search"),
                        part(0, "{\"q\":"),
                        begin(1, "t2", "read"),
                        part(0, " \"a\"}"),
                        part(1, "{\"q\": \"b\"}"),
                    ];
                    openai_chunks(&parts, "tool_calls")
                }
            })
        })
        .await;
        let answer = ask(&server, provider, tools()).await.unwrap();
        assert_eq!(answer.stop, StopReason::ToolCalls, "{provider}");
        let calls: Vec<(&str, &Value)> =
            answer.calls.iter().map(|call| (call.name.as_str(), &call.arguments)).collect();
        assert_eq!(calls, [("search", &json!({"q": "a"})), ("read", &json!({"q": "b"}))]);
        let ids: Vec<&str> = answer.calls.iter().map(|call| call.id.as_str()).collect();
        assert_ne!(ids[0], ids[1]);
        // The next turn shows the model its own calls and what they gave.
        let mut next = tools();
        next.messages.push(Message::Assistant { text: answer.text.clone(), calls: answer.calls.clone() });
        for (call, (text, is_error)) in answer.calls.iter().zip([("found", false), ("no such page", true)]) {
            let (call, name) = (call.id.clone(), call.name.clone());
            next.messages.push(Message::Tool { call, name, text: text.to_owned(), is_error });
        }
        let _ = ask(&server, provider, next).await.unwrap();
        let body = sent(&server);
        let expected = match provider {
            "anthropic" => json!([
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "a"}},
                    {"type": "tool_use", "id": "t2", "name": "read", "input": {"q": "b"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "found", "is_error": false},
                    {"type": "tool_result", "tool_use_id": "t2", "content": "no such page", "is_error": true}]}
            ]),
            "google" => json!([
                {"role": "model", "parts": [
                    {"functionCall": {"name": "search", "args": {"q": "a"}}, "thoughtSignature": "SIG"},
                    {"functionCall": {"name": "read", "args": {"q": "b"}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "search", "response": {"result": "found"}}},
                    {"functionResponse": {"name": "read", "response": {"error": "no such page"}}}]}
            ]),
            _ => json!([
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "search", "arguments": "{\"q\":\"a\"}"}},
                    {"id": "t2", "type": "function", "function": {"name": "read", "arguments": "{\"q\":\"b\"}"}}]},
                {"role": "tool", "tool_call_id": "t1", "content": "found"},
                {"role": "tool", "tool_call_id": "t2", "content": "no such page"}
            ]),
        };
        let messages = body.get("messages").or(body.get("contents")).unwrap().as_array().unwrap();
        let expected = expected.as_array().unwrap();
        assert_eq!(&messages[messages.len() - expected.len()..], expected.as_slice(), "{provider}");
        let names: Vec<&Value> = match provider {
            "anthropic" => body["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect(),
            "google" => {
                body["tools"][0]["functionDeclarations"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect()
            }
            _ => body["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect(),
        };
        assert_eq!(names, ["search", "read"], "{provider}");
    }
}

#[tokio::test]
async fn an_answer_has_the_shape_of_a_schema_also_where_that_is_no_object() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    let list = json!({"type": "array", "items": {"type": "integer", "minimum": 0}});
    for provider in ALL {
        for (schema, inner, expected) in
            [(&closed, "{\"a\": 1}", json!({"a": 1})), (&list, "{\"value\": [1]}", json!([1]))]
        {
            let inner = inner.to_owned();
            let server = Server::start(move |_| {
                if provider == "anthropic" {
                    let (one, two) = inner.split_at(4);
                    let part = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
                    let block = json!({"type": "tool_use", "id": "t", "name": "answer", "input": {}});
                    return events(anthropic_events(&[(block, vec![part(one), part(two)])], "tool_use"));
                }
                let (one, two) = inner.split_at(4);
                spoken(provider, one, two)
            })
            .await;
            let answer = ask(&server, provider, Question { schema: Some(schema.clone()), ..simple() }).await.unwrap();
            assert_eq!(serde_json::from_str::<Value>(&answer.text).unwrap(), expected, "{provider}");
            assert_eq!((answer.stop, answer.calls.len()), (StopReason::Finished, 0));
            let body = sent(&server);
            let root = match provider {
                "anthropic" => {
                    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "answer"}));
                    &body["tools"][0]["input_schema"]
                }
                "google" => {
                    assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
                    &body["generationConfig"]["responseJsonSchema"]
                }
                _ => {
                    let strict = provider == "openai";
                    assert_eq!(body["response_format"]["json_schema"]["strict"], strict);
                    assert_eq!(body["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"), !strict);
                    &body["response_format"]["json_schema"]["schema"]
                }
            };
            assert_eq!(root["type"], "object", "{provider}");
        }
    }
}

/// How a provider says what is wrong.
fn failing(provider: &str, message: &str) -> Value {
    match provider {
        "anthropic" => json!({"type": "error", "error": {"type": "overloaded_error", "message": message}}),
        "google" => json!({"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}}),
        _ => json!({"error": {"message": message, "type": "requests", "code": "rate_limit_exceeded"}}),
    }
}

/// An answer's status and `Retry-After`, and what is told of it: the class, the pause in milliseconds, the words.
type Refusal = (u16, Option<&'static str>, ErrorClass, Option<u64>, &'static str);

#[tokio::test]
async fn refusals_are_told_with_their_class_and_never_with_the_key() {
    let cases: [Refusal; 6] = [
        (429, Some("7"), ErrorClass::RateLimited, Some(7_000), "the provider answered 429: slow down, *** of mine"),
        (500, None, ErrorClass::ServerError, None, "the provider answered 500: slow down, *** of mine"),
        (529, None, ErrorClass::ServerError, None, "the provider answered 529: slow down, *** of mine"),
        (400, None, ErrorClass::Refused, None, "the provider answered 400: slow down, *** of mine"),
        (404, None, ErrorClass::Refused, None, "the provider answered 404: slow down, *** of mine"),
        (401, None, ErrorClass::Refused, None, "the provider does not accept the key in FLOWCTL_AI_"),
    ];
    for provider in ALL {
        for (status, retry_after, class, pause, expected) in cases {
            let body = failing(provider, &format!("slow down, {KEY} of mine"));
            let server = Server::start(move |_| {
                let mut response = json_answer(status, body.clone());
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert("retry-after", seconds.parse().unwrap());
                }
                response
            })
            .await;
            let error = ask(&server, provider, simple()).await.unwrap_err();
            assert_eq!((error.class, error.retry_after_ms), (class, pause), "{provider} {status}");
            assert!(error.message.starts_with(expected), "{provider}: {}", error.message);
            assert!(!format!("{error:?}").contains(KEY));
        }
    }
    let body = json!([{"error": {"code": 429, "message": "quota", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}]}}]);
    let server = Server::start(move |_| json_answer(429, body.clone())).await;
    assert_eq!(ask(&server, "google", simple()).await.unwrap_err().retry_after_ms, Some(12_500));
}

#[tokio::test]
async fn an_answer_that_ends_too_early_or_is_no_json_is_a_failure_that_may_pass() {
    for provider in ALL {
        let server = Server::start(move |_| {
            let whole = match provider {
                "anthropic" => anthropic_events(&[], "end_turn"),
                "google" => google_chunks(&[json!({"text": "Hel"})], "STOP"),
                _ => openai_chunks(&[json!({"content": "Hel"})], "stop"),
            };
            events(whole.into_iter().take(1).collect())
        })
        .await;
        let error = ask(&server, provider, simple()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Network, "{provider}: {}", error.message);
        assert_eq!(error.message, "the provider's answer was cut off before its end");
        // The connection breaks in the middle.
        let server = Server::start(|_| {
            let parts = [Ok(Bytes::from("data: {\"choi")), Err(std::io::Error::other("gone"))];
            let body = Body::from_stream(futures_util::stream::iter(parts));
            ([("content-type", "text/event-stream")], body).into_response()
        })
        .await;
        let error = ask(&server, provider, simple()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Network, "{provider}: {}", error.message);
        let server = Server::start(|_| events(vec![(None, "{\"choices\": oops".to_owned())])).await;
        let error = ask(&server, provider, simple()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::ServerError, "{provider}");
        assert!(error.message.starts_with("the provider's answer is not what its interface describes: "));
    }
}

#[tokio::test]
async fn a_first_word_that_comes_late_comes_all_the_same() {
    for provider in ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let server = Server::start(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            let whole = spoken(provider, "late", "");
            let (parts, body) = whole.into_parts();
            let late = futures_util::stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok::<_, axum::Error>(Bytes::from(": still here\n\n"))
            });
            Response::from_parts(parts, Body::from_stream(late.chain(body.into_data_stream())))
        })
        .await;
        assert_eq!(ask(&server, provider, simple()).await.unwrap().text, "late", "{provider}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "a slow answer is not asked for twice");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_and_counts_nothing_is_understood() {
    let body = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "whole"}}]});
    let server = Server::start(move |_| json_answer(200, body.clone())).await;
    let answer = ask(&server, "compatible", simple()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.estimated), ("whole", true));
    assert!(answer.input_tokens > 0 && answer.output_tokens > 0);
}

#[tokio::test]
async fn a_provider_that_withholds_an_answer_is_not_asked_again() {
    let cases = [
        ("openai", openai_chunks(&[json!({"refusal": "I will not"})], "stop"), "the model refused: I will not"),
        ("anthropic", anthropic_events(&[], "refusal"), "the model refused to answer"),
        (
            "google",
            unnamed(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})]),
            "the provider does not answer this: SAFETY",
        ),
    ];
    for (provider, chunks, expected) in cases {
        let server = Server::start(move |_| events(chunks.clone())).await;
        let error = ask(&server, provider, simple()).await.unwrap_err();
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Refused, expected));
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_of_the_network() {
    let server = Server::start(|_| json_answer(200, json!({}))).await;
    let base = Url::parse(&server.url("")).unwrap();
    drop(server);
    let settings =
        AiSettings { compatible: ProviderSettings { api_key: None, base_url: Some(base) }, ..AiSettings::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let providers = Providers::from_settings(&settings, &clock).unwrap();
    assert_eq!(providers.names().collect::<Vec<_>>(), ["compatible", "mock"], "the others have no key");
    let resolved = providers.resolve("compatible/llama3").unwrap();
    let error = resolved.provider.answer(&simple()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Network);
    assert!(error.message.starts_with("127.0.0.1 cannot be reached: "), "{}", error.message);
}

#[test]
fn prices_are_those_of_the_longest_entry_that_fits() {
    let prices = Prices::default();
    let cost = |model: &str| prices.cost(model, 1_000, 500).map(|cost| cost.to_string());
    assert_eq!(cost("openai/gpt-4o-2024-11-20").as_deref(), Some("0.0075 USD"));
    assert_eq!(cost("openai/gpt-4o-mini").as_deref(), Some("0.00045 USD"));
    assert_eq!(cost("mock/timeout").as_deref(), Some("0 USD"));
    assert_eq!(cost("compatible/llama3"), None);
    let own = "[[price]]\nmodel = \"compatible/*\"\ninput = \"1 EUR\"\noutput = \"2 EUR\"\n";
    assert_eq!(Prices::read(own).unwrap().cost("compatible/x", 1_000_000, 500_000).unwrap().to_string(), "2 EUR");
    for (wrong, expected) in [
        ("price = 1", "it is no table of prices: "),
        (
            "[[price]]\nmodel = \"a\"\ninput = \"1 EUR\"\noutput = \"1 USD\"\n",
            "the prices of `a` are in two currencies",
        ),
        ("[[price]]\nmodel = \"a\"\ninput = \"x\"\noutput = \"1 USD\"\n", "it is no table of prices: "),
    ] {
        assert!(Prices::read(wrong).unwrap_err().to_string().starts_with(expected), "{wrong}");
    }
}

#[tokio::test]
async fn the_mock_follows_a_script() {
    let script = "Triage.\n```mock-script\n[{\"call\": [{\"name\": \"search\", \"arguments\": {\"q\": \"a\"}}]}, {\"say\": {\"done\": true}}]\n```";
    let mut question = Question {
        model: "script".to_owned(),
        messages: vec![Message::new(Speaker::System, script)],
        schema: Some(json!({"type": "object"})),
        ..Question::default()
    };
    let answer = MockProvider::default().answer(&question).await.unwrap();
    let call = ToolCall {
        id: "call_0_0".to_owned(),
        name: "search".to_owned(),
        arguments: json!({"q": "a"}),
        provider_data: Value::Null,
    };
    assert_eq!((answer.stop, &answer.calls), (StopReason::ToolCalls, &vec![call]));
    question.messages.push(Message::Assistant { text: answer.text, calls: answer.calls });
    let (call, name) = ("call_0_0".to_owned(), "search".to_owned());
    question.messages.push(Message::Tool { call, name, text: "nothing".to_owned(), is_error: false });
    let answer = MockProvider::default().answer(&question).await.unwrap();
    assert_eq!((answer.stop, answer.text.as_str()), (StopReason::Finished, "{\"done\":true}"));
    question.messages[0] = Message::new(Speaker::System, "no script");
    assert!(MockProvider::default().answer(&question).await.unwrap_err().message.contains("```mock-script"));
}

#[tokio::test]
async fn a_tenant_has_a_key_of_its_own_and_nobody_elses_goes_to_its_address() {
    let (shared, own) =
        (Server::start(|_| spoken("openai", "one", "two")).await, Server::start(|_| spoken("openai", "a", "b")).await);
    let text = format!(
        "[octo]\nopenai_api_key = \"of-octo\"\n[acme]\nopenai_base_url = \"{}\"\n[poor]\nmonthly_budget = \"5 USD\"\n",
        own.url("/v1")
    );
    let tenants = TenantModels::read(&text, |text| Url::parse(text).ok()).unwrap();
    assert_eq!(tenants["poor"].monthly_budget.as_ref().unwrap().max_cost, Some("5 USD".parse().unwrap()));
    assert!(!format!("{tenants:?}").contains("of-octo"));
    let openai = ProviderSettings {
        api_key: Some(SecretString::from(KEY.to_owned())),
        base_url: Some(Url::parse(&shared.url("/v1")).unwrap()),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let providers = Providers::from_settings(&AiSettings { openai, tenants, ..AiSettings::default() }, &clock).unwrap();
    for tenant in ["Octo", "acme", "poor", "somebody"] {
        let resolved = providers.of(&TenantId(tenant.to_owned())).resolve("openai/model-1").unwrap();
        resolved.provider.answer(&Question { model: resolved.model, ..simple() }).await.unwrap();
    }
    let keys = |server: &Server| {
        let seen = server.seen();
        seen.iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect::<Vec<_>>()
    };
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    assert_eq!(keys(&shared), [bearer("of-octo"), bearer(KEY), bearer(KEY)]);
    assert_eq!(keys(&own), [None], "the operator's key stays with the operator's address");
}

#[test]
fn what_is_wrong_with_tenants_is_told_without_a_word_of_it() {
    let read = |text: &str| TenantModels::read(text, |text| Url::parse(text).ok()).unwrap_err();
    for (text, expected) in [
        ("[octo]\nsk-hidden = 1", "line 1 is not a table of a tenant or a setting of one"),
        ("[octo]\nopenai_api_key = \"x\"\nsk-hidden", "line 3 is not a table of a tenant or a setting of one"),
        ("[octo]\nopenai_api_key = \" \"", "`openai_api_key` of tenant `octo` is not what it should be"),
        ("[octo]\ngoogle_base_url = \"hidden\"", "`google_base_url` of tenant `octo` is not what it should be"),
        ("[octo]\nmonthly_budget = \"much\"", "`monthly_budget` of tenant `octo` is not what it should be"),
    ] {
        let wrong = read(text);
        assert!(!wrong.contains("hidden"), "{wrong}");
        assert!(wrong == expected || wrong.starts_with("line "), "{text}: {wrong}");
    }
}
