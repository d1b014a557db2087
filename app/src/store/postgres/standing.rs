//! How things stand that the audit log tells of, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::payloads::tenant_text;
use super::signals::lock_turns;
use super::text::storable;
use super::{PostgresStore, audit, is_lost, once, read};
use crate::audit::NewEntry;
use crate::store::columns::{from_json, json, signed, tenant as tenant_of, unsigned};
use crate::store::standing::{behind, in_order};
use crate::store::{NamedStanding, Standing, StandingStore, StoreError};

const STANDING: &str = "select state, changes from standings where tenant = $1 and name = $2";
const STANDINGS: &str = r#"
    select tenant, name, state, changes from standings where name collate "C" >= $1 and name collate "C" < $2"#;
const FIRST: &str = "
    insert into standings (tenant, name, state, changes) values ($1, $2, $3, 0) on conflict do nothing";
const CHANGE: &str = "
    update standings set state = $3, changes = changes + 1 where tenant = $1 and name = $2 and changes = $4";

#[async_trait]
impl StandingStore for PostgresStore {
    async fn standing(&self, tenant: &TenantId, name: &str) -> Result<Option<Standing>, StoreError> {
        read!(self, connection => of(connection, tenant, name))
    }

    async fn note_standing(
        &self,
        tenant: &TenantId,
        name: &str,
        stood: Option<&Standing>,
        state: Value,
        entry: Option<NewEntry>,
    ) -> Result<bool, StoreError> {
        once!(self, connection => note(connection, (tenant, name), stood, &state, entry.as_ref()))
    }

    async fn standings(&self, beginning: &str) -> Result<Vec<NamedStanding>, StoreError> {
        read!(self, connection => all(connection, beginning))
    }
}

async fn of(connection: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<Option<Standing>, StoreError> {
    let query = sqlx::query(STANDING).bind(tenant_text(tenant)).bind(storable(name));
    query.fetch_optional(connection).await?.as_ref().map(standing).transpose()
}

/// The turn of the audit log first: who changes a standing has it when the entry is put behind the last one.
async fn note(
    connection: &mut PgConnection,
    (tenant, name): (&TenantId, &str),
    stood: Option<&Standing>,
    state: &Value,
    entry: Option<&NewEntry>,
) -> Result<bool, StoreError> {
    let text = tenant_text(tenant);
    let state = json("a state", state)?;
    let mut transaction = connection.begin().await?;
    if entry.is_some() {
        lock_turns(&mut transaction, vec![text.clone()], vec![audit::TURN.to_owned()]).await?;
    }
    let of = |sql| sqlx::query(sql).bind(text).bind(storable(name)).bind(storable(&state));
    let query = match stood {
        None => of(FIRST),
        Some(stood) => of(CHANGE).bind(signed("a count", stood.changes)?),
    };
    if query.execute(&mut *transaction).await?.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(false);
    }
    let entries: Vec<(&TenantId, &NewEntry)> = entry.map(|entry| (tenant, entry)).into_iter().collect();
    audit::append(&mut transaction, &entries).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn all(connection: &mut PgConnection, beginning: &str) -> Result<Vec<NamedStanding>, StoreError> {
    let query = sqlx::query(STANDINGS).bind(storable(beginning)).bind(behind(beginning));
    let rows = query.fetch_all(connection).await?;
    let named = |row: &PgRow| {
        let (tenant, name) = (tenant_of(row.try_get("tenant")?), row.try_get("name")?);
        Ok(NamedStanding { tenant, name, standing: standing(row)? })
    };
    Ok(in_order(rows.iter().map(named).collect::<Result<_, StoreError>>()?))
}

fn standing(row: &PgRow) -> Result<Standing, StoreError> {
    let state: String = row.try_get("state")?;
    Ok(Standing { state: from_json("a state", &state)?, changes: unsigned("a count", row.try_get("changes")?)? })
}
