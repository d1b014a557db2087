//! Traces as a collector decodes them: one for each execution, whoever performs it, and without what was said.

use std::sync::atomic::{AtomicUsize, Ordering};

use flowctl_core::execution::{Entry, ToolOutcome};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio_util::sync::CancellationToken;

use super::journal::with_models_and;
use super::*;
use crate::steps::tests::server::{Server, json_answer};
use crate::telemetry::{TraceSender, TraceSettings, Traces};

const ASKING: &str = "
name: asking
version: 1
steps:
  - id: draft
    type: ai_generate
    model: compatible/small
    prompt: Say the hidden number.
    output_schema: {type: object, required: [n], properties: {n: {type: integer}}}
    retry: {max_attempts: 2, initial: 1s, jitter: false, on: [server_error]}
";

/// A collector, and what it was sent.
pub(super) struct Collector {
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    settings: TraceSettings,
}

impl Collector {
    pub(super) async fn start(content: bool) -> Self {
        let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let sent = requests.clone();
        let take = move |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            sent.lock().unwrap().push(body.to_vec());
            axum::http::StatusCode::OK
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { requests, settings: TraceSettings { endpoint, content, service: "flowctl".to_owned() } }
    }

    pub(super) fn begin(&self, world: &World) -> (EngineOptions, TraceSender) {
        let (traces, sender) = Traces::begin(&self.settings, world.store.clone()).unwrap();
        (EngineOptions { traces: Some(traces), ..EngineOptions::new("the engine") }, sender)
    }

    /// All spans that were sent, by the time of their end.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.requests.lock().unwrap().iter() {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            for resource in request.resource_spans {
                let service = resource.resource.unwrap().attributes;
                assert!(service.iter().any(|it| it.key == "service.name"), "{service:?}");
                spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans.sort_by_key(|span| span.end_time_unix_nano);
        spans
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        let requests = self.requests.lock().unwrap();
        requests.iter().any(|body| body.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

/// Sends what is left, as at the end of a server.
pub(super) async fn ends(sender: TraceSender) {
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    sender.run(shutdown).await;
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|it| it.key == key).and_then(|it| it.value.clone()?.value);
    match found {
        None => "-".to_owned(),
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn one_trace_follows_an_execution_over_a_restart_and_holds_nothing_that_was_said() {
    let world = World::of(ASKING).await;
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => json_answer(503, json!({"error": {"message": "the hidden reason"}})),
        1 => {
            let message = json!({"role": "assistant", "content": "the hidden answer"});
            let choice = json!({"index": 0, "finish_reason": "stop", "message": message});
            json_answer(200, json!({"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": 4}}))
        }
        _ => {
            let message = json!({"role": "assistant", "content": "{\"n\": 7}"});
            let choice = json!({"index": 0, "finish_reason": "stop", "message": message});
            json_answer(200, json!({"choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": 5}}))
        }
    })
    .await;
    let collector = Collector::start(false).await;
    let (options, sender) = collector.begin(&world);
    let first = with_models_and(&world, options, &server);
    let id = first.start(world.request()).await.unwrap().execution.id;
    first.settle().await.unwrap();
    drop(first);
    ends(sender).await;
    world.passes(2);
    let (options, sender) = collector.begin(&world);
    let second = with_models_and(&world, options, &server);
    second.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | draft:completed");
    drop(second);
    ends(sender).await;
    let spans = collector.spans();
    let trace: Vec<u8> = id.into_bytes().to_vec();
    assert!(spans.iter().all(|span| span.trace_id == trace), "the trace has the execution's id");
    let mut names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let expected =
        ["ai_generate draft", "ai_generate draft", "chat small", "chat small", "chat small", "process asking"];
    assert_eq!(names, expected);
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let root = named("process asking")[0];
    assert_eq!((root.parent_span_id.len(), attribute(root, "flowctl.status").as_str()), (0, "completed"));
    let attempts = named("ai_generate draft");
    assert!(attempts.iter().all(|attempt| attempt.parent_span_id == root.span_id));
    let of_attempts: Vec<(String, String)> = attempts
        .iter()
        .map(|attempt| (attribute(attempt, "flowctl.step.attempt"), attribute(attempt, "error.type")))
        .collect();
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(of_attempts, [pair("1", "server_error"), pair("2", "-")]);
    assert!(attempts[1].start_time_unix_nano >= attempts[0].end_time_unix_nano, "it has a beginning of its own");
    let asked: Vec<(bool, String, String)> = named("chat small")
        .iter()
        .map(|span| {
            let of_second = span.parent_span_id == attempts[1].span_id;
            assert_eq!(attribute(span, "gen_ai.operation.name"), "chat");
            assert_eq!(attribute(span, "gen_ai.provider.name"), "openai");
            assert_eq!(attribute(span, "gen_ai.request.model"), "small");
            let tokens = format!(
                "{} {}",
                attribute(span, "gen_ai.usage.input_tokens"),
                attribute(span, "gen_ai.usage.output_tokens")
            );
            (of_second, tokens, attribute(span, "error.type"))
        })
        .collect();
    let row = |second, tokens: &str, error: &str| (second, tokens.to_owned(), error.to_owned());
    let mut sorted = asked.clone();
    sorted.sort();
    assert_eq!(sorted, [row(false, "- -", "server_error"), row(true, "30 4", "-"), row(true, "50 5", "-")]);
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len(), "each span has an id of its own");
    assert!(!collector.holds("hidden"));
    world.check().await;
}

