//! What the API lists and looks up.

use flowctl_core::approval::{Decision, DecisionKind, Group, Person, Requirement, Source, SourceKind};
use flowctl_core::execution::{ApprovalRequest, EventKind, TenantId, Waiting};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::given::{Story, acme, at, globex};
use crate::audit::{Chain, NewEntry};
use crate::store::{ApprovalFilter, ApprovalStatus, ExecutionFilter, PausedProcess, Store, Transition, approval_id};

fn request(seconds: i64) -> ApprovalRequest {
    let group = Group::Users(vec!["alice".to_owned()]);
    serde_json::from_value(json!({
        "title": "Release?", "description": "", "requirement": Requirement::People { group, count: 1 },
        "allow_author": false, "requested_at": at(seconds), "shown_since": at(seconds), "on_timeout": "reject",
        "on_reject": "fail", "keep_on_push": "never", "note_required": "never", "priority": "normal",
    }))
    .unwrap()
}

/// An execution whose step `leads` asks.
fn asking(tenant: TenantId, number: u128, seconds: i64) -> Story {
    let mut story = Story::new(tenant, number).with_leads();
    ask(&mut story, seconds);
    story
}

/// Its step `leads` asks.
pub(super) fn ask(story: &mut Story, seconds: i64) {
    let started = EventKind::StepStarted { input: Value::Null, secret_texts: Vec::new(), timeout_ms: None, name: None };
    story.happened(seconds, Some("leads"), started);
    let waiting = Waiting::Approval(Box::new(request(seconds)));
    story.happened(seconds, Some("leads"), EventKind::StepWaiting { waiting });
}

/// Entries about nothing in particular.
fn entry(kind: &str, once: Option<&str>) -> NewEntry {
    NewEntry {
        at: at(1),
        kind: kind.to_owned(),
        actor: Some(Person { login: "alice".to_owned(), id: 7 }),
        repository: Some("acme/shop".to_owned()),
        process: None,
        execution: None,
        step: None,
        data: json!({"note": "a \u{0} that no database likes"}),
        once: once.map(str::to_owned),
    }
}

pub(crate) async fn what_people_did_is_chained_for_each_tenant(store: &impl Store) {
    let (mut one, mut other) = (Story::new(acme(), 1), Story::new(globex(), 1));
    let with = |story: &mut Story, audit: Vec<NewEntry>| Transition { audit, ..story.transition() };
    let pinned = || entry("definition.pinned", Some("release:d"));
    store.commit(with(&mut one, vec![pinned(), entry("a", None)])).await.unwrap();
    store.commit(with(&mut other, vec![pinned(), pinned()])).await.unwrap();
    one.happened(1, None, EventKind::ExecutionStarted { due_at: None });
    store.commit(with(&mut one, vec![pinned(), entry("b", None)])).await.unwrap();
    store.record(&acme(), entry("c", None)).await.unwrap();
    let paused = || PausedProcess {
        tenant: acme(),
        repository: "acme/shop".to_owned(),
        process: "release".to_owned(),
        since: at(5),
    };
    assert!(store.pause(paused()).await.unwrap() && !store.pause(paused()).await.unwrap());
    assert!(store.unpause(paused()).await.unwrap());
    assert_eq!(store.audited_tenants().await.unwrap(), [acme(), globex()]);
    let kinds = async |tenant: &TenantId| -> Vec<String> {
        let entries = store.audit(tenant, 0, 100).await.unwrap();
        let mut chain = Chain::of(tenant.clone());
        entries.iter().try_for_each(|entry| chain.check(entry)).unwrap();
        let said = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.line).unwrap());
        said.map(|said| said["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&acme()).await, ["definition.pinned", "a", "b", "c", "process.paused", "process.resumed"]);
    assert_eq!(kinds(&globex()).await, ["definition.pinned"]);
    assert_eq!(store.audit(&acme(), 4, 1).await.unwrap()[0].seq, 5);
}

pub(crate) async fn what_is_refused_leaves_no_trace_in_the_audit_log(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let first = Transition { audit: vec![entry("a", None)], ..story.transition() };
    store.commit(first.clone()).await.unwrap();
    assert!(store.commit(first).await.is_err());
    assert_eq!(store.audit(&acme(), 0, 100).await.unwrap().len(), 1);
}

pub(crate) async fn many_at_once_are_chained_one_behind_the_other(store: &impl Store) {
    let commits = (0..40_u128).map(|number| {
        let mut story = Story::new(acme(), number);
        store.commit(Transition { audit: vec![entry("a", None), entry("b", None)], ..story.transition() })
    });
    for committed in futures_util::future::join_all(commits).await {
        committed.unwrap();
    }
    let entries = store.audit(&acme(), 0, 100).await.unwrap();
    let mut chain = Chain::of(acme());
    entries.iter().try_for_each(|entry| chain.check(entry)).unwrap();
    assert_eq!(chain.head().seq, 80);
}

fn approve() -> Decision {
    Decision {
        person: Person { login: "alice".to_owned(), id: 7 },
        decision: DecisionKind::Approve,
        at: at(7),
        note: None,
        source: Source { kind: SourceKind::Api, id: "1".to_owned(), url: None },
        commit: None,
        call: None,
        counts_for: vec![0],
        owner_of: Vec::new(),
        in_place_of: Vec::new(),
    }
}

pub(crate) async fn an_approval_is_kept_as_it_stands(store: &impl Store) {
    let mut story = asking(acme(), 1, 1);
    store.commit(story.transition()).await.unwrap();
    let id = approval_id(story.execution.id, "leads", 1, at(1));
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.step.as_str(), found.attempt), (ApprovalStatus::Pending, "leads", 1));
    assert_eq!((found.request.clone(), found.decisions), (request(1), vec![]));
    assert_eq!((found.tenant, found.process.as_str()), (acme(), "release"));

    story.happened(7, Some("leads"), EventKind::DecisionRecorded { decision: approve() });
    store.commit(story.transition()).await.unwrap();
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.decisions), (ApprovalStatus::Pending, vec![approve()]));

    let output = json!({"decision": "approved"});
    story.happened(8, Some("leads"), EventKind::StepCompleted { output, usage: None });
    store.commit(story.transition()).await.unwrap();
    let found = store.approval(id).await.unwrap().unwrap();
    assert_eq!((found.status, found.ended_at), (ApprovalStatus::Approved, Some(at(8))));
    // What was asked is still known.
    assert_eq!(found.request, request(1));
    assert_eq!(store.approval(Uuid::from_u128(1)).await.unwrap(), None);
}

