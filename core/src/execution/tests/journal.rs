//! Journals: what is recorded while an attempt works, what people are asked in the middle of it, and what it may spend.

use super::*;
use crate::approval::{AboutCall, Group, Requirement};
use crate::definition::ErrorClass;
use crate::execution::budget::{Account, BudgetOf, Limits, Month, NearlyUsed};
use crate::execution::journal::{EntryKind, MAX_ENTRIES, MAX_ENTRY_BYTES, recorded};

const AGENT: &str = "- {id: work, type: api_call, url: 'http://127.0.0.1/', retry: {max_attempts: 3, initial: 1s, jitter: false, on: [any]}, timeout: 5m}";

pub(super) fn said(text: &str) -> Entry {
    Entry::Message { role: Speaker::User, text: text.to_owned() }
}

fn usage(tokens: u64, cost: &str) -> Usage {
    Usage { model: "m".to_owned(), input_tokens: tokens, cost: Some(cost.to_owned()), calls: 1, ..Usage::default() }
}

fn asks_model(tokens: u64, cost: &str, budget: Limits) -> Entry {
    Entry::ModelAsked { model: "m".to_owned(), reserved: usage(tokens, cost), budget }
}

fn answer(tokens: u64, cost: &str) -> Entry {
    let (text, usage) = ("hi".to_owned(), usage(tokens, cost));
    Entry::ModelAnswered { text, calls: Vec::new(), stop: StopReason::Finished, usage, latency_ms: 7 }
}

impl World {
    pub(super) fn notes(&mut self, step: &str, entry: Entry) -> Result<(), Refusal> {
        let state = &self.execution.steps[step];
        let (attempt, number) = (state.attempt, state.journal.as_ref().map_or(0, |noted| noted.entries));
        self.signal(Signal::Note { step: step.to_owned(), attempt, number, entry: Box::new(entry) })
    }

    pub(super) fn asks(&mut self, step: &str, arguments: Value) {
        let request = CallRequest {
            call: "c1".to_owned(),
            tool: "github".to_owned(),
            operation: "close_issue".to_owned(),
            arguments,
            title: "May it close the issue?".to_owned(),
            description: String::new(),
            requirement: Requirement::People { group: Group::Users(vec!["ann".to_owned()]), count: 1 },
            allow_author: false,
            patience_ms: Some(60_000),
        };
        let attempt = self.execution.steps[step].attempt;
        self.signal(Signal::Ask { step: step.to_owned(), attempt, request: Box::new(request) }).unwrap();
    }

    fn journal(&self) -> Vec<String> {
        let kinds = self.events.iter().filter_map(recorded).map(|entry| entry["kind"].as_str().unwrap().to_owned());
        kinds.collect()
    }
}

#[test]
fn entries_are_counted_and_recorded_once() {
    let mut world = World::start(AGENT);
    world.notes("work", said("one")).unwrap();
    world.notes("work", said("two")).unwrap();
    let again = |number| Signal::Note { step: "work".to_owned(), attempt: 1, number, entry: Box::new(said("two")) };
    assert_eq!(world.signal(again(1)), Err(Refusal::Repeated));
    assert_eq!(world.signal(again(3)), Err(Refusal::Stale { step: "work".to_owned(), attempt: 1 }));
    let noted = world.execution.steps["work"].journal.clone().unwrap();
    assert_eq!((noted.since, noted.entries), (1, 2));
    assert_eq!(world.journal(), ["message", "message"]);
    // What a repetition after a crash goes on with is what is there.
    world.signal(Signal::StepRepeated { step: "work".to_owned(), attempt: 1 }).unwrap();
    world.notes("work", said("three")).unwrap();
    world.ends("work", Ok(json!(1)));
    let late = Signal::Note { step: "work".to_owned(), attempt: 1, number: 3, entry: Box::new(said("late")) };
    assert_eq!(world.signal(late), Err(Refusal::Stale { step: "work".to_owned(), attempt: 1 }));
    assert_eq!(world.picture(), "completed | work:completed");
}

