//! What accounts spend in a month, and what budgets do not allow.

use flowctl_core::execution::budget::{Account, BudgetOf, Limits, Month};
use flowctl_core::execution::journal::EntryKind;
use flowctl_core::execution::{EventKind, Signal, TenantId, Usage};
use futures_util::future::join_all;
use serde_json::json;

use super::given::{Story, acme, at, globex};
use crate::store::{Charge, Spent, Store, StoreError, Transition};

fn usage(tokens: u64, cost: &str) -> Usage {
    let cost = Some(cost.to_owned()).filter(|cost| !cost.is_empty());
    Usage { input_tokens: tokens, cost, calls: 1, ..Usage::default() }
}

fn limits(cost: &str) -> Limits {
    Limits { max_cost: Some(cost.parse().unwrap()), max_tokens: None }
}

fn charge(limits: Limits) -> Charge {
    let account = Account::new(BudgetOf::Repository, "acme/shop");
    Charge { account, month: Month::of(at(0)), limits, uses: None, reserves: None, frees: None }
}

fn reserving(limits: Limits, call: Usage) -> Charge {
    Charge { reserves: Some(call), ..charge(limits) }
}

fn used(limits: Limits, reserved: Usage, uses: Usage) -> Charge {
    Charge { uses: Some(uses), frees: Some(reserved), ..charge(limits) }
}

/// The next transition of a story, with these charges.
fn noted(story: &mut Story, charges: Vec<Charge>) -> Transition {
    let kind = EntryKind::Message;
    story.happened(4, Some("draft"), EventKind::StepNoted { kind, bytes: 2, usage: None, entry: json!({}) });
    Transition { charges, ..story.transition() }
}

async fn drafting(store: &impl Store, tenant: TenantId, number: u128) -> Story {
    let mut story = Story::new(tenant, number).drafting();
    store.commit(story.transition()).await.unwrap();
    story
}

/// `repository/acme/shop USD: 10 tokens for 0.1 USD, 0 for 0 USD reserved`
async fn standing(store: &impl Store, tenant: &TenantId) -> Vec<String> {
    let money = |money: Option<flowctl_core::value::Money>| money.map_or_else(|| "?".to_owned(), |it| it.to_string());
    let words = |spent: Spent| {
        let Spent { account, tokens, cost, reserved_tokens, reserved_cost, .. } = spent;
        format!("{account}: {tokens} for {}, {reserved_tokens} for {} reserved", money(cost), money(reserved_cost))
    };
    store.spent(tenant, Month::of(at(0))).await.unwrap().into_iter().map(words).collect()
}

pub(crate) async fn what_is_reserved_is_free_again_once_it_is_used(store: &impl Store) {
    let mut story = drafting(store, acme(), 1).await;
    let call = usage(100, "0.5 USD");
    let first = noted(&mut story, vec![reserving(limits("1 USD"), call.clone())]);
    store.commit(first).await.unwrap();
    assert_eq!(standing(store, &acme()).await, ["repository/acme/shop: 0 for 0 USD, 100 for 0.5 USD reserved"]);
    // The same question again, as after a crash: what was reserved for the first is free.
    let again = Charge { frees: Some(call.clone()), ..charge(limits("1 USD")) };
    let second = noted(&mut story, vec![again, reserving(limits("1 USD"), usage(90, "0.6 USD"))]);
    store.commit(second).await.unwrap();
    let answered = used(limits("1 USD"), usage(90, "0.6 USD"), usage(70, "0.0000000001 USD"));
    store.commit(noted(&mut story, vec![answered])).await.unwrap();
    assert_eq!(
        standing(store, &acme()).await,
        ["repository/acme/shop: 70 for 0.000000001 USD, 0 for 0 USD reserved"],
        "what is less than can be kept is rounded up"
    );
    // What nobody knows the price of is counted by itself.
    store.commit(noted(&mut story, vec![used(Limits::default(), usage(0, ""), usage(5, ""))])).await.unwrap();
    assert_eq!(standing(store, &acme()).await[0], "repository/acme/shop: 5 for ?, 0 for ? reserved");
    assert_eq!(store.spent(&acme(), Month::of(at(60 * 60 * 24 * 31))).await.unwrap(), []);
}

pub(crate) async fn a_call_that_a_budget_does_not_allow_stores_nothing(store: &impl Store) {
    let mut story = drafting(store, acme(), 1).await;
    store.commit(noted(&mut story, vec![reserving(limits("1 USD"), usage(100, "0.5 USD"))])).await.unwrap();
    let mut other = drafting(store, acme(), 2).await;
    let before = other.clone();
    // The first of its charges would be allowed.
    let tenant =
        Charge { account: Account::new(BudgetOf::Tenant, "acme"), ..reserving(limits("9 USD"), usage(1, "0.6 USD")) };
    let refused = noted(&mut other, vec![tenant, reserving(limits("1 USD"), usage(1, "0.6 USD"))]);
    let error = store.commit(refused).await.unwrap_err();
    assert!(matches!(error, StoreError::OverBudget(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "the monthly budget of repository `acme/shop` does not allow another call of the model: with it, up to 1.1 USD of \
         1 USD would be used until 2026-04-01T00:00:00Z; 0 USD (0 tokens) spent so far, and 0.5 USD (100 tokens) reserved by \
         calls under way"
    );
    assert_eq!(standing(store, &acme()).await, ["repository/acme/shop: 0 for 0 USD, 100 for 0.5 USD reserved"]);
    assert_eq!(store.load(&acme(), before.execution.id).await.unwrap().unwrap().version, 1);
    let mut other = before;
    store.commit(noted(&mut other, vec![reserving(limits("1 USD"), usage(1, "0.5 USD"))])).await.unwrap();
}

pub(crate) async fn calls_of_many_executions_at_once_cannot_overspend(store: &impl Store) {
    let mut stories = Vec::new();
    for number in 1..=20 {
        stories.push(drafting(store, acme(), number).await);
    }
    let call = || reserving(limits("1 USD"), usage(10, "0.3 USD"));
    let asked = stories.iter_mut().map(|story| store.commit(noted(story, vec![call()])));
    let outcomes = join_all(asked).await;
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::OverBudget(_)))).count();
    assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), refused), (3, 17));
    assert_eq!(standing(store, &acme()).await, ["repository/acme/shop: 0 for 0 USD, 30 for 0.9 USD reserved"]);
}

