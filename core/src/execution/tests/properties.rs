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
}

fn random_step(index: usize) -> impl Strategy<Value = RandomStep> {
    let before = prop::collection::vec(0..index.max(1), 0..3.min(index + 1));
    (
        before,
        prop::sample::select(vec!["success", "success", "failure", "always"]),
        prop::sample::select(vec!["all", "any"]),
        prop::sample::select(vec!["fail", "continue"]),
        0_u8..4,
    )
        .prop_map(move |(mut depends_on, run_on, join, on_failure, kind)| {
            depends_on.sort_unstable();
            depends_on.dedup();
            depends_on.retain(|before| *before < index);
            RandomStep { depends_on, run_on, join, on_failure, kind }
        })
}

fn random_process() -> impl Strategy<Value = Vec<RandomStep>> {
    (1_usize..8).prop_flat_map(|count| (0..count).map(random_step).collect::<Vec<_>>())
}

fn yaml(steps: &[RandomStep]) -> String {
    let mut text = String::new();
    for (index, step) in steps.iter().enumerate() {
        let before: Vec<String> = step.depends_on.iter().map(|before| format!("s{before}")).collect();
        let kind = match step.kind {
            0 => "type: set, values: {x: 1}",
            1 => "type: api_call, url: 'http://127.0.0.1/', retry: {max_attempts: 2}",
            2 => "type: human_approval, approvers: {users: [ann]}, timeout: 1h",
            _ => "type: wait, for: 1m",
        };
        text.push_str(&format!(
            "- {{id: s{index}, depends_on: [{}], run_on: {}, join: {}, on_failure: {}, {kind}}}\n",
            before.join(", "),
            step.run_on,
            step.join,
            step.on_failure
        ));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_execution_ends_whatever_happens(steps in random_process(), choices in prop::collection::vec(any::<u8>(), 64)) {
        let mut world = World::start(&yaml(&steps));
        for choice in choices {
            if world.execution.status.is_final() {
                break;
            }
            let running = world.execution.steps.iter().find(|(_, s)| s.status == StepStatus::Running).map(|(id, _)| id.clone());
            let asked = world.execution.waiting_for_people().next().map(|(id, _)| id.to_owned());
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
        for _ in 0..64 {
            if world.execution.status.is_final() {
                break;
            }
            world.passes(4_000);
        }
        prop_assert!(world.execution.status.is_final(), "{}", world.picture());
        prop_assert!(world.execution.steps.values().all(|step| step.status.is_final()), "{}", world.picture());
        prop_assert_eq!(world.execution.wake_at(), None);
    }
}
