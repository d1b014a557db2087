//! A small world to tell stories in: a sandbox with people and a repository, an App that asks it,
//! and a receiver of its webhooks.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use flowctl_sandbox::state::Permission;
use flowctl_sandbox::{Builder, FileContent, Files, OpenPullRequest, RateLimits, Sandbox};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub const REPOSITORY: &str = "octo-org/shop";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One webhook as it arrived.
#[derive(Debug)]
pub struct Arrived {
    pub event: String,
    pub guid: String,
    pub signature: String,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Arrived {
    pub fn payload(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `event.action`, or the event alone.
    pub fn name(&self) -> String {
        match self.payload()["action"].as_str() {
            Some(action) => format!("{}.{action}", self.event),
            None => self.event.clone(),
        }
    }
}

pub struct Stage {
    pub sandbox: Sandbox,
    pub installation: u64,
    pub client: reqwest::Client,
    pub webhooks: mpsc::UnboundedReceiver<Arrived>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Value,
}

/// People, a repository with one file, the App installed, no rate limits.
pub async fn stage() -> Stage {
    stage_with(Sandbox::builder().rate_limits(RateLimits::off())).await
}

pub async fn stage_with(builder: Builder) -> Stage {
    let sandbox = builder.start().unwrap();
    sandbox.create_organization("octo-org").unwrap();
    for (login, permission) in [("alice", Permission::Write), ("bob", Permission::Write), ("carol", Permission::Read)] {
        sandbox.create_user(login).unwrap();
        if sandbox.read(|view| view.world.repository(REPOSITORY).is_ok()) {
            sandbox.grant(REPOSITORY, login, permission).unwrap();
        }
    }
    sandbox.set_team("octo-org", "leads", &["alice", "bob"]).unwrap();
    let installation = sandbox.install("octo-org", None).unwrap();
    let files = Files::from([("README.md".to_owned(), Some(FileContent::from("# Shop\n")))]);
    sandbox.create_repository(REPOSITORY, &files).unwrap();
    for (login, permission) in [("alice", Permission::Write), ("bob", Permission::Write), ("carol", Permission::Read)] {
        sandbox.grant(REPOSITORY, login, permission).unwrap();
    }
    let (url, webhooks) = receiver().await;
    sandbox.set_webhook_url(&url).unwrap();
    let client = reqwest::Client::builder().user_agent("stage").no_proxy().build().unwrap();
    Stage { sandbox, installation, client, webhooks }
}

/// A server that takes webhooks and hands them on.
pub async fn receiver() -> (String, mpsc::UnboundedReceiver<Arrived>) {
    let (sender, webhooks) = mpsc::unbounded_channel();
    let take = |State(sender): State<mpsc::UnboundedSender<Arrived>>, headers: http::HeaderMap, body: bytes::Bytes| async move {
        let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        let (event, guid, signature) = (text("x-github-event"), text("x-github-delivery"), text("x-hub-signature-256"));
        sender.send(Arrived { event, guid, signature, headers, body: body.to_vec() }).ok();
        http::StatusCode::ACCEPTED
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/github", listener.local_addr().unwrap());
    let app = Router::new().route("/webhooks/github", post(take)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, webhooks)
}

pub fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect()
}

impl Stage {
    /// Alice's pull request from `release`.
    pub fn pull_request(&self) -> u64 {
        let new = OpenPullRequest {
            title: "Release 1.4".to_owned(),
            head: "release".to_owned(),
            labels: vec!["release".to_owned()],
            files: files(&[("CHANGELOG.md", "1.4\n")]),
            ..OpenPullRequest::default()
        };
        self.sandbox.open_pull_request(REPOSITORY, "alice", &new).unwrap()
    }

    pub fn head(&self, number: u64) -> String {
        self.sandbox.issue(REPOSITORY, number).unwrap().pull_request.unwrap().head_sha
    }

    pub fn jwt_with(&self, claims: &Value) -> String {
        let key = EncodingKey::from_rsa_pem(self.sandbox.app().private_key_pem.as_bytes()).unwrap();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
    }

    pub fn jwt(&self) -> String {
        let now = jiff::Timestamp::now().as_second();
        self.jwt_with(&json!({"iat": now - 60, "exp": now + 500, "iss": self.sandbox.app().id.to_string()}))
    }

    pub async fn token(&self) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let answer = self.ask(Method::POST, &path, &self.jwt(), None).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Asks with this token; an empty one is left out.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.try_ask(method, path, token, body).await.unwrap()
    }

    pub async fn try_ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.sandbox.api_url()) };
        let mut request = self.client.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body })
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, None).await
    }

    /// Asks about the repository.
    pub async fn repo(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let body = (method != Method::GET).then_some(body);
        self.ask(method, &format!("/repos/{REPOSITORY}{path}"), token, body).await
    }

    /// The next webhook.
    pub async fn webhook(&mut self) -> Arrived {
        tokio::time::timeout(PATIENCE, self.webhooks.recv()).await.expect("a webhook in time").unwrap()
    }

    /// The names of all webhooks that were sent so far and not yet looked at.
    pub async fn webhook_names(&mut self) -> Vec<String> {
        self.sandbox.deliveries_settled(PATIENCE).await.unwrap();
        let mut names = Vec::new();
        while let Ok(arrived) = self.webhooks.try_recv() {
            names.push(arrived.name());
        }
        names
    }

    /// The webhook of that name, past others.
    pub async fn webhook_named(&mut self, name: &str) -> Arrived {
        loop {
            let arrived = self.webhook().await;
            if arrived.name() == name {
                return arrived;
            }
        }
    }
}