#[tokio::test]
async fn a_call_of_a_tool_is_named_also_where_another_server_saw_it_begin() {
    for content in [false, true] {
        let (world, collector) = (World::of(ASKING).await, Collector::start(content).await);
        let server = Server::start(|_| json_answer(200, json!({}))).await;
        let (options, sender) = collector.begin(&world);
        let engine = with_models_and(&world, options, &server);
        let id = engine.start(world.request()).await.unwrap().execution.id;
        let work = engine.claim_work(1).await.unwrap().remove(0);
        let (_, attempt) = engine.prepare(&work).await.unwrap().unwrap();
        let call = || "c1".to_owned();
        let begun = Entry::ToolCallBegun {
            call: call(),
            tool: "tracker".to_owned(),
            operation: "search_issues".to_owned(),
            arguments: json!({"query": "the hidden question"}),
            writes: false,
            idempotent: true,
        };
        attempt.journal.append(begun).await.unwrap();
        ends(sender).await;
        let (options, sender) = collector.begin(&world);
        let other = with_models_and(&world, EngineOptions { owner: "the other".to_owned(), ..options }, &server);
        world.passes(31);
        let work = other.claim_work(1).await.unwrap().remove(0);
        let (_, attempt) = other.prepare(&work).await.unwrap().unwrap();
        let outcome = ToolOutcome::Result(json!({"found": "the hidden answer", "more": "x".repeat(9_000)}));
        attempt.journal.append(Entry::ToolCallEnded { call: call(), outcome, latency_ms: 1_500 }).await.unwrap();
        ends(sender).await;
        let [span]: [Span; 1] = collector.spans().try_into().unwrap();
        assert_eq!(span.trace_id, id.into_bytes());
        assert_eq!(span.name, "execute_tool search_issues");
        assert_eq!(attribute(&span, "gen_ai.tool.name"), "search_issues");
        assert_eq!(attribute(&span, "gen_ai.tool.call.id"), "c1");
        assert_eq!(attribute(&span, "flowctl.tool"), "tracker");
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_500_000_000);
        assert_eq!((collector.holds("hidden question"), collector.holds("hidden answer")), (content, content));
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let world = World::of(ASKING).await;
    let answer =
        json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{\"n\": 7}"}});
    let server = Server::start(move |_| json_answer(200, json!({"choices": [answer.clone()]}))).await;
    let endpoint = "http://127.0.0.1:1/v1/traces".parse().unwrap();
    let settings = TraceSettings { endpoint, content: true, service: "flowctl".to_owned() };
    let (traces, sender) = Traces::begin(&settings, world.store.clone()).unwrap();
    let options = EngineOptions { traces: Some(traces), ..EngineOptions::new("the engine") };
    let engine = with_models_and(&world, options, &server);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | draft:completed");
    ends(sender).await;
    world.check().await;
}
