//! Stories of engines: a process as YAML, a store in a temporary folder, a clock that stands still until it is moved,
//! performers that do as they are told. Each story ends by folding every stored event.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod attempts;
mod calls;
mod children;
mod events;
mod examined;
mod groups;
mod items;
mod journal;
mod jumps;
mod keys;
mod ledger;
mod log;
mod loops;
mod measures;
mod notices;
mod outputs;
mod people;
mod pushes;
mod retention;
mod schedules;
mod spending;
mod starts;
mod time;
mod traces;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::approval::{Decision, DecisionKind, Person, Source, SourceKind};
use flowctl_core::definition::repository::Repository;
use flowctl_core::definition::{ErrorClass, StepType};
use flowctl_core::execution::{Event, Execution, ExecutionId, Plan, Signal, StepError, TenantId, TriggerInfo};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::clock::FixedClock;
use crate::ids::SequentialIds;
use crate::steps::{Attempt, Performed, Performer};
use crate::store::{ExecutionFilter, SqliteStore};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A process that calls somebody, asks somebody, and waits.
const RELEASE: &str = "
name: release
version: 1
inputs:
  audience: {type: string, enum: [public, internal], default: public}
steps:
  - id: draft
    type: api_call
    url: https://notes.example/{{ inputs.audience }}
    timeout: 10m
    retry: {max_attempts: 2, initial: 10s, jitter: false}
  - id: sign
    type: human_approval
    depends_on: draft
    approvers: {all: [{users: [alice]}, {users: [bob]}]}
  - id: pause
    type: wait
    for: 1h
    depends_on: sign
outputs:
  notes: '{{ steps.draft.output.notes }}'
";

/// One engine with all that it needs.
struct World {
    engine: Engine,
    store: Arc<SqliteStore>,
    definitions: Arc<Written>,
    clock: Arc<FixedClock>,
    ids: Arc<SequentialIds>,
    performer: Arc<Scripted>,
    folder: TempDir,
}

impl World {
    async fn of(process: &str) -> Self {
        Self::with_options(process, EngineOptions::new("the engine")).await
    }

    async fn with_options(process: &str, options: EngineOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = Arc::new(SqliteStore::open(&url).await.unwrap());
        let definitions = Arc::new(Written::of(process));
        let clock = Arc::new(FixedClock::new("2026-03-02T09:00:00Z".parse().unwrap()));
        let ids = Arc::new(SequentialIds::default());
        let performer = Arc::new(Scripted::default());
        let engine = engine(store.clone(), definitions.clone(), performer.clone(), clock.clone(), ids.clone(), options);
        Self { engine, store, definitions, clock, ids, performer, folder }
    }

    /// Another engine over the same store: another process, or the same one started again.
    fn another(&self, owner: &str) -> Engine {
        self.another_with(EngineOptions::new(owner))
    }

    fn another_with(&self, options: EngineOptions) -> Engine {
        let (store, definitions, performer) = (self.store.clone(), self.definitions.clone(), self.performer.clone());
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        engine(store, definitions, performer, clock, ids, options)
    }

    /// Starts the process and does all that can be done.
    async fn started(&self) -> ExecutionId {
        let id = self.engine.start(self.request()).await.unwrap().execution.id;
        self.engine.settle().await.unwrap();
        id
    }

    fn request(&self) -> StartRequest {
        StartRequest {
            tenant: TenantId::local(),
            repository: "shop".to_owned(),
            repository_id: None,
            revision: REVISION.to_owned(),
            process: self.definitions.name.clone(),
            trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
            subject: None,
            inputs: Map::new(),
            start_key: None,
            url: None,
        }
    }

    /// Starts another process of the same commit, and does all that can be done.
    async fn started_as(&self, process: &str, inputs: Value) -> ExecutionId {
        let inputs = inputs.as_object().cloned().unwrap();
        let request = StartRequest { process: process.to_owned(), inputs, ..self.request() };
        let id = self.engine.start(request).await.unwrap().execution.id;
        self.engine.settle().await.unwrap();
        id
    }

    /// The executions of a process, oldest first.
    async fn all_of(&self, process: &str) -> Vec<Execution> {
        let filter = ExecutionFilter { process: Some(process.to_owned()), ..ExecutionFilter::default() };
        let mut page = self.store.list(None, &filter, 1000, None).await.unwrap();
        page.items.reverse();
        page.items
    }

