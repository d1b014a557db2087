//! Calls that fail once the answer has begun: what they used up is counted, and nothing that the provider says then holds
//! the key.

use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Entry, Usage};
use serde_json::json;

use super::wire::*;
use super::*;
use crate::steps::Journal;
use crate::steps::tests::server::Server;

type Chunks = Vec<(Option<&'static str>, String)>;

async fn failing(provider: &str, chunks: Chunks) -> ProviderError {
    let server = Server::start(move |_| events(chunks.clone())).await;
    ask(&server, provider, simple()).await.unwrap_err()
}

/// An error in the middle of a stream, as gateways in front of providers send it.
fn error_in_stream(provider: &str, message: &str) -> Chunks {
    match provider {
        "anthropic" => {
            let error = json!({"type": "error", "error": {"type": "api_error", "message": message}});
            vec![(Some("error"), error.to_string())]
        }
        _ => unnamed(&[json!({"error": {"message": message}})]),
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_told_shortly_and_without_the_key() {
    for provider in ALL {
        let message = format!("upstream failed with Bearer {KEY} {}", "x".repeat(100_000));
        let error = failing(provider, error_in_stream(provider, &message)).await;
        assert!(error.message.starts_with("the provider stopped: upstream failed with Bearer *** xxx"), "{provider}");
        assert!(error.message.len() < 1_000, "{provider}: {} bytes", error.message.len());
        assert_eq!(error.used, Used::Unknown, "{provider}");
    }
    let error = failing("openai", openai_chunks(&[json!({"refusal": format!("I know {KEY}")})], "stop")).await;
    assert_eq!(error.message, "the model refused: I know ***");
}

#[tokio::test]
async fn what_a_provider_tells_of_an_answer_that_it_keeps_back_is_known() {
    let told = Used::Told { input_tokens: 11, output_tokens: 7 };
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 11, "thoughtsTokenCount": 7}});
    let cases = [
        ("openai", openai_chunks(&[json!({"refusal": "no"})], "stop"), "the model refused: no"),
        (
            "openai",
            openai_chunks(&[json!({"content": "{\"a\""})], "content_filter"),
            "the provider withheld the answer: content_filter",
        ),
        ("compatible", openai_chunks(&[], "content_filter"), "the provider withheld the answer: content_filter"),
        ("anthropic", anthropic_events(&[], "refusal"), "the model refused to answer"),
        ("google", google_chunks(&[json!({"text": "Hel"})], "SAFETY"), "the provider withheld the answer: SAFETY"),
        ("google", google_chunks(&[], "LANGUAGE"), "the provider withheld the answer: LANGUAGE"),
        ("google", unnamed(&[blocked]), "the provider does not answer this: SAFETY"),
    ];
    for (provider, chunks, expected) in cases {
        let error = failing(provider, chunks).await;
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Refused, expected), "{provider}");
        assert_eq!(error.used, told, "{provider}: {expected}");
    }
    let error = failing("google", google_chunks(&[], "MALFORMED_FUNCTION_CALL")).await;
    let expected = (ErrorClass::ServerError, "the provider ended the answer: MALFORMED_FUNCTION_CALL");
    assert_eq!((error.class, error.message.as_str()), expected, "another time it may be right");
}

#[tokio::test]
async fn of_an_answer_that_is_cut_off_nobody_knows_what_it_used() {
    for provider in ALL {
        let whole = match provider {
            "anthropic" => anthropic_events(&[], "end_turn"),
            "google" => google_chunks(&[json!({"text": "Hel"})], "STOP"),
            _ => openai_chunks(&[json!({"content": "Hel"})], "stop"),
        };
        let error = failing(provider, whole.into_iter().take(1).collect()).await;
        assert_eq!((error.class, error.used), (ErrorClass::Network, Used::Unknown), "{provider}");
        // The connection breaks in the middle of a line.
        let server = Server::start(|_| {
            let parts = [Ok(Bytes::from("data: {\"choi")), Err(std::io::Error::other("gone"))];
            let body = Body::from_stream(futures_util::stream::iter(parts));
            ([("content-type", "text/event-stream")], body).into_response()
        })
        .await;
        let error = ask(&server, provider, simple()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Network, "{provider}: {}", error.message);
    }
}