#[test]
fn the_timeline_says_which_tools_an_agent_works_without() {
    let mut world = World::start(AGENT);
    let left_out = |tools: &[&str]| {
        let error = StepError::new(ErrorClass::Network, "nobody is there");
        let tools = tools.iter().map(|tool| LeftOutTool { tool: (*tool).to_owned(), error: error.clone() });
        Entry::ToolsLeftOut { tools: tools.collect() }
    };
    let note = |world: &World| timeline::Timeline::of(&world.execution, world.now).rows[0].note.clone();
    world.notes("work", left_out(&["tracker", "shop"])).unwrap();
    assert_eq!(note(&world).as_deref(), Some("without `tracker`, `shop`, which did not answer"));
    world.notes("work", left_out(&["shop"])).unwrap();
    assert_eq!(note(&world).as_deref(), Some("without `shop`, which did not answer"));
    world.notes("work", left_out(&[])).unwrap();
    assert_eq!(note(&world), None);
    world.notes("work", left_out(&["shop"])).unwrap();
    world.ends("work", Ok(json!("done")));
    assert_eq!(note(&world).as_deref(), Some("without `shop`, which did not answer"));
}

#[test]
fn a_journal_has_limits() {
    let mut world = World::start(AGENT);
    let long = "x".repeat(usize::try_from(MAX_ENTRY_BYTES).unwrap());
    let refusal = world.notes("work", said(&long)).unwrap_err().to_string();
    assert_eq!(refusal, "nothing more is recorded of step `work`: an entry has 1048618 bytes; 1048576 are allowed");
    world.execution.steps.get_mut("work").unwrap().journal =
        Some(Box::new(Noted { since: 1, entries: MAX_ENTRIES, ..Noted::default() }));
    assert!(world.notes("work", said("more")).unwrap_err().to_string().contains("the journal is full: 2000 entries"));
}

#[test]
fn what_is_used_is_summed_as_it_comes_and_stays_spent() {
    let mut world = World::start(AGENT);
    for _ in 0..2 {
        world.notes("work", asks_model(1_000, "0.10 USD", Limits::default())).unwrap();
        world.notes("work", answer(500, "0.05 USD")).unwrap();
    }
    assert_eq!(world.execution.cost().as_deref(), Some("0.10 USD"));
    let error = StepError::new(ErrorClass::RateLimited, "later");
    world.ends("work", Err(error));
    world.passes(2);
    let state = &world.execution.steps["work"];
    assert_eq!((state.attempt, state.journal.as_ref().unwrap().since), (2, 1), "nothing was wrong with what was said");
    world.ends("work", Err(StepError::new(ErrorClass::Schema, "no")));
    world.passes(2);
    let state = &world.execution.steps["work"];
    assert_eq!((state.attempt, &state.journal), (3, &None), "an answer that was wrong is not gone on from");
    world.ends("work", Err(StepError::new(ErrorClass::Refused, "no")));
    assert_eq!(world.execution.status.as_str(), "failed");
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    let usage = world.execution.steps["work"].usage.clone().unwrap();
    assert_eq!((usage.input_tokens, usage.calls, usage.cost.as_deref()), (1_000, 2, Some("0.10 USD")));
    assert_eq!(world.execution.steps["work"].journal, None);
}

