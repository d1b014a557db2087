//! Large outputs, kept beside the rows that refer to them: by the digest of their content, so that the same output is
//! kept once per tenant.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::StoreError;

/// Where large outputs are kept. Whoever has a reference can read them, on whichever machine.
///
/// An output is kept before a [`Transition`](super::Transition) names it in `outputs`; from then on it stays as long as
/// the execution does. One that no execution names may be forgotten later on.
#[async_trait]
pub trait Outputs: Send + Sync {
    /// Keeps `content`, whose [`digest`] is given; durable once this returns. Keeping the same again renews its age.
    async fn keep(&self, tenant: &TenantId, digest: &str, content: Vec<u8>, now: Timestamp) -> Result<(), StoreError>;

    /// What was kept with this digest.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it is not what was kept.
    async fn read(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Forgets up to `limit` outputs that no execution names and that were kept before this moment; how many. The
    /// moment must lie so far back that whoever keeps one has committed by then.
    async fn forget(&self, kept_before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// The digest of an output: SHA-256 in 64 hexadecimal digits.
pub fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}
