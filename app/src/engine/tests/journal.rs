//! Attempts that record what they do: crashes between two entries, people in the middle, and who may record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flowctl_core::approval::{AboutCall, Group, Requirement};
use flowctl_core::execution::{CallDecision, CallRequest, Entry, Refusal, Speaker};
use secrecy::SecretString;
use url::Url;

use super::*;
use crate::ai::{AiSettings, Prices, ProviderSettings, Providers};
use crate::clock::Clock;
use crate::steps::tests::server::{Server, json_answer};
use crate::steps::{AiGeneratePerformer, JournalError};
use crate::store::{ApprovalFilter, ApprovalStatus};

const AGENT: &str = "
name: agent
version: 1
steps:
  - id: sign
    type: api_call
    url: https://agents.example/
    timeout: 10m
";

/// Records two entries, asks whether it may write, and does as it was told.
#[derive(Default)]
struct Agent {
    /// What it was handed each time: the texts, or the kinds of entries that have none.
    handed: Mutex<Vec<Vec<String>>>,
}

fn said(text: &str) -> Entry {
    Entry::Message { role: Speaker::User, text: text.to_owned() }
}

fn request() -> CallRequest {
    CallRequest {
        call: "c1".to_owned(),
        tool: "github".to_owned(),
        operation: "close".to_owned(),
        arguments: json!({"issue": 7}),
        title: "May it close the issue?".to_owned(),
        description: "Because.".to_owned(),
        requirement: Requirement::People { group: Group::Users(vec!["alice".to_owned()]), count: 1 },
        allow_author: false,
        patience_ms: Some(3_600_000),
    }
}

fn shown(entry: &Entry) -> String {
    match entry {
        Entry::Message { text, .. } => text.chars().take(8).collect(),
        Entry::ApprovalDecided { decided } => format!("{:?} {}", decided.decision, decided.call),
        other => format!("{:?}", other.kind()),
    }
}

#[async_trait]
impl Performer for Agent {
    async fn perform(&self, attempt: Attempt) -> Performed {
        let before = attempt.journal.before();
        self.handed.lock().unwrap().push(before.iter().map(shown).collect());
        for text in ["one".to_owned(), "x".repeat(20_000)].iter().skip(before.len().min(2)) {
            attempt.journal.append(said(text)).await.unwrap();
        }
        let decided = before.iter().find_map(|entry| match entry {
            Entry::ApprovalDecided { decided } => Some(decided.decision),
            _ => None,
        });
        match decided {
            Some(decision) => Ok(json!({"wrote": decision == CallDecision::Approved})).into(),
            None => {
                let over = attempt.journal.ask(request()).await;
                assert_eq!(over, JournalError::Over);
                Err(StepError::new(ErrorClass::Refused, "nobody reads this")).into()
            }
        }
    }
}

fn with_agent(world: &World, owner: &str, agent: &Arc<Agent>) -> Engine {
    let performers = Arc::new(Performers::default().with(StepType::ApiCall, agent.clone()));
    let (store, definitions) = (world.store.clone(), world.definitions.clone());
    let (clock, ids) = (world.clock.clone(), world.ids.clone());
    Engine::new(store, definitions, performers, clock, ids, Arc::new(Telling), EngineOptions::new(owner))
}