#[test]
fn an_attempt_asks_people_and_goes_on_with_what_they_said() {
    let mut world = World::start(AGENT);
    world.notes("work", said("close it")).unwrap();
    world.asks("work", json!({"issue": 7}));
    assert_eq!(world.picture(), "waiting | work:waiting");
    world.decides("ann", "work", DecisionKind::Approve).unwrap();
    let state = &world.execution.steps["work"];
    assert_eq!((state.status.as_str(), state.attempt, state.tries, state.timeout_ms), ("running", 2, 1, Some(300_000)));
    assert_eq!(world.journal(), ["message", "approval_asked", "approval_decided"]);
    let decided = world.events.iter().find_map(|event| match &event.kind {
        EventKind::StepResumed { decided, .. } => Some(decided.clone()),
        _ => None,
    });
    let decided = decided.unwrap();
    assert_eq!(decided.digest, call_digest("github", "close_issue", &json!({"issue": 7})));
    assert_eq!((decided.call.as_str(), decided.decision), ("c1", CallDecision::Approved));
    let stale = Signal::StepEnded { step: "work".to_owned(), attempt: 1, result: Ok(json!(1)), usage: None };
    assert_eq!(world.signal(stale), Err(Refusal::Stale { step: "work".to_owned(), attempt: 1 }));
    // Another call is another question: what was said about the first counts for the first alone.
    world.notes("work", said("and that")).unwrap();
    world.asks("work", json!({"issue": 8}));
    assert_eq!(world.status("work"), "waiting");
    world.decides("ann", "work", DecisionKind::Reject).unwrap();
    assert_eq!((world.status("work"), world.execution.steps["work"].attempt), ("running", 3));
    assert_eq!(world.execution.steps["work"].journal.as_ref().unwrap().since, 1);
    world.ends("work", Ok(json!("refused, so left alone")));
    assert_eq!(world.picture(), "completed | work:completed");
}

#[test]
fn a_word_about_one_call_counted_for_the_next() {
    let mut world = World::start(AGENT);
    world.asks("work", json!({"issue": 7}));
    let before = world.execution.steps["work"].asked_call();
    world.decides("ann", "work", DecisionKind::Approve).unwrap();
    // The second word was weighed while the first call was asked about, and comes once another one is.
    for next in [json!({"issue": 8}), json!({"issue": 7})] {
        world.asks("work", next);
        let now = world.execution.steps["work"].asked_call();
        let other = Err(Refusal::OtherCall { step: "work".to_owned() });
        assert_eq!(world.decides_about("bob", "work", DecisionKind::Approve, before.clone()), other);
        assert_eq!(world.decides_about("bob", "work", DecisionKind::Reject, None), other);
        assert_eq!(world.status("work"), "waiting");
        world.decides_about("bob", "work", DecisionKind::Approve, now).unwrap();
        assert_eq!(world.status("work"), "running");
    }
}

#[test]
fn a_word_about_a_call_does_not_count_for_an_approval_of_the_process() {
    let mut world = World::start("- {id: ok, type: human_approval, approvers: {users: [ann]}}");
    let call = AboutCall { attempt: 1, digest: "d".repeat(64) };
    assert!(world.decides_about("ann", "ok", DecisionKind::Approve, Some(call)).is_err());
    world.decides_about("ann", "ok", DecisionKind::Approve, None).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed");
}

#[test]
fn nobody_answers_or_somebody_cancels() {
    let mut world = World::start(AGENT);
    world.asks("work", json!({}));
    world.passes(61);
    assert_eq!((world.status("work"), world.execution.steps["work"].attempt), ("running", 2));
    let last = world.events.iter().rev().find_map(recorded).unwrap();
    assert_eq!(last["decided"]["decision"], "expired");
    world.asks("work", json!({}));
    world.signal(Signal::Cancel { actor: None, reason: "enough".to_owned() }).unwrap();
    assert_eq!(world.picture(), "cancelled | work:cancelled");
}

#[test]
fn budgets_as_large_as_money_can_be_are_compared_and_nothing_is_most_of_nothing() {
    let most = |max: &str| Limits { max_cost: Some(max.parse().unwrap()), max_tokens: None };
    assert!(!most("70000000000000000000000000000 USD").is_nearly_used(&usage(1, "1 USD")));
    assert!(most("0.10 USD").is_nearly_used(&usage(1, "0.08 USD")));
    assert!(!most("0 USD").is_nearly_used(&usage(1, "0 USD")));
}