pub(crate) async fn approvals_are_listed_page_by_page(store: &impl Store) {
    let mut stories = [asking(acme(), 1, 1), asking(acme(), 2, 2), asking(globex(), 3, 3)];
    for story in &mut stories {
        store.commit(story.transition()).await.unwrap();
    }
    stories[1].happened(8, Some("leads"), EventKind::StepCancelled);
    store.commit(stories[1].transition()).await.unwrap();
    let found = async |tenant: Option<TenantId>, filter: ApprovalFilter| -> Vec<u128> {
        let page = store.approvals(tenant.as_ref(), &filter, 10, None).await.unwrap();
        page.items.iter().map(|approval| approval.execution.as_u128() & 0xff).collect()
    };
    let with = |status| ApprovalFilter { status: Some(status), execution: None };
    assert_eq!(found(None, ApprovalFilter::default()).await, [3, 2, 1]);
    assert_eq!(found(Some(acme()), ApprovalFilter::default()).await, [2, 1]);
    assert_eq!(found(None, with(ApprovalStatus::Pending)).await, [3, 1]);
    assert_eq!(found(Some(globex()), with(ApprovalStatus::Pending)).await, [3]);
    assert_eq!(found(None, with(ApprovalStatus::Cancelled)).await, [2]);
    assert_eq!(found(None, with(ApprovalStatus::Expired)).await, [0; 0]);
    let of = ApprovalFilter { status: None, execution: Some(stories[0].execution.id) };
    assert_eq!(found(None, of).await, [1]);
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = store.approvals(None, &ApprovalFilter::default(), 2, cursor.as_deref()).await.unwrap();
        seen.extend(page.items.iter().map(|approval| approval.execution.as_u128() & 0xff));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [3, 2, 1]);
}

pub(crate) async fn a_list_is_bounded_by_time(store: &impl Store) {
    for number in 1..=3_u8 {
        store.commit(Story::new(acme(), number.into()).created(number.into()).transition()).await.unwrap();
    }
    let found = async |filter: ExecutionFilter| -> Vec<u128> {
        let page = store.list(None, &filter, 10, None).await.unwrap();
        page.items.iter().map(|execution| execution.id.as_u128() & 0xff).collect()
    };
    let since = |since| ExecutionFilter { since: Some(since), ..ExecutionFilter::default() };
    let until = |until| ExecutionFilter { until: Some(until), ..ExecutionFilter::default() };
    let just_after = at(2).checked_add(SignedDuration::from_micros(1)).unwrap();
    assert_eq!(found(since(at(2))).await, [3, 2]);
    assert_eq!(found(until(at(2))).await, [1]);
    assert_eq!(found(since(just_after)).await, [3]);
    assert_eq!(found(until(just_after)).await, [2, 1]);
}

pub(crate) async fn whose_an_execution_is_and_how_far_it_got_is_known(store: &impl Store) {
    let mut story = Story::new(acme(), 1).drafting();
    let id = story.execution.id;
    store.commit(story.transition()).await.unwrap();
    let nowhere = Uuid::from_u128(1);
    assert_eq!(store.tenant_of(id).await.unwrap(), Some(acme()));
    assert_eq!(store.tenant_of(nowhere).await.unwrap(), None);
    let progress = store.progress(&[nowhere, id]).await.unwrap();
    assert_eq!(progress.len(), 1);
    assert_eq!((progress[0].execution, progress[0].last_seq, progress[0].ended), (id, 3, false));
    store.commit(story.drafted(at(9)).completed().transition()).await.unwrap();
    let progress = store.progress(&[id]).await.unwrap();
    let events = store.events(&acme(), id, 0, 100).await.unwrap();
    assert_eq!((progress[0].last_seq, progress[0].ended), (events.last().unwrap().seq, true));
    assert_eq!(store.progress(&[]).await.unwrap(), []);
}

pub(crate) async fn a_pause_holds_until_it_is_lifted(store: &impl Store) {
    let (repository, process) = ("acme/shop".to_owned(), "release".to_owned());
    let paused = PausedProcess { tenant: acme(), repository, process, since: at(1) };
    assert!(store.pause(paused.clone()).await.unwrap());
    assert!(!store.pause(PausedProcess { since: at(9), ..paused.clone() }).await.unwrap());
    assert_eq!(store.paused().await.unwrap(), std::slice::from_ref(&paused));
    assert!(store.unpause(paused.clone()).await.unwrap());
    assert!(!store.unpause(paused).await.unwrap());
    assert_eq!(store.paused().await.unwrap(), []);
}

pub(crate) async fn a_key_is_made_once(store: &impl Store) {
    assert_eq!(store.server_key("resume", vec![1; 32]).await.unwrap(), vec![1; 32]);
    assert_eq!(store.server_key("resume", vec![2; 32]).await.unwrap(), vec![1; 32]);
    assert_eq!(store.server_key("cursor", vec![3; 32]).await.unwrap(), vec![3; 32]);
}