pub(crate) async fn people_are_told_once_for_each_budget_and_month(store: &impl Store) {
    let mut story = drafting(store, acme(), 1).await;
    let answered = |budget: &str, cost: &str| Charge { uses: Some(usage(1, cost)), ..charge(limits(budget)) };
    let told = async || {
        let pending = store.signals(at(100), 10).await.unwrap();
        let ids: Vec<i64> = pending.iter().map(|signal| signal.id).collect();
        store.drop_signals(&ids).await.unwrap();
        pending.into_iter().map(|pending| (pending.execution, pending.signal)).collect::<Vec<_>>()
    };
    store.commit(noted(&mut story, vec![answered("1 USD", "0.79 USD")])).await.unwrap();
    assert_eq!(told().await, []);
    store.commit(noted(&mut story, vec![answered("1 USD", "0.01 USD")])).await.unwrap();
    let [(execution, Signal::BudgetNearlyUsed { nearly })]: [_; 1] = told().await.try_into().unwrap() else {
        panic!("another signal")
    };
    assert_eq!(execution, story.execution.id);
    assert_eq!(nearly.used.cost.as_deref(), Some("0.8 USD"));
    assert_eq!((nearly.account.words(), nearly.until), ("repository `acme/shop`".to_owned(), Month::of(at(0)).end()));
    store.commit(noted(&mut story, vec![answered("1 USD", "0.1 USD")])).await.unwrap();
    assert_eq!(told().await, [], "they were told");
    // Another budget is another one to be told of, and so is another month.
    store.commit(noted(&mut story, vec![answered("1.1 USD", "0.01 USD")])).await.unwrap();
    assert_eq!(told().await.len(), 1);
    let next = Month::of(at(60 * 60 * 24 * 31));
    let later = Charge { month: next, ..answered("1 USD", "0.9 USD") };
    store.commit(noted(&mut story, vec![later])).await.unwrap();
    assert_eq!(told().await.len(), 1);
}

pub(crate) async fn what_one_tenant_spends_is_no_other_ones(store: &impl Store) {
    let (mut ours, mut theirs) = (drafting(store, acme(), 1).await, drafting(store, globex(), 2).await);
    for story in [&mut ours, &mut theirs] {
        store.commit(noted(story, vec![reserving(limits("1 USD"), usage(10, "0.9 USD"))])).await.unwrap();
    }
    assert_eq!(standing(store, &globex()).await, ["repository/acme/shop: 0 for 0 USD, 10 for 0.9 USD reserved"]);
}

pub(crate) async fn what_no_execution_asked_counts_in_the_same_months(store: &impl Store) {
    let call = || usage(100, "0.5 USD");
    store.spend(&acme(), reserving(limits("1 USD"), call())).await.unwrap();
    assert_eq!(standing(store, &acme()).await, ["repository/acme/shop: 0 for 0 USD, 100 for 0.5 USD reserved"]);
    // A step of an execution finds it, and the other way round.
    let mut story = drafting(store, acme(), 1).await;
    let error =
        store.commit(noted(&mut story, vec![reserving(limits("1 USD"), usage(1, "0.6 USD"))])).await.unwrap_err();
    assert!(matches!(error, StoreError::OverBudget(_)), "{error}");
    store.spend(&acme(), used(limits("1 USD"), call(), usage(90, "0.9 USD"))).await.unwrap();
    let error = store.spend(&acme(), reserving(limits("1 USD"), usage(1, "0.2 USD"))).await.unwrap_err();
    assert!(matches!(error, StoreError::OverBudget(_)), "{error}");
    assert_eq!(standing(store, &acme()).await, ["repository/acme/shop: 90 for 0.9 USD, 0 for 0 USD reserved"]);
    assert_eq!(standing(store, &globex()).await, Vec::<String>::new());
    // That most of it is used the next call of an execution tells.
    assert!(store.signals(at(100), 10).await.unwrap().is_empty());
    let mut story = drafting(store, acme(), 2).await;
    store
        .commit(noted(&mut story, vec![Charge { uses: Some(usage(1, "0.01 USD")), ..charge(limits("1 USD")) }]))
        .await
        .unwrap();
    let told = store.signals(at(100), 10).await.unwrap();
    assert!(matches!(told.as_slice(), [one] if matches!(one.signal, Signal::BudgetNearlyUsed { .. })), "{told:?}");
    // Of many at once none overspends.
    let budget = || Limits { max_tokens: Some(1_000), ..Limits::default() };
    let other = globex();
    let asked = (0..20).map(|_| store.spend(&other, reserving(budget(), usage(300, "0 USD"))));
    let allowed = join_all(asked).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(allowed, 3);
}
