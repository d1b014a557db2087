//! The outbox in SQL.

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use sqlx::SqlitePool;

use super::columns::{all, execute, from_json, json, micros, micros_after, signed, small, tenant, timestamp, unsigned};
use crate::store::{ClaimedEffect, EffectEnd, NewEffect, StoreError};

/// One row a key. While nobody has it, a newer payload may only make it go earlier; one that is being written keeps
/// its count of attempts, because that write may have happened. `retry_at` stays: it is what GitHub asked for.
const ADD: &str = "
    insert into effects (tenant, installation_id, key, priority, payload, not_before, status)
    values (?1, ?2, ?3, ?4, ?5, ?6, 'pending')
    on conflict (tenant, key) do update set
      installation_id = excluded.installation_id,
      priority = case
        when effects.status = 'pending' and effects.lease_owner is null and effects.priority < excluded.priority
        then effects.priority else excluded.priority end,
      not_before = case
        when effects.status = 'pending' and effects.lease_owner is null and effects.not_before < excluded.not_before
        then effects.not_before else excluded.not_before end,
      payload = excluded.payload,
      generation = effects.generation + 1,
      status = 'pending',
      reason = null";

pub(super) fn add(connection: &Connection, effects: Vec<NewEffect>) -> Result<(), StoreError> {
    for effect in effects {
        let installation_id = signed("the installation's id", effect.installation_id)?;
        let (payload, not_before) = (json("an effect", &effect.payload)?, micros_after(effect.not_before));
        let values = params![effect.tenant.0, installation_id, effect.key, effect.priority, payload, not_before];
        execute(connection, ADD, values)?;
    }
    Ok(())
}

const HASTEN: &str = "
    update effects set not_before = min(not_before, ?3), retry_at = min(retry_at, ?3)
    where tenant = ?1 and key = ?2 and status = 'pending' and lease_owner is null";

pub(super) fn hasten(
    connection: &Connection,
    tenant: &TenantId,
    key: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute(connection, HASTEN, params![tenant.0, key, micros(now)])? == 1)
}

/// The first of each account that has none under lease.
const CLAIM: &str = "
    update effects set lease_owner = ?1, lease_until = ?2, claims = claims + 1
    where id in (
      select ranked.id from (
        select candidate.id, candidate.priority, candidate.not_before, row_number() over (
          partition by candidate.tenant order by candidate.priority, candidate.not_before, candidate.id
        ) as place
        from effects candidate
        where candidate.status = 'pending' and candidate.not_before <= ?3 and candidate.retry_at <= ?3
          and not exists (
            select 1 from effects leased
            where leased.tenant = candidate.tenant
              and leased.lease_until is not null and leased.lease_until > ?3)
      ) as ranked
      where ranked.place = 1
      order by ranked.priority, ranked.not_before, ranked.id limit ?4)
    returning id, tenant, installation_id, key, priority, not_before, payload, attempts, generation,
      claims";

pub(super) fn claim(
    connection: &Connection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedEffect>, StoreError> {
    let values = params![owner, micros(lease_until), micros(now), limit];
    let place = |row: &Row<'_>| Ok::<(i64, i64), rusqlite::Error>((row.get("priority")?, row.get("not_before")?));
    let mut claimed = all(connection, CLAIM, values, |row| Ok((place(row)?, claimed(row)?)))?;
    // RETURNING promises no order.
    claimed.sort_by_key(|(place, effect)| (*place, effect.id));
    Ok(claimed.into_iter().map(|(_, effect)| effect).collect())
}

fn claimed(row: &Row<'_>) -> Result<ClaimedEffect, StoreError> {
    Ok(ClaimedEffect {
        id: row.get("id")?,
        tenant: tenant(row.get("tenant")?),
        installation_id: unsigned("an installation's id", row.get("installation_id")?)?,
        key: row.get("key")?,
        priority: row.get("priority")?,
        payload: from_json("an effect", row.get_ref("payload")?.as_str().map_err(rusqlite::Error::from)?)?,
        attempts: small("a count", row.get("attempts")?)?,
        generation: unsigned("a generation", row.get("generation")?)?,
        claims: small("a count", row.get("claims")?)?,
    })
}

/// A claim is fenced by its count: whoever claimed the effect earlier has a lower one, be it the same owner.
const ATTEMPT: &str = "update effects set attempts = attempts + 1 where id = ?1 and lease_owner = ?2 and claims = ?3";

pub(super) fn attempt(connection: &Connection, id: i64, owner: &str, claims: u32) -> Result<bool, StoreError> {
    Ok(execute(connection, ATTEMPT, params![id, owner, claims])? == 1)
}

const RENEW: &str = "update effects set lease_until = ?4 where id = ?1 and lease_owner = ?2 and claims = ?3";

pub(super) fn renew(
    connection: &Connection,
    id: i64,
    owner: &str,
    claims: u32,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute(connection, RENEW, params![id, owner, claims, micros(lease_until)])? == 1)
}

const DONE: &str = "delete from effects where id = ?1 and lease_owner = ?2 and claims = ?3 and generation = ?4";
/// A newer payload came meanwhile. What became of the older one is known, so nothing is in doubt any more.
const DONE_BUT_RENEWED: &str = "
    update effects set lease_owner = null, lease_until = null, attempts = 0, reason = null
    where id = ?1 and lease_owner = ?2 and claims = ?3";
const RETRY: &str = "
    update effects set lease_owner = null, lease_until = null, retry_at = ?4, reason = ?5
    where id = ?1 and lease_owner = ?2 and claims = ?3";
const FAILED: &str = "
    update effects
    set lease_owner = null, lease_until = null, reason = ?5,
      status = case when generation = ?4 then 'failed' else 'pending' end
    where id = ?1 and lease_owner = ?2 and claims = ?3";

pub(super) fn finish(
    connection: &Connection,
    effect: &ClaimedEffect,
    owner: &str,
    end: &EffectEnd,
) -> Result<bool, StoreError> {
    let generation = signed("the generation", effect.generation)?;
    let (id, claims) = (effect.id, effect.claims);
    let ended = match end {
        EffectEnd::Done => match execute(connection, DONE, params![id, owner, claims, generation])? {
            0 => execute(connection, DONE_BUT_RENEWED, params![id, owner, claims])?,
            done => done,
        },
        EffectEnd::RetryAt(at, reason) => {
            execute(connection, RETRY, params![id, owner, claims, micros_after(*at), reason])?
        }
        EffectEnd::Failed(reason) => execute(connection, FAILED, params![id, owner, claims, generation, reason])?,
    };
    Ok(ended == 1)
}

const NEXT: &str = "
    select min(case when retry_at > not_before then retry_at else not_before end) from effects
    where status = 'pending' and lease_owner is null";

pub(super) async fn next(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(readers).await?;
    next.map(timestamp).transpose()
}
