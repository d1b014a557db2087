//! Questions that no execution asks: what they use is counted in the tenant's month, and refused where that is used up.

use std::task::Poll;

use flowctl_core::execution::budget::{Limits, Month};

use super::journal::{models, with_models_and};
use super::*;
use crate::ai::{AskFailure, Asking, Message, Question};
use crate::steps::JournalError;
use crate::steps::tests::server::{Server, json_answer};
use crate::store::SpendingStore;

fn question() -> Question {
    let said = Message::User { text: "Say a number.".to_owned() };
    Question { model: "small".to_owned(), messages: vec![said], max_output_tokens: Some(1_000), ..Question::default() }
}

/// A model of this server, asked by this ledger.
fn asking(world: &World, server: &Server, ledger: &Ledger) -> Asking {
    let providers = models(world, server, None);
    let model = providers.resolve("compatible/small").unwrap();
    Asking::new(&providers, model, ledger.journal(), Limits::default())
}

fn engine(world: &World, server: &Server, max_tokens: u64) -> Engine {
    let each = Limits { max_cost: None, max_tokens: Some(max_tokens) };
    let tenant_budgets = TenantBudgets { each, ..TenantBudgets::default() };
    with_models_and(world, EngineOptions { tenant_budgets, ..EngineOptions::new("one") }, server)
}

/// `tenant/local: 300 tokens for 0.00075 USD, 0 reserved`
async fn spent(world: &World) -> Vec<String> {
    let spent = world.store.spent(&TenantId::local(), Month::of(world.clock.now())).await.unwrap();
    let cost = |spent: &crate::store::Spent| spent.cost.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let told = |it: &crate::store::Spent| {
        format!("{}: {} tokens for {}, {} reserved", it.account, it.tokens, cost(it), it.reserved_tokens)
    };
    spent.iter().map(told).collect()
}

fn answer() -> axum::response::Response {
    let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "7"}});
    json_answer(200, json!({"choices": [choice], "usage": {"prompt_tokens": 250, "completion_tokens": 50}}))
}

#[tokio::test]
async fn what_answers_used_is_counted_until_the_month_is_used_up() {
    let world = World::of(RELEASE).await;
    let server = Server::start(|_| answer()).await;
    let engine = engine(&world, &server, 900);
    for turn in 1..=2 {
        let ledger = engine.ledger(TenantId::local());
        // A shorter answer is asked for where the longest one is not allowed.
        asking(&world, &server, &ledger).ask(&question()).await.unwrap();
        ledger.close().await;
        let cost = if turn == 1 { "0.00075" } else { "0.0015" };
        assert_eq!(spent(&world).await, [format!("tenant/local: {} tokens for {cost} USD, 0 reserved", turn * 300)]);
    }
    let ledger = engine.ledger(TenantId::local());
    let asking = asking(&world, &server, &ledger);
    asking.ask(&question()).await.unwrap();
    let refused = asking.ask(&question()).await.unwrap_err();
    let AskFailure::Journal(JournalError::OverBudget(reason)) = refused else { panic!("{refused:?}") };
    assert!(
        reason.starts_with("the monthly budget of tenant `local` does not allow another call of the model"),
        "{reason}"
    );
    assert_eq!(server.seen().len(), 3);
    assert_eq!(spent(&world).await, ["tenant/local: 900 tokens for 0.00225 USD, 0 reserved"]);
    // Another tenant has a month of its own.
    let ledger = engine.ledger(TenantId("acme".to_owned()));
    super::ledger::asking(&world, &server, &ledger).ask(&question()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_failed_before_it_was_answered_is_free_and_one_that_nobody_waits_for_is_not() {
    let world = World::of(RELEASE).await;
    let asked = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&asked);
    let server = Server::start(move |seen| {
        if seen.body.contains("hang") {
            told.notify_one();
            let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
            return axum::response::Response::new(axum::body::Body::from_stream(never));
        }
        json_answer(503, json!({"error": {"message": "busy"}}))
    })
    .await;
    let engine = engine(&world, &server, 100_000);
    let ledger = engine.ledger(TenantId::local());
    let asking = asking(&world, &server, &ledger);
    assert!(matches!(asking.ask(&question()).await, Err(AskFailure::Provider(_))));
    assert_eq!(spent(&world).await, ["tenant/local: 0 tokens for 0 USD, 0 reserved"]);
    let hanging = Question { messages: vec![Message::User { text: "hang".to_owned() }], ..question() };
    tokio::select! {
        _ = asking.ask(&hanging) => panic!("it never answers"),
        () = asked.notified() => {}
    }
    let [reserved] = spent(&world).await.try_into().unwrap();
    assert!(
        reserved.starts_with("tenant/local: 0 tokens for 0 USD, 1") && !reserved.ends_with(" 0 reserved"),
        "{reserved}"
    );
    ledger.close().await;
    let [used] = spent(&world).await.try_into().unwrap();
    assert!(used.starts_with("tenant/local: 1") && used.ends_with(" USD, 0 reserved"), "{used}");
    ledger.close().await;
    assert_eq!(spent(&world).await, [used], "once");
}

#[tokio::test]
async fn a_question_that_was_lost_with_its_server_is_counted_with_what_was_reserved() {
    let world = World::of(RELEASE).await;
    let asked = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&asked);
    let server = Server::start(move |_| {
        told.notify_one();
        let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
        axum::response::Response::new(axum::body::Body::from_stream(never))
    })
    .await;
    let engine = engine(&world, &server, 100_000);
    let ledger = engine.ledger(TenantId::local());
    let (asking, question) = (asking(&world, &server, &ledger), question());
    tokio::select! {
        _ = asking.ask(&question) => panic!("it never answers"),
        () = asked.notified() => {}
    }
    // From here on nobody knows of it any more, but the store.
    let forget = async || engine.count_lost_questions().await.unwrap();
    let reserved = spent(&world).await;
    world.passes(600);
    forget().await;
    assert_eq!(spent(&world).await, reserved, "its server may still wait for it");
    world.passes(600);
    forget().await;
    let [used] = spent(&world).await.try_into().unwrap();
    assert!(used.starts_with("tenant/local: 1") && used.ends_with(" USD, 0 reserved"), "{used} {reserved:?}");
    forget().await;
    ledger.close().await;
    assert_eq!(spent(&world).await, [used], "once, also where its server was only slow");
}

#[tokio::test]
async fn whoever_is_gone_before_a_question_was_asked_leaves_nothing_reserved() {
    let world = World::of(RELEASE).await;
    let server = Server::start(|_| answer()).await;
    let engine = engine(&world, &server, 1_000_000);
    // Given up after each number of steps on the way to an answer.
    for steps in 0..40 {
        let ledger = engine.ledger(TenantId::local());
        let (asking, question) = (asking(&world, &server, &ledger), question());
        let mut asked = Box::pin(asking.ask(&question));
        for _ in 0..steps {
            let polled = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
            if polled.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(asked);
        ledger.close().await;
        assert!(spent(&world).await.iter().all(|account| account.ends_with(" 0 reserved")), "after {steps}");
    }
}
