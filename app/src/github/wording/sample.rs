//! Executions for the tests of texts, led through the real state machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should panic")]

use flowctl_core::approval::{Decision, DecisionKind, Person, Source, SourceKind};
use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::repository::Repository;
use flowctl_core::execution::{
    Execution, NewExecution, Plan, PullRequestInfo, Signal, StepError, StepState, Subject, TenantId, TriggerInfo,
    create, decide,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) const RELEASE: &str = r#"
name: release
version: 3
description: Draft the notes, have them approved, ask for the window, ship.
triggers:
  - manual
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Notes
    output_schema: {type: object, properties: {notes: {type: string}}}
  - id: leads
    type: human_approval
    depends_on: draft
    title: "Ship {{ trigger.pull_request.title }}?"
    description: |
      {{ steps.draft.output.notes }}
    approvers: {any: [{team: leads, count: 2}, {users: [octocat]}]}
    timeout: 24h
    on_timeout: escalate
    escalate: [{after: 12h, to: {team: directors}}]
    note_required: on_reject
  - id: window
    type: form
    depends_on: leads
    title: When?
    fields:
      day: {type: date, required: true, description: The day to ship}
      hour: {type: integer, minimum: 0, maximum: 23, default: 9}
      region: {type: string, enum: [eu, us]}
    timeout: 2d
  - id: ship
    type: set
    depends_on: window
    values: {day: "{{ steps.window.output.day }}"}
  - id: undo
    type: set
    depends_on: window
    run_on: failure
    values: {undone: true}
outputs:
  day: "{{ steps.ship.output.day }}"
"#;

/// An execution and what is needed to lead it on.
pub(crate) struct Sample {
    pub(crate) plan: Plan,
    pub(crate) execution: Execution,
    pub(crate) now: Timestamp,
}

pub(crate) fn person(login: &str, id: u64) -> Person {
    Person { login: login.to_owned(), id }
}

impl Sample {
    /// A pull request's execution of a definition, started.
    pub(crate) fn start(definition: &str, title: &str) -> Self {
        let files = [(".flow/processes/release.yaml".to_owned(), definition.to_owned())];
        let plan = Repository::read(files).plan("release").unwrap().unwrap();
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let author = person("alice", 6);
        let head_sha = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d".to_owned();
        let pull_request = PullRequestInfo {
            number: 12,
            title: title.to_owned(),
            author: author.login.clone(),
            head_sha: head_sha.clone(),
            head: "release-1.4".to_owned(),
            base: "main".to_owned(),
            labels: vec!["release".to_owned()],
            url: "https://github.com/octo-org/shop/pull/12".to_owned(),
        };
        let trigger = TriggerInfo {
            kind: "pull_request".to_owned(),
            actor: Some(author.clone()),
            payload: json!({}),
            pull_request: Some(pull_request),
        };
        let new = NewExecution {
            id: "01900000-0000-7000-8000-000000000001".parse().unwrap(),
            tenant: TenantId("octo-org".to_owned()),
            repository: "octo-org/shop".to_owned(),
            repository_id: None,
            revision: "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c".to_owned(),
            trigger,
            subject: Some(Subject { number: Some(12), is_pull_request: true, head_sha, author: Some(author) }),
            inputs: serde_json::Map::new(),
            url: None,
        };
        let (execution, _) = create(&plan, new, now).unwrap();
        let mut sample = Self { plan, execution, now };
        sample.signal(Signal::Start);
        sample
    }

    /// The release, waiting for its leads.
    pub(crate) fn at_leads(title: &str, notes: &str) -> Self {
        let mut sample = Self::start(RELEASE, title);
        sample.later(2_500).complete("draft", json!({"notes": notes}));
        sample
    }

    pub(crate) fn later(&mut self, millis: i64) -> &mut Self {
        self.now = self.now.checked_add(SignedDuration::from_millis(millis)).unwrap();
        self
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        for event in decide(&self.plan, &self.execution, signal, self.now).unwrap() {
            self.execution.apply(&event);
        }
        self
    }

    pub(crate) fn complete(&mut self, step: &str, output: Value) -> &mut Self {
        let attempt = self.execution.steps.get(step).unwrap().attempt;
        self.signal(Signal::StepEnded { step: step.to_owned(), attempt, result: Ok(output), usage: None })
    }

    pub(crate) fn fail(&mut self, step: &str, message: &str) -> &mut Self {
        let attempt = self.execution.steps.get(step).unwrap().attempt;
        let error = StepError::new(ErrorClass::Refused, message);
        self.signal(Signal::StepEnded { step: step.to_owned(), attempt, result: Err(error), usage: None })
    }

    pub(crate) fn decide(&mut self, step: &str, who: Person, kind: DecisionKind, note: Option<&str>) -> &mut Self {
        let decision = Decision {
            source: Source { kind: SourceKind::Comment, id: format!("{}", who.id), url: None },
            person: who,
            decision: kind,
            at: self.now,
            note: note.map(str::to_owned),
            commit: self.execution.subject.as_ref().map(|subject| subject.head_sha.clone()),
            call: self.execution.steps.get(step).and_then(StepState::asked_call),
            counts_for: vec![0],
            owner_of: Vec::new(),
            in_place_of: Vec::new(),
        };
        self.signal(Signal::Decide { step: step.to_owned(), decision })
    }
}
