//! Sends recorded deliveries, one after another, each once: GitHub does not repeat by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::signature;
use crate::error::SandboxError;
use crate::faults::DeliveryFate;
use crate::hub::Hub;
use crate::state::{Delivery, Id};

/// How long the receiver has. Source: "Best practices for using webhooks".
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is kept.
const KEPT_ANSWER: usize = 64 * 1024;

/// What came back.
#[derive(Default)]
struct Outcome {
    status: String,
    status_code: u16,
    duration: f64,
    sent: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Runs until the queue closes.
pub(crate) async fn deliver_all(hub: Arc<Hub>, mut queue: mpsc::UnboundedReceiver<Id>) {
    let built =
        reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let client = match built {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be sent");
            return;
        }
    };
    let mut held: Vec<Id> = Vec::new();
    while let Some(id) = queue.recv().await {
        let Some(event) = hub.read(|view| view.world.deliveries.get(&id).map(|delivery| delivery.event.clone())) else {
            continue;
        };
        match hub.faults.fate_of(&event) {
            DeliveryFate::Deliver => attempt(&hub, &client, id).await,
            DeliveryFate::Lose => finish(
                &hub,
                id,
                Outcome { status: "failed to connect to host".to_owned(), status_code: 502, ..Outcome::default() },
            ),
            DeliveryFate::Duplicate => {
                attempt(&hub, &client, id).await;
                attempt(&hub, &client, id).await;
            }
            DeliveryFate::Hold => {
                held.push(id);
                continue;
            }
        }
        for late in held.drain(..) {
            attempt(&hub, &client, late).await;
        }
    }
}

async fn attempt(hub: &Arc<Hub>, client: &reqwest::Client, id: Id) {
    let found = hub.read(|view| {
        let delivery = view.world.deliveries.get(&id)?.clone();
        Some((delivery, view.world.app.webhook_secret.clone(), view.world.app.id))
    });
    let Some((delivery, secret, app)) = found else { return };
    let outcome = send(client, &delivery, &secret, app).await;
    finish(hub, id, outcome);
}

async fn send(client: &reqwest::Client, delivery: &Delivery, secret: &str, app: Id) -> Outcome {
    let headers = headers(delivery, app);
    let mut request = client.post(&delivery.url);
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    request = request.header("X-Hub-Signature-256", signature(secret, delivery.payload.as_bytes()));
    let began = Instant::now();
    let answer = request.body(delivery.payload.clone()).send().await;
    let mut outcome = Outcome { sent: headers, ..Outcome::default() };
    match answer {
        Ok(answer) => {
            outcome.status_code = answer.status().as_u16();
            let fine = answer.status().is_success();
            outcome.status =
                if fine { "OK".to_owned() } else { format!("Invalid HTTP Response: {}", outcome.status_code) };
            let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            outcome.headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = answer.text().await.unwrap_or_default();
            outcome.body = body.chars().take(KEPT_ANSWER).collect();
        }
        Err(error) if error.is_timeout() => (outcome.status, outcome.status_code) = ("timed out".to_owned(), 504),
        Err(_) => (outcome.status, outcome.status_code) = ("failed to connect to host".to_owned(), 502),
    }
    outcome.duration = began.elapsed().as_secs_f64();
    outcome
}

fn headers(delivery: &Delivery, app: Id) -> BTreeMap<String, String> {
    let pairs = [
        ("Accept", "*/*".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "GitHub-Hookshot/sandbox".to_owned()),
        ("X-GitHub-Delivery", delivery.guid.clone()),
        ("X-GitHub-Event", delivery.event.clone()),
        ("X-GitHub-Hook-ID", app.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID", app.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", "integration".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn finish(hub: &Hub, id: Id, outcome: Outcome) {
    let stored = hub.change(|change| {
        if let Some(delivery) = change.world.deliveries.get_mut(&id) {
            delivery.status = outcome.status;
            delivery.status_code = outcome.status_code;
            delivery.duration = outcome.duration;
            delivery.request_headers = outcome.sent;
            delivery.response_headers = outcome.headers;
            delivery.response_body = outcome.body;
            delivery.done = true;
        }
        Ok::<(), SandboxError>(())
    });
    if let Err(error) = stored {
        tracing::error!(%error, "a delivery's outcome could not be stored");
    }
}