#[test]
fn most_of_a_step_s_own_budget_is_told_once() {
    let mut world = World::with("- {id: one, type: api_call, url: 'http://127.0.0.1/'}", "", json!({}));
    let own = || Limits { max_cost: None, max_tokens: Some(1_000) };
    let told = |world: &World| {
        let nearly = world.events.iter().filter_map(|event| match &event.kind {
            EventKind::BudgetNearlyUsed { nearly } => Some((nearly.account.to_string(), nearly.used.tokens())),
            _ => None,
        });
        nearly.collect::<Vec<_>>()
    };
    world.notes("one", asks_model(700, "0.01 USD", own())).unwrap();
    world.notes("one", answer(700, "0.01 USD")).unwrap();
    assert_eq!(told(&world), []);
    for _ in 0..2 {
        world.notes("one", asks_model(100, "0.01 USD", own())).unwrap();
        world.notes("one", answer(100, "0.01 USD")).unwrap();
        assert_eq!(told(&world), [("step/one".to_owned(), 800)]);
    }
}

#[test]
fn calls_at_the_same_time_cannot_overspend_together() {
    let steps =
        "- {id: one, type: api_call, url: 'http://127.0.0.1/'}\n- {id: two, type: api_call, url: 'http://127.0.0.1/'}";
    let mut world =
        World::with(steps, "defaults: {execution_budget: {max_cost: 1.00 USD, max_tokens: 10000}}", json!({}));
    let free = Limits::default;
    world.notes("one", asks_model(100, "0.60 USD", free())).unwrap();
    let refusal = world.notes("two", asks_model(100, "0.60 USD", free())).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "the budget of the execution does not allow another call of the model: with it, up to 1.20 USD of 1.00 USD \
         would be used"
    );
    world.notes("one", answer(100, "0.10 USD")).unwrap();
    world.notes("two", asks_model(100, "0.60 USD", free())).unwrap();
    assert!(!world.events.iter().any(|event| event.kind.name() == "execution.budget_nearly_used"));
    world.notes("two", answer(8_000, "0.60 USD")).unwrap();
    let refusal = world.notes("two", asks_model(5_000, "0.01 USD", free())).unwrap_err().to_string();
    assert!(refusal.ends_with("up to 13100 of 10000 tokens would be used"), "{refusal}");
    let alerts = world.events.iter().filter(|event| event.kind.name() == "execution.budget_nearly_used");
    assert_eq!(alerts.count(), 1);
    // The step's own budget is looked at first.
    let own = Limits { max_cost: Some("0.15 USD".parse().unwrap()), max_tokens: None };
    let refusal = world.notes("one", asks_model(1, "0.06 USD", own)).unwrap_err().to_string();
    assert!(refusal.starts_with("the budget of the step does not allow"), "{refusal}");
    world.ends("two", Ok(json!(1)));
    let kinds: Vec<EntryKind> = world
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepNoted { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds.len(), 4, "what is refused leaves nothing: {kinds:?}");
}

#[test]
fn a_call_that_nobody_waits_for_any_more_counts_as_what_was_reserved_for_it() {
    let mut world = World::start(AGENT);
    let limits = || Limits { max_cost: Some("1 USD".parse().unwrap()), max_tokens: None };
    let spent = |world: &World| world.execution.steps["work"].usage.clone().unwrap_or_default();
    // The server dies and asks again: both questions may be charged.
    world.notes("work", asks_model(10, "0.30 USD", limits())).unwrap();
    world.notes("work", asks_model(10, "0.30 USD", limits())).unwrap();
    assert_eq!((spent(&world).cost.as_deref(), spent(&world).calls), (Some("0.30 USD"), 1));
    let refusal = world.notes("work", asks_model(10, "0.50 USD", limits())).unwrap_err().to_string();
    assert!(refusal.ends_with("up to 1.10 USD of 1 USD would be used"), "{refusal}");
    // Its time is over in the middle of the answer.
    world.ends("work", Err(StepError::new(ErrorClass::Timeout, "too long")));
    assert_eq!((spent(&world).cost.as_deref(), spent(&world).calls), (Some("0.60 USD"), 2));
    world.passes(1);
    // What an answer used is what it used.
    world.notes("work", asks_model(10, "0.30 USD", limits())).unwrap();
    world.notes("work", answer(10, "0.01 USD")).unwrap();
    assert_eq!((spent(&world).cost.as_deref(), spent(&world).calls), (Some("0.61 USD"), 3));
    world.notes("work", asks_model(10, "0.30 USD", limits())).unwrap();
    world.signal(Signal::Cancel { actor: None, reason: "enough".to_owned() }).unwrap();
    assert_eq!(spent(&world).cost.as_deref(), Some("0.91 USD"));
}

