//! Random graphs and random happenings: every execution ends, nothing panics, folding gives the state.

use proptest::prelude::*;

use super::*;
use crate::definition::ErrorClass;

#[derive(Debug, Clone)]
struct RandomStep {
    depends_on: Vec<usize>,
    run_on: &'static str,
    join: &'static str,
    on_failure: &'static str,
    kind: u8,
    compensated: bool,
    tolerant: bool,
    parallel: u8,
    body: Vec<RandomStep>,
}

/// A step of a list; with a body of its own where it is a `foreach`, at most `depth` of them within each other.
fn random_step(index: usize, depth: u32) -> BoxedStrategy<RandomStep> {
    let before = prop::collection::vec(0..index.max(1), 0..3.min(index + 1));
    let body = if depth == 0 { Just(Vec::new()).boxed() } else { random_steps(4, depth - 1) };
    (
        before,
        prop::sample::select(vec!["success", "success", "failure", "always"]),
        prop::sample::select(vec!["all", "any"]),
        prop::sample::select(vec!["fail", "continue"]),
        0_u8..8,
        any::<(bool, bool)>(),
        1_u8..4,
        body,
    )
        .prop_map(move |(mut depends_on, run_on, join, on_failure, kind, (compensated, tolerant), parallel, body)| {
            depends_on.sort_unstable();
            depends_on.dedup();
            depends_on.retain(|before| *before < index);
            RandomStep { depends_on, run_on, join, on_failure, kind, compensated, tolerant, parallel, body }
        })
        .boxed()
}

fn random_steps(most: usize, depth: u32) -> BoxedStrategy<Vec<RandomStep>> {
    (1..most).prop_flat_map(move |count| (0..count).map(|index| random_step(index, depth)).collect::<Vec<_>>()).boxed()
}

/// The steps as YAML in flow style, their ids beginning with `prefix`.
fn yaml(steps: &[RandomStep], prefix: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let id = format!("{prefix}{index}");
        let before: Vec<String> = step.depends_on.iter().map(|before| format!("{prefix}{before}")).collect();
        let kind = match step.kind {
            0 => "type: set, values: {x: 1}".to_owned(),
            1 => "type: api_call, url: 'http://127.0.0.1/', retry: {max_attempts: 2}".to_owned(),
            2 => "type: human_approval, approvers: {users: [ann]}, timeout: 1h".to_owned(),
            3 => "type: wait, event: {name: e, timeout: 1h}".to_owned(),
            4 => "type: process, process: other, timeout: 1h".to_owned(),
            5 | 6 if !step.body.is_empty() => format!(
                "type: foreach, items: [1, 2, 3], max_parallel: {}, on_item_failure: {}, retry: {{max_attempts: 2, on: [any]}}, timeout: 3h, result: '{{{{ item }}}}', steps: [{}]",
                step.parallel,
                if step.tolerant { "continue" } else { "fail" },
                yaml(&step.body, &format!("{id}_")).join(", ")
            ),
            _ => "type: wait, for: 1m".to_owned(),
        };
        let undo = if step.compensated { format!(", compensate_with: {id}_undo") } else { String::new() };
        texts.push(format!(
            "{{id: {id}, depends_on: [{}], run_on: {}, join: {}, on_failure: {}{undo}, {kind}}}",
            before.join(", "),
            step.run_on,
            step.join,
            step.on_failure
        ));
        if step.compensated {
            texts.push(format!("{{id: {id}_undo, type: wait, for: 1m, run_on: compensation}}"));
        }
    }
    texts
}

fn process(steps: &[RandomStep]) -> String {
    yaml(steps, "s").iter().map(|step| format!("- {step}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_execution_ends_whatever_happens(steps in random_steps(8, 2), choices in prop::collection::vec(any::<u8>(), 64)) {
        let mut world = World::start(&process(&steps));
        for choice in choices {
            if world.execution.status.is_final() {
                if choice % 8 > 2 || world.signal(Signal::Retry { actor: None, step: None }).is_err() {
                    break;
                }
                continue;
            }
            if choice % 16 == 7 {
                let (name, at) = ("e".to_owned(), world.now);
                let event = Signal::EventReceived { name, id: choice.to_string(), at, payload: Value::Null };
                world.signal(event).unwrap();
            }
            let running = world.execution.steps.iter().find(|(_, s)| s.status == StepStatus::Running).map(|(id, _)| id.clone());
            let asked = world.execution.waiting_for_people().next().map(|(id, _)| id.to_owned());
            match (choice % 16, &running) {
                (9, Some(id)) => {
                    let _ = world.notes(id, super::journal::said("hello"));
                    continue;
                }
                (11, Some(id)) => {
                    world.asks(id, json!({"issue": choice}));
                    continue;
                }
                _ => {}
            }
            match (choice % 8, running, asked) {
                (0, _, _) if choice == 0 => {
                    let _ = world.signal(Signal::Cancel { actor: None, reason: String::new() });
                }
                (0 | 1, Some(id), _) => world.ends(&id, Err(StepError::new(ErrorClass::ServerError, "no"))),
                (2 | 3, Some(id), _) => world.ends(&id, Ok(json!({"ok": true}))),
                (4, _, Some(id)) => { let _ = world.decides("ann", &id, DecisionKind::Approve); }
                (5, _, Some(id)) => { let _ = world.decides("ann", &id, DecisionKind::Reject); }
                _ => world.passes(i64::from(choice)),
            }
        }
        for _ in 0..2_000 {
            if world.execution.status.is_final() {
                break;
            }
            let running = world.execution.steps.iter().find(|(_, s)| s.status == StepStatus::Running);
            match running.map(|(key, _)| key.clone()) {
                Some(key) => world.ends(&key, Ok(json!({"ok": true}))),
                None => world.passes(4_000),
            }
        }
        prop_assert!(world.execution.status.is_final(), "{}", world.picture());
        prop_assert!(world.execution.steps.values().all(|step| step.status.is_final()), "{}", world.picture());
        prop_assert_eq!(world.execution.wake_at(), None);
        let lists = world.execution.steps.values().filter_map(|step| step.items.as_ref());
        prop_assert!(lists.clone().all(|items| items.open.is_empty()), "{}", world.picture());
    }
}
