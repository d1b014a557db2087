//! Reads audit logs, a part at a time.

use flowctl_core::execution::TenantId;

use super::{Broken, Chain, Expected, Head, Sealed};
use crate::store::{Store, StoreError};

/// Entries that are read at once.
const PART: u32 = 1_000;

/// What was found of a tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its last entry; or the first link that does not hold.
    pub outcome: Result<Head, Broken>,
}

/// Checks the chains of every tenant, or of one.
///
/// # Errors
/// Where the database does not answer.
pub async fn verify(store: &dyn Store, tenant: Option<TenantId>) -> Result<Vec<Verified>, StoreError> {
    let mut verified = Vec::new();
    for tenant in tenants(store, tenant).await? {
        verified.push(follow(store, Chain::of(tenant.clone()), tenant).await?);
    }
    Ok(verified)
}

/// Checks the chain of a tenant, which must hold an entry that was seen there before.
///
/// # Errors
/// Where the database does not answer.
pub async fn verify_expecting(store: &dyn Store, tenant: TenantId, expected: Expected) -> Result<Verified, StoreError> {
    follow(store, Chain::expecting(tenant.clone(), expected), tenant).await
}

async fn follow(store: &dyn Store, mut chain: Chain, tenant: TenantId) -> Result<Verified, StoreError> {
    let mut broken = None;
    each(store, &tenant, |entry| {
        broken = chain.check(entry).err();
        broken.is_none()
    })
    .await?;
    let outcome = broken.map_or_else(|| chain.end(), Err);
    Ok(Verified { tenant, outcome })
}

/// Reads the entries of every tenant, or of one, tenant by tenant and in their order.
///
/// # Errors
/// Where the database does not answer.
pub async fn entries(
    store: &dyn Store,
    tenant: Option<TenantId>,
    mut take: impl FnMut(&Sealed) + Send,
) -> Result<(), StoreError> {
    for tenant in tenants(store, tenant).await? {
        each(store, &tenant, |entry| {
            take(entry);
            true
        })
        .await?;
    }
    Ok(())
}

pub(super) async fn tenants(store: &dyn Store, tenant: Option<TenantId>) -> Result<Vec<TenantId>, StoreError> {
    match tenant {
        Some(tenant) => Ok(vec![tenant]),
        None => store.audited_tenants().await,
    }
}

/// Reads a tenant's entries until `take` has enough.
pub(super) async fn each(
    store: &dyn Store,
    tenant: &TenantId,
    mut take: impl FnMut(&Sealed) -> bool + Send,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let part = store.audit(tenant, after, PART).await?;
        let Some(last) = part.last() else { return Ok(()) };
        after = last.seq;
        if !part.iter().all(&mut take) {
            return Ok(());
        }
    }
}
