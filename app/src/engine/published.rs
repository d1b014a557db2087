//! Events given to the API: recorded once per id, told to every execution that waits for one, and to processes that they
//! start.

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde_json::Value;

use super::Engine;
use super::occurrence::Happening;
use crate::store::{ApiEvent, NewOccurrence, Receipt, StoreError};

/// Characters of an event's name and id.
pub const MAX_NAME: usize = 200;
/// Bytes of an event's payload as JSON.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What comes with it.
    pub payload: Value,
    /// An id, where the sender has one: two events with one id are one.
    pub id: Option<String>,
}

/// Why an event is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PublishFailure {
    /// Its name or id is empty or too long.
    #[error("`{field}` must have 1 to {MAX_NAME} characters")]
    Length {
        /// Which.
        field: &'static str,
    },
    /// It is too large.
    #[error("the payload has {bytes} bytes; at most {MAX_PAYLOAD} are taken")]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Records an event, and tells whoever waits for it. Gives it as it is recorded, which is the first one of its id, and
    /// whether it is new.
    ///
    /// # Errors
    /// Where it is too long, or the store failed. Nothing is recorded then.
    pub async fn publish(&self, tenant: &TenantId, event: Event) -> Result<(ApiEvent, Receipt), PublishFailure> {
        // As it is stored, so that who sends it again is told the same.
        let now = self.now();
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let id = event.id.unwrap_or_else(|| self.inner.ids.execution(now).to_string());
        for (field, text) in [("name", &event.name), ("id", &id)] {
            if text.is_empty() || text.chars().count() > MAX_NAME {
                return Err(PublishFailure::Length { field });
            }
        }
        let bytes = event.payload.to_string().len();
        if bytes > MAX_PAYLOAD {
            return Err(PublishFailure::TooLarge { bytes });
        }
        let event = ApiEvent { id, name: event.name, payload: event.payload, at: now };
        let starting = NewOccurrence {
            tenant: tenant.clone(),
            body: Happening::Event(event.clone()).into_body(),
            not_before: now,
        };
        let receipt = self.inner.store.publish(tenant, event.clone(), vec![starting]).await?;
        let first = match receipt {
            Receipt::Stored => None,
            // It may have been forgotten since.
            Receipt::Duplicate => self.inner.store.api_event(tenant, &event.id).await?,
        };
        Ok((first.unwrap_or(event), receipt))
    }
}
