//! Approvals and forms: words, commits, deadlines, escalation.

use serde_json::json;

use super::*;
use crate::approval::DecisionKind::{Approve, Override, Reject, Withdraw};
use crate::approval::Person;

fn approval(more: &str) -> String {
    format!(
        "
- {{id: ok, type: human_approval, title: Ship it, approvers: {{team: leads, count: 2}}{more}}}
- {{id: ship, type: set, depends_on: ok, values: {{by: '{{{{ steps.ok.output.decision }}}}'}}}}
"
    )
}

#[test]
fn two_approvals_let_it_go_on() {
    let mut world = World::start(&approval(""));
    assert_eq!(world.picture(), "waiting | ok:waiting ship:pending");
    world.decides("ann", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "waiting");
    world.decides("ben", "ok", Approve).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed ship:completed");
    let output = world.execution.steps["ok"].output.as_ref().unwrap();
    assert_eq!(output["decisions"][1]["person"], "ben");
    assert!(matches!(world.decides("cy", "ok", Approve), Err(Refusal::Ended { .. })));
}

#[test]
fn one_rejection_fails_the_step_or_goes_on_as_the_author_wants() {
    let mut world = World::start(&approval(""));
    world.decides_on("ann", "ok", Reject, Some("1".repeat(40)), Some("too risky")).unwrap();
    assert_eq!(world.picture(), "failed | ok:failed ship:skipped");
    assert_eq!(world.execution.error.as_ref().unwrap().message, "@ann rejected: too risky");
    let mut tolerant = World::start(&approval(", on_reject: continue"));
    tolerant.decides("ann", "ok", Reject).unwrap();
    assert_eq!(tolerant.execution.steps["ship"].output, Some(json!({"by": "rejected"})));
}

#[test]
fn an_approval_that_is_taken_back_after_the_process_went_on_stands_for_nothing() {
    let steps = "
- {id: ok, type: human_approval, title: Ship it, approvers: {users: [ann, ben]}}
- {id: last, type: human_approval, depends_on: ok, title: Really?, approvers: {users: [cy]}}
";
    let mut world = World::start(steps);
    world.decides("ann", "ok", Approve).unwrap();
    assert!(matches!(world.decides("ben", "ok", Withdraw), Err(Refusal::NotWaiting { .. })), "ben said nothing");
    world.decides("ann", "ok", Withdraw).unwrap();
    assert_eq!(world.execution.outdated().collect::<Vec<_>>(), ["ok"]);
    assert_eq!(world.execution.taken_back().collect::<Vec<_>>(), ["ok"]);
    assert!(matches!(world.decides("ann", "ok", Withdraw), Err(Refusal::NotWaiting { .. })), "once is enough");
    world.decides("cy", "last", Approve).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed last:completed");
    assert!(world.execution.can_be_retried());
    assert!(matches!(world.decides("cy", "last", Withdraw), Err(Refusal::Ended { .. })), "it has ended");
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.picture(), "waiting | ok:waiting last:pending");

    let mut overridden = World::start(steps);
    overridden.decides_on("gina", "ok", Override, Some("1".repeat(40)), Some("it burns")).unwrap();
    assert!(matches!(overridden.decides("gina", "ok", Withdraw), Err(Refusal::NotWaiting { .. })));
    assert_eq!(overridden.execution.outdated().count(), 0);
}

#[test]
fn a_word_about_another_commit_does_not_count() {
    let mut world = World::start(&approval(""));
    let old = Some("0".repeat(40));
    assert!(matches!(world.decides_on("ann", "ok", Approve, old, None), Err(Refusal::OtherCommit { .. })));
}

#[test]
fn a_push_dismisses_approvals_unless_the_tree_is_the_same_and_the_author_allows_it() {
    let push = |same_tree| Signal::HeadMoved { head_sha: "2".repeat(40), same_tree, since: None };
    let mut world = World::start(&approval(""));
    world.decides("ann", "ok", Approve).unwrap();
    world.signal(push(true)).unwrap();
    world.decides("ben", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "waiting", "ann's word was about the old head");
    world.decides("ann", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "completed");

    for (same_tree, expected) in [(true, "completed"), (false, "waiting")] {
        let mut world = World::start(&approval(", keep_on_push: same_tree"));
        world.decides("ann", "ok", Approve).unwrap();
        world.signal(push(same_tree)).unwrap();
        world.decides("ben", "ok", Approve).unwrap();
        assert_eq!(world.status("ok"), expected);
    }
}

