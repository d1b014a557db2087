//! One attempt to hand an event to the webhook address, with what came back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Id, World};

/// How many deliveries are kept; GitHub keeps them for three days.
const KEPT: usize = 1_000;

/// A delivery of the App's webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The number of this attempt.
    pub id: Id,
    /// The event's own id, kept by redeliveries; the `X-GitHub-Delivery` header.
    pub guid: String,
    /// When it was sent, or recorded as lost.
    pub delivered_at: Timestamp,
    /// Whether somebody asked for it again.
    pub redelivery: bool,
    /// How long the answer took, in seconds.
    pub duration: f64,
    /// GitHub's words: `OK`, `Invalid HTTP Response: 500`, `timed out`, `failed to connect to host`.
    pub status: String,
    /// The answer's status; 0 where none came.
    pub status_code: u16,
    /// The event's name.
    pub event: String,
    /// The payload's `action`.
    pub action: Option<String>,
    /// Whose event it is.
    pub installation: Option<Id>,
    /// Where it happened.
    pub repository: Option<Id>,
    /// Where it was sent.
    pub url: String,
    /// The body, byte for byte; stored beside the state, as it never changes.
    #[serde(skip)]
    pub payload: String,
    /// What was sent with it, without the signature.
    pub request_headers: BTreeMap<String, String>,
    /// What came back.
    pub response_headers: BTreeMap<String, String>,
    /// What came back, at most 64 KiB.
    pub response_body: String,
    /// Whether an attempt was made (or deliberately lost).
    pub done: bool,
}

/// What happened to the list of deliveries since the state was last stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryNews {
    /// A new one; its payload is not stored yet.
    Kept(Id),
    /// An old one was dropped.
    Forgotten(Id),
}

impl World {
    pub(crate) fn forget_deliveries(&mut self) {
        let forgotten = std::mem::take(&mut self.deliveries);
        self.delivery_news.extend(forgotten.into_keys().map(DeliveryNews::Forgotten));
    }

    pub(crate) fn keep_delivery(&mut self, delivery: Delivery) {
        self.delivery_news.push(DeliveryNews::Kept(delivery.id));
        self.deliveries.insert(delivery.id, delivery);
        // What is still to be sent is not forgotten, however much there is of it.
        while self.deliveries.len() > KEPT
            && let Some(oldest) = self.deliveries.values().find(|delivery| delivery.done).map(|delivery| delivery.id)
        {
            self.deliveries.remove(&oldest);
            self.delivery_news.push(DeliveryNews::Forgotten(oldest));
        }
    }
}
