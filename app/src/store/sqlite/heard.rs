//! What was heard of, and how repositories were called, in SQL.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use rusqlite::params;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::columns::{execute, micros, signed, tenant, timestamp, unsigned};
use super::writer::Hint;
use crate::store::{DeliveryId, Heard, HeardStore, RepositoryCalled, StoreError};

const HEAR: &str = "insert into heard (tenant, what, delivery, at) values (?1, ?2, ?3, ?4) on conflict do nothing";
const HEARD: &str = "select delivery, at from heard where tenant = ?1 and what = ?2";
const FORGET: &str = "
    delete from heard where (tenant, what) in (select tenant, what from heard where at < ?1 and what <> 'begin' order by at limit ?2)";
const CALL: &str = "
    insert into repository_names (id, tenant, name, at) values (?1, ?2, ?3, ?4)
    on conflict (id, name) do update set tenant = excluded.tenant, at = max(repository_names.at, excluded.at)";
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
            Ok(execute(connection, CALL, params![id, tenant.as_str(), name, micros(at)])?)
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
