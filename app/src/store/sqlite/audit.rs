//! The audit log in SQL. There is one writer, so nobody can come between the last entry and the next.

use flowctl_core::execution::TenantId;
use rusqlite::{Connection, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::columns::{execute, micros, optional, signed, tenant as tenant_of, unsigned};
use crate::audit::{Head, NewEntry, Sealed, seal};
use crate::store::StoreError;

const LAST: &str = "select seq, hash from audit where tenant = ?1 order by seq desc limit 1";
const ONCE: &str = "insert into audit_once (tenant, name) values (?1, ?2) on conflict do nothing";
const APPEND: &str = "insert into audit (tenant, seq, at, line, hash) values (?1, ?2, ?3, ?4, ?5)";

/// Puts entries behind the last one of a tenant's chain.
pub(super) fn append(connection: &Connection, tenant: &TenantId, entries: &[NewEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let last =
        optional(connection, LAST, [tenant.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut head = match last {
        Some((seq, hash)) => Head { seq: unsigned("a number of the audit log", seq)?, hash },
        None => Head::default(),
    };
    for entry in entries {
        if let Some(name) = &entry.once
            && execute(connection, ONCE, params![tenant.as_str(), name])? == 0
        {
            continue;
        }
        let Sealed { seq, line, hash } = seal(tenant, &head, entry);
        let row = params![tenant.as_str(), signed("a number of the audit log", seq)?, micros(entry.at), line, hash];
        execute(connection, APPEND, row)?;
        head = Head { seq, hash };
    }
    Ok(())
}

const READ: &str = "select seq, line, hash from audit where tenant = $1 and seq > $2 order by seq limit $3";

pub(super) async fn read(
    readers: &SqlitePool,
    tenant: &TenantId,
    after: u64,
    limit: u32,
) -> Result<Vec<Sealed>, StoreError> {
    let after = signed("a number of the audit log", after)?;
    let rows = sqlx::query(READ).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(readers).await?;
    let sealed = |row: &SqliteRow| {
        let seq = unsigned("a number of the audit log", row.try_get("seq")?)?;
        Ok(Sealed { seq, line: row.try_get("line")?, hash: row.try_get("hash")? })
    };
    rows.iter().map(sealed).collect()
}

/// One look into the index a tenant, however long the chains are.
const TENANTS: &str = "
    with recursive t(tenant) as (
      select min(tenant) from audit
      union all
      select (select min(tenant) from audit where tenant > t.tenant) from t where t.tenant is not null)
    select tenant from t where tenant is not null";

pub(super) async fn tenants(readers: &SqlitePool) -> Result<Vec<TenantId>, StoreError> {
    let tenants: Vec<String> = sqlx::query_scalar(TENANTS).fetch_all(readers).await?;
    Ok(tenants.into_iter().map(tenant_of).collect())
}
