//! Where large values are kept: a table, with who refers to them.

use std::collections::BTreeSet;

use sqlx::{PgConnection, Row};

use super::text::storable;
use crate::store::StoreError;
use crate::store::payloads::{Payloads, Read, parts};

/// What is there is held until the transaction ends, so that nobody forgets it meanwhile.
const KNOWN: &str = "
    select p.tenant, p.digest from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest
    order by p.tenant, p.digest for key share of p";
/// What somebody else has stored meanwhile is held too, by writing its key again.
const ADD: &str = "
    insert into payloads (tenant, digest, body)
    select tenant, digest, body from unnest($1::text[], $2::text[], $3::text[]) as t(tenant, digest, body)
    order by tenant, digest
    on conflict (tenant, digest) do update set digest = excluded.digest";
const USE: &str = "
    insert into payload_uses (execution, tenant, digest)
    select execution, tenant, digest from unnest($1::bigint[], $2::text[], $3::text[]) as t(execution, tenant, digest)
    on conflict do nothing";

/// Says which executions, by position, refer to what.
pub(super) async fn refer(connection: &mut PgConnection, uses: &[(i64, &str, &str)]) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let (mut executions, mut tenants, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (execution, tenant, digest) in uses {
        executions.push(*execution);
        tenants.push(*tenant);
        digests.push(*digest);
    }
    sqlx::query(USE).bind(executions).bind(tenants).bind(digests).execute(connection).await?;
    Ok(())
}

const UNUSE: &str = "delete from payload_uses where execution = any($1) returning tenant, digest";
const HOLD: &str = "
    select p.tenant, p.digest from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest
    order by p.tenant, p.digest for update of p";
const FORGET: &str = "
    delete from payloads p using unnest($1::text[], $2::text[]) as t(tenant, digest)
    where p.tenant = t.tenant and p.digest = t.digest and not exists (
      select 1 from payload_uses uses where uses.tenant = p.tenant and uses.digest = p.digest)";

/// Forgets what only these executions refer to. Whoever is about to refer to something holds it, and is waited for; a
/// statement of its own then sees that it is referred to.
pub(super) async fn forget(connection: &mut PgConnection, executions: &[i64]) -> Result<(), sqlx::Error> {
    let mut digests: BTreeSet<(String, String)> = BTreeSet::new();
    for row in sqlx::query(UNUSE).bind(executions).fetch_all(&mut *connection).await? {
        digests.insert((row.try_get("tenant")?, row.try_get("digest")?));
    }
    if digests.is_empty() {
        return Ok(());
    }
    let (tenants, digests): (Vec<String>, Vec<String>) = digests.into_iter().unzip();
    sqlx::query(HOLD).bind(&tenants).bind(&digests).execute(&mut *connection).await?;
    sqlx::query(FORGET).bind(&tenants).bind(&digests).execute(connection).await?;
    Ok(())
}

/// Stores what is not there yet: the same value may come again and again, so it is asked for before it is sent.
pub(super) async fn add(connection: &mut PgConnection, payloads: &Payloads) -> Result<(), sqlx::Error> {
    if payloads.is_empty() {
        return Ok(());
    }
    let (tenants, digests): (Vec<&str>, Vec<&str>) =
        payloads.keys().map(|(tenant, digest)| (tenant.as_str(), digest.as_str())).unzip();
    let rows = sqlx::query(KNOWN).bind(&tenants).bind(&digests).fetch_all(&mut *connection).await?;
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for row in rows {
        known.insert((row.try_get("tenant")?, row.try_get("digest")?));
    }
    let (mut tenants, mut digests, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for ((tenant, digest), body) in payloads.iter().filter(|(key, _)| !known.contains(*key)) {
        tenants.push(tenant.as_str());
        digests.push(digest.as_str());
        bodies.push(body.as_str());
    }
    if !digests.is_empty() {
        sqlx::query(ADD).bind(&tenants).bind(&digests).bind(&bodies).execute(connection).await?;
    }
    Ok(())
}

const BODIES: &str = "
    select p.tenant, p.digest, p.body from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest";

/// What is kept apart of texts that were read.
pub(super) async fn of(connection: &mut PgConnection, read: &[Read]) -> Result<Payloads, StoreError> {
    bodies(connection, &parts(read)?).await
}

async fn bodies(connection: &mut PgConnection, wanted: &BTreeSet<(String, String)>) -> Result<Payloads, StoreError> {
    let mut bodies = Payloads::new();
    if wanted.is_empty() {
        return Ok(bodies);
    }
    let (tenants, digests): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(tenant, digest)| (tenant.as_str(), digest.as_str())).unzip();
    for row in sqlx::query(BODIES).bind(&tenants).bind(&digests).fetch_all(connection).await? {
        bodies.insert((row.try_get("tenant")?, row.try_get("digest")?), row.try_get("body")?);
    }
    Ok(bodies)
}

/// How a tenant is named in a row.
pub(super) fn tenant_text(tenant: &flowctl_core::execution::TenantId) -> String {
    storable(tenant.as_str()).into_owned()
}