#[test]
fn who_pushes_takes_their_own_word_back_unless_authors_count() {
    let pushed = |login: &str| Signal::Pushed { person: Person { login: login.to_owned(), id: 0 } };
    for (more, expected) in [(", keep_on_push: always", "waiting"), (", allow_author: true", "completed")] {
        let mut world = World::start(&approval(more));
        world.decides("ann", "ok", Approve).unwrap();
        world.signal(pushed("ann")).unwrap();
        world.decides("ben", "ok", Approve).unwrap();
        assert_eq!(world.status("ok"), expected, "{more}");
    }
    let mut world = World::start(&approval(", keep_on_push: always"));
    world.decides("ann", "ok", Approve).unwrap();
    world.signal(pushed("cy")).unwrap();
    world.decides("ben", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "completed", "somebody else's push is nothing to them");
}

#[test]
fn a_word_can_be_taken_back_and_the_record_keeps_both() {
    let mut world = World::start(&approval(""));
    assert_eq!(world.decides("ann", "ok", Withdraw), Err(Refusal::NothingToWithdraw));
    world.decides("ann", "ok", Approve).unwrap();
    world.decides("ann", "ok", Withdraw).unwrap();
    world.decides("ben", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "waiting");
    assert_eq!(world.execution.steps["ok"].decisions.len(), 3);
}

#[test]
fn a_note_may_be_required() {
    let mut world = World::start(&approval(", note_required: on_reject"));
    assert_eq!(world.decides("ann", "ok", Reject), Err(Refusal::NoteRequired));
    world.decides("ann", "ok", Approve).unwrap();
}

#[test]
fn the_deadline_does_what_the_author_wants() {
    let outcomes = [
        ("reject", "failed | ok:failed ship:skipped"),
        ("fail", "failed | ok:failed ship:skipped"),
        ("approve", "completed | ok:completed ship:completed"),
        ("continue", "completed | ok:completed ship:completed"),
    ];
    for (on_timeout, expected) in outcomes {
        let mut world = World::start(&approval(&format!(", timeout: 1h, on_timeout: {on_timeout}")));
        world.passes(3_599);
        assert_eq!(world.status("ok"), "waiting");
        world.passes(1);
        assert_eq!(world.picture(), expected, "{on_timeout}");
    }
}

#[test]
fn escalation_adds_people_and_the_last_level_ends_in_a_rejection() {
    let more = ", timeout: 1h, on_timeout: escalate, escalate: [{after: 30m, to: {team: directors}}, {after: 50m, to: {users: [ceo]}}]";
    let mut world = World::start(&approval(more));
    world.decides("ann", "ok", Approve).unwrap();
    world.passes(1_800);
    let Some(Waiting::Approval(request)) = world.execution.steps["ok"].waiting.clone() else { panic!("it waits") };
    assert_eq!(request.requirement.leaves().len(), 2);
    assert_eq!(request.escalate.len(), 1);
    world.passes(1_800);
    assert_eq!(world.picture(), "failed | ok:failed ship:skipped");

    let only_at_the_deadline = ", timeout: 1h, on_timeout: escalate, escalate: [{after: 59m, to: {team: directors}}]";
    let mut world = World::start(&approval(only_at_the_deadline));
    world.passes(3_540);
    assert_eq!(world.status("ok"), "waiting");
}

#[test]
fn reminders_are_given_once() {
    let mut world = World::start(&approval(", reminders: [10m, 20m]"));
    world.passes(600);
    world.passes(1);
    world.passes(600);
    world.passes(600);
    let reminded = world.events.iter().filter(|event| event.kind == EventKind::Reminded).count();
    assert_eq!(reminded, 2);
    assert_eq!(world.execution.wake_at(), None);
}

#[test]
fn a_form_is_checked_field_by_field_and_defaults_are_filled_in() {
    let mut world = World::start(
        "
- id: ask
  type: form
  fields:
    seats: {type: integer, minimum: 1, required: true}
    plan: {type: string, enum: [basic, pro], default: basic}
- {id: after, type: set, depends_on: ask, values: {seats: '{{ steps.ask.output.seats }}'}}
",
    );
    let answer = |values: Value| Signal::Answer {
        step: "ask".to_owned(),
        person: Person { login: "ann".to_owned(), id: 0 },
        values: map(values),
        source: Source { kind: SourceKind::Comment, id: "1".to_owned(), url: None },
    };
    let Err(Refusal::WrongAnswers { faults }) = world.signal(answer(json!({"plan": "gold"}))) else {
        panic!("refused")
    };
    let mut faults: Vec<String> = faults.into_iter().map(|(field, fault)| format!("{field} {fault}")).collect();
    faults.sort();
    assert_eq!(faults, ["plan must be one of basic, pro", "seats is required"]);
    world.signal(answer(json!({"seats": 5}))).unwrap();
    assert_eq!(world.execution.steps["ask"].output, Some(json!({"plan": "basic", "seats": 5})));
    assert_eq!(world.execution.steps["ask"].answered_by.as_ref().unwrap().login, "ann");
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
}

