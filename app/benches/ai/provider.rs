//! A provider with OpenAI's interface that answers after a known time, or once it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Failure;

/// The end of an answer, as Chat Completions streams it.
const ANSWER: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"{\\\"n\\\":7}\"},\
                      \"finish_reason\":null}]}\n\n\
                      data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                      data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":5}}\n\n\
                      data: [DONE]\n\n";

/// How it answers, and whom.
struct Answering {
    delay: Duration,
    asked: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

/// The provider.
pub struct Provider {
    address: SocketAddr,
    answering: Arc<Answering>,
}

impl Provider {
    /// One that takes so long for each answer; with [`Duration::MAX`] until it is released.
    pub async fn start(delay: Duration) -> Result<Self, Failure> {
        let (asked, released) = (watch::channel(0).0, watch::channel(false).0);
        let answering = Arc::new(Answering { delay, asked, released });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&answering));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, answering })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits until so many have asked.
    pub async fn wait_for(&self, count: usize) -> Result<(), Failure> {
        self.answering.asked.subscribe().wait_for(|asked| *asked >= count).await?;
        Ok(())
    }

    /// Answers whoever waits.
    pub fn release(&self) {
        self.answering.released.send_replace(true);
    }
}

async fn answer(State(answering): State<Arc<Answering>>) -> impl IntoResponse {
    answering.asked.send_modify(|asked| *asked += 1);
    if answering.delay == Duration::MAX {
        // It only ends with the provider.
        let _ = answering.released.subscribe().wait_for(|released| *released).await;
    } else {
        tokio::time::sleep(answering.delay).await;
    }
    ([(CONTENT_TYPE, "text/event-stream")], ANSWER)
}
