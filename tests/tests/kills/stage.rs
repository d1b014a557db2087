//! The stage: a local repository with two processes, a database, a recorder of what is called, and a server that can be
//! started at the same address as often as it dies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowctl_app::store::{PostgresStore, SqliteStore, Store};
use flowctl_tests::{Database, Server, free_address, local_repository_of};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::recorder::Recorder;

pub const TOKEN: &str = "an-administrators-token";

/// How long anything may take that has to happen. Only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An order: parts are picked, people sign, it is packed by a process of its own and shipped. Where it cannot be, what
/// was reserved is released.
const ORDER: &str = "name: order
version: 1
inputs:
  outcome: {type: string, enum: [done, refused, rejected], default: done}
steps:
  - {id: reserve, type: api_call, method: POST, url: \"RECORDER/reserve\", headers: LIFE, compensate_with: release}
  - {id: release, type: api_call, method: POST, url: \"RECORDER/release\", headers: LIFE, run_on: compensation}
  - id: parts
    type: foreach
    depends_on: reserve
    items: [lid, box, bow]
    as: part
    max_parallel: 2
    steps:
      - {id: pick, type: api_call, method: POST, url: \"RECORDER/pick-{{ part }}\", headers: LIFE}
  - {id: pause, type: wait, for: 150ms, depends_on: parts}
  - id: sign
    type: human_approval
    depends_on: pause
    title: \"{{ inputs.outcome }}\"
    approvers: {users: [alice, bob], count: 2}
  - {id: packed, type: process, process: pack, depends_on: sign}
  - id: ship
    type: api_call
    depends_on: packed
    method: POST
    url: \"RECORDER/ship?outcome={{ inputs.outcome }}\"
    headers: LIFE
";

const PACK: &str = "name: pack
version: 1
steps:
  - {id: wrap, type: api_call, method: POST, url: \"RECORDER/wrap\", headers: LIFE}
  - {id: dry, type: wait, for: 100ms, depends_on: wrap}
";

/// What one of the server's lives is called where it calls others.
pub fn name_of(life: u64) -> String {
    format!("life-number-{life:08}")
}

/// Everything beside the server; `C` is what the steps call.
pub struct Stage<C = Recorder> {
    pub recorder: C,
    more: Vec<(&'static str, String)>,
    folder: TempDir,
    database: Option<Database>,
    address: SocketAddr,
    /// In which of its lives the server is.
    pub life: watch::Sender<u64>,
}

impl Stage {
    pub async fn set_up(database: Option<Database>) -> Self {
        let recorder = Recorder::start().await;
        let written = |text: &str| {
            let text = text.replace("RECORDER", &format!("http://{}", recorder.address));
            text.replace("LIFE", "{x-life: \"{{ secrets.LIFE }}\"}")
        };
        let path = |name: &str| format!(".flow/processes/{name}.yaml");
        let files = [(path("order"), written(ORDER)), (path("pack"), written(PACK))];
        Self::of(recorder, database, &files, Vec::new())
    }
}

impl<C> Stage<C> {
    /// A stage whose repository has these files, by path, and whose server has these settings more.
    pub fn of(
        recorder: C,
        database: Option<Database>,
        files: &[(String, String)],
        more: Vec<(&'static str, String)>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        local_repository_of(&folder.path().join("shop"), files);
        Self { recorder, more, folder, database, address: free_address(), life: watch::channel(0).0 }
    }

    /// Starts the server, and does not wait until it is ready.
    pub fn server(&self, life: u64) -> Server {
        self.life.send_replace(life);
        let mut settings = vec![
            ("FLOWCTL_REPOSITORIES", format!("shop={}", self.folder.path().join("shop").display())),
            ("FLOWCTL_API_TOKEN", TOKEN.to_owned()),
            // Longer than a busy machine may stand still: what is repeated is to be repeated because of a kill.
            ("FLOWCTL_LEASE_SECONDS", "10".to_owned()),
            ("FLOWCTL_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
            // What is secret is struck out of all answers: it must be nothing that occurs elsewhere.
            ("FLOWCTL_SECRET_LIFE", name_of(life)),
        ];
        settings.extend(self.more.iter().map(|(name, value)| (*name, value.replace("LIFE", &name_of(life)))));
        settings.extend(self.database.as_ref().map(|database| ("FLOWCTL_DATABASE_URL", database.url.clone())));
        Server::spawn(&settings, &self.data(), self.address)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the database is, unless it is beside the data.
    pub fn database_url(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.url.as_str())
    }

    /// Waits until the server is ready.
    pub async fn ready(&self, server: &mut Server) {
        let (began, url) = (Instant::now(), self.url("/readyz"));
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(!server.has_ended(), "it ended by itself\n{}", server.log());
            assert!(began.elapsed() < PATIENCE, "it does not become ready\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The store, once no server has it.
    pub async fn store(&self) -> Arc<dyn Store> {
        match &self.database {
            Some(database) => Arc::new(PostgresStore::open(&database.url).await.unwrap()),
            None => {
                let url = format!("sqlite://{}", self.data().join("flowctl.db").display());
                Arc::new(SqliteStore::open(&url).await.unwrap())
            }
        }
    }
}

/// Somebody who calls a server that may die at any instant.
#[derive(Clone)]
pub struct Caller {
    client: reqwest::Client,
    base: String,
}

impl Caller {
    pub fn of<C>(stage: &Stage<C>) -> Self {
        Self { client: reqwest::Client::new(), base: stage.url("") }
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let within = Duration::from_secs(20);
        self.client.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(TOKEN).timeout(within)
    }

    /// What an address answers, asked until it does.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = answered(path, || self.request(Method::GET, path)).await;
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }
}

/// Asks until there is an answer other than that it cannot be done now.
pub async fn answered(what: &str, request: impl Fn() -> RequestBuilder) -> (u16, Value) {
    let began = Instant::now();
    loop {
        if let Ok(answer) = request().send().await {
            let status = answer.status().as_u16();
            // An answer of which the end is missing is none.
            match answer.json::<Value>().await {
                Ok(body) if status != 503 => return (status, body),
                _ => {}
            }
        }
        assert!(began.elapsed() < PATIENCE, "nobody answers: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