#[tokio::test]
async fn counts_that_are_no_counts_are_a_guess() {
    for usage in [json!({}), json!({"prompt_tokens": -1, "completion_tokens": 7}), json!({"prompt_tokens": 3})] {
        let chunks = unnamed(&[
            json!({"choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}]}),
            json!({"choices": [], "usage": usage}),
        ]);
        let server = Server::start(move |_| events(chunks.clone())).await;
        let answer = ask(&server, "compatible", simple()).await.unwrap();
        assert!(answer.estimated && answer.input_tokens > 0 && answer.output_tokens > 0, "{usage}: {answer:?}");
    }
}

#[tokio::test]
async fn a_long_line_in_many_pieces_is_read_once() {
    let text = "x".repeat(4 * 1024 * 1024);
    let line = unnamed(&[json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]})]);
    let line = Bytes::from(format!("data: {}\n\n", line[0].1));
    let server = Server::start(move |_| {
        let pieces: Vec<_> = (0..line.len())
            .step_by(1_024)
            .map(|from| Ok::<_, std::convert::Infallible>(line.slice(from..line.len().min(from + 1_024))))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        ([("content-type", "text/event-stream")], body).into_response()
    })
    .await;
    let answer = ask(&server, "openai", simple()).await.unwrap();
    assert_eq!(answer.text.len(), 4 * 1024 * 1024);
}

/// What a question left in the journal, with prices of a dollar a token.
async fn asked(server: &Server, provider: &str, question: Question) -> (Result<Answer, AskFailure>, Vec<Entry>) {
    let price = "[[price]]\nmodel = \"*\"\ninput = \"1000000 USD\"\noutput = \"1000000 USD\"\n";
    let providers = providers(server).with_prices(Prices::read(price).unwrap());
    let model = providers.resolve(&format!("{provider}/model-1")).unwrap();
    let (journal, recorded) = Journal::in_memory(Vec::new());
    let question = Question { model: model.model.clone(), ..question };
    let asking = Asking::new(&providers, model, journal, Limits::default());
    (asking.ask(&question).await, recorded.entries())
}

fn failed(entries: &[Entry]) -> Option<Usage> {
    match entries {
        [Entry::ModelAsked { .. }, Entry::ModelFailed { usage, .. }] => usage.clone(),
        others => panic!("{others:?}"),
    }
}

#[tokio::test]
async fn what_a_failed_call_used_is_recorded() {
    let server = Server::start(|_| events(anthropic_events(&[], "refusal"))).await;
    let (answer, entries) = asked(&server, "anthropic", simple()).await;
    assert!(answer.is_err());
    let usage = failed(&entries).unwrap();
    assert_eq!((usage.cost.as_deref(), usage.calls, usage.estimated), (Some("18 USD"), 1, false));
    // Cut off: what was reserved. The provider is never told of a longer answer than that.
    let server = Server::start(|_| events(vec![(None, "{\"choices\": []}".to_owned())])).await;
    let (answer, entries) = asked(&server, "openai", Question { max_output_tokens: None, ..simple() }).await;
    assert!(answer.is_err());
    let usage = failed(&entries).unwrap();
    let longest = sent(&server)["max_completion_tokens"].as_u64();
    assert_eq!((usage.output_tokens, usage.estimated), (question::USUAL_ANSWER, true));
    assert_eq!(longest, Some(usage.output_tokens));
    // Nobody answered: nothing.
    let server = Server::start(|_| crate::steps::tests::server::json_answer(500, json!({}))).await;
    let (_, entries) = asked(&server, "openai", simple()).await;
    assert_eq!(failed(&entries), None);
}

#[tokio::test]
async fn an_answer_that_is_too_large_to_be_recorded_has_been_paid_for() {
    let text = "x".repeat(2 * 1024 * 1024);
    let server = Server::start(move |_| events(openai_chunks(&[json!({"content": text})], "stop"))).await;
    let (answer, entries) = asked(&server, "openai", simple()).await;
    let Err(AskFailure::Provider(error)) = answer else { panic!("{entries:?}") };
    assert!(error.message.starts_with("`openai/model-1`: its answer cannot be recorded: "), "{}", error.message);
    assert_eq!(failed(&entries).unwrap().cost.as_deref(), Some("18 USD"));
}

#[test]
fn letters_beyond_ascii_are_tokens_of_their_own() {
    assert_eq!(question::about_tokens("abcdefgh"), 2);
    assert_eq!(question::about_tokens("发布说明"), 4);
    assert_eq!(question::about_tokens("ab发布"), 3);
}
