//! Webhooks out: what is recorded when an event happens, and how it is sent.
//! Source: GitHub documentation, "Webhook events and payloads", "Handling failed webhook deliveries".

mod deliver;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use deliver::deliver_all;

use crate::clock::stamp;
use crate::limits;
use crate::state::{Delivery, Id, World};

/// One event to be recorded.
pub(crate) type Emitted = crate::state::EmittedEvent;

/// Writes the events down as deliveries to be made; returns their numbers in order.
/// Without a webhook address there are none; what is too large is never sent.
pub(crate) fn record(world: &mut World, now: Timestamp, emitted: Vec<Emitted>) -> Vec<Id> {
    let Some(url) = world.app.webhook_url.clone() else { return Vec::new() };
    let mut queued = Vec::new();
    for event in emitted {
        let payload = event.payload.to_string();
        if payload.len() > limits::WEBHOOK_BYTES {
            tracing::warn!(event = event.event, bytes = payload.len(), "a payload over 25 MB is not sent");
            continue;
        }
        // The action of a `repository_dispatch` is what its caller chose.
        let action = event.payload["action"].as_str().map(str::to_owned);
        let id = world.take_delivery_id();
        world.keep_delivery(Delivery {
            id,
            guid: uuid::Uuid::new_v4().to_string(),
            delivered_at: now,
            redelivery: false,
            duration: 0.0,
            status: "pending".to_owned(),
            status_code: 0,
            event: event.event.to_owned(),
            action,
            installation: event.installation,
            repository: event.repository,
            url: url.clone(),
            payload,
            request_headers: std::collections::BTreeMap::new(),
            response_headers: std::collections::BTreeMap::new(),
            response_body: String::new(),
            done: false,
        });
        queued.push(id);
    }
    queued
}

/// The same event once more: a new delivery with the old one's GUID, to the present address.
pub(crate) fn record_again(world: &mut World, now: Timestamp, id: Id) -> Option<Id> {
    let before = world.deliveries.get(&id)?.clone();
    let url = world.app.webhook_url.clone().unwrap_or_else(|| before.url.clone());
    let id = world.take_delivery_id();
    let (status, request_headers) = ("pending".to_owned(), std::collections::BTreeMap::new());
    world.keep_delivery(Delivery {
        id,
        delivered_at: now,
        redelivery: true,
        status,
        status_code: 0,
        url,
        request_headers,
        done: false,
        ..before
    });
    Some(id)
}

/// `sha256=…` over the body, as in `X-Hub-Signature-256`.
/// Source: GitHub documentation, "Validating webhook deliveries".
pub fn signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("every key length is fine");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// The payload of `ping`. Source: webhook documentation, `ping`.
pub(crate) fn ping(world: &World, hook: Id) -> Value {
    serde_json::json!({
        "zen": "Anything added dilutes everything else.",
        "hook_id": hook,
        "hook": {
            "type": "App",
            "id": hook,
            "name": "web",
            "active": true,
            "events": world.app.events,
            "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": world.app.webhook_url},
            "app_id": world.app.id,
            "created_at": stamp(world.app.created_at),
            "updated_at": stamp(world.app.created_at),
        },
    })
}