/// Alice's word about a call.
fn approval_about(world: &World, call: Option<AboutCall>) -> Signal {
    match world.approval("alice", "1") {
        Signal::Decide { step, decision } => Signal::Decide { step, decision: Decision { call, ..decision } },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_attempt_asks_a_person_and_goes_on_with_the_answer() {
    let (world, agent) = (World::of(AGENT).await, Arc::new(Agent::default()));
    let engine = with_agent(&world, "the engine with an agent", &agent);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | sign:waiting");
    let pending = ApprovalFilter { status: Some(ApprovalStatus::Pending), execution: Some(id) };
    let asked = world.store.approvals(None, &pending, 10, None).await.unwrap().items;
    assert_eq!(asked.len(), 1);
    let call = asked[0].request.call.clone().unwrap();
    assert_eq!((call.tool.as_str(), call.operation.as_str(), call.digest.len()), ("github", "close", 64));
    world.check().await;
    let about = Some(AboutCall { attempt: 1, digest: call.digest.clone() });
    engine.signal(&TenantId::local(), id, approval_about(&world, about), Along::default()).await.unwrap();
    engine.settle().await.unwrap();
    let execution = world.execution(id).await;
    assert_eq!(execution.status.as_str(), "completed");
    assert_eq!(execution.steps["sign"].output, Some(json!({"wrote": true})));
    assert_eq!(world.store.approvals(None, &pending, 10, None).await.unwrap().items, []);
    let all = ApprovalFilter { status: None, execution: Some(id) };
    let all = world.store.approvals(None, &all, 10, None).await.unwrap().items;
    assert_eq!(all.iter().map(|approval| approval.status).collect::<Vec<_>>(), [ApprovalStatus::Approved]);
    let handed = agent.handed.lock().unwrap().clone();
    let whole = vec!["one".to_owned(), "xxxxxxxx".to_owned(), "ApprovalAsked".to_owned(), "Approved c1".to_owned()];
    assert_eq!(handed, [Vec::new(), whole]);
    let story = world.story(id).await;
    let expected = [
        "created",
        "started",
        "sign started",
        "sign noted",
        "sign noted",
        "sign waiting",
        "waiting",
        "sign decided",
        "sign resumed",
        "resumed",
        "sign completed",
        "completed",
    ];
    assert_eq!(story, expected);
    // The large entry is kept apart.
    let events = world.store.events(&TenantId::local(), id, 0, 100).await.unwrap();
    assert!(events.iter().all(|stored| serde_json::to_string(&stored.event).unwrap().len() < 9_000));
    world.check().await;
}

#[tokio::test]
async fn a_server_that_dies_between_entries_loses_and_doubles_none() {
    let (world, agent) = (World::of(AGENT).await, Arc::new(Agent::default()));
    let engine = with_agent(&world, "goes on", &agent);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    // As if the process had ended after one entry.
    let dying = with_agent(&world, "dies", &agent);
    let work = dying.claim_work(1).await.unwrap().remove(0);
    let (_, attempt) = dying.prepare(&work).await.unwrap().unwrap();
    attempt.journal.append(said("one")).await.unwrap();
    world.passes(31);
    engine.settle().await.unwrap();
    assert_eq!(agent.handed.lock().unwrap().clone(), [vec!["one".to_owned()]]);
    // Whoever comes back from the dead records nothing more.
    assert_eq!(attempt.journal.append(said("ghost")).await, Err(JournalError::Over));
    assert_eq!(attempt.journal.ask(request()).await, JournalError::Over);
    let story = world.story(id).await;
    let expected =
        ["created", "started", "sign started", "sign noted", "sign repeated", "sign noted", "sign waiting", "waiting"];
    assert_eq!(story, expected);
    world.check().await;
}

/// An answer as a server with OpenAI's interface gives it.
fn spoken(text: &str) -> axum::response::Response {
    let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}});
    json_answer(200, json!({"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}))
}

fn with_models(world: &World, owner: &str, server: &Server) -> Engine {
    with_models_and(world, EngineOptions::new(owner), server)
}

pub(super) fn with_models_and(world: &World, options: EngineOptions, server: &Server) -> Engine {
    with_key(world, options, server, None)
}

/// A provider at this server whose models cost one USD to read a million tokens and ten to write them.
pub(super) fn models(world: &World, server: &Server, key: Option<SecretString>) -> Providers {
    let base_url = Some(Url::parse(&server.url("/v1")).unwrap());
    let compatible = ProviderSettings { api_key: key, base_url };
    let clock: Arc<dyn Clock> = world.clock.clone();
    let providers = Providers::from_settings(&AiSettings { compatible, ..AiSettings::default() }, &clock).unwrap();
    let own = "[[price]]\nmodel = \"compatible/*\"\ninput = \"1 USD\"\noutput = \"10 USD\"\n";
    providers.with_prices(Prices::read(own).unwrap())
}

pub(super) fn with_key(world: &World, options: EngineOptions, server: &Server, key: Option<SecretString>) -> Engine {
    let clock: Arc<dyn Clock> = world.clock.clone();
    let performer = AiGeneratePerformer::new(Arc::new(models(world, server, key)), clock);
    let performers = Performers::default().with(StepType::AiGenerate, Arc::new(performer));
    let performers = Arc::new(performers.with(StepType::Notify, world.performer.clone()));
    let (store, definitions) = (world.store.clone(), world.definitions.clone());
    let (clock, ids) = (world.clock.clone(), world.ids.clone());
    Engine::new(store, definitions, performers, clock, ids, Arc::new(Telling), options)
}

const GENERATING: &str = "
name: generating
version: 1
defaults: {execution_budget: {max_cost: 0.10 USD}}
steps:
  - id: draft
    type: ai_generate
    model: compatible/small
    prompt: Say a number.
    output_schema: {type: object, required: [n], properties: {n: {type: integer}}}
    max_output_tokens: 100
";

#[tokio::test]
async fn a_repair_loop_goes_on_after_the_last_answer_when_its_server_dies() {
    let world = World::of(GENERATING).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let (second_asked, hangs) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicBool::new(true)));
    let (told, hanging) = (second_asked.clone(), hangs.clone());
    let server = Server::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => spoken("{\"m\": 1}"),
        // The answer to the first repair never comes: the server that asked for it dies.
        1 if hanging.load(Ordering::SeqCst) => {
            told.notify_one();
            axum::response::Response::new(axum::body::Body::from_stream(futures_util::stream::pending::<
                Result<axum::body::Bytes, std::io::Error>,
            >()))
        }
        _ => spoken("{\"n\": 7}"),
    })
    .await;
    let dying = with_models(&world, "dies", &server);
    let id = dying.start(world.request()).await.unwrap().execution.id;
    let work = dying.claim_work(1).await.unwrap().remove(0);
    let (step_type, attempt) = dying.prepare(&work).await.unwrap().unwrap();
    let entered = dying.inner.under_way.enter(&work);
    let performing = dying.perform_under_lease(&entered, step_type, attempt);
    tokio::select! {
        _ = performing => panic!("the answer never comes"),
        () = second_asked.notified() => {}
    }
    world.passes(31);
    hangs.store(false, Ordering::SeqCst);
    with_models(&world, "goes on", &server).settle().await.unwrap();
    let execution = world.execution(id).await;
    assert_eq!(execution.steps["draft"].output, Some(json!({"n": 7})));
    // Three questions: the first, the repair whose answer was lost, and that repair again.
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let usage = execution.steps["draft"].usage.clone().unwrap();
    // What the lost one used nobody told: what was reserved for it counts.
    assert_eq!((usage.calls, usage.estimated), (3, true));
    assert!(usage.input_tokens > 200, "{usage:?}");
    assert_eq!(execution.cost(), usage.cost);
    world.check().await;
}

