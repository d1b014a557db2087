//! Tools against real servers on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod http;
mod mcp;
mod openapi;
pub(crate) mod real_servers;

use std::collections::BTreeMap;

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use secrecy::SecretString;

use super::*;
use crate::clock::FixedClock;
use crate::steps::OutgoingOptions;

const LONG: Duration = Duration::from_secs(60);

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new("2026-03-02T09:00:00Z".parse::<Timestamp>().unwrap()))
}

pub(crate) fn toolbox_at(clock: Arc<FixedClock>, commands: Commands) -> Toolbox {
    let options = OutgoingOptions { allow_private_networks: true, ..OutgoingOptions::default() };
    let secrets: BTreeMap<String, SecretString> =
        [("TOKEN", "s3cret-tok/en")].map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    Toolbox::new(Outgoing::new(options).unwrap(), Arc::new(secrets), commands, clock)
}

fn toolbox() -> Toolbox {
    toolbox_at(clock(), Commands::None)
}

fn definition(written: Value) -> EquippedTool {
    let mut written = written;
    written.as_object_mut().unwrap().entry("approval").or_insert(json!("writes"));
    serde_json::from_value(written).unwrap()
}

async fn call(toolbox: &Toolbox, tool: &EquippedTool, operation: &str, arguments: Value) -> Result<Value, StepError> {
    let arguments = arguments.as_object().unwrap().clone();
    let call = OperationCall { operation, arguments: &arguments, idempotency_key: "the key" };
    toolbox.open(&TenantId::local(), tool)?.call(call, LONG).await
}
