//! A server with local repositories, and somebody who calls it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowctl_tests::{Server, free_address};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "an-administrators-token";

/// A process that only computes.
pub const SUM: &str = "name: sum
version: 1
inputs:
  a: {type: integer, required: true, minimum: 0}
  b: {type: integer, default: 2}
  unit: {type: string, enum: [m, km]}
steps:
  - id: add
    type: set
    values: {total: \"{{ inputs.a + inputs.b }}\"}
outputs: {total: \"{{ steps.add.output.total }}\"}
";

/// A process that asks people.
pub const RELEASE: &str = "name: release
version: 1
description: Have it approved.
inputs:
  what: {type: string, default: all}
steps:
  - id: leads
    type: human_approval
    title: \"Release {{ inputs.what }}?\"
    approvers: {users: [alice, bob], count: 2}
    timeout: 24h
  - id: ship
    type: set
    depends_on: [leads]
    values: {shipped: \"{{ inputs.what }}\"}
outputs: {shipped: \"{{ steps.ship.output.shipped }}\"}
";

/// A process with a form.
pub const ACCESS: &str = "name: access
version: 1
steps:
  - id: request
    type: form
    fields:
      system: {type: string, required: true, enum: [billing, shop]}
      days: {type: integer, minimum: 1, maximum: 30, default: 7}
  - id: grant
    type: set
    depends_on: [request]
    values: {system: \"{{ steps.request.output.system }}\"}
";

/// A process that waits for an event, and one that an event starts.
pub const PAID: &str = "name: paid
version: 1
steps:
  - id: payment
    type: wait
    event: {name: payment, match: \"{{ event.payload.order == 7 }}\", timeout: 1h}
";
pub const ORDERED: &str = "name: ordered
version: 1
triggers: [{event: order}]
steps:
  - id: note
    type: set
    values: {order: \"{{ trigger.payload.order }}\"}
";

/// A process that fails: private addresses are refused.
pub const BROKEN: &str = "name: broken
version: 1
steps:
  - id: first
    type: set
    values: {fine: true}
  - id: second
    type: api_call
    depends_on: [first]
    url: http://127.0.0.1:9/
";

/// The server and its repository.
pub struct Stage {
    pub server: Server,
    pub repository: Repository,
    client: reqwest::Client,
    settings: Vec<(&'static str, String)>,
    data: TempDir,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, where the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The name of the problem, where it is one with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{:#}", self.body);
        self.body["type"].as_str().unwrap().strip_prefix("urn:flowctl:problem:").unwrap()
    }
}

impl Stage {
    /// A server over a repository with every process above.
    pub fn set() -> Self {
        let all = [
            ("sum", SUM),
            ("release", RELEASE),
            ("access", ACCESS),
            ("paid", PAID),
            ("ordered", ORDERED),
            ("broken", BROKEN),
        ];
        Self::with(&all, vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())])
    }

    pub fn with(processes: &[(&str, &str)], settings: Vec<(&'static str, String)>) -> Self {
        let path = |name: &str| format!(".flow/processes/{name}.yaml");
        let files: Vec<(String, &str)> = processes.iter().map(|(name, text)| (path(name), *text)).collect();
        Self::of(&files, settings)
    }

    /// A server over a repository with these files, by path.
    pub fn of(files: &[(String, &str)], mut settings: Vec<(&'static str, String)>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let repository = Repository::at(&data.path().join("shop"));
        for (path, text) in files {
            repository.write(path, text);
        }
        repository.commit("processes");
        settings.push(("FLOWCTL_REPOSITORIES", format!("shop={}", repository.path.display())));
        let server = Server::start(&settings, &data.path().join("app"), free_address());
        Self { server, repository, client: reqwest::Client::new(), settings, data }
    }

    /// Kills the server and starts it again on the same data.
    pub fn restart(&mut self) {
        self.server.kill();
        self.server = Server::start(&self.settings, &self.data.path().join("app"), free_address());
    }

    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    pub fn app_data(&self) -> PathBuf {
        self.data.path().join("app")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// A request as the administrator, below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(&format!("/api/v1{path}"))).bearer_auth(TOKEN)
    }

    pub fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// Starts a process.
    pub async fn start(&self, process: &str, inputs: Value) -> Value {
        self.post("/executions", json!({"process": process, "inputs": inputs})).await.expect(202)
    }

    /// The execution once it has this status.
    pub async fn until(&self, id: &Value, status: &str) -> Value {
        let path = format!("/executions/{}", id.as_str().unwrap());
        self.until_that(&path, |execution| execution["status"] == status).await
    }

    /// What an address answers once that is so.
    pub async fn until_that(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let body = self.get(path).await.expect(200);
            if wanted(&body) {
                return body;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it never was so: {body:#}\n{}", self.server.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What is answered to a request; every answer is held against the OpenAPI document.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        panic!("{body:#}");
    }
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let faults = crate::description::faults(&method, &path, status.as_u16(), kind, &body);
    assert_eq!(faults, Vec::<String>::new(), "{body:#}");
    Answer { status: status.as_u16(), headers, body }
}

/// A git repository on this machine.
pub struct Repository {
    pub path: PathBuf,
    git: git2::Repository,
}

impl Repository {
    pub fn at(path: &Path) -> Self {
        let git = git2::Repository::init(path).unwrap();
        Self { path: path.to_owned(), git }
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits everything; gives the commit.
    pub fn commit(&self, message: &str) -> String {
        let mut index = self.git.index().unwrap();
        index.add_all(["."], git2::IndexAddOption::DEFAULT, None).unwrap();
        // What is gone goes too.
        index.update_all(["."], None).unwrap();
        index.write().unwrap();
        let tree = self.git.find_tree(index.write_tree().unwrap()).unwrap();
        let who = git2::Signature::now("Ann", "ann@example.com").unwrap();
        let parent = self.git.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        self.git.commit(Some("HEAD"), &who, &who, message, &tree, &parents).unwrap().to_string()
    }
}
