//! Waiting for events and for sub-processes, and what a retry does after a compensation.

use super::*;
use crate::approval::DecisionKind::{Approve, Reject};
use crate::definition::ErrorClass;
use crate::definition::step::human_approval::KeepOnPush;

impl World {
    fn receives(&mut self, name: &str, payload: Value) {
        let at = self.now;
        self.signal(Signal::EventReceived { name: name.to_owned(), id: "1".to_owned(), at, payload }).unwrap();
    }
}

#[test]
fn a_wait_ends_with_the_event_that_matches() {
    let mut world = World::with(
        "- {id: paid, type: wait, event: {name: payment, match: '{{ event.payload.order == inputs.order }}', timeout: 1h}}",
        "inputs: {order: {type: integer, default: 7}}\noutputs: {by: '{{ steps.paid.output.payload.by }}'}",
        json!({}),
    );
    assert_eq!(world.picture(), "waiting | paid:waiting");
    world.receives("refund", json!({"order": 7}));
    world.receives("payment", json!({"order": 8}));
    world.receives("payment", json!("something else"));
    assert_eq!(world.status("paid"), "waiting", "one that the expression cannot be evaluated for does not match");
    world.receives("payment", json!({"order": 7, "by": "ann"}));
    assert_eq!(world.execution.outputs, Some(json!({"by": "ann"})));
    assert_eq!(world.execution.steps["paid"].output.as_ref().unwrap()["at"], "2026-03-02T09:00:00Z");
}

#[test]
fn an_event_counts_for_who_waits_whatever_its_clock_says_and_time_fails_the_wait() {
    // Another server, whose clock is behind, took the event after the wait began.
    let wait = "- {id: paid, type: wait, event: {name: payment, timeout: 1h}}";
    let mut world = World::start(wait);
    let at = world.now.checked_sub(SignedDuration::from_secs(1)).unwrap();
    let behind = Signal::EventReceived { name: "payment".to_owned(), id: "0".to_owned(), at, payload: Value::Null };
    world.signal(behind).unwrap();
    assert_eq!(world.status("paid"), "completed");
    let mut world = World::start(wait);
    world.passes(3600);
    let error = world.execution.error.unwrap();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Timeout, "no event `payment` came in time"));
}

#[test]
fn one_that_is_cancelled_before_it_started_ends_at_once_and_runs_nothing() {
    let steps = "- {id: a, type: wait, for: 1h, compensate_with: undo}
- {id: undo, type: set, values: {x: 1}, run_on: compensation}
- {id: tidy, type: wait, for: 1h, depends_on: a, run_on: always}
";
    let plan = plan(steps, "concurrency: {group: deploy}");
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let (mut execution, _) = create(&plan, new_execution(json!({})), now).unwrap();
    let cancel = Signal::Cancel { actor: None, reason: "enough".to_owned() };
    decide(&plan, &execution, cancel, now).unwrap().iter().for_each(|event| execution.apply(event));
    let steps: Vec<&str> = execution.steps.values().map(|step| step.status.as_str()).collect();
    assert_eq!((execution.status, steps), (ExecutionStatus::Cancelled, vec!["cancelled", "skipped", "cancelled"]));
}

fn child() -> ExecutionId {
    uuid::Uuid::from_u128(99)
}

fn with_child(more: &str) -> World {
    let mut world = World::start(&format!(
        "
- {{id: sub, type: process, process: notes, {more}}}
- {{id: after, type: set, depends_on: sub, values: {{notes: '{{{{ steps.sub.output.notes }}}}'}}}}
"
    ));
    let started = Signal::ChildStarted { step: "sub".to_owned(), attempt: 1, execution: child() };
    world.signal(started.clone()).unwrap();
    assert!(matches!(world.signal(started), Err(Refusal::Stale { .. })), "a child is started once");
    world
}

fn ended(result: Result<Value, StepError>) -> Signal {
    Signal::ChildEnded { step: "sub".to_owned(), execution: child(), result, approvals: None }
}