#[test]
fn a_call_whose_price_is_not_known_does_not_pass_a_limit_of_money() {
    let mut world = World::start(AGENT);
    let limits = Limits { max_cost: Some("1 USD".parse().unwrap()), max_tokens: None };
    let unknown = Usage { input_tokens: 10, calls: 1, ..Usage::default() };
    let entry = Entry::ModelAsked { model: "m".to_owned(), reserved: unknown, budget: limits };
    assert!(world.notes("work", entry).unwrap_err().to_string().contains("a call whose price is not known, of 1 USD"));
}

#[test]
fn a_month_ends_with_its_last_day_in_utc() {
    for (at, month, end) in [
        ("2026-02-28T23:59:59.999Z", "2026-02", "2026-03-01T00:00:00Z"),
        ("2026-12-01T00:00:00Z", "2026-12", "2027-01-01T00:00:00Z"),
        ("2028-02-29T12:00:00+14:00", "2028-02", "2028-03-01T00:00:00Z"),
        ("2026-03-01T00:30:00+01:00", "2026-02", "2026-03-01T00:00:00Z"),
    ] {
        let of = Month::of(at.parse().unwrap());
        assert_eq!((of.to_string().as_str(), of.end().unwrap().to_string().as_str()), (month, end), "{at}");
    }
}

#[test]
fn what_a_limit_refuses() {
    let limits = |cost: Option<&str>, max_tokens| Limits { max_cost: cost.map(|it| it.parse().unwrap()), max_tokens };
    let used =
        |tokens, cost: Option<&str>| Usage { input_tokens: tokens, cost: cost.map(str::to_owned), ..Usage::default() };
    for (limits, call, standing, expected) in [
        (limits(None, None), used(9, Some("9 USD")), used(9, Some("9 USD")), None),
        (limits(Some("1 USD"), None), used(9, Some("0.4 USD")), used(9, Some("0.6 USD")), None),
        (limits(Some("1 USD"), None), used(9, Some("0.5 USD")), used(9, Some("0.6 USD")), Some("1.1 USD of 1 USD")),
        (
            limits(Some("1 USD"), None),
            used(9, None),
            used(9, Some("0.1 USD")),
            Some("a call whose price is not known, of 1 USD"),
        ),
        (
            limits(Some("1 USD"), None),
            used(9, Some("0.1 EUR")),
            used(9, Some("0.1 USD")),
            Some("0.1 EUR, which cannot be compared with 1 USD"),
        ),
        (limits(None, Some(20)), used(11, None), used(9, None), None),
        (limits(None, Some(20)), used(11, Some("1 EUR")), used(10, None), Some("21 of 20 tokens")),
    ] {
        assert_eq!(limits.refuse(&call, &standing).as_deref(), expected, "{limits:?}");
    }
}

