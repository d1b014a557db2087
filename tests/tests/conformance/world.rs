//! A sandbox with people and a repository, and somebody who asks it over HTTP and writes everything down.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use flowctl_sandbox::state::Permission;
use flowctl_sandbox::{FileContent, Files, OpenPullRequest, RateLimits, Sandbox};
use flowctl_tests::conformance::Exchange;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub const REPOSITORY: &str = "octo-org/shop";
/// A repository that is older than the App's installation.
pub const EARLY: &str = "octo-org/early";
/// A workflow that may be dispatched.
const WORKFLOW: &str = "on: {workflow_dispatch: {inputs: {tag: {required: true}}}}\n";
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// The App itself.
    App,
    /// Its installation in `octo-org`.
    Installation,
    /// A person, by login.
    Person(&'a str),
    /// Somebody with this token; nobody when it is empty.
    Token(&'a str),
}

pub struct World {
    pub sandbox: Sandbox,
    pub installation: u64,
    client: reqwest::Client,
    token: RefCell<String>,
    exchanges: RefCell<Vec<Exchange>>,
    surprises: RefCell<Vec<String>>,
}

pub fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect()
}

impl World {
    /// People, a team, a repository with a few files, the App installed and its webhooks taken.
    pub async fn new() -> Self {
        let sandbox = Sandbox::builder().rate_limits(RateLimits::off()).start().unwrap();
        sandbox.set_webhook_url(&receiver().await).unwrap();
        sandbox.create_organization("octo-org").unwrap();
        for login in ["alice", "bob", "carol"] {
            sandbox.create_user(login).unwrap();
        }
        sandbox.set_team("octo-org", "leads", &["alice", "bob"]).unwrap();
        let text = |path: &str, text: &str| (path.to_owned(), Some(FileContent::from(text)));
        let files = Files::from([
            text("README.md", "# Shop\n"),
            text("docs/a.md", "a\n"),
            text("old.md", "one\ntwo\nthree\n"),
            text(".github/workflows/release.yml", WORKFLOW),
        ]);
        // What was pushed before the App came has no check suite.
        sandbox.create_repository(EARLY, &files).unwrap();
        let installation = sandbox.install("octo-org", None).unwrap();
        sandbox.create_repository(REPOSITORY, &files).unwrap();
        for (login, permission) in
            [("alice", Permission::Admin), ("bob", Permission::Write), ("carol", Permission::Read)]
        {
            sandbox.grant(REPOSITORY, login, permission).unwrap();
        }
        sandbox.grant_team(REPOSITORY, "leads", Permission::Maintain).unwrap();
        let client = reqwest::Client::builder().user_agent("conformance").no_proxy();
        // A redirect is an answer too.
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let world = Self {
            sandbox,
            installation,
            client,
            token: RefCell::default(),
            exchanges: RefCell::default(),
            surprises: RefCell::default(),
        };
        world.renew_token().await;
        world
    }

    /// A new token for the installation.
    pub async fn renew_token(&self) {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let answer = self.send(Who::App, "POST", &path, None, 201).await;
        self.token.replace(answer["token"].as_str().unwrap_or_default().to_owned());
    }

    fn jwt(&self) -> String {
        let app = self.sandbox.app();
        let key = EncodingKey::from_rsa_pem(app.private_key_pem.as_bytes()).unwrap();
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({"iat": now - 60, "exp": now + 500, "iss": app.id.to_string()});
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    /// Asks, and expects this status.
    pub async fn get(&self, who: Who<'_>, path: &str, status: u16) -> Value {
        self.send(who, "GET", path, None, status).await
    }

    /// Asks as the installation about something in the repository.
    pub async fn repo(&self, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
        self.send(Who::Installation, method, &format!("/repos/{REPOSITORY}{path}"), body, status).await
    }

    /// Asks, writes the exchange down, and notes another status than the expected one.
    pub async fn send(&self, who: Who<'_>, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
        self.send_with(who, method, path, body, &[], status).await
    }

    pub async fn send_with(
        &self,
        who: Who<'_>,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
        status: u16,
    ) -> Value {
        let token = match who {
            Who::App => self.jwt(),
            Who::Installation => self.token.borrow().clone(),
            Who::Person(login) => self.sandbox.token_of(login).unwrap(),
            Who::Token(token) => token.to_owned(),
        };
        let url = format!("{}{path}", self.sandbox.api_url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let got = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        let answer = answer.bytes().await.unwrap().to_vec();
        let value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        if got != status {
            self.surprises.borrow_mut().push(format!("{method} {path}: expected {status}, got {got} {value}"));
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        self.exchanges.borrow_mut().push(Exchange { method, path, request: body, status: got, content_type, answer });
        value
    }

    /// The present ETag of an answer.
    pub async fn etag(&self, path: &str) -> String {
        let url = format!("{}{path}", self.sandbox.api_url());
        let token = self.token.borrow().clone();
        let answer = self.client.get(url).bearer_auth(token).send().await.unwrap();
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// Everything that was asked and answered.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.borrow().clone()
    }

    /// Statuses that were not expected.
    pub fn surprises(&self) -> Vec<String> {
        self.surprises.borrow().clone()
    }

    /// Waits until all webhooks were answered.
    pub async fn settle(&self) {
        self.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    }

    /// A pull request by Alice that changes, adds, renames and removes files; returns its number.
    pub fn pull_request(&self, branch: &str) -> u64 {
        let mut changes =
            files(&[("new.md", "new\n"), ("README.md", "# Shop\n\nOpen.\n"), ("older.md", "one\ntwo\nthree\n")]);
        changes.insert("old.md".to_owned(), None);
        changes.insert("docs/a.md".to_owned(), None);
        let new = OpenPullRequest {
            title: format!("Change {branch}"),
            body: Some("Please.".to_owned()),
            head: branch.to_owned(),
            labels: vec!["release".to_owned()],
            files: changes,
            ..OpenPullRequest::default()
        };
        self.sandbox.open_pull_request(REPOSITORY, "alice", &new).unwrap()
    }

    /// The head of a pull request.
    pub fn head(&self, number: u64) -> String {
        self.sandbox.issue(REPOSITORY, number).unwrap().pull_request.unwrap().head_sha
    }
}

/// The id in an answer, for the next path.
pub fn id(value: &Value) -> u64 {
    value["id"].as_u64().unwrap_or_default()
}

/// Takes webhooks and accepts them all.
async fn receiver() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/github", listener.local_addr().unwrap());
    let app = Router::new().route("/webhooks/github", post(|| async { axum::http::StatusCode::ACCEPTED }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}
