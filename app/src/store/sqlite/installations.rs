//! Installations in SQL.

use flowctl_core::execution::TenantId;
use rusqlite::{Connection, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::columns::{execute, signed, tenant, unsigned};
use crate::store::{Installation, StoreError};

const UPSERT: &str = "
    insert into installations (id, tenant, suspended, deleted) values (?1, ?2, ?3, ?4)
    on conflict (id) do update
      set tenant = excluded.tenant, suspended = excluded.suspended, deleted = excluded.deleted";

pub(super) fn upsert(connection: &Connection, installation: &Installation) -> Result<(), StoreError> {
    let id = signed("the installation's id", installation.id)?;
    let Installation { account, suspended, deleted, .. } = installation;
    execute(connection, UPSERT, params![id, account.as_str(), suspended, deleted])?;
    Ok(())
}

const OF_TENANT: &str = "
    select id, tenant, suspended, deleted from installations where tenant = ?1 order by deleted, id desc limit 1";

pub(super) async fn of_tenant(readers: &SqlitePool, tenant: &TenantId) -> Result<Option<Installation>, StoreError> {
    let row = sqlx::query(OF_TENANT).bind(tenant.as_str()).fetch_optional(readers).await?;
    row.as_ref().map(installation).transpose()
}

const ALL: &str = "select id, tenant, suspended, deleted from installations order by id";

pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<Installation>, StoreError> {
    sqlx::query(ALL).fetch_all(readers).await?.iter().map(installation).collect()
}

fn installation(row: &SqliteRow) -> Result<Installation, StoreError> {
    Ok(Installation {
        id: unsigned("an installation's id", row.try_get("id")?)?,
        account: tenant(row.try_get("tenant")?),
        suspended: row.try_get("suspended")?,
        deleted: row.try_get("deleted")?,
    })
}