#[test]
fn a_budget_of_the_month_is_told_of_also_when_the_execution_has_ended() {
    let mut world = World::start(AGENT);
    world.ends("work", Ok(json!(1)));
    let nearly = NearlyUsed {
        account: Account::new(BudgetOf::Repository, "acme/shop"),
        used: usage(9, "0.9 USD"),
        limits: Limits { max_cost: Some("1 USD".parse().unwrap()), max_tokens: None },
        until: Month::of(world.now).end(),
    };
    world.signal(Signal::BudgetNearlyUsed { nearly: Box::new(nearly) }).unwrap();
    let last = serde_json::to_value(world.events.last().unwrap()).unwrap();
    assert_eq!(last["type"], "execution.budget_nearly_used");
    assert_eq!(last["data"]["account"], json!({"of": "repository", "name": "acme/shop"}));
    assert_eq!(last["data"]["until"], "2026-04-01T00:00:00Z");
    assert_eq!(world.picture(), "completed | work:completed");
    // As it was stored before budgets had accounts.
    let old = json!({"type": "execution.budget_nearly_used", "data": {"used": {"input_tokens": 1, "output_tokens": 2, "calls": 1}, "limits": {"max_tokens": 3}}});
    let EventKind::BudgetNearlyUsed { nearly } = serde_json::from_value(old).unwrap() else { panic!("another event") };
    assert_eq!(nearly.account, Account::default());
}

#[test]
fn a_step_counts_for_its_agent_its_process_and_its_repository() {
    let text = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let repository = Repository::read([
        text(".flow/flow.yaml", "monthly_budget: {max_cost: 9 USD}\ndefaults: {monthly_budget: {max_tokens: 500}}"),
        text(".flow/agents/triage.yaml", "name: triage\nmodel: mock\nmonthly_budget: {max_cost: 1 USD}"),
        text(
            ".flow/processes/ask.yaml",
            "name: ask\nversion: 1\nsteps:\n  - {id: work, type: agent_task, agent: triage, message: hi}\n  \
             - {id: say, type: ai_generate, model: mock, prompt: hi, output_schema: {}}",
        ),
    ]);
    let plan = repository.plan_for("ask", &Performable::everything()).unwrap().unwrap();
    let (execution, _) = create(&plan, new_execution(json!({})), "2026-03-02T09:00:00Z".parse().unwrap()).unwrap();
    let accounts = |step: &str| {
        let accounts = crate::execution::budget::monthly(Some(&plan), &execution, step);
        let words = |(account, limits): (Account, Limits)| {
            let cost = limits.max_cost.map_or_else(String::new, |cost| cost.to_string());
            format!("{account} {cost} {}", limits.max_tokens.map_or_else(String::new, |tokens| tokens.to_string()))
        };
        accounts.into_iter().map(words).collect::<Vec<_>>()
    };
    let shared =
        [format!("process/{}:ask  500", execution.repository), format!("repository/{} 9 USD ", execution.repository)];
    assert_eq!(accounts("say"), shared);
    assert_eq!(accounts("work")[0], format!("agent/{}:triage 1 USD ", execution.repository));
    assert_eq!(accounts("work")[1..], shared);
}

#[test]
fn a_budget_was_gone_around_by_a_model_without_a_price_or_in_another_currency() {
    let steps =
        "- {id: one, type: api_call, url: 'http://127.0.0.1/'}\n- {id: two, type: api_call, url: 'http://127.0.0.1/'}";
    let header = "defaults: {execution_budget: {max_cost: 6.00 USD}}";
    let asks = |cost: Option<&str>| {
        let reserved = Usage { input_tokens: 10, cost: cost.map(str::to_owned), calls: 1, ..Usage::default() };
        Entry::ModelAsked { model: "m".to_owned(), reserved, budget: Limits::default() }
    };
    for (next, why) in [
        (None, "up to a call whose price is not known, of 6.00 USD would be used"),
        (Some("1 EUR"), "up to 1 EUR, which cannot be compared with 6.00 USD would be used"),
    ] {
        let mut world = World::with(steps, header, json!({}));
        world.notes("one", asks(Some("1 USD"))).unwrap();
        world.notes("one", answer(100, "1 USD")).unwrap();
        let refusal = world.notes("two", asks(next)).unwrap_err().to_string();
        assert!(refusal.ends_with(why), "{refusal}");
        // What costs nothing can be compared with everything.
        world.notes("two", asks(Some("0 EUR"))).unwrap();
    }
}
