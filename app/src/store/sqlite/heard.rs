//! What was heard of, and how repositories were called, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{execute, micros, signed, tenant, timestamp, unsigned};
use super::writer::Hint;
use super::{SqliteStore, lists};
use crate::store::{DeliveryId, Heard, HeardStore, RepositoryCalled, StoreError};

const HEAR: &str = "insert into heard (tenant, what, delivery, at) values (?1, ?2, ?3, ?4) on conflict do nothing";
const HEARD: &str = "select delivery, at from heard where tenant = ?1 and what = ?2";
const FORGET: &str = "
    delete from heard where (tenant, what) in (select tenant, what from heard where at < ?1 and what <> 'begin' order by at limit ?2)";
const CALL: &str = "
    insert into repository_names (id, tenant, name, at) values (?1, ?2, ?3, ?4)
    on conflict (id, name) do update set tenant = excluded.tenant, at = max(repository_names.at, excluded.at)";
/// The name that a repository has had until now, where it is nobody else's yet.
const FORMER: &str = "
    select former.name from repository_names former
    where former.id = ?1 and former.tenant = ?2 and former.name <> ?3 and former.at <= ?4
      and not exists (select 1 from repository_names later
        where later.id = former.id and later.tenant = former.tenant and later.at > former.at)
      and not exists (select 1 from repository_names heir
        where heir.tenant = former.tenant and heir.name = former.name and heir.id <> former.id and heir.at > former.at)";
const NAMES: &str = "select id, tenant, name, at from repository_names where id = ?1 order by at desc, name";
const CALLED: &str = "
    select id from repository_names where tenant = ?1 and name = ?2 order by at desc, id desc limit 1";
const ALL_CALLED: &str = "
    select id, tenant, name, at from repository_names where tenant = ?1 and name = ?2 order by at desc, id desc";

#[async_trait]
impl HeardStore for SqliteStore {
    async fn hear(&self, heard: Heard) -> Result<Heard, StoreError> {
        let row = heard.clone();
        let write = move |connection: &rusqlite::Connection| {
            Ok(execute(connection, HEAR, params![row.tenant.as_str(), row.what, row.delivery.0, micros(row.at)])?)
        };
        match self.writer.write(Hint::Quiet, write).await? {
            1 => Ok(heard),
            _ => Ok(self.heard(&heard.tenant, &heard.what).await?.unwrap_or(heard)),
        }
    }

    async fn heard(&self, tenant: &TenantId, what: &str) -> Result<Option<Heard>, StoreError> {
        let row = sqlx::query(HEARD).bind(tenant.as_str()).bind(what).fetch_optional(&self.readers).await?;
        let heard = |row: SqliteRow| {
            let (delivery, at) = (DeliveryId(row.try_get("delivery")?), timestamp(row.try_get("at")?)?);
            Ok(Heard { tenant: tenant.clone(), what: what.to_owned(), delivery, at })
        };
        row.map(heard).transpose()
    }

    async fn forget_heard(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forget =
            move |connection: &rusqlite::Connection| Ok(execute(connection, FORGET, params![micros(before), limit])?);
        Ok(self.writer.write(Hint::Quiet, forget).await? as u64)
    }

    async fn call_repository(&self, called: RepositoryCalled) -> Result<(), StoreError> {
        let RepositoryCalled { id, tenant, name, at } = called;
        let id = signed("the repository's id", id)?;
        let write = move |connection: &rusqlite::Connection| {
            let called = params![id, tenant.as_str(), name, micros(at)];
            let former =
                connection.prepare_cached(FORMER)?.query_row(called, |row| row.get::<_, String>(0)).optional()?;
            if let Some(former) = former {
                lists::move_pauses(connection, &tenant, &former, &name)?;
            }
            Ok(execute(connection, CALL, called)?)
        };
        self.writer.write(Hint::Quiet, write).await.map(drop)
    }

    async fn names_of_repository(&self, id: u64) -> Result<Vec<RepositoryCalled>, StoreError> {
        let id = signed("the repository's id", id)?;
        sqlx::query(NAMES).bind(id).fetch_all(&self.readers).await?.iter().map(called).collect()
    }

    async fn repository_called(&self, tenant: &TenantId, name: &str) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query_scalar::<_, i64>(CALLED).bind(tenant.as_str()).bind(name);
        let id = query.fetch_optional(&self.readers).await?;
        id.map(|id| unsigned("a repository's id", id)).transpose()
    }

    async fn repositories_called(&self, tenant: &TenantId, name: &str) -> Result<Vec<RepositoryCalled>, StoreError> {
        let query = sqlx::query(ALL_CALLED).bind(tenant.as_str()).bind(name);
        query.fetch_all(&self.readers).await?.iter().map(called).collect()
    }
}

fn called(row: &SqliteRow) -> Result<RepositoryCalled, StoreError> {
    Ok(RepositoryCalled {
        id: unsigned("a repository's id", row.try_get("id")?)?,
        tenant: tenant(row.try_get("tenant")?),
        name: row.try_get("name")?,
        at: timestamp(row.try_get("at")?)?,
    })
}
