//! What an agent reaches: a model that speaks Chat Completions, and a desk with three operations. Each writes down what came in
//! before it answers, and one of them can be held, so that a server dies in the middle of that very call.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::recorder::{Call, LIFE};

/// Tokens of each answer, as the model counts them: read and written.
pub const TOKENS: (u64, u64) = (30, 12);

/// The model and the desk.
#[derive(Clone)]
pub struct Desk {
    calls: Arc<Mutex<Vec<Call>>>,
    /// What is held, and whether it has come in.
    held: watch::Sender<(String, bool)>,
    pub address: SocketAddr,
}

impl Desk {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Self { calls: Arc::default(), held: watch::channel((String::new(), false)).0, address };
        let router = Router::new()
            .route("/v1/chat/completions", post(Self::answer))
            .route("/desk/{operation}", any(Self::take))
            .with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        desk
    }

    /// Whoever asks for this next is given no answer.
    pub fn hold(&self, what: &str) {
        self.held.send_replace((what.to_owned(), false));
    }

    /// Waits until what is held has come in.
    pub async fn has_come_in(&self) {
        self.held.subscribe().wait_for(|(_, has_come_in)| *has_come_in).await.unwrap();
    }

    /// Every call so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    async fn come_in(&self, call: Call) {
        let what = call.what.clone();
        self.calls.lock().unwrap().push(call);
        let is_held = self.held.send_if_modified(|(held, has_come_in)| {
            let is_held = *held == what && !*has_come_in;
            *has_come_in |= is_held;
            is_held
        });
        if is_held {
            // Whoever asked dies before there is an answer.
            std::future::pending::<()>().await;
        }
    }

    async fn take(State(desk): State<Self>, Path(operation): Path<String>, headers: HeaderMap) -> Json<Value> {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        desk.come_in(Call { what: operation.clone(), key: header("idempotency-key"), life: header(LIFE) }).await;
        Json(json!({"operation": operation}))
    }

    async fn answer(State(desk): State<Self>, headers: HeaderMap, Json(question): Json<Value>) -> Response {
        let model = question["model"].as_str().unwrap();
        let messages = question["messages"].as_array().unwrap();
        let answers = messages.iter().filter(|message| message["role"] == "assistant").count();
        let life = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
        desk.come_in(Call { what: format!("{model} {answers}"), key: String::new(), life }).await;
        let last = messages.last().unwrap()["content"].as_str().unwrap();
        match (model, answers) {
            ("agent", 0) => wants("search"),
            ("agent", 1) => wants("label"),
            ("agent", 2) => wants("comment"),
            ("agent", _) => says("It is looked after."),
            // What is wrong with it is told by the very words of the one answer that there was.
            ("draft", 0) => says("{\"notes\": 7}"),
            ("draft", _) if last.contains("`notes` must be a text") => says("{\"notes\": \"All is well.\"}"),
            _ => panic!("nobody expected to be asked this: {question:#}"),
        }
    }
}

fn wants(tool: &str) -> Response {
    let function = json!({"name": tool, "arguments": json!({"text": "hello"}).to_string()});
    let calls = json!([{"id": format!("call_{tool}"), "type": "function", "function": function}]);
    completion(json!({"role": "assistant", "content": null, "tool_calls": calls}), "tool_calls")
}

fn says(text: &str) -> Response {
    completion(json!({"role": "assistant", "content": text}), "stop")
}

fn completion(message: Value, reason: &str) -> Response {
    let usage = json!({"prompt_tokens": TOKENS.0, "completion_tokens": TOKENS.1, "total_tokens": TOKENS.0 + TOKENS.1});
    let choices = json!([{"index": 0, "message": message, "finish_reason": reason}]);
    let whole = json!({"id": "x", "object": "chat.completion", "choices": choices, "usage": usage});
    Json(whole).into_response()
}
