//! The stage: a server with a local repository and a GitHub side, whoever calls its API and delivers webhooks, and a
//! recorder of what its steps call, which answers when it is told to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use flowctl_app::store::{ExecutionFilter, PostgresStore, SqliteStore, Store};
use flowctl_core::execution::{Execution, ExecutionStatus};
use flowctl_sandbox::signature;
use flowctl_tests::{Database, Server, World, free_address, local_repository};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

const TOKEN: &str = "an-administrators-token";

/// How long anything may take that has to happen. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process that computes and asks a person; one that calls; one that keeps something large.
const PROCESSES: [(&str, &str); 3] = [
    (
        "ask",
        "name: ask
version: 1
inputs: {text: {type: string, default: short}}
steps:
  - {id: note, type: set, values: {length: \"{{ inputs.text | length }}\"}}
  - {id: sign, type: human_approval, depends_on: note, title: Ship?, approvers: {users: [alice]}}
  - {id: done, type: set, depends_on: sign, values: {done: true}}
",
    ),
    ("call", "name: call\nversion: 1\nsteps:\n  - {id: call, type: api_call, method: POST, url: \"RECORDER/call\"}\n"),
    (
        "keep",
        "name: keep
version: 1
inputs: {text: {type: string, required: true}}
steps:
  - {id: keep, type: set, values: {text: \"{{ inputs.text }}{{ inputs.text }}\"}}
",
    ),
];

/// What the steps call; it answers once it is let.
#[derive(Clone)]
pub struct Recorder {
    keys: Arc<Mutex<Vec<String>>>,
    answers: watch::Sender<bool>,
    address: SocketAddr,
}

impl Recorder {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = Self { keys: Arc::default(), answers: watch::channel(false).0, address };
        let router = Router::new().route("/call", post(Self::take)).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    async fn take(State(recorder): State<Self>, headers: HeaderMap) -> &'static str {
        recorder.keys.lock().unwrap().push(headers["idempotency-key"].to_str().unwrap().to_owned());
        recorder.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
        "done"
    }

    pub fn answer(&self) {
        self.answers.send_replace(true);
    }

    /// The keys of the calls so far.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

/// Everything beside the server.
pub struct Stage {
    pub recorder: Recorder,
    world: World,
    folder: TempDir,
    data: PathBuf,
    pub database: Option<Database>,
    client: reqwest::Client,
    address: SocketAddr,
}

/// What was answered: nothing where the server went away meanwhile.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub may_come_back: bool,
    pub body: Value,
}

impl Stage {
    pub async fn set_up(database: Option<Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::in_folder(folder, &data, database).await
    }

    /// With the data elsewhere.
    pub async fn set_up_in(data: &Path) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), data, None).await
    }

    async fn in_folder(folder: TempDir, data: &Path, database: Option<Database>) -> Self {
        let recorder = Recorder::start().await;
        let at = format!("http://{}", recorder.address);
        let processes = PROCESSES.map(|(name, text)| (name, text.replace("RECORDER", &at)));
        local_repository(&folder.path().join("shop"), &processes);
        let world = tokio::task::spawn_blocking(|| World::set_up("release")).await.unwrap();
        let (data, client) = (data.to_owned(), reqwest::Client::new());
        Self { recorder, world, folder, data, database, client, address: free_address() }
    }

    /// Starts the server with these settings beside its own.
    pub async fn serve(&self, more: Vec<(&'static str, String)>) -> Server {
        let mut settings = self.world.settings();
        settings.push(("FLOWCTL_REPOSITORIES", format!("shop={}", self.folder.path().join("shop").display())));
        settings.push(("FLOWCTL_API_TOKEN", TOKEN.to_owned()));
        settings.extend(self.database.as_ref().map(|database| ("FLOWCTL_DATABASE_URL", database.url.clone())));
        settings.extend(more);
        // Nothing is to be repeated here because a busy machine stood still.
        settings.push(("FLOWCTL_LEASE_SECONDS", "300".to_owned()));
        let (data, address) = (self.data.clone(), self.address);
        tokio::task::spawn_blocking(move || Server::start(&settings, &data, address)).await.unwrap()
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    async fn send(&self, request: RequestBuilder) -> Option<Answer> {
        let answer = request.timeout(Duration::from_secs(30)).send().await.ok()?;
        let (status, may_come_back) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        let body = answer.text().await.ok()?;
        Some(Answer { status, may_come_back, body: serde_json::from_str(&body).unwrap_or(json!(body)) })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}/api/v1{path}", self.address)).bearer_auth(TOKEN)
    }

    /// Starts a process with a key.
    pub async fn start(&self, key: &str, process: &str, inputs: Value) -> Option<Answer> {
        let body = json!({"process": process, "inputs": inputs});
        self.send(self.request(Method::POST, "/executions").header("Idempotency-Key", key).json(&body)).await
    }

    /// The same, which has to go well; the execution's id.
    pub async fn started(&self, key: &str, process: &str, inputs: Value) -> String {
        let answer = self.start(key, process, inputs).await.unwrap();
        assert_eq!(answer.status, 202, "{:#}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Alice approves what an execution asks.
    pub async fn approve(&self, approval: &str) -> Option<Answer> {
        let body = json!({"decision": "approve", "as": "alice"});
        let path = format!("/approvals/{approval}/decisions");
        self.send(self.request(Method::POST, &path).header("Idempotency-Key", "alice").json(&body)).await
    }

    /// What an execution asks, once it does.
    pub async fn asked(&self, execution: &str) -> String {
        let execution = self.until(execution, |it| it["status"] == "waiting").await;
        let mut steps = execution["steps"].as_array().unwrap().iter();
        steps.find_map(|step| step["waiting_for"]["approval"].as_str()).unwrap().to_owned()
    }

    /// An execution once it is so.
    pub async fn until(&self, execution: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (path, mut last) = (format!("/executions/{execution}"), Value::Null);
        eventually(&format!("execution {execution}"), async || {
            last = self.send(self.request(Method::GET, &path)).await.map_or(Value::Null, |answer| answer.body);
            wanted(&last)
        })
        .await;
        last
    }

    /// Delivers a webhook as GitHub does; the same id again is the same delivery.
    pub async fn deliver(&self, id: &str) -> Option<Answer> {
        let (body, secret) =
            (json!({"zen": "Keep it logically awesome."}).to_string(), self.world.sandbox.app().webhook_secret);
        let request = self.client.post(format!("http://{}/webhooks/github", self.address));
        let request = request.header("x-github-delivery", id).header("x-github-event", "ping");
        self.send(request.header("x-hub-signature-256", signature(&secret, body.as_bytes())).body(body)).await
    }

    /// The status of `/readyz`; 0 where nobody answers.
    pub async fn readiness(&self) -> u16 {
        let asked = self.client.get(format!("http://{}/readyz", self.address));
        self.send(asked).await.map_or(0, |answer| answer.status)
    }

    /// Refuses what cannot be stored, and says when to try again: the API, and a webhook that GitHub is to redeliver.
    pub async fn refuses(&self, delivery: &str, key: &str, approval: &str) {
        // All at the same time: each of them may have to wait.
        let inputs = json!({});
        let answers = tokio::join!(self.deliver(delivery), self.start(key, "ask", inputs), self.approve(approval));
        for answer in [answers.0, answers.1, answers.2] {
            let answer = answer.unwrap();
            assert_eq!((answer.status, answer.may_come_back), (503, true), "{:#}", answer.body);
        }
        let alive = self.client.get(format!("http://{}/healthz", self.address));
        assert_eq!(self.send(alive).await.unwrap().status, 200);
    }

    /// What was refused goes well when it is tried again.
    pub async fn takes(&self, delivery: &str, key: &str, approval: &str) {
        eventually("it is ready again", async || self.readiness().await == 200).await;
        assert_eq!(self.deliver(delivery).await.unwrap().status, 202);
        assert_eq!(self.start(key, "ask", json!({})).await.unwrap().status, 202);
        assert_eq!(self.approve(approval).await.unwrap().status, 200);
    }

    /// Once no server has it: what is stored of each execution is what its events give. The executions by id.
    pub async fn sound(&self) -> Vec<Execution> {
        let store: Arc<dyn Store> = match &self.database {
            Some(database) => Arc::new(PostgresStore::open(&database.url).await.unwrap()),
            None => {
                let url = format!("sqlite://{}", self.data.join("flowctl.db").display());
                Arc::new(SqliteStore::open(&url).await.unwrap())
            }
        };
        let mut executions = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = store.list(None, &ExecutionFilter::default(), 500, cursor.as_deref()).await.unwrap();
            executions.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for execution in &executions {
            let events = store.events(&execution.tenant, execution.id, 0, 10_000).await.unwrap();
            assert_eq!(Execution::fold(events.iter().map(|it| &it.event)).unwrap(), *execution);
        }
        store.close().await;
        executions
    }
}

/// Whether every one of these executions is there, and completed where it is to be.
pub fn all_there(executions: &[Execution], ids: &[String], status: ExecutionStatus) {
    for id in ids {
        let found = executions.iter().find(|execution| execution.id.to_string() == *id);
        assert_eq!(found.map(|execution| execution.status), Some(status), "{id} was acknowledged");
    }
}

/// Waits for something that has to happen.
pub async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !happened().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