#[tokio::test]
async fn a_call_that_the_budget_does_not_allow_is_not_made() {
    let world = World::of(&GENERATING.replace("0.10 USD", "0.001 USD")).await;
    let server = Server::start(|_| spoken("{\"n\": 7}")).await;
    let engine = with_models(&world, "poor", &server);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    let error = world.execution(id).await.error.unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
    let expected = "the budget of the execution does not allow another call of the model: with it, up to ";
    assert!(error.message.starts_with(expected), "{}", error.message);
    assert_eq!(server.seen().len(), 0);
    world.check().await;
}

#[tokio::test]
async fn nobody_decides_in_time_or_the_execution_is_cancelled_meanwhile() {
    let (world, agent) = (World::of(AGENT).await, Arc::new(Agent::default()));
    let engine = with_agent(&world, "the engine with an agent", &agent);
    let late = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    world.passes(3_601);
    engine.settle().await.unwrap();
    assert_eq!(world.execution(late).await.steps["sign"].output, Some(json!({"wrote": false})));
    let status = |id| {
        let (store, filter) = (world.store.clone(), ApprovalFilter { status: None, execution: Some(id) });
        async move { store.approvals(None, &filter, 10, None).await.unwrap().items[0].status }
    };
    assert_eq!(status(late).await, ApprovalStatus::Expired);
    let cancelled = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    let cancel = Signal::Cancel { actor: None, reason: "enough".to_owned() };
    engine.signal(&TenantId::local(), cancelled, cancel, Along::default()).await.unwrap();
    assert_eq!(world.picture(cancelled).await, "cancelled | sign:cancelled");
    assert_eq!(status(cancelled).await, ApprovalStatus::Cancelled);
    let late_word = engine.signal(&TenantId::local(), cancelled, world.approval("alice", "9"), Along::default()).await;
    assert!(matches!(late_word, Err(SignalFailure::Refused(Refusal::Ended { .. }))), "{late_word:?}");
    world.check().await;
}

#[tokio::test]
async fn a_cancelled_attempt_records_nothing_more() {
    let (world, agent) = (World::of(AGENT).await, Arc::new(Agent::default()));
    let engine = with_agent(&world, "the engine with an agent", &agent);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    let work = engine.claim_work(1).await.unwrap().remove(0);
    let (step_type, attempt) = engine.prepare(&work).await.unwrap().unwrap();
    attempt.journal.append(said("one")).await.unwrap();
    let cancel = Signal::Cancel { actor: None, reason: "enough".to_owned() };
    engine.signal(&TenantId::local(), id, cancel, Along::default()).await.unwrap();
    assert_eq!(attempt.journal.append(said("two")).await, Err(JournalError::Over));
    let entered = engine.inner.under_way.enter(&work);
    entered.over.cancel();
    assert_eq!(engine.perform_under_lease(&entered, step_type, attempt).await, None);
    world.check().await;
}
