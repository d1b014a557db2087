//! What installations were told lately, as servers on one database share it: learnt before an effect is told, noted after it.
//! There is one standing for each installation, and whoever has its lease writes it: no request has a row of its own.

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Outbox;
use crate::store::{Standing, StoreError};

/// What an installation was told lately, and until when it is to be left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lately {
    /// The writes of the last minute: when the first was, in milliseconds since 1970, and how long after it each next one.
    #[serde(default)]
    pub(super) written: Vec<i64>,
    /// The writes of the last hour that made something, likewise.
    #[serde(default)]
    pub(super) created: Vec<i64>,
    /// As GitHub has asked.
    #[serde(default)]
    pub(super) paused_until: Option<Timestamp>,
}

impl Outbox {
    /// Learns what other servers have told an installation since this one did.
    pub(super) async fn learn_pace(&self, tenant: &TenantId, installation: u64) -> Result<(), StoreError> {
        if let Some(Standing { state, changes }) = self.store.standing(tenant, &name(installation)).await? {
            // What another version has noted and cannot be read here is not known here.
            let lately = serde_json::from_value(state).unwrap_or_default();
            self.pace.learn(installation, changes, &lately, self.clock.now());
        }
        Ok(())
    }

    /// Notes what this server has told an installation, where it has told something.
    pub(super) async fn share_pace(&self, tenant: &TenantId, installation: u64) {
        let Some((lately, known)) = self.pace.news(installation, self.clock.now()) else { return };
        let stood = known.map(|changes| Standing { state: Value::Null, changes });
        let changes = known.map_or(0, |changes| changes + 1);
        match self.store.note_standing(tenant, &name(installation), stood.as_ref(), json!(lately), None).await {
            Ok(true) => self.pace.shared(installation, changes),
            // Another server had the lease meanwhile: what it noted is learnt with the next effect.
            Ok(false) => tracing::debug!(installation, "another server has noted what it told"),
            Err(error) => tracing::debug!(installation, %error, "what was told cannot be noted"),
        }
    }
}

fn name(installation: u64) -> String {
    format!("pace:{installation}")
}
