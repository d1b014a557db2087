//! Engines with the performers of real use, against a server on this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::SecretString;

use super::*;
use crate::ai::Providers;
use crate::steps::OutgoingOptions;
use crate::steps::tests::server::{Server, json_answer};

/// A world whose engine performs calls and generations for real.
async fn world(process: &str) -> (World, Engine) {
    let world = World::of(process).await;
    let engine = with_real_performers(&world, "for real");
    (world, engine)
}

fn with_real_performers(world: &World, owner: &str) -> Engine {
    let secrets: BTreeMap<String, SecretString> =
        BTreeMap::from([("TOKEN".to_owned(), SecretString::from("s3cret-token"))]);
    let options = OutgoingOptions { allow_private_networks: true, ..OutgoingOptions::default() };
    let providers = Arc::new(Providers::default());
    let performers = Performers::standard(options, Arc::new(secrets), providers, None, world.clock.clone()).unwrap();
    let (store, definitions) = (world.store.clone(), world.definitions.clone());
    let (clock, ids) = (world.clock.clone(), world.ids.clone());
    let options = EngineOptions::new(owner);
    Engine::new(store, definitions, Arc::new(performers), clock, ids, Arc::new(()), options)
}

fn calling(url: &str) -> String {
    format!(
        "
name: calling
version: 1
steps:
  - id: call
    type: api_call
    method: POST
    url: {url}
    headers: {{authorization: 'Bearer {{{{ secrets.TOKEN }}}}'}}
    body: {{token: '{{{{ secrets.TOKEN }}}}'}}
    retry: {{max_attempts: 3, initial: 1s, jitter: false}}
outputs:
  answer: '{{{{ steps.call.output.body }}}}'
"
    )
}

#[tokio::test]
async fn a_call_is_repeated_as_the_other_side_asks_and_with_the_same_key() {
    let calls = AtomicU32::new(0);
    let server = Server::start(move |seen| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "7")]).into_response(),
        1 => (StatusCode::BAD_GATEWAY, seen.body.clone()).into_response(),
        _ => json_answer(200, json!({"echo": seen.header("authorization")})),
    })
    .await;
    let (world, engine) = world(&calling(&server.url("/hook"))).await;
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    world.passes(6);
    engine.settle().await.unwrap();
    assert_eq!(server.seen().len(), 1);
    world.passes(1);
    engine.settle().await.unwrap();
    assert_eq!(server.seen().len(), 2);
    world.passes(2);
    engine.settle().await.unwrap();
    let execution = world.execution(id).await;
    assert_eq!(execution.outputs, Some(json!({"answer": {"echo": "Bearer ***"}})));
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let key = idempotency_key(&execution, "call");
    assert!(seen.iter().all(|call| call.header("idempotency-key") == Some(key.as_str())));
    assert!(seen.iter().all(|call| call.header("authorization") == Some("Bearer s3cret-token")));
    assert!(seen.iter().all(|call| call.body == "{\"token\":\"s3cret-token\"}"));
    world.check().await;
}

#[tokio::test]
async fn a_secret_is_nowhere_in_the_database() {
    let server = Server::start(|seen| match seen.header("idempotency-key") {
        Some(_) => (StatusCode::BAD_REQUEST, format!("{:?} {}", seen.headers, seen.body)).into_response(),
        None => StatusCode::OK.into_response(),
    })
    .await;
    let (world, engine) = world(&calling(&server.url("/hook"))).await;
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    let error = world.execution(id).await.error.unwrap();
    assert!(error.message.contains("Bearer ***"), "{}", error.message);
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer s3cret-token"));
    world.check().await;
    let mut files = 0;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(b"s3cret".len()).any(|window| window == b"s3cret"));
        files += 1;
    }
    assert!(files >= 1);
}

#[tokio::test]
async fn a_call_whose_server_died_is_repeated_with_the_same_key() {
    let server = Server::start(|_| json_answer(200, json!({}))).await;
    let (world, engine) = world(&calling(&server.url("/hook"))).await;
    let id = engine.start(world.request()).await.unwrap().execution.id;
    // Performed, and killed before the result was recorded: as if the process had ended here.
    let dying = with_real_performers(&world, "dies");
    let work = dying.claim_work(1).await.unwrap().remove(0);
    let (step_type, attempt) = dying.prepare(&work).await.unwrap().unwrap();
    let entered = dying.inner.under_way.enter(&work);
    dying.perform_under_lease(&entered, step_type, attempt).await.unwrap().result.unwrap();
    world.passes(30);
    engine.settle().await.unwrap();
    assert_eq!(world.execution(id).await.status.as_str(), "completed");
    let keys: Vec<_> = server.seen().iter().map(|call| call.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    world.check().await;
}

#[tokio::test]
async fn a_generation_leaves_its_usage() {
    let process = "
name: generating
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock/schema_violation
    prompt: Say something about {{ execution.process }}
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: keep
    type: set
    depends_on: draft
    values: {text: '{{ steps.draft.output.text }}'}
";
    let (world, engine) = world(process).await;
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    let execution = world.execution(id).await;
    assert_eq!(execution.status.as_str(), "completed");
    let usage = execution.steps["draft"].usage.clone().unwrap();
    assert_eq!((usage.model.as_str(), usage.calls), ("mock/schema_violation", 2));
    assert_eq!(execution.cost().as_deref(), Some("0 USD"));
    let text = &execution.steps["draft"].output.as_ref().unwrap()["text"];
    assert_eq!(execution.steps["keep"].output, Some(json!({"text": text})));
    world.check().await;
}
