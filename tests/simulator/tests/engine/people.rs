//! People and other programs: they ask whichever server answers, and ask again under the same key until they are answered.

use std::sync::Arc;
use std::time::Duration;

use flowctl_core::approval::{Decision, DecisionKind, Person, Source, SourceKind};
use flowctl_core::execution::{Execution, ExecutionId, Refusal, Signal, StepStatus, TenantId, TriggerInfo, Waiting};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use crate::servers::{REVISION, World};
use flowctl_app::clock::Clock as _;
use flowctl_app::engine::{Along, Engine, PublishFailure, PublishedEvent, SignalFailure, StartFailure, StartRequest};
use flowctl_app::store::Store as _;

/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(45);
/// How often people look whether they can help, and how long between.
const ROUNDS: usize = 200;
const ROUND: Duration = Duration::from_secs(15 * 60);
/// Rounds after which nothing but a circle goes on: longer than all that is waited for.
const LONG: usize = 30;
/// What people want while things go wrong.
const WISHES: usize = 25;

#[derive(Debug, Clone)]
pub enum Ask {
    Start,
    Decide { execution: ExecutionId, step: String, decision: DecisionKind, commit: Option<String> },
    Answer { execution: ExecutionId, step: String },
    Cancel { execution: ExecutionId },
    Retry { execution: ExecutionId },
    Publish { name: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused,
}

/// What somebody asks for, under a key that stays the same however often it is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub key: String,
    pub ask: Ask,
    pub answer: Option<Answer>,
}

impl World {
    /// People want this and that while things go wrong; each waits for an answer.
    pub async fn people(self: Arc<Self>) {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..=self.below(2) {
            asking.spawn(Arc::clone(&self).asks(Ask::Start));
        }
        for _ in 0..WISHES {
            sleep(self.seconds(600)).await;
            if let Some(ask) = self.wish().await {
                asking.spawn(Arc::clone(&self).asks(ask));
            }
        }
        while let Some(answered) = asking.join_next().await {
            answered.unwrap();
        }
    }

    /// Something that somebody may want as things are.
    async fn wish(&self) -> Option<Ask> {
        let executions = self.executions().await;
        let waiting = waiting(&executions);
        let any = |world: &Self| executions.get(world.below(executions.len())).map(|execution| execution.id);
        Some(match self.below(10) {
            0 => Ask::Start,
            1 => Ask::Cancel { execution: any(self)? },
            2 => Ask::Retry { execution: any(self)? },
            3 => Ask::Publish { name: "paid" },
            4 => Ask::Publish { name: "begin" },
            _ => {
                let kinds =
                    [DecisionKind::Approve, DecisionKind::Approve, DecisionKind::Reject, DecisionKind::Withdraw];
                let decision = kinds[self.below(kinds.len())];
                word(waiting.get(self.below(waiting.len()))?, decision)
            }
        })
    }

    /// Everybody who is asked says yes, and whatever events are waited for come, until everything has ended.
    pub async fn everybody_helps(self: &Arc<Self>) {
        for round in 0..ROUNDS {
            sleep(ROUND).await;
            let executions = self.executions().await;
            let backlog = self.on_the_disk(self.shared.store.backlog()).unwrap();
            let done = backlog.work + backlog.signals + backlog.occurrences == 0;
            if done && executions.iter().all(|execution| execution.status.is_final()) {
                return;
            }
            let words = waiting(&executions);
            for asked in &words {
                Arc::clone(self).asks(word(asked, DecisionKind::Approve)).await;
            }
            // What begins with an event that it waits for itself would go on like this for ever.
            let circles = round >= LONG && self.processes.0.begins_by_event;
            for execution in executions.iter().filter(|execution| circles && waits_for(execution, "begin")) {
                Arc::clone(self).asks(Ask::Cancel { execution: execution.id }).await;
            }
            for name in ["paid", "begin"] {
                let would_circle = circles && name == "begin";
                if !would_circle && executions.iter().any(|execution| waits_for(execution, name)) {
                    Arc::clone(self).asks(Ask::Publish { name }).await;
                }
            }
        }
        let open: Vec<Execution> = self.executions().await.into_iter().filter(|it| !it.status.is_final()).collect();
        let texts = self.processes.0.texts.join("\n");
        panic!("it does not end: {open:#?}\n{:?}\n{texts}", self.on_the_disk(self.shared.store.backlog()));
    }

    /// Asks until it is answered.
    async fn asks(self: Arc<Self>, ask: Ask) {
        let (place, key) = {
            let mut requests = self.requests.lock().unwrap();
            let key = format!("request-{}", requests.len());
            requests.push(Request { key: key.clone(), ask: ask.clone(), answer: None });
            (requests.len() - 1, key)
        };
        loop {
            self.says(|| format!("{key}: {ask:?}"));
            let answer = match self.somebody() {
                Some(engine) => timeout(PATIENCE, self.asked(&engine, &key, &ask)).await.ok().flatten(),
                None => None,
            };
            if answer.is_some() {
                self.says(|| format!("{key}: {answer:?}"));
                self.requests.lock().unwrap()[place].answer = answer;
                return;
            }
            sleep(self.seconds(60)).await;
        }
    }

