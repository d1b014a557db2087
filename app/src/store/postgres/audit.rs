//! The audit log in SQL. Whoever adds to a tenant's chain has its turn until the transaction ends: what stands last when it
//! looks is what it follows on.

use std::collections::BTreeMap;

use flowctl_core::execution::TenantId;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::payloads::tenant_text;
use super::signals::lock_turns;
use super::text::storable;
use crate::audit::{Head, NewEntry, Sealed, seal};
use crate::store::StoreError;
use crate::store::columns::{micros, signed, tenant as tenant_of, unsigned};

/// The turn of those who add to a tenant's chain.
pub(super) const TURN: &str = "audit";

const LAST: &str = "select seq, hash from audit where tenant = $1 order by seq desc limit 1";
const ONCE: &str = "insert into audit_once (tenant, name) values ($1, $2) on conflict do nothing";
const APPEND: &str = "
    insert into audit (tenant, seq, at, line, hash)
    select tenant, seq, at, line, hash
    from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]) as t(tenant, seq, at, line, hash)";

/// Puts entries behind the last ones of their tenants' chains, whose turns were taken.
pub(super) async fn append(
    connection: &mut PgConnection,
    entries: &[(&TenantId, &NewEntry)],
) -> Result<(), StoreError> {
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    let (mut tenants, mut seqs, mut moments) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lines, mut hashes) = (Vec::new(), Vec::new());
    for (tenant, entry) in entries {
        let text = tenant_text(tenant);
        if let Some(name) = &entry.once {
            let query = sqlx::query(ONCE).bind(&text).bind(storable(name));
            if query.execute(&mut *connection).await?.rows_affected() == 0 {
                continue;
            }
        }
        let head = match heads.remove(&text) {
            Some(head) => head,
            None => last(connection, &text).await?,
        };
        let Sealed { seq, line, hash } = seal(&TenantId(text.clone()), &head, entry);
        heads.insert(text.clone(), Head { seq, hash: hash.clone() });
        tenants.push(text);
        seqs.push(signed("a number of the audit log", seq)?);
        moments.push(micros(entry.at));
        lines.push(line);
        hashes.push(hash);
    }
    if !lines.is_empty() {
        let query = sqlx::query(APPEND).bind(tenants).bind(seqs).bind(moments).bind(lines).bind(hashes);
        query.execute(connection).await?;
    }
    Ok(())
}

/// Puts an entry behind the last one that belongs to no transition.
pub(super) async fn record(
    connection: &mut PgConnection,
    tenant: &TenantId,
    entry: &NewEntry,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    lock_turns(&mut transaction, vec![tenant_text(tenant)], vec![TURN.to_owned()]).await?;
    append(&mut transaction, &[(tenant, entry)]).await?;
    Ok(transaction.commit().await?)
}

async fn last(connection: &mut PgConnection, tenant: &str) -> Result<Head, StoreError> {
    let row = sqlx::query(LAST).bind(tenant).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(Head::default()) };
    Ok(Head { seq: unsigned("a number of the audit log", row.try_get("seq")?)?, hash: row.try_get("hash")? })
}

const READ: &str = "select seq, line, hash from audit where tenant = $1 and seq > $2 order by seq limit $3";

pub(super) async fn read(
    connection: &mut PgConnection,
    tenant: &TenantId,
    after: u64,
    limit: u32,
) -> Result<Vec<Sealed>, StoreError> {
    let after = signed("a number of the audit log", after)?;
    let query = sqlx::query(READ).bind(tenant_text(tenant)).bind(after).bind(i64::from(limit));
    let sealed = |row: &PgRow| {
        let seq = unsigned("a number of the audit log", row.try_get("seq")?)?;
        Ok(Sealed { seq, line: row.try_get("line")?, hash: row.try_get("hash")? })
    };
    query.fetch_all(connection).await?.iter().map(sealed).collect()
}

/// One look into the index a tenant, however long the chains are.
const TENANTS: &str = "
    with recursive t(tenant) as (
      (select min(tenant) from audit)
      union all
      select (select min(tenant) from audit where tenant > t.tenant) from t where t.tenant is not null)
    select tenant from t where tenant is not null";

pub(super) async fn tenants(connection: &mut PgConnection) -> Result<Vec<TenantId>, StoreError> {
    let tenants: Vec<String> = sqlx::query_scalar(TENANTS).fetch_all(connection).await?;
    Ok(tenants.into_iter().map(tenant_of).collect())
}
