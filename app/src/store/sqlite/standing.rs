//! How things stand that the audit log tells of, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use rusqlite::{Connection, params};
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{all, execute, from_json, json, signed, tenant as tenant_of, unsigned};
use super::writer::Hint;
use super::{SqliteStore, audit};
use crate::audit::NewEntry;
use crate::store::standing::{behind, in_order};
use crate::store::{NamedStanding, Standing, StandingStore, StoreError};

const STANDING: &str = "select state, changes from standings where tenant = ?1 and name = ?2";
pub(super) const STANDINGS: &str = "
    select tenant, name, state, changes from standings where name >= ?1 and name < ?2";
const FIRST: &str = "
    insert into standings (tenant, name, state, changes) values (?1, ?2, ?3, 0) on conflict do nothing";
const CHANGE: &str = "
    update standings set state = ?3, changes = changes + 1 where tenant = ?1 and name = ?2 and changes = ?4";

#[async_trait]
impl StandingStore for SqliteStore {
    async fn standing(&self, tenant: &TenantId, name: &str) -> Result<Option<Standing>, StoreError> {
        let query = sqlx::query(STANDING).bind(tenant.as_str()).bind(name);
        query.fetch_optional(&self.readers).await?.as_ref().map(standing).transpose()
    }

    async fn note_standing(
        &self,
        tenant: &TenantId,
        name: &str,
        stood: Option<&Standing>,
        state: Value,
        entry: Option<NewEntry>,
    ) -> Result<bool, StoreError> {
        let (tenant, name, stood) = (tenant.clone(), name.to_owned(), stood.map(|stood| stood.changes));
        let note = move |connection: &Connection| {
            let state = json("a state", &state)?;
            let noted = match stood {
                None => execute(connection, FIRST, params![tenant.as_str(), name, state])?,
                Some(changes) => {
                    let changes = signed("a count", changes)?;
                    execute(connection, CHANGE, params![tenant.as_str(), name, state, changes])?
                }
            };
            if noted == 1 {
                audit::append(connection, &tenant, entry.as_slice())?;
            }
            Ok(noted == 1)
        };
        self.writer.write(Hint::Quiet, note).await
    }

    async fn standings(&self, beginning: &str) -> Result<Vec<NamedStanding>, StoreError> {
        let query = sqlx::query(STANDINGS).bind(beginning).bind(behind(beginning));
        let rows = query.fetch_all(&self.readers).await?;
        let named = |row: &SqliteRow| {
            let (tenant, name) = (tenant_of(row.try_get("tenant")?), row.try_get("name")?);
            Ok(NamedStanding { tenant, name, standing: standing(row)? })
        };
        Ok(in_order(rows.iter().map(named).collect::<Result<_, StoreError>>()?))
    }
}

/// What begins so, for who looks at a database.
pub(super) fn all_of(connection: &Connection, beginning: &str) -> Result<Vec<NamedStanding>, StoreError> {
    let found = all(connection, STANDINGS, params![beginning, behind(beginning)], |row| {
        let state: String = row.get(2)?;
        let changes = unsigned("a count", row.get(3)?)?;
        let standing = Standing { state: from_json("a state", &state)?, changes };
        Ok(NamedStanding { tenant: tenant_of(row.get(0)?), name: row.get(1)?, standing })
    })?;
    Ok(in_order(found))
}

fn standing(row: &SqliteRow) -> Result<Standing, StoreError> {
    let state: String = row.try_get("state")?;
    Ok(Standing { state: from_json("a state", &state)?, changes: unsigned("a count", row.try_get("changes")?)? })
}