    /// What a server says to it; nothing: it cannot say now.
    async fn asked(&self, engine: &Engine, key: &str, ask: &Ask) -> Option<Answer> {
        let (execution, signal) = match ask.clone() {
            Ask::Start => return started(engine, key).await,
            Ask::Publish { name } => return published(engine, key, name).await,
            Ask::Decide { execution, step, decision, commit } => {
                let decision = Decision {
                    person: ann(),
                    decision,
                    at: self.clocks[0].now(),
                    note: None,
                    source: source(key),
                    commit,
                    call: None,
                    counts_for: vec![0],
                    owner_of: Vec::new(),
                    in_place_of: Vec::new(),
                };
                (execution, Signal::Decide { step, decision })
            }
            Ask::Answer { execution, step } => {
                let values = Map::from_iter([("text".to_owned(), json!("yes"))]);
                (execution, Signal::Answer { step, person: ann(), values, source: source(key) })
            }
            Ask::Cancel { execution } => (execution, Signal::Cancel { actor: None, reason: key.to_owned() }),
            Ask::Retry { execution } => (execution, Signal::Retry { actor: None, step: None }),
        };
        let along = Along { word: Some(key.to_owned()), ..Along::default() };
        match engine.signal(&TenantId::local(), execution, signal, along).await {
            Ok(_) | Err(SignalFailure::Refused(Refusal::Repeated)) => Some(Answer::Done),
            Err(SignalFailure::Store(_)) => None,
            // An earlier asking may have been stored, and the answer lost with its server.
            Err(SignalFailure::Refused(_) | SignalFailure::GroupBusy { .. }) => {
                let known = self.on_the_disk(self.shared.store.knows_word(&TenantId::local(), key)).unwrap();
                Some(if known { Answer::Done } else { Answer::Refused })
            }
            Err(error) => panic!("{key}: {error}"),
        }
    }
}

async fn started(engine: &Engine, key: &str) -> Option<Answer> {
    let request = StartRequest {
        tenant: TenantId::local(),
        repository: "shop".to_owned(),
        repository_id: None,
        revision: REVISION.to_owned(),
        process: "main".to_owned(),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs: Map::new(),
        start_key: Some(key.to_owned()),
        url: None,
    };
    match engine.start(request).await {
        Ok(_) => Some(Answer::Done),
        Err(StartFailure::GroupBusy { .. } | StartFailure::Refused(_)) => Some(Answer::Refused),
        Err(StartFailure::Store(_)) => None,
        Err(error) => panic!("{key}: {error}"),
    }
}

async fn published(engine: &Engine, key: &str, name: &str) -> Option<Answer> {
    let event = PublishedEvent { name: name.to_owned(), payload: json!({}), id: Some(key.to_owned()) };
    match engine.publish(&TenantId::local(), event).await {
        Ok(_) => Some(Answer::Done),
        Err(PublishFailure::Store(_)) => None,
        Err(error) => panic!("{key}: {error}"),
    }
}

/// Steps that wait for a person, with what they were shown; nothing: it is a form.
type Asked = (ExecutionId, String, Option<Option<String>>);

fn waiting(executions: &[Execution]) -> Vec<Asked> {
    let asked = |execution: &Execution| {
        let steps = execution.waiting_for_people().map(|(step, state)| match &state.waiting {
            Some(Waiting::Approval(request)) => (execution.id, step.to_owned(), Some(request.head_sha.clone())),
            _ => (execution.id, step.to_owned(), None),
        });
        steps.collect::<Vec<_>>()
    };
    executions.iter().filter(|execution| !execution.status.is_final()).flat_map(asked).collect()
}

fn word((execution, step, shown): &Asked, decision: DecisionKind) -> Ask {
    let (execution, step) = (*execution, step.clone());
    match shown.clone() {
        Some(commit) => Ask::Decide { execution, step, decision, commit },
        None => Ask::Answer { execution, step },
    }
}

fn waits_for(execution: &Execution, name: &str) -> bool {
    let mut waiting = execution.steps.values().filter(|step| step.status == StepStatus::Waiting);
    waiting.any(|step| matches!(&step.waiting, Some(Waiting::Event { name: other, .. }) if other == name))
}

fn ann() -> Person {
    Person { login: "ann".to_owned(), id: 1 }
}

fn source(key: &str) -> Source {
    Source { kind: SourceKind::Comment, id: key.to_owned(), url: None }
}