#[test]
fn the_same_word_delivered_twice_is_recorded_once() {
    let mut world = World::start(&approval(""));
    world.decides("ann", "ok", Approve).unwrap();
    let Some(decision) = world.execution.steps["ok"].decisions.first().cloned() else { panic!("recorded") };
    assert_eq!(world.signal(Signal::Decide { step: "ok".to_owned(), decision }), Err(Refusal::Repeated));
}

#[test]
fn an_older_word_of_a_person_that_came_late_took_the_place_of_their_latest() {
    let mut world = World::start(&approval(""));
    world.decides("ann", "ok", Approve).unwrap();
    let Some(said) = world.execution.steps["ok"].decisions.first().cloned() else { panic!("recorded") };
    let word = |kind, id: &str, decision, seconds| Signal::Decide {
        step: "ok".to_owned(),
        decision: Decision {
            decision,
            at: said.at.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap(),
            source: Source { kind, id: id.to_owned(), url: None },
            ..said.clone()
        },
    };
    world.signal(word(SourceKind::Comment, "latest", Approve, 10)).unwrap();
    for (kind, id) in [(SourceKind::Comment, "older"), (SourceKind::Review, "older review")] {
        let since = said.at.saturating_add(jiff::SignedDuration::from_secs(10)).unwrap();
        assert_eq!(world.signal(word(kind, id, Reject, 5)), Err(Refusal::SaidSince { since }));
    }
    // By another clock nobody can say which was first: then what came in last is.
    world.signal(word(SourceKind::Review, "dismissed", Withdraw, 5)).unwrap();
    world.signal(word(SourceKind::Comment, "again", Approve, 11)).unwrap();
    world.signal(word(SourceKind::Web, "page", Reject, 5)).unwrap();
    assert_eq!(world.picture(), "failed | ok:failed ship:skipped");
}

#[test]
fn retrying_a_step_behind_a_cancelled_approval_made_of_cancelled_failed() {
    let cancel = || Signal::Cancel { actor: None, reason: "not now".to_owned() };
    let retry = |step: &str| Signal::Retry { actor: None, step: Some(step.to_owned()) };
    let mut world = World::start(&approval(""));
    world.signal(cancel()).unwrap();
    assert_eq!(world.picture(), "cancelled | ok:cancelled ship:cancelled");
    world.signal(retry("ship")).unwrap();
    assert_eq!(world.picture(), "cancelled | ok:cancelled ship:skipped", "nobody has approved");
    world.signal(retry("ok")).unwrap();
    assert_eq!(world.picture(), "waiting | ok:waiting ship:pending", "people are asked anew");
    for who in ["ann", "dave"] {
        world.decides(who, "ok", Approve).unwrap();
    }
    assert_eq!(world.picture(), "completed | ok:completed ship:completed");
}

#[test]
fn what_was_cancelled_and_not_retried_leaves_the_execution_cancelled_and_is_undone() {
    let mut world = World::start(
        "
- {id: ok, type: human_approval, title: Ship?, approvers: {users: [ann]}}
- {id: make, type: set, values: {x: 1}, compensate_with: undo}
- {id: call, type: api_call, url: 'https://example.com', depends_on: make}
- {id: undo, type: api_call, url: 'https://example.com', run_on: compensation}
- {id: ship, type: set, values: {x: 1}, depends_on: [ok, call]}
",
    );
    world.signal(Signal::Cancel { actor: None, reason: "not now".to_owned() }).unwrap();
    world.ends("undo", Ok(json!({})));
    assert_eq!(world.picture(), "cancelled | ok:cancelled make:completed call:cancelled undo:completed ship:cancelled");
    world.signal(Signal::Retry { actor: None, step: Some("call".to_owned()) }).unwrap();
    world.ends("call", Ok(json!({"status": 200})));
    assert_eq!(world.picture(), "running | ok:cancelled make:completed call:completed undo:running ship:skipped");
    world.ends("undo", Ok(json!({})));
    assert_eq!(world.picture(), "cancelled | ok:cancelled make:completed call:completed undo:completed ship:skipped");
    let Some(EventKind::ExecutionCancelled { reason }) = world.events.last().map(|event| event.kind.clone()) else {
        panic!("it ends cancelled")
    };
    assert_eq!(reason, "`ok` was cancelled, and has not been retried");
}

#[test]
fn after_a_retry_people_are_asked_anew_and_old_words_do_not_count() {
    let mut world = World::start(&approval(""));
    world.decides("ann", "ok", Approve).unwrap();
    world.decides("bob", "ok", Reject).unwrap();
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.status("ok"), "waiting");
    world.decides("dave", "ok", Approve).unwrap();
    assert_eq!(world.status("ok"), "waiting", "neither bob's no nor ann's yes was about this question");
    world.decides("ann", "ok", Approve).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed ship:completed");
}
