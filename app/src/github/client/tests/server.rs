//! A GitHub that answers what a test tells it to, and remembers what it was asked. It knows no rules of GitHub's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use url::Url;

/// A request as it came.
#[derive(Debug, Clone)]
pub(in crate::github) struct Asked {
    pub(in crate::github) method: Method,
    pub(in crate::github) path: String,
    pub(in crate::github) query: String,
    pub(in crate::github) headers: HeaderMap,
    pub(in crate::github) body: String,
}

impl Asked {
    pub(in crate::github) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(in crate::github) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer to give.
#[derive(Debug, Clone)]
pub(in crate::github) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    pub(in crate::github) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    pub(in crate::github) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(in crate::github) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Clone, Default)]
struct Shared {
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<BTreeMap<String, VecDeque<Reply>>>>,
}

pub(in crate::github) struct Server {
    shared: Shared,
    pub(in crate::github) url: Url,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers 404 to what it was not told about.
    pub(in crate::github) async fn start() -> Self {
        let shared = Shared::default();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, url, task }
    }

    /// Answers `METHOD /path` so; told several times, in that order, the last one for good.
    pub(in crate::github) fn on(&self, request: &str, reply: Reply) -> &Self {
        self.shared.replies.lock().unwrap().entry(request.to_owned()).or_default().push_back(reply);
        self
    }

    /// What came for `METHOD /path`.
    pub(in crate::github) fn asked(&self, request: &str) -> Vec<Asked> {
        let all = self.all().into_iter();
        all.filter(|asked| format!("{} {}", asked.method, asked.path) == request).collect()
    }

    /// All that came.
    pub(in crate::github) fn all(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let asked = Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let key = format!("{} {}", asked.method, asked.path);
    shared.asked.lock().unwrap().push(asked);
    let mut replies = shared.replies.lock().unwrap();
    let reply = match replies.get_mut(&key) {
        Some(left) if left.len() > 1 => left.pop_front(),
        Some(left) => left.front().cloned(),
        None => None,
    };
    let reply = reply.unwrap_or_else(|| Reply::json(404, &serde_json::json!({"message": "Not Found"})));
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