    fn passes(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn signal(&self, id: ExecutionId, signal: Signal) -> Result<Execution, SignalFailure> {
        self.engine.signal(&TenantId::local(), id, signal, Along::default()).await
    }

    fn approval(&self, login: &str, word: &str) -> Signal {
        let decision = Decision {
            person: Person { login: login.to_owned(), id: 0 },
            decision: DecisionKind::Approve,
            at: self.clock.now(),
            note: None,
            source: Source { kind: SourceKind::Comment, id: word.to_owned(), url: None },
            commit: None,
            call: None,
            counts_for: vec![if login == "alice" { 0 } else { 1 }],
            owner_of: Vec::new(),
            in_place_of: Vec::new(),
        };
        Signal::Decide { step: "sign".to_owned(), decision }
    }

    async fn execution(&self, id: ExecutionId) -> Execution {
        self.store.load(&TenantId::local(), id).await.unwrap().unwrap().execution
    }

    /// `waiting | draft:completed sign:waiting pause:pending`
    async fn picture(&self, id: ExecutionId) -> String {
        let execution = self.execution(id).await;
        let steps: Vec<String> =
            execution.steps.iter().map(|(id, step)| format!("{id}:{}", step.status.as_str())).collect();
        format!("{} | {}", execution.status.as_str(), steps.join(" "))
    }

    /// The names of the execution's events, without `execution.` and `step.`.
    async fn story(&self, id: ExecutionId) -> Vec<String> {
        let events = self.store.events(&TenantId::local(), id, 0, 1000).await.unwrap();
        let short = |stored: &crate::store::StoredEvent| {
            let Event { step, kind, .. } = &stored.event;
            let name = kind.name().split_once('.').map_or(kind.name(), |(_, name)| name);
            step.as_ref().map_or_else(|| name.to_owned(), |step| format!("{step} {name}"))
        };
        events.iter().map(short).collect()
    }

    /// Folding the events of each execution gives its stored state, and nobody holds work for a step that does not run.
    async fn check(&self) {
        let all = self.store.list(None, &ExecutionFilter::default(), 1000, None).await.unwrap();
        assert!(!all.items.is_empty());
        let mut running = 0;
        for execution in all.items {
            let events = self.store.events(&execution.tenant, execution.id, 0, 1000).await.unwrap();
            let folded = Execution::fold(events.iter().map(|stored| &stored.event)).unwrap();
            assert_eq!(folded, execution);
            running += execution.steps.values().filter(|step| step.status == StepStatus::Running).count();
        }
        assert_eq!(self.store.backlog().await.unwrap().work, running as u64);
    }
}

fn engine(
    store: Arc<SqliteStore>,
    definitions: Arc<Written>,
    performer: Arc<Scripted>,
    clock: Arc<FixedClock>,
    ids: Arc<SequentialIds>,
    options: EngineOptions,
) -> Engine {
    let performers = Performers::default().with(StepType::ApiCall, performer.clone());
    let performers = Arc::new(performers.with(StepType::Notify, performer));
    Engine::new(store, definitions, performers, clock, ids, Arc::new(Telling), options)
}

/// Definitions written in a test.
struct Written {
    name: String,
    plans: Mutex<BTreeMap<(String, String), Arc<Plan>>>,
    fails_with: Mutex<Option<DefinitionError>>,
    /// The commit that is said to be the head.
    head: Mutex<String>,
    /// The branch that is said to have it, and the paths that the last push to it touched.
    branch: Mutex<(String, Option<BTreeSet<String>>)>,
}

impl Written {
    fn of(process: &str) -> Self {
        let plan = plan(process);
        let name = plan.process.header.name.as_str().to_owned();
        let plans = BTreeMap::from([((REVISION.to_owned(), name.clone()), Arc::new(plan))]);
        Self {
            name,
            plans: Mutex::new(plans),
            fails_with: Mutex::new(None),
            head: Mutex::new(REVISION.to_owned()),
            branch: Mutex::new(("main".to_owned(), Some(BTreeSet::new()))),
        }
    }

    fn fail_with(&self, error: Option<DefinitionError>) {
        *self.fails_with.lock().unwrap() = error;
    }

    /// The same commit gives another definition: what must never happen.
    /// Another process of the same commit.
    fn also(&self, process: &str) {
        let plan = plan(process);
        let name = plan.process.header.name.as_str().to_owned();
        self.plans.lock().unwrap().insert((REVISION.to_owned(), name), Arc::new(plan));
    }

    fn publish_as(&self, revision: &str) {
        *self.head.lock().unwrap() = revision.to_owned();
    }

    fn rewrite(&self, process: &str) {
        self.rewrite_beside(process, None);
    }

    fn rewrite_beside(&self, process: &str, settings: Option<&str>) {
        let key = (REVISION.to_owned(), self.name.clone());
        self.plans.lock().unwrap().insert(key, Arc::new(plan_beside(process, settings)));
    }
}

fn plan(process: &str) -> Plan {
    plan_beside(process, None)
}

/// The plan of a process beside a `flow.yaml`.
fn plan_beside(process: &str, settings: Option<&str>) -> Plan {
    let name = process.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
    let settings = settings.map(|settings| (".flow/flow.yaml".to_owned(), settings.to_owned()));
    let process = (format!(".flow/processes/{name}.yaml"), process.to_owned());
    let repository = Repository::read(settings.into_iter().chain([process]));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:#?} {:#?}", file.faults, file.structure);
    }
    repository.plan(name).unwrap().unwrap()
}

