//! Budgets that count by month: whose they are, how people are told that one is nearly used, and what begins anew.

use flowctl_core::execution::budget::{Limits, Month};

use super::journal::with_models_and;
use super::*;
use crate::steps::tests::server::{Server, json_answer};
use crate::store::SpendingStore;

/// A month, in seconds, from the beginning of every story.
const MONTH: i64 = 31 * 24 * 60 * 60;

const ASKING: &str = "
name: asking
version: 1
steps:
  - id: draft
    type: ai_generate
    model: compatible/small
    prompt: Say a number.
    output_schema: {type: object, required: [n], properties: {n: {type: integer}}}
    max_output_tokens: 100
";

/// A model whose every answer uses 300 tokens and costs 0.00075 USD.
async fn model() -> Server {
    Server::start(|_| {
        let choice =
            json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{\"n\": 7}"}});
        json_answer(200, json!({"choices": [choice], "usage": {"prompt_tokens": 250, "completion_tokens": 50}}))
    })
    .await
}

async fn run(world: &World, engine: &Engine) -> ExecutionId {
    let id = engine.start(world.request()).await.unwrap().execution.id;
    engine.settle().await.unwrap();
    id
}

async fn alerts(world: &World, id: ExecutionId) -> usize {
    world.story(id).await.iter().filter(|name| *name == "budget_nearly_used").count()
}

#[tokio::test]
async fn a_repository_spends_what_its_month_allows_and_is_told_before_it_is_used_up() {
    let (world, server) = (World::of(ASKING).await, model().await);
    let settings = "monthly_budget: {max_tokens: 1000}\nnotify:\n  - {on: [budget_nearly_used], channel: webhook, to: 'https://ops.example/hook'}\n";
    world.definitions.rewrite_beside(ASKING, Some(settings));
    let engine = with_models_and(&world, EngineOptions::new("the engine"), &server);
    let (first, second) = (run(&world, &engine).await, run(&world, &engine).await);
    assert_eq!((alerts(&world, first).await, alerts(&world, second).await), (0, 0));
    // Another process goes on: what was spent is not in memory.
    let engine = with_models_and(&world, EngineOptions::new("after a restart"), &server);
    let third = run(&world, &engine).await;
    assert_eq!(world.picture(third).await, "completed | draft:completed");
    assert_eq!(alerts(&world, third).await, 1);
    let [told]: [_; 1] = world.performer.seen().try_into().unwrap();
    assert_eq!(told.input["subject"], "Most of this month's budget of repository `shop` is used");
    assert_eq!(
        told.input["message"],
        "Tokens so far: 900 of 1000\nBegins anew: 2026-04-01T00:00:00Z\nProcess: asking of shop"
    );
    assert_eq!(told.input["payload"]["data"]["budget"]["account"], json!({"of": "repository", "name": "shop"}));
    let fourth = run(&world, &engine).await;
    let error = world.execution(fourth).await.error.unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
    let expected = "the monthly budget of repository `shop` does not allow another call of the model: with it, up to ";
    assert!(error.message.starts_with(expected), "{}", error.message);
    let expected = " of 1000 tokens would be used until 2026-04-01T00:00:00Z; 900 tokens spent so far, and 0 tokens reserved by calls under way";
    assert!(error.message.ends_with(expected), "{}", error.message);
    assert_eq!((server.seen().len(), world.performer.seen().len()), (3, 1));
    world.passes(MONTH);
    let fifth = run(&world, &engine).await;
    assert_eq!(world.picture(fifth).await, "completed | draft:completed");
    world.check().await;
}

#[tokio::test]
async fn a_process_has_a_month_of_its_own() {
    let world = World::of(&ASKING.replace("steps:", "defaults: {monthly_budget: {max_cost: 0.001 USD}}\nsteps:")).await;
    let server = model().await;
    let engine = with_models_and(&world, EngineOptions::new("the engine"), &server);
    let first = run(&world, &engine).await;
    assert_eq!(world.picture(first).await, "failed | draft:failed", "a call alone may cost more");
    let message = world.execution(first).await.error.unwrap().message;
    assert!(message.starts_with("the monthly budget of process `shop:asking` does not allow"), "{message}");
    assert_eq!(server.seen().len(), 0);
    world.check().await;
}

#[tokio::test]
async fn a_tenant_spends_what_the_operator_allows_and_every_account_is_counted() {
    let (world, server) = (World::of(ASKING).await, model().await);
    let tokens = |max| Limits { max_cost: None, max_tokens: Some(max) };
    let tenant_budgets =
        TenantBudgets { each: tokens(1), by_name: BTreeMap::from([("Local".to_owned(), tokens(600))]) };
    let engine = with_models_and(&world, EngineOptions { tenant_budgets, ..EngineOptions::new("one") }, &server);
    let first = run(&world, &engine).await;
    assert_eq!(world.picture(first).await, "completed | draft:completed");
    let second = run(&world, &engine).await;
    assert_eq!(world.picture(second).await, "completed | draft:completed");
    assert_eq!(alerts(&world, second).await, 1);
    let third = run(&world, &engine).await;
    let message = world.execution(third).await.error.unwrap().message;
    assert!(message.starts_with("the monthly budget of tenant `local` does not allow"), "{message}");
    let spent = world.store.spent(&TenantId::local(), Month::of(world.clock.now())).await.unwrap();
    let spent: Vec<(String, u64, u64)> =
        spent.into_iter().map(|spent| (spent.account, spent.tokens, spent.reserved_tokens)).collect();
    let each = |account: &str| (account.to_owned(), 600, 0);
    assert_eq!(spent, [each("process/shop:asking"), each("repository/shop"), each("tenant/local")]);
    world.check().await;
}

#[tokio::test]
async fn what_a_cancelled_call_had_reserved_counts_as_used_in_the_month_it_was_asked_in() {
    let (world, server) = (World::of(ASKING).await, model().await);
    let engine = with_models_and(&world, EngineOptions::new("the engine"), &server);
    let id = engine.start(world.request()).await.unwrap().execution.id;
    let work = engine.claim_work(1).await.unwrap().remove(0);
    let (_, attempt) = engine.prepare(&work).await.unwrap().unwrap();
    let reserved = flowctl_core::execution::Usage { input_tokens: 40, calls: 1, ..Default::default() };
    let entry = flowctl_core::execution::Entry::ModelAsked {
        model: "compatible/small".to_owned(),
        reserved,
        budget: Limits::default(),
    };
    attempt.journal.append(entry).await.unwrap();
    let march = Month::of(world.clock.now());
    let reserved = async || {
        let spent = world.store.spent(&TenantId::local(), march).await.unwrap();
        spent.iter().map(|spent| (spent.tokens, spent.reserved_tokens)).collect::<Vec<_>>()
    };
    assert_eq!(reserved().await, [(0, 40), (0, 40), (0, 40)]);
    world.passes(MONTH);
    let cancel = Signal::Cancel { actor: None, reason: "enough".to_owned() };
    engine.signal(&TenantId::local(), id, cancel, Along::default()).await.unwrap();
    assert_eq!(reserved().await, [(40, 0), (40, 0), (40, 0)], "it may be charged all the same");
    assert_eq!(world.store.spent(&TenantId::local(), Month::of(world.clock.now())).await.unwrap(), []);
    world.check().await;
}
