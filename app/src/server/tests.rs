//! Webhooks over real HTTP into a real inbox.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp, reason = "tests")]

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;

use crate::clock::{Clock, SystemClock};
use crate::server::{MAX_DELIVERY, router};
use crate::store::{SqliteStore, Store};
use crate::telemetry::Exposition;

struct World {
    url: String,
    client: reqwest::Client,
    store: Arc<dyn Store>,
    _data: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", data.path().join("flowctl.db").display());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await.unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let router = router(
            &store,
            &clock,
            Some(&SecretString::from("s3cret".to_owned())),
            None,
            &Exposition::begin().unwrap(),
            None,
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, client: reqwest::Client::new(), store, _data: data }
    }

    async fn deliver(&self, id: &str, event: &str, body: Vec<u8>, secret: &str) -> (u16, String) {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let request = self.client.post(format!("{}/webhooks/github", self.url));
        let request = request.header("x-github-delivery", id).header("x-github-event", event);
        let answer = request.header("x-hub-signature-256", signature).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_delivery_is_stored_once_and_then_acknowledged() {
    let world = World::start().await;
    let body = br#"{"action": "opened", "repository": {"full_name": "o/r", "owner": {"login": "o"}}}"#.to_vec();
    assert_eq!(world.deliver("1", "pull_request", body.clone(), "s3cret").await.0, 202);
    assert_eq!(world.deliver("1", "pull_request", body.clone(), "s3cret").await.0, 200);
    assert_eq!(world.deliver("2", "an_event_of_next_year", body, "s3cret").await.0, 202);
    assert_eq!(world.store.backlog().await.unwrap().deliveries, 2);
}

#[tokio::test]
async fn what_is_not_from_github_is_refused_and_not_stored() {
    let world = World::start().await;
    let (status, text) = world.deliver("1", "push", b"{}".to_vec(), "guess").await;
    assert_eq!(status, 401);
    assert!(text.contains("FLOWCTL_GITHUB_WEBHOOK_SECRET"), "{text}");
    let unsigned = world.client.post(format!("{}/webhooks/github", world.url)).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 401);
    let (status, text) = world.deliver("1", "push", b"no json".to_vec(), "s3cret").await;
    assert_eq!((status, text.contains("not the JSON of a webhook")), (400, true));
    assert_eq!(world.store.backlog().await.unwrap().deliveries, 0);
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {metrics}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_tell_what_was_answered_and_what_is_to_be_done() {
    let world = World::start().await;
    let metrics = async || {
        let answer = world.client.get(format!("{}/metrics", world.url)).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        answer.text().await.unwrap()
    };
    let body = br#"{"repository": {"full_name": "o/r", "owner": {"login": "o"}}}"#.to_vec();
    let stored = |metrics: &str, outcome: &str| {
        let series = format!("flowctl_deliveries_total{{event=\"of_metrics\",outcome=\"{outcome}\"}}");
        value(metrics, &series)
    };
    for id in ["1", "2", "2"] {
        world.deliver(id, "of_metrics", body.clone(), "s3cret").await;
    }
    world.deliver("3", "never_named", body, "guess").await;
    world.client.get(format!("{}/nowhere/o/r", world.url)).send().await.unwrap();
    let told = metrics().await;
    assert_eq!((stored(&told, "stored"), stored(&told, "duplicate")), (2.0, 1.0));
    assert_eq!(value(&told, "flowctl_queue_length{queue=\"deliveries\"}"), 2.0);
    assert_eq!(value(&told, "flowctl_store_up"), 1.0);
    let hooks = "{method=\"POST\",route=\"/webhooks/github\"";
    assert!(value(&told, &format!("flowctl_http_request_duration_seconds_count{hooks}}}")) >= 4.0);
    assert!(value(&told, &format!("flowctl_http_requests_total{hooks},status=\"401\"}}")) >= 1.0);
    assert!(value(&told, "flowctl_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}") >= 1.0);
    assert!(!told.contains("never_named") && !told.contains("nowhere"), "nobody makes labels up: {told}");
    assert!(told.contains("process_resident_memory_bytes "), "{told}");
    world.store.close().await;
    assert_eq!(value(&metrics().await, "flowctl_store_up"), 0.0);
}

#[tokio::test]
async fn a_body_of_25_mib_is_taken_and_a_larger_one_is_not() {
    let world = World::start().await;
    let body = |size: usize| {
        let frame = br#"{"text": ""}"#.len();
        format!(r#"{{"text": "{}"}}"#, "x".repeat(size - frame)).into_bytes()
    };
    assert_eq!(world.deliver("1", "push", body(MAX_DELIVERY), "s3cret").await.0, 202);
    assert_eq!(world.deliver("2", "push", body(MAX_DELIVERY + 1), "s3cret").await.0, 413);
    assert_eq!(world.store.backlog().await.unwrap().deliveries, 1);
}

#[tokio::test]
async fn it_says_that_it_is_alive_and_ready() {
    let world = World::start().await;
    for path in ["/healthz", "/readyz", "/"] {
        let answer = world.client.get(format!("{}{path}", world.url)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
    let ready = async || {
        let answer = world.client.get(format!("{}/readyz", world.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let migrations = world.store.migrations().await.unwrap();
    let up_to_date = format!("ready\ndatabase: answers\nmigrations: {0} of {0}\n", migrations.known);
    assert_eq!(ready().await, (200, up_to_date));
    world.store.close().await;
    assert_eq!(ready().await, (503, "not ready\ndatabase: does not answer\nmigrations: unknown\n".to_owned()));
}
