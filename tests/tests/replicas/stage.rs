//! The stage: a database of its own on the server of `FLOWCTL_TEST_POSTGRES_URL`, a local repository with one process, a
//! recorder of what its steps call, and replicas that are real programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path as Segment, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use flowctl_app::engine::{Definitions, StartRequest};
use flowctl_app::server::{Role, Server as App};
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_app::store::{Store, StoredEvent};
use flowctl_core::execution::{Execution, ExecutionId, TenantId, TriggerInfo};
use flowctl_tests::{Database, Server, free_address, local_repository};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

/// How long anything may take that has to happen. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the steps call. Answers at once, but for calls that are held.
#[derive(Clone)]
pub struct Recorder {
    calls: Arc<Mutex<Vec<Call>>>,
    /// The number of the first call that is not held any more.
    held_from: watch::Sender<std::ops::Range<usize>>,
    address: std::net::SocketAddr,
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The step, as its URL says.
    pub step: String,
    /// The `Idempotency-Key`.
    pub key: String,
}

impl Recorder {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = Self { calls: Arc::default(), held_from: watch::channel(0..0).0, address };
        let router = Router::new().route("/{step}", post(Self::take)).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    async fn take(State(recorder): State<Self>, Segment(step): Segment<String>, headers: HeaderMap) -> Json<Value> {
        let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned()).unwrap_or_default();
        let number = {
            let mut calls = recorder.calls.lock().unwrap();
            calls.push(Call { step, key });
            calls.len() - 1
        };
        let mut held = recorder.held_from.subscribe();
        held.wait_for(|held| !held.contains(&number)).await.unwrap();
        Json(json!({"call": number}))
    }

    /// Holds the answers to the calls with these numbers, from 0, and no others.
    pub fn hold(&self, numbers: std::ops::Range<usize>) {
        self.held_from.send_replace(numbers);
    }

    /// Waits until so many calls have come.
    pub async fn has(&self, count: usize) -> Vec<Call> {
        eventually(&format!("{count} calls"), async || self.calls.lock().unwrap().len() >= count).await;
        self.calls.lock().unwrap().clone()
    }

    /// How often each step of each execution was called, by idempotency key.
    pub fn by_key(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls.lock().unwrap().iter() {
            *counts.entry(call.key.clone()).or_default() += 1;
        }
        counts
    }
}

/// Everything beside the replicas.
pub struct Stage {
    database: Database,
    pub recorder: Recorder,
    folder: TempDir,
    /// Starts and looks, and moves nothing.
    web: App,
}

impl Stage {
    /// On the server of `FLOWCTL_TEST_POSTGRES_URL`.
    pub async fn set_up() -> Self {
        Self::with(Database::of_tests().await).await
    }

    pub async fn set_up_on(server: &str) -> Self {
        Self::with(Database::on(server).await).await
    }

    async fn with(database: Database) -> Self {
        let recorder = Recorder::start().await;
        let folder = tempfile::tempdir().unwrap();
        write_repository(&folder.path().join("shop"), recorder.address);
        let settings = settings(&database.url, folder.path(), "web");
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        let settings = settings.chain([("FLOWCTL_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
        let (settings, _) = Settings::load(None, settings).unwrap();
        let web = App::bind_as(Role::Web, settings, Performers::default()).await.unwrap();
        Self { database, recorder, folder, web }
    }

    /// Starts a replica and waits until it is ready.
    pub async fn replica(&self, name: &str, arguments: &'static [&'static str]) -> Server {
        let mut settings = settings(&self.database.url, self.folder.path(), name);
        settings.push(("FLOWCTL_LOG", "info".to_owned()));
        let data = self.folder.path().join(name);
        let starting = move || Server::start_with(arguments, &settings, &data, free_address());
        tokio::task::spawn_blocking(starting).await.unwrap()
    }

    /// Starts so many executions of the process.
    pub async fn start(&self, count: usize) -> Vec<ExecutionId> {
        let published = self.web.repositories().published(&TenantId::local(), "shop").await.unwrap();
        let mut started = Vec::new();
        for _ in 0..count {
            let request = StartRequest {
                tenant: TenantId::local(),
                repository: "shop".to_owned(),
                repository_id: None,
                revision: published.revision.clone(),
                process: "chain".to_owned(),
                trigger: TriggerInfo {
                    kind: "manual".to_owned(),
                    actor: None,
                    payload: Value::Null,
                    pull_request: None,
                },
                subject: None,
                inputs: Map::new(),
                start_key: None,
                url: None,
            };
            started.push(self.web.engine().start(request).await.unwrap().execution.id);
        }
        started
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.web.engine().store()
    }

    pub async fn execution(&self, id: ExecutionId) -> Execution {
        self.store().load(&TenantId::local(), id).await.unwrap().unwrap().execution
    }

    pub async fn events(&self, id: ExecutionId) -> Vec<StoredEvent> {
        self.store().events(&TenantId::local(), id, 0, 1_000).await.unwrap()
    }

    /// Waits until all of them have ended, and checks what holds of each: it went well, each step has one result, and
    /// its events give its state.
    pub async fn all_end_well(&self, ids: &[ExecutionId]) {
        for id in ids {
            eventually("an execution ends", async || match self.store().load(&TenantId::local(), *id).await {
                Ok(stored) => stored.unwrap().execution.status.is_final(),
                // The database may be away; it comes back.
                Err(_) => false,
            })
            .await;
            let execution = self.execution(*id).await;
            assert_eq!(execution.status.as_str(), "completed", "{execution:#?}");
            let events = self.events(*id).await;
            for step in execution.steps.keys() {
                let results = events
                    .iter()
                    .filter(|it| it.event.step.as_ref() == Some(step) && it.event.kind.name() == "step.completed");
                assert_eq!(results.count(), 1, "{step} of {id}: {events:#?}");
            }
            assert_eq!(Execution::fold(events.iter().map(|it| &it.event)).unwrap(), execution);
        }
    }

    /// Ends every connection to the database, also in the middle of transactions.
    pub async fn break_connections(&self) {
        let statement = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()",
            self.database.name
        );
        self.database.on_server(&statement).await;
    }

    /// Lets nobody into the database any more, or everybody again.
    pub async fn let_in(&self, allowed: bool) {
        let name = &self.database.name;
        self.database.on_server(&format!("alter database {name} allow_connections {allowed}")).await;
        if !allowed {
            self.break_connections().await;
        }
    }
}

fn settings(database: &str, folder: &Path, name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("FLOWCTL_DATABASE_URL", database.to_owned()),
        ("FLOWCTL_DATA_DIR", folder.join(name).display().to_string()),
        ("FLOWCTL_REPOSITORIES", format!("shop={}", folder.join("shop").display())),
        ("FLOWCTL_LEASE_SECONDS", "2".to_owned()),
        ("FLOWCTL_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
    ]
}

fn write_repository(folder: &Path, recorder: std::net::SocketAddr) {
    let step = |id: &str, after: &str| {
        format!("  - {{id: {id}, type: api_call, method: POST, url: \"http://{recorder}/{id}\"{after}}}\n")
    };
    let process = format!(
        "name: chain\nversion: 1\nsteps:\n{}{}{}",
        step("one", ""),
        step("two", ", depends_on: one"),
        step("three", ", depends_on: two")
    );
    local_repository(folder, &[("chain", process)]);
}

/// Sends a signal to a replica.
pub fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &server.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What a replica says of itself: status and text of `/readyz`.
pub async fn readiness(server: &Server) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}/readyz", server.address)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits for something that has to happen.
pub async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !happened().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
