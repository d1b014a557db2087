//! Installations in SQL.

use flowctl_core::execution::TenantId;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::store::columns::{signed, tenant, unsigned};
use crate::store::{Installation, StoreError};

const UPSERT: &str = "
    insert into installations (id, tenant, suspended, deleted) values ($1, $2, $3, $4)
    on conflict (id) do update
      set tenant = excluded.tenant, suspended = excluded.suspended, deleted = excluded.deleted";

pub(super) async fn upsert(connection: &mut PgConnection, installation: &Installation) -> Result<(), StoreError> {
    sqlx::query(UPSERT)
        .bind(signed("the installation's id", installation.id)?)
        .bind(installation.account.as_str())
        .bind(installation.suspended)
        .bind(installation.deleted)
        .execute(connection)
        .await?;
    Ok(())
}

const OF_TENANT: &str = "
    select id, tenant, suspended, deleted from installations where tenant = $1 order by deleted, id desc limit 1";

pub(super) async fn of_tenant(
    connection: &mut PgConnection,
    tenant: &TenantId,
) -> Result<Option<Installation>, StoreError> {
    let row = sqlx::query(OF_TENANT).bind(tenant.as_str()).fetch_optional(connection).await?;
    row.as_ref().map(installation).transpose()
}

const ALL: &str = "select id, tenant, suspended, deleted from installations order by id";

pub(super) async fn all(connection: &mut PgConnection) -> Result<Vec<Installation>, StoreError> {
    sqlx::query(ALL).fetch_all(connection).await?.iter().map(installation).collect()
}

fn installation(row: &PgRow) -> Result<Installation, StoreError> {
    Ok(Installation {
        id: unsigned("an installation's id", row.try_get("id")?)?,
        account: tenant(row.try_get("tenant")?),
        suspended: row.try_get("suspended")?,
        deleted: row.try_get("deleted")?,
    })
}
