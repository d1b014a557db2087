//! What the API lists and looks up.

use flowctl_core::approval::{Decision, DecisionKind, Group, Person, Requirement, Source, SourceKind};
use flowctl_core::definition::step::StepType;
use flowctl_core::execution::{
    ApprovalRequest, Event, EventKind, Execution, ExecutionStatus, StepState, StepStatus, TenantId, Waiting,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::given::{self, at};
use crate::store::{ApprovalFilter, ApprovalStatus, ExecutionFilter, PausedProcess, Store, Transition, approval_id};

fn request(requested_at: Timestamp) -> ApprovalRequest {
    let group = Group::Users(vec!["alice".to_owned()]);
    serde_json::from_value(json!({
        "title": "Release?", "description": "", "requirement": Requirement::People { group, count: 1 },
        "allow_author": false, "requested_at": requested_at, "shown_since": requested_at, "on_timeout": "reject",
        "on_reject": "fail", "keep_on_push": "never", "note_required": "never", "priority": "normal",
    }))
    .unwrap()
}

fn event(step: &str, kind: EventKind) -> Event {
    Event { at: at(1), step: Some(step.to_owned()), attempt: Some(1), actor: None, kind }
}

/// An execution whose step `leads` asks.
async fn asking(store: &dyn Store, seconds: i64) -> Execution {
    let mut execution = given::execution(seconds);
    let mut step = StepState::pending(StepType::HumanApproval, None, flowctl_core::definition::step::OnFailure::default());
    step.attempt = 1;
    step.status = StepStatus::Waiting;
    let waiting = Waiting::Approval(Box::new(request(at(seconds))));
    step.waiting = Some(waiting.clone());
    execution.status = ExecutionStatus::Waiting;
    execution.steps.insert("leads".to_owned(), step);
    let asked = event("leads", EventKind::StepWaiting { waiting });
    store.commit(Transition::of(execution.clone(), 0, vec![asked])).await.unwrap();
    execution
}

fn approve() -> Decision {
    Decision {
        person: Person { login: "alice".to_owned(), id: 7 },
        decision: DecisionKind::Approve,
        at: at(2),
        note: None,
        source: Source { kind: SourceKind::Api, id: "1".to_owned(), url: None },
        commit: None,
        counts_for: vec![0],
    }
}

pub(crate) async fn an_approval_is_listed_as_it_stands(store: &dyn Store) {
    let (older, newer) = (asking(store, 1).await, asking(store, 5).await);
    let page = store.approvals(None, &ApprovalFilter::default(), 10, None).await.unwrap();
    let listed: Vec<_> = page.items.iter().map(|approval| approval.execution).collect();
    assert_eq!((listed, page.next), (vec![newer.id, older.id], None));
    let id = approval_id(older.id, "leads", 1, at(1));
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.step.as_str(), found.attempt), (ApprovalStatus::Pending, "leads", 1));
    assert_eq!(found.request, request(at(1)));
    assert_eq!(found.decisions, []);

    let mut decided = older.clone();
    let step = decided.steps.get_mut("leads").unwrap();
    step.decisions.push(approve());
    let word = event("leads", EventKind::DecisionRecorded { decision: approve() });
    store.commit(Transition::of(decided.clone(), 1, vec![word])).await.unwrap();
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.decisions.len()), (ApprovalStatus::Pending, 1));

    let step = decided.steps.get_mut("leads").unwrap();
    step.status = StepStatus::Completed;
    step.waiting = None;
    step.completed_at = Some(at(3));
    step.output = Some(json!({"decision": "approved"}));
    let output = json!({"decision": "approved"});
    let ended = event("leads", EventKind::StepCompleted { output, usage: None });
    store.commit(Transition::of(decided, 2, vec![ended])).await.unwrap();
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.ended_at), (ApprovalStatus::Approved, Some(at(3))));
    // What was asked is still known.
    assert_eq!(found.request, request(at(1)));

    let count = |filter: ApprovalFilter| async move { store.approvals(None, &filter, 10, None).await.unwrap().items.len() };
    let with = |status| ApprovalFilter { status: Some(status), ..ApprovalFilter::default() };
    assert_eq!(count(with(ApprovalStatus::Pending)).await, 1);
    assert_eq!(count(with(ApprovalStatus::Approved)).await, 1);
    assert_eq!(count(with(ApprovalStatus::Expired)).await, 0);
    assert_eq!(count(ApprovalFilter { status: None, execution: Some(newer.id) }).await, 1);
    let nobody = TenantId("nobody".to_owned());
    let of_nobody = store.approvals(Some(&nobody), &ApprovalFilter::default(), 10, None).await.unwrap();
    assert_eq!(of_nobody.items, []);
    let first = store.approvals(None, &ApprovalFilter::default(), 1, None).await.unwrap();
    let next = store.approvals(None, &ApprovalFilter::default(), 1, first.next.as_deref()).await.unwrap();
    assert_eq!((next.items[0].execution, next.next), (older.id, None));
}