#[test]
fn a_step_waits_for_its_child_and_takes_its_outputs() {
    let mut world = with_child("timeout: 1h");
    assert_eq!(world.picture(), "waiting | sub:waiting after:pending");
    let other = uuid::Uuid::from_u128(5);
    let (step, result) = ("sub".to_owned(), Ok(Value::Null));
    let stranger = Signal::ChildEnded { step, execution: other, result, approvals: None };
    assert!(matches!(world.signal(stranger), Err(Refusal::Stale { .. })));
    world.signal(ended(Ok(json!({"notes": "new"})))).unwrap();
    assert_eq!(world.execution.steps["after"].output, Some(json!({"notes": "new"})));
    let again = world.signal(ended(Ok(Value::Null)));
    assert!(matches!(again, Err(Refusal::Stale { .. })), "its end counts once");
}

#[test]
fn a_failed_child_fails_the_step_and_so_does_one_that_takes_too_long() {
    let mut world = with_child("timeout: 1h");
    world.signal(ended(Err(StepError::new(ErrorClass::Refused, "it failed")))).unwrap();
    assert_eq!(world.execution.error.as_ref().unwrap().message, "it failed");
    let mut late = with_child("timeout: 1h");
    late.passes(3600);
    assert_eq!(late.execution.error.as_ref().unwrap().class, ErrorClass::Timeout);
}

/// A pull request's execution whose sub-process has ended, with what was approved in it, before the next question.
fn after_child(keep_on_push: KeepOnPush, ended_at: &str, outdated: bool) -> World {
    let mut world = World::start(
        "
- {id: sub, type: process, process: notes}
- {id: last, type: human_approval, depends_on: sub, title: Ship?, approvers: {users: [ann]}}
",
    );
    let started = Signal::ChildStarted { step: "sub".to_owned(), attempt: 1, execution: child() };
    world.signal(started).unwrap();
    let ben = Person { login: "ben".to_owned(), id: 2 };
    let approvals = ChildApprovals {
        within: ApprovedWithin { keep_on_push, people: vec![ben] },
        head_sha: Some(ended_at.repeat(40)),
        base: world.execution.base().map(str::to_owned),
        outdated,
    };
    let (step, result, approvals) = ("sub".to_owned(), Ok(json!({})), Some(Box::new(approvals)));
    world.signal(Signal::ChildEnded { step, execution: child(), result, approvals }).unwrap();
    world
}

fn outdated(world: &World) -> Vec<&str> {
    world.execution.outdated().collect()
}

#[test]
fn what_was_approved_in_a_sub_process_says_nothing_about_a_later_commit_as_its_author_wants() {
    let push = |same_tree| Signal::HeadMoved { head_sha: "2".repeat(40), same_tree, since: None };
    for (keep, same_tree, expected) in [
        (KeepOnPush::Never, false, vec!["sub"]),
        (KeepOnPush::Never, true, vec!["sub"]),
        (KeepOnPush::SameTree, false, vec!["sub"]),
        (KeepOnPush::SameTree, true, vec![]),
    ] {
        let mut world = after_child(keep, "1", false);
        assert_eq!(outdated(&world), Vec::<&str>::new());
        world.signal(push(same_tree)).unwrap();
        assert_eq!(outdated(&world), expected, "{keep:?} {same_tree}");
        world.decides("ann", "last", Approve).unwrap();
        assert_eq!(world.execution.can_be_retried(), !expected.is_empty());
    }
    // Asking anew begins the sub-process anew, and with it what follows.
    let mut world = after_child(KeepOnPush::Never, "1", false);
    world.signal(push(false)).unwrap();
    world.decides("ann", "last", Approve).unwrap();
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.picture(), "running | sub:running last:pending");
    assert_eq!(outdated(&world), Vec::<&str>::new());
}

#[test]
fn what_a_sub_process_ended_with_for_another_commit_says_nothing_from_the_beginning() {
    assert_eq!(
        outdated(&after_child(KeepOnPush::SameTree, "0", false)),
        ["sub"],
        "its parent had heard of a push before"
    );
    assert_eq!(outdated(&after_child(KeepOnPush::Never, "1", true)), ["sub"], "it went on from it before a push");
}

