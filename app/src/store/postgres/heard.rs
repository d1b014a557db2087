//! What was heard of, and how repositories were called, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::text::storable;
use super::{PostgresStore, is_lost, lists, once, read};
use crate::store::columns::{micros, signed, tenant, timestamp, unsigned};
use crate::store::{DeliveryId, Heard, HeardStore, RepositoryCalled, StoreError};

const HEAR: &str = "insert into heard (tenant, what, delivery, at) values ($1, $2, $3, $4) on conflict do nothing";
const HEARD: &str = "select delivery, at from heard where tenant = $1 and what = $2";
const FORGET: &str = "
    delete from heard where (tenant, what) in (select tenant, what from heard where at < $1 and what <> 'begin' order by at limit $2)";
const CALL: &str = "
    insert into repository_names (id, tenant, name, at) values ($1, $2, $3, $4)
    on conflict (id, name) do update
      set tenant = excluded.tenant, at = greatest(repository_names.at, excluded.at)";
/// The name that a repository has had until now, where it is nobody else's yet.
const FORMER: &str = "
    select former.name from repository_names former
    where former.id = $1 and former.tenant = $2 and former.name <> $3 and former.at <= $4
      and not exists (select 1 from repository_names later
        where later.id = former.id and later.tenant = former.tenant and later.at > former.at)
      and not exists (select 1 from repository_names heir
        where heir.tenant = former.tenant and heir.name = former.name and heir.id <> former.id and heir.at > former.at)";
const NAMES: &str = "select id, tenant, name, at from repository_names where id = $1 order by at desc, name";
const CALLED: &str = "
    select id from repository_names where tenant = $1 and name = $2 order by at desc, id desc limit 1";
const ALL_CALLED: &str = "
    select id, tenant, name, at from repository_names where tenant = $1 and name = $2 order by at desc, id desc";

#[async_trait]
impl HeardStore for PostgresStore {
    async fn hear(&self, heard: Heard) -> Result<Heard, StoreError> {
        match once!(self, connection => insert(connection, &heard))? {
            1 => Ok(heard),
            _ => Ok(self.heard(&heard.tenant, &heard.what).await?.unwrap_or(heard)),
        }
    }

    async fn heard(&self, tenant: &TenantId, what: &str) -> Result<Option<Heard>, StoreError> {
        read!(self, connection => of(connection, tenant, what))
    }

    async fn forget_heard(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        once!(self, connection => forget(connection, before, limit))
    }

    async fn call_repository(&self, called: RepositoryCalled) -> Result<(), StoreError> {
        once!(self, connection => call(connection, &called))
    }

    async fn names_of_repository(&self, id: u64) -> Result<Vec<RepositoryCalled>, StoreError> {
        read!(self, connection => names(connection, id))
    }

    async fn repository_called(&self, tenant: &TenantId, name: &str) -> Result<Option<u64>, StoreError> {
        read!(self, connection => called_so(connection, tenant, name))
    }

    async fn repositories_called(&self, tenant: &TenantId, name: &str) -> Result<Vec<RepositoryCalled>, StoreError> {
        read!(self, connection => all_called_so(connection, tenant, name))
    }
}

async fn insert(connection: &mut PgConnection, heard: &Heard) -> Result<u64, StoreError> {
    let query = sqlx::query(HEAR)
        .bind(storable(heard.tenant.as_str()))
        .bind(storable(&heard.what))
        .bind(storable(&heard.delivery.0))
        .bind(micros(heard.at));
    Ok(query.execute(connection).await?.rows_affected())
}

async fn of(connection: &mut PgConnection, tenant: &TenantId, what: &str) -> Result<Option<Heard>, StoreError> {
    let query = sqlx::query(HEARD).bind(storable(tenant.as_str())).bind(storable(what));
    let heard = |row: PgRow| {
        let (delivery, at) = (DeliveryId(row.try_get("delivery")?), timestamp(row.try_get("at")?)?);
        Ok(Heard { tenant: tenant.clone(), what: what.to_owned(), delivery, at })
    };
    query.fetch_optional(connection).await?.map(heard).transpose()
}

async fn forget(connection: &mut PgConnection, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let query = sqlx::query(FORGET).bind(micros(before)).bind(i64::from(limit));
    Ok(query.execute(connection).await?.rows_affected())
}

async fn call(connection: &mut PgConnection, called: &RepositoryCalled) -> Result<(), StoreError> {
    let (id, at) = (signed("the repository's id", called.id)?, micros(called.at));
    let (tenant, name) = (storable(called.tenant.as_str()), storable(&called.name));
    let mut transaction = connection.begin().await?;
    let former = sqlx::query_scalar::<_, String>(FORMER).bind(id).bind(&tenant).bind(&name).bind(at);
    if let Some(former) = former.fetch_optional(&mut *transaction).await? {
        lists::move_pauses(&mut transaction, &tenant, &former, &name).await?;
    }
    sqlx::query(CALL).bind(id).bind(&tenant).bind(&name).bind(at).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

async fn names(connection: &mut PgConnection, id: u64) -> Result<Vec<RepositoryCalled>, StoreError> {
    let rows = sqlx::query(NAMES).bind(signed("the repository's id", id)?).fetch_all(connection).await?;
    rows.iter().map(called).collect()
}

async fn all_called_so(
    connection: &mut PgConnection,
    tenant: &TenantId,
    name: &str,
) -> Result<Vec<RepositoryCalled>, StoreError> {
    let query = sqlx::query(ALL_CALLED).bind(storable(tenant.as_str())).bind(storable(name));
    query.fetch_all(connection).await?.iter().map(called).collect()
}

fn called(row: &PgRow) -> Result<RepositoryCalled, StoreError> {
    Ok(RepositoryCalled {
        id: unsigned("a repository's id", row.try_get("id")?)?,
        tenant: tenant(row.try_get("tenant")?),
        name: row.try_get("name")?,
        at: timestamp(row.try_get("at")?)?,
    })
}

async fn called_so(connection: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<Option<u64>, StoreError> {
    let query = sqlx::query_scalar::<_, i64>(CALLED).bind(storable(tenant.as_str())).bind(storable(name));
    query.fetch_optional(connection).await?.map(|id| unsigned("a repository's id", id)).transpose()
}