pub(crate) async fn a_list_is_bounded_by_time(store: &dyn Store) {
    let executions: Vec<Execution> = (1..=3).map(given::execution).collect();
    for execution in &executions {
        given::start(store, execution).await;
    }
    let ids = |filter: ExecutionFilter| async move {
        let page = store.list(None, &filter, 10, None).await.unwrap();
        page.items.into_iter().map(|execution| execution.created_at).collect::<Vec<_>>()
    };
    let second = executions[1].created_at;
    let since = |since| ExecutionFilter { since: Some(since), ..ExecutionFilter::default() };
    let until = |until| ExecutionFilter { until: Some(until), ..ExecutionFilter::default() };
    assert_eq!(ids(since(second)).await, [executions[2].created_at, second]);
    assert_eq!(ids(until(second)).await, [executions[0].created_at]);
    let just_after = second.checked_add(SignedDuration::from_micros(1)).unwrap();
    assert_eq!(ids(since(just_after)).await, [executions[2].created_at]);
    assert_eq!(ids(until(just_after)).await, [second, executions[0].created_at]);
}

pub(crate) async fn whose_an_execution_is_and_how_far_it_got_is_known(store: &dyn Store) {
    let execution = given::execution(1);
    given::start(store, &execution).await;
    assert_eq!(store.tenant_of(execution.id).await.unwrap(), Some(execution.tenant.clone()));
    let nowhere = Uuid::from_u128(1);
    assert_eq!(store.tenant_of(nowhere).await.unwrap(), None);
    let progress = store.progress(&[nowhere, execution.id]).await.unwrap();
    assert_eq!(progress.len(), 1);
    assert_eq!((progress[0].execution, progress[0].ended), (execution.id, false));
    let events = store.events(&execution.tenant, execution.id, 0, 100).await.unwrap();
    assert_eq!(progress[0].last_seq, events.last().unwrap().seq);
    assert_eq!(store.progress(&[]).await.unwrap(), []);
}

pub(crate) async fn a_pause_holds_until_it_is_lifted(store: &dyn Store) {
    let process = PausedProcess {
        tenant: TenantId::local(),
        repository: "shop".to_owned(),
        process: "release".to_owned(),
        since: at(1),
    };
    assert!(store.pause(process.clone()).await.unwrap());
    assert!(!store.pause(PausedProcess { since: at(9), ..process.clone() }).await.unwrap());
    assert_eq!(store.paused().await.unwrap(), std::slice::from_ref(&process));
    assert!(store.unpause(process.clone()).await.unwrap());
    assert!(!store.unpause(process).await.unwrap());
    assert_eq!(store.paused().await.unwrap(), []);
}

pub(crate) async fn a_key_is_made_once(store: &dyn Store) {
    assert_eq!(store.server_key("resume", vec![1; 32]).await.unwrap(), vec![1; 32]);
    assert_eq!(store.server_key("resume", vec![2; 32]).await.unwrap(), vec![1; 32]);
    assert_eq!(store.server_key("cursor", vec![3; 32]).await.unwrap(), vec![3; 32]);
}