#[test]
fn a_child_tells_the_strictest_of_what_was_approved_in_it_and_by_whom() {
    let ask = |id: &str, more: &str| {
        format!("- {{id: {id}, type: human_approval, title: Fine?, approvers: {{users: [ann, ben]}}{more}}}\n")
    };
    let told = |steps: &str, say: &[(&str, &str, DecisionKind)]| {
        let mut world = World::start(steps);
        let parent =
            Parent { execution: uuid::Uuid::from_u128(7), step: "sub".to_owned(), attempt: 1, depth: 1, waits: true };
        let before = world.execution.clone();
        for (login, step, decision) in say {
            world.decides(login, step, *decision).unwrap();
        }
        let after = Execution { parent: Some(parent), ..world.execution };
        let mut signals = signals_to_others(Some(&world.plan), Some(&before), &after).into_iter();
        match signals.next() {
            Some((_, Signal::ChildEnded { approvals, .. })) => {
                let ChildApprovals { within, head_sha, outdated, .. } = *approvals?;
                assert_eq!((head_sha, outdated), (Some("1".repeat(40)), false));
                let people: Vec<String> = within.people.into_iter().map(|person| person.login).collect();
                Some((within.keep_on_push, people.join(" ")))
            }
            other => panic!("{other:?}"),
        }
    };
    let (same, always) = (", keep_on_push: same_tree", ", keep_on_push: always");
    let each = [("ann", "a", Approve), ("ben", "b", Approve)];
    let strict = told(&format!("{}{}", ask("a", same), ask("b", "")), &each);
    assert_eq!(strict, Some((KeepOnPush::Never, "ann ben".to_owned())));
    let same_tree = told(&format!("{}{}", ask("a", same), ask("b", always)), &each);
    assert_eq!(same_tree, Some((KeepOnPush::SameTree, "ann".to_owned())));
    assert_eq!(told(&ask("a", always), &each[..1]), None);
    let rejected = told(&ask("a", ", on_reject: continue"), &[("ann", "a", Reject)]);
    assert_eq!(rejected, None, "what was rejected allows nothing");
}

#[test]
fn a_retry_after_compensations_does_again_what_was_undone() {
    let mut world = World::start(
        "
- {id: reserve, type: set, compensate_with: release, values: {x: 1}}
- {id: other, type: set, values: {x: 1}}
- {id: label, type: set, depends_on: reserve, values: {x: 1}}
- {id: pay, type: api_call, depends_on: [label, other], url: 'http://127.0.0.1/'}
- {id: release, type: set, run_on: compensation, values: {x: 1}}
",
    );
    world.ends("pay", Err(StepError::new(ErrorClass::Refused, "no")));
    assert_eq!(
        world.picture(),
        "failed | reserve:completed other:completed label:completed pay:failed release:completed"
    );
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    let attempts: Vec<(&str, u32)> =
        world.execution.steps.iter().map(|(id, step)| (id.as_str(), step.attempt)).collect();
    assert_eq!(attempts, [("reserve", 2), ("other", 1), ("label", 2), ("pay", 2), ("release", 1)]);
    world.ends("pay", Err(StepError::new(ErrorClass::Refused, "no")));
    assert_eq!(world.execution.steps["release"].attempt, 2, "and it is undone again");
}

#[test]
fn an_execution_without_a_definition_can_be_abandoned() {
    let world = World::start(
        "
- id: each
  type: foreach
  items: [1, 2]
  steps: [{id: sign, type: human_approval, approvers: {users: [ann]}}]
- {id: tidy, type: set, depends_on: each, run_on: always, values: {x: 1}}
",
    );
    let events = abandon(&world.execution, None, "its definition is gone", world.now);
    let mut execution = world.execution.clone();
    events.iter().for_each(|event| execution.apply(event));
    assert_eq!(execution.status, ExecutionStatus::Cancelled);
    assert!(execution.steps.values().all(|step| step.status == StepStatus::Cancelled));
    assert_eq!(abandon(&execution, None, "again", world.now), []);
}

#[test]
fn the_group_of_an_execution_is_what_its_template_gives() {
    let more = "inputs: {env: {type: string, default: live}}\nconcurrency: {group: 'deploy-{{ inputs.env }}', on_conflict: skip}";
    let world = World::with("- {id: a, type: set, values: {x: 1}}", more, json!({}));
    assert_eq!(world.execution.group.as_ref().unwrap().key, "deploy-live");
    let plan = plan("- {id: a, type: set, values: {x: 1}}", "concurrency: {group: '{{ inputs.nothing }}'}");
    let refused = create(&plan, new_execution(json!({})), Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(refused.to_string().starts_with("`concurrency.group`: "), "{refused}");
}