#[async_trait]
impl Definitions for Written {
    async fn plan(
        &self,
        _tenant: &TenantId,
        repository: &str,
        revision: &str,
        process: &str,
    ) -> Result<Arc<Plan>, DefinitionError> {
        if let Some(error) = self.fails_with.lock().unwrap().clone() {
            return Err(error);
        }
        let plan = self.plans.lock().unwrap().get(&(revision.to_owned(), process.to_owned())).cloned();
        plan.ok_or_else(|| DefinitionError::NotFound {
            process: process.to_owned(),
            repository: repository.to_owned(),
            revision: revision.to_owned(),
        })
    }

    async fn published(&self, _tenant: &TenantId, _repository: &str) -> Result<Published, DefinitionError> {
        if let Some(error) = self.fails_with.lock().unwrap().clone() {
            return Err(error);
        }
        let plans = self.plans.lock().unwrap();
        let processes = plans.values().map(|plan| Arc::clone(&plan.process)).collect();
        Ok(Published { revision: self.head.lock().unwrap().clone(), processes, unreadable: Vec::new() })
    }

    async fn head(&self, _tenant: &TenantId, _repository: &str) -> Result<Option<BranchHead>, DefinitionError> {
        let (branch, commit) = (self.branch.lock().unwrap().0.clone(), self.head.lock().unwrap().clone());
        Ok(Some(BranchHead { branch, commit, committer: "Ann".to_owned(), message: "Change it".to_owned() }))
    }

    async fn changed_paths(
        &self,
        _tenant: &TenantId,
        _repository: &str,
        _before: &str,
        _after: &str,
    ) -> Result<Option<BTreeSet<String>>, DefinitionError> {
        Ok(self.branch.lock().unwrap().1.clone())
    }

    fn served(&self, tenant: &TenantId) -> Vec<String> {
        if *tenant == TenantId::local() { vec!["shop".to_owned()] } else { Vec::new() }
    }

    fn may_follow(&self, _tenant: &TenantId, _repository: &str, _process: &str) -> bool {
        true
    }
}

/// Tells the world each transition.
struct Telling;

impl EffectPlanner for Telling {
    fn plan(&self, before: Option<&Execution>, after: &Execution, events: &[Event], now: Timestamp) -> Vec<NewEffect> {
        let names: Vec<&str> = events.iter().map(|event| event.kind.name()).collect();
        vec![NewEffect {
            tenant: after.tenant.clone(),
            installation_id: 7,
            key: format!("timeline:{}", after.id),
            priority: 10,
            payload: json!({"is_new": before.is_none(), "events": names}),
            not_before: now,
        }]
    }
}

/// What a performer is to do with one attempt.
enum Script {
    Gives(Result<Value, StepError>),
    Panics,
    /// Says that it has begun, and ends when it is told how.
    Waits {
        begun: oneshot::Sender<()>,
        end: oneshot::Receiver<Value>,
    },
}

/// A performer that follows a script, and gives notes where the script ends.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Script>>,
    seen: Mutex<Vec<Attempt>>,
}

impl Scripted {
    fn then(&self, next: Script) {
        self.script.lock().unwrap().push_back(next);
    }

    fn fails(&self, class: ErrorClass) {
        self.then(Script::Gives(Err(StepError::new(class, "as the script says"))));
    }

    /// The next attempt waits: for its beginning, and to be told its end.
    fn waits(&self) -> (oneshot::Receiver<()>, oneshot::Sender<Value>) {
        let (begun, has_begun) = oneshot::channel();
        let (ends, end) = oneshot::channel();
        self.then(Script::Waits { begun, end });
        (has_begun, ends)
    }

    fn seen(&self) -> Vec<Attempt> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Performer for Scripted {
    async fn perform(&self, attempt: Attempt) -> Performed {
        self.seen.lock().unwrap().push(attempt);
        let next = self.script.lock().unwrap().pop_front();
        match next {
            None => Ok(json!({"notes": "as drafted"})).into(),
            Some(Script::Gives(result)) => result.into(),
            Some(Script::Panics) => panic!("as the script says"),
            Some(Script::Waits { begun, end }) => {
                let _ = begun.send(());
                Ok(end.await.unwrap_or(Value::Null)).into()
            }
        }
    }
}

/// Waits for a condition that somebody else brings about; the limit only keeps a broken test from hanging.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
