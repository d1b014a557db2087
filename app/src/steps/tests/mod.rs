//! Performers against real servers on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod agent_task;
mod ai_generate;
mod api_call;
mod left_out;
mod mail_server;
mod notify;
mod real_servers;
pub(crate) mod server;

use std::sync::Arc;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{StepError, TenantId};
use flowctl_core::expression::SecretText;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::clock::FixedClock;

fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(now()))
}

fn attempt(input: Value, secret_texts: Vec<SecretText>) -> Attempt {
    Attempt {
        tenant: TenantId::local(),
        execution: Uuid::nil(),
        step: "call".to_owned(),
        attempt: 1,
        input,
        secret_texts,
        deadline: Some(now().checked_add(SignedDuration::from_secs(20)).unwrap()),
        idempotency_key: "the key".to_owned(),
        journal: Journal::default(),
    }
}

/// The class and the words of a failure.
fn failure(performed: Performed) -> (ErrorClass, String) {
    let StepError { class, message, .. } = performed.result.unwrap_err();
    (class, message)
}
