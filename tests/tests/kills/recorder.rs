//! What the steps call: a server that writes down each call before it answers, a little later each time another while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// The header in which a step says in which of the server's lives it calls.
pub const LIFE: &str = "x-life";

/// A call that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked for, as its URL says.
    pub what: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// In which of the server's lives it called.
    pub life: String,
}

/// The server that is called.
#[derive(Clone)]
pub struct Recorder {
    calls: Arc<Mutex<Vec<Call>>>,
    pub address: SocketAddr,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = Self { calls: Arc::default(), address: listener.local_addr().unwrap() };
        let router = Router::new().route("/{what}", post(Self::take)).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    async fn take(
        State(recorder): State<Self>,
        Path(what): Path<String>,
        RawQuery(query): RawQuery,
        headers: HeaderMap,
    ) -> StatusCode {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let call = Call { what, key: header("idempotency-key"), life: header(LIFE) };
        let number = {
            let mut calls = recorder.calls.lock().unwrap();
            calls.push(call);
            calls.len() as u64
        };
        // Calls take their time, or none would be under way at a kill.
        tokio::time::sleep(Duration::from_millis(number * 7 % 40)).await;
        if query.is_some_and(|query| query == "outcome=refused") {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::OK
        }
    }

    /// Every call so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}
