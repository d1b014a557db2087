//! Stories of executions: a process as YAML, what happens to it, and what it has become.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod edges;
mod foreach;
mod hold;
mod journal;
mod notices;
mod people;
mod properties;
mod stories;
mod timeouts;
mod waits;
mod workflows;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::*;
use crate::approval::{AboutCall, Decision, DecisionKind, Person, Source, SourceKind};
use crate::definition::repository::Repository;

/// A small world: one process, one execution, a clock that only moves when told to.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) execution: Execution,
    pub(super) events: Vec<Event>,
    pub(super) now: Timestamp,
    words: u32,
}

impl World {
    /// A process with these steps (YAML, indented by nothing), started.
    pub(super) fn start(steps: &str) -> Self {
        Self::with(steps, "", json!({}))
    }

    /// The same with more top-level keys and inputs.
    pub(super) fn with(steps: &str, more: &str, inputs: Value) -> Self {
        let plan = plan(steps, more);
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let (execution, created) = create(&plan, new_execution(inputs), now).unwrap();
        let mut world = Self { plan, execution, events: vec![created], now, words: 0 };
        world.signal(Signal::Start).unwrap();
        world
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), Refusal> {
        let events = decide(&self.plan, &self.execution, signal.clone(), self.now)?;
        let again = decide(&self.plan, &self.execution, signal, self.now)?;
        assert_eq!(events, again, "the same arguments give the same events");
        for event in &events {
            self.execution.apply(event);
        }
        self.events.extend(events);
        assert_eq!(Execution::fold(&self.events).as_ref(), Some(&self.execution), "folding the events gives the state");
        let steps = &self.execution.steps;
        let open: Vec<&String> = steps.iter().filter(|(_, step)| !step.status.is_final()).map(|(key, _)| key).collect();
        assert_eq!(steps.open().map(|(key, _)| key).collect::<Vec<_>>(), open);
        Ok(())
    }

    pub(super) fn passes(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.signal(Signal::Wake).unwrap();
    }

    pub(super) fn ends(&mut self, step: &str, result: Result<Value, StepError>) {
        let attempt = self.execution.steps[step].attempt;
        self.signal(Signal::StepEnded { step: step.to_owned(), attempt, result, usage: None }).unwrap();
    }

    pub(super) fn decides(&mut self, login: &str, step: &str, decision: DecisionKind) -> Result<(), Refusal> {
        let commit = self.execution.subject.as_ref().map(|subject| subject.head_sha.clone());
        self.decides_on(login, step, decision, commit, None)
    }

    pub(super) fn decides_on(
        &mut self,
        login: &str,
        step: &str,
        decision: DecisionKind,
        commit: Option<String>,
        note: Option<&str>,
    ) -> Result<(), Refusal> {
        let call = self.execution.steps.get(step).and_then(StepState::asked_call);
        let decision = Decision { commit, call, note: note.map(str::to_owned), ..self.word(login, decision) };
        self.signal(Signal::Decide { step: step.to_owned(), decision })
    }

    pub(super) fn decides_about(
        &mut self,
        login: &str,
        step: &str,
        decision: DecisionKind,
        call: Option<AboutCall>,
    ) -> Result<(), Refusal> {
        let decision = Decision { call, ..self.word(login, decision) };
        self.signal(Signal::Decide { step: step.to_owned(), decision })
    }

    fn word(&mut self, login: &str, decision: DecisionKind) -> Decision {
        self.words += 1;
        Decision {
            person: Person { login: login.to_owned(), id: 0 },
            decision,
            at: self.now,
            note: None,
            source: Source { kind: SourceKind::Comment, id: self.words.to_string(), url: None },
            commit: None,
            call: None,
            counts_for: vec![0],
            owner_of: Vec::new(),
            in_place_of: Vec::new(),
        }
    }

    pub(super) fn status(&self, step: &str) -> &'static str {
        self.execution.steps[step].status.as_str()
    }

    /// `a:completed b:skipped` in the order of the definition.
    pub(super) fn picture(&self) -> String {
        let steps = self.execution.steps.iter().map(|(id, step)| format!("{id}:{}", step.status.as_str()));
        format!("{} | {}", self.execution.status.as_str(), steps.collect::<Vec<_>>().join(" "))
    }
}

pub(super) fn plan(steps: &str, more: &str) -> Plan {
    let text = format!("name: story\nversion: 1\n{more}\nsteps:\n{steps}");
    let files = [
        (".flow/agents/writer.yaml", "name: writer\nmodel: mock\ntools: [tracker]\n"),
        (".flow/agents/careful.yaml", "name: careful\nmodel: mock\napprovers: {team: leads}\npolicy: strict\n"),
        (".flow/policies/empty.yaml", "name: empty\n"),
        (".flow/policies/strict.yaml", "name: strict\napprovers: {role: admin}\n"),
        (".flow/tools/tracker.yaml", "name: tracker\ntype: mcp\nurl: https://tracker.example/mcp\n"),
        (".flow/processes/story.yaml", text.as_str()),
    ];
    let repository = Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    for file in repository.files.values() {
        assert!(
            file.faults.is_empty() && file.structure.is_empty(),
            "{:#?} {:#?}\n{text}",
            file.faults,
            file.structure
        );
    }
    repository.plan_for("story", &Performable::everything()).expect("the process").expect("a plan")
}

pub(super) fn new_execution(inputs: Value) -> NewExecution {
    let Value::Object(inputs): Value = inputs else { panic!("inputs are a mapping") };
    NewExecution {
        id: uuid::Uuid::from_u128(7),
        tenant: TenantId("octo-org".to_owned()),
        repository: "octo-org/shop".to_owned(),
        repository_id: None,
        revision: "a".repeat(40),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: Some(Subject { number: Some(7), is_pull_request: true, head_sha: "1".repeat(40), author: None }),
        inputs,
        url: None,
    }
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[expect(dead_code, reason = "plans are shared between executions; this keeps the type Send and Sync")]
fn plans_are_shared(plan: Plan) -> Arc<dyn Send + Sync> {
    Arc::new(plan)
}
