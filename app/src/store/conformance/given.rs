//! What the cases begin with: moments, executions in a given state, deliveries, effects.

use bytes::Bytes;
use flowctl_core::definition::StepType;
use flowctl_core::definition::step::OnFailure;
use flowctl_core::execution::{
    Event, EventKind, Execution, ExecutionStatus, StepState, Subject, TenantId, TriggerInfo, Waiting,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::{DeliveryId, NewDelivery, NewEffect, Transition, Work};

/// Seconds after the moment at which every case begins.
pub(super) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(super) fn acme() -> TenantId {
    TenantId("acme".to_owned())
}

pub(super) fn globex() -> TenantId {
    TenantId("globex".to_owned())
}

pub(super) fn delivery(id: &str, ordering_key: &str) -> NewDelivery {
    NewDelivery {
        id: DeliveryId(id.to_owned()),
        event: "issue_comment".to_owned(),
        action: Some("created".to_owned()),
        installation_id: Some(7),
        tenant: Some(acme()),
        repository: Some("acme/shop".to_owned()),
        ordering_key: ordering_key.to_owned(),
        body: Bytes::from_static(b"{\"zen\": \"\xf0\x9f\x9a\x80\"}"),
        received_at: at(0),
    }
}

pub(super) fn effect(installation_id: u64, key: &str, priority: i16) -> NewEffect {
    NewEffect {
        tenant: acme(),
        installation_id,
        key: key.to_owned(),
        priority,
        payload: json!({"about": key}),
        not_before: at(0),
    }
}

/// An execution with two steps, and the events that led to it.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) execution: Execution,
    /// Events not yet committed.
    pub(super) events: Vec<Event>,
    version: u64,
}

impl Story {
    /// A pending execution of `acme/shop`, with the `number`-th id.
    pub(super) fn new(tenant: TenantId, number: u128) -> Self {
        let steps = [("draft", StepType::ApiCall), ("ship", StepType::Wait)];
        let steps = steps.map(|(id, kind)| (id.to_owned(), StepState::pending(kind, None, OnFailure::Fail)));
        let execution = Execution {
            id: id(at(0), number),
            tenant,
            repository: "acme/shop".to_owned(),
            repository_id: None,
            process: "release".to_owned(),
            process_version: 3,
            revision: "a".repeat(40),
            digest: "d".repeat(64),
            status: ExecutionStatus::Pending,
            trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
            subject: None,
            // A number that a careless reader would round.
            inputs: serde_json::from_value(json!({"amount": 0.1 + 0.2, "big": u64::MAX})).unwrap(),
            outputs: None,
            error: None,
            url: None,
            created_at: at(0),
            started_at: None,
            completed_at: None,
            due_at: None,
            retries: 0,
            ending: None,
            completions: 0,
            group: None,
            held: None,
            delegations: Vec::new(),
            pushers: Vec::new(),
            base: None,
            parent: None,
            at_hand: flowctl_core::execution::AtHand::default(),
            steps: steps.into_iter().collect(),
        };
        let kind = EventKind::ExecutionCreated { execution: Box::new(execution.clone()) };
        let created = Event { at: at(0), step: None, attempt: None, actor: None, kind };
        Self { execution, events: vec![created], version: 0 }
    }

    pub(super) fn on_pull_request(mut self, number: u64) -> Self {
        let subject = Subject { number: Some(number), is_pull_request: true, head_sha: "b".repeat(40), author: None };
        self.execution.subject = Some(subject);
        self.again()
    }

    /// Created then, with an id of that time.
    pub(super) fn created(mut self, seconds: i64) -> Self {
        self.execution.id = id(at(seconds), self.execution.id.as_u128() & 0xff);
        self.execution.created_at = at(seconds);
        self.again()
    }

    /// With another step, `leads`, that asks people.
    pub(super) fn with_leads(mut self) -> Self {
        let leads = StepState::pending(StepType::HumanApproval, None, OnFailure::Fail);
        self.execution.steps.insert("leads".to_owned(), leads);
        self.again()
    }

    pub(super) fn of_process(mut self, process: &str) -> Self {
        self.execution.process = process.to_owned();
        self.again()
    }

    /// Makes the first event from the state again.
    fn again(mut self) -> Self {
        let kind = EventKind::ExecutionCreated { execution: Box::new(self.execution.clone()) };
        self.events = vec![Event { at: at(0), step: None, attempt: None, actor: None, kind }];
        self
    }

    pub(super) fn happened(&mut self, seconds: i64, step: Option<&str>, kind: EventKind) {
        let event = Event { at: at(seconds), step: step.map(str::to_owned), attempt: None, actor: None, kind };
        self.execution.apply(&event);
        self.events.push(event);
    }

    /// Starts the execution and its step `draft`, which somebody must perform.
    pub(super) fn drafting(mut self) -> Self {
        self.happened(1, None, EventKind::ExecutionStarted { due_at: None });
        let input = json!({"method": "GET", "url": "https://example.com"});
        let started = EventKind::StepStarted { input, secret_texts: Vec::new(), timeout_ms: Some(30_000), name: None };
        self.happened(1, Some("draft"), started);
        self
    }

    /// Ends `draft`; `ship` waits for a moment.
    pub(super) fn drafted(mut self, until: Timestamp) -> Self {
        let output = json!({"status": 200, "ratio": 1.1e-7});
        self.happened(2, Some("draft"), EventKind::StepCompleted { output, usage: None });
        let started =
            EventKind::StepStarted { input: Value::Null, secret_texts: Vec::new(), timeout_ms: None, name: None };
        self.happened(2, Some("ship"), started);
        let waiting = EventKind::StepWaiting { waiting: Waiting::Timer { until, due_at: None } };
        self.happened(2, Some("ship"), waiting);
        self.happened(2, None, EventKind::ExecutionWaiting);
        self
    }

    pub(super) fn completed(mut self) -> Self {
        self.happened(3, None, EventKind::ExecutionCompleted { outputs: json!({"shipped": true}) });
        self
    }

    /// The transition that stores what happened since the last one.
    pub(super) fn transition(&mut self) -> Transition {
        let expected_version = self.version;
        self.version += 1;
        Transition::of(self.execution.clone(), expected_version, std::mem::take(&mut self.events))
    }
}

/// A UUIDv7 of this time.
fn id(at: Timestamp, number: u128) -> Uuid {
    let millis = u128::from(at.as_millisecond().unsigned_abs());
    Uuid::from_u128((millis << 80) | 0x7000_8000_0000_0000_0000 | number)
}

/// The first attempt of `draft`.
pub(super) fn draft() -> Work {
    Work { step: "draft".to_owned(), attempt: 1 }
}
