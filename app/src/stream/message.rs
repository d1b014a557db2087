//! An event as the stream carries it: its subject, its id, and a body that is the API's event with whose it is beside.
//! Knows no stream.

use serde::Serialize;
use serde_json::Value;

use crate::api::EventView;
use crate::store::{StoredEvent, UntoldEvents};

/// What every subject begins with.
pub(super) const SUBJECTS: &str = "flowctl.events";

/// One event.
#[derive(Debug, Clone)]
pub struct Message {
    /// `flowctl.events.TENANT.PROCESS.TYPE`.
    pub subject: String,
    /// `EXECUTION:SEQ`: the same event again is the same message.
    pub id: String,
    body: Body,
}

#[derive(Debug, Clone, Serialize)]
struct Body {
    tenant: String,
    repository: String,
    process: String,
    #[serde(flatten)]
    event: EventView,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    data_omitted: bool,
}

impl Message {
    /// The message of an event of this transition.
    #[must_use]
    pub fn of(transition: &UntoldEvents, event: &StoredEvent) -> Self {
        let UntoldEvents { tenant, execution, repository, process, .. } = transition;
        let kind = event.event.kind.name();
        Self {
            subject: format!("{SUBJECTS}.{}.{}.{kind}", token(tenant.as_str()), token(process)),
            id: format!("{execution}:{}", event.seq),
            body: Body {
                tenant: tenant.as_str().to_owned(),
                repository: repository.clone(),
                process: process.clone(),
                event: EventView::of(*execution, event),
                data_omitted: false,
            },
        }
    }

    /// Its text, JSON.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        // Maps of the body have texts for keys, so that it always is JSON.
        serde_json::to_vec(&self.body).unwrap_or_default()
    }

    /// The same without what the event says, which can be asked of the API.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        self.body.event.data = Value::Null;
        self.body.data_omitted = true;
        self
    }
}

/// One token of a subject. NATS takes no white space, dots and wildcards in one, and recommends to keep to ASCII
/// (<https://docs.nats.io/nats-concepts/subjects>): all else is `%` and two hexadecimal digits for each byte.
fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("%{byte:02X}"));
        }
    }
    // No token is empty.
    if token.is_empty() { "%".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_nothing_that_means_something_in_a_subject() {
        for (text, expected) in [
            ("acme", "acme"),
            ("Acme-1_x", "Acme-1_x"),
            ("a.b", "a%2Eb"),
            ("a*>b c", "a%2A%3Eb%20c"),
            ("100%", "100%25"),
            ("über", "%C3%BCber"),
            ("", "%"),
        ] {
            assert_eq!(token(text), expected, "{text}");
        }
    }
}
