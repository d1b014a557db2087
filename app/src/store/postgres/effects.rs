//! The outbox in SQL.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::text::storable;
use crate::store::columns::{from_json, json, micros, micros_after, signed, small, tenant, timestamp, unsigned};
use crate::store::{ClaimedEffect, EffectEnd, NewEffect, StoreError};

const LANES: &str = "
    insert into outbox_lanes (tenant)
    select tenant from unnest($1::text[]) as t(tenant) order by tenant
    on conflict do nothing";

/// One row a key. While nobody has it, a newer payload may only make it go earlier; one that is being written keeps
/// its count of attempts, because that write may have happened. `retry_at` stays: it is what GitHub asked for.
const ADD: &str = "
    insert into effects (tenant, installation_id, key, priority, payload, not_before, status)
    select tenant, installation_id, key, priority, payload, not_before, 'pending'
    from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
      as t(tenant, installation_id, key, priority, payload, not_before)
    order by tenant, key
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

pub(super) async fn add(connection: &mut PgConnection, effects: &[&NewEffect]) -> Result<(), StoreError> {
    if effects.is_empty() {
        return Ok(());
    }
    let tenants: BTreeSet<String> =
        effects.iter().map(|effect| storable(effect.tenant.as_str()).into_owned()).collect();
    let tenants: Vec<String> = tenants.into_iter().collect();
    sqlx::query(LANES).bind(tenants).execute(&mut *connection).await?;
    for round in rounds(effects) {
        add_round(connection, &round).await?;
    }
    Ok(())
}

/// The same in a transaction of its own.
pub(super) async fn add_alone(connection: &mut PgConnection, effects: &[&NewEffect]) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    add(&mut transaction, effects).await?;
    Ok(transaction.commit().await?)
}

/// The effects in their order, of each key one a round: a statement changes a row once.
fn rounds<'e>(effects: &[&'e NewEffect]) -> Vec<Vec<&'e NewEffect>> {
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<&NewEffect>> = Vec::new();
    for effect in effects {
        let round = seen.entry((effect.tenant.as_str(), effect.key.as_str())).or_default();
        if rounds.len() <= *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(effect);
        *round += 1;
    }
    rounds
}

async fn add_round(connection: &mut PgConnection, effects: &[&NewEffect]) -> Result<(), StoreError> {
    let (mut tenants, mut installations, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut priorities, mut payloads, mut moments) = (Vec::new(), Vec::new(), Vec::new());
    for effect in effects {
        tenants.push(storable(effect.tenant.as_str()).into_owned());
        installations.push(signed("the installation's id", effect.installation_id)?);
        keys.push(storable(&effect.key).into_owned());
        priorities.push(i64::from(effect.priority));
        payloads.push(json("an effect", &effect.payload)?);
        moments.push(micros_after(effect.not_before));
    }
    sqlx::query(ADD)
        .bind(tenants)
        .bind(installations)
        .bind(keys)
        .bind(priorities)
        .bind(payloads)
        .bind(moments)
        .execute(connection)
        .await?;
    Ok(())
}

const HASTEN: &str = "
    update effects set not_before = least(not_before, $3), retry_at = least(retry_at, $3)
    where tenant = $1 and key = $2 and status = 'pending' and lease_owner is null";

pub(super) async fn hasten(
    connection: &mut PgConnection,
    tenant: &TenantId,
    key: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (tenant, key) = (storable(tenant.as_str()), storable(key));
    let done = sqlx::query(HASTEN).bind(tenant).bind(key).bind(micros(now)).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// Accounts with something to tell that nobody is claiming for at this moment.
const LOCK: &str = "
    select tenant from outbox_lanes
    where exists (
      select 1 from effects
      where effects.tenant = outbox_lanes.tenant and effects.status = 'pending'
        and effects.not_before <= $1 and effects.retry_at <= $1)
    order by tenant for update skip locked";

/// The first of each of these accounts that has none under lease.
const CLAIM: &str = "
    update effects set lease_owner = $1, lease_until = $2, claims = claims + 1
    where id in (
      select ranked.id from (
        select candidate.id, candidate.priority, candidate.not_before, row_number() over (
          partition by candidate.tenant order by candidate.priority, candidate.not_before, candidate.id
        ) as place
        from effects candidate
        where candidate.tenant = any($5)
          and candidate.status = 'pending' and candidate.not_before <= $3 and candidate.retry_at <= $3
          and not exists (
            select 1 from effects leased
            where leased.tenant = candidate.tenant
              and leased.lease_until is not null and leased.lease_until > $3)
      ) as ranked
      where ranked.place = 1
      order by ranked.priority, ranked.not_before, ranked.id limit $4)
    returning id, tenant, installation_id, key, priority, not_before, payload, attempts, generation,
      claims";

pub(super) async fn claim(
    connection: &mut PgConnection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedEffect>, StoreError> {
    let mut transaction = connection.begin().await?;
    let free: Vec<String> = sqlx::query_scalar(LOCK).bind(micros(now)).fetch_all(&mut *transaction).await?;
    if free.is_empty() {
        transaction.rollback().await?;
        return Ok(Vec::new());
    }
    // A statement of its own, so that it sees what whoever had the lock before has committed.
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(i64::from(limit))
        .bind(free)
        .fetch_all(&mut *transaction)
        .await?;
    // RETURNING promises no order.
    let mut claimed: Vec<((i64, i64), ClaimedEffect)> = rows
        .iter()
        .map(|row| Ok(((row.try_get("priority")?, row.try_get("not_before")?), claimed(row)?)))
        .collect::<Result<_, StoreError>>()?;
    transaction.commit().await?;
    claimed.sort_by_key(|(place, effect)| (*place, effect.id));
    Ok(claimed.into_iter().map(|(_, effect)| effect).collect())
}

fn claimed(row: &PgRow) -> Result<ClaimedEffect, StoreError> {
    Ok(ClaimedEffect {
        id: row.try_get("id")?,
        tenant: tenant(row.try_get("tenant")?),
        installation_id: unsigned("an installation's id", row.try_get("installation_id")?)?,
        key: row.try_get("key")?,
        priority: i16::try_from(row.try_get::<i64, _>("priority")?).unwrap_or(i16::MAX),
        payload: from_json("an effect", row.try_get("payload")?)?,
        attempts: small("a count", row.try_get("attempts")?)?,
        generation: unsigned("a generation", row.try_get("generation")?)?,
        claims: small("a count", row.try_get("claims")?)?,
    })
}

/// A claim is fenced by its count: whoever claimed the effect earlier has a lower one, be it the same owner.
const ATTEMPT: &str = "update effects set attempts = attempts + 1 where id = $1 and lease_owner = $2 and claims = $3";

pub(super) async fn attempt(
    connection: &mut PgConnection,
    effect: &ClaimedEffect,
    owner: &str,
) -> Result<bool, StoreError> {
    let result =
        sqlx::query(ATTEMPT).bind(effect.id).bind(owner).bind(i64::from(effect.claims)).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

const RENEW: &str = "update effects set lease_until = $4 where id = $1 and lease_owner = $2 and claims = $3";

pub(super) async fn renew(
    connection: &mut PgConnection,
    effect: &ClaimedEffect,
    owner: &str,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    let renewed = sqlx::query(RENEW)
        .bind(effect.id)
        .bind(owner)
        .bind(i64::from(effect.claims))
        .bind(micros(lease_until))
        .execute(connection)
        .await?;
    Ok(renewed.rows_affected() == 1)
}

const DONE: &str = "delete from effects where id = $1 and lease_owner = $2 and claims = $3 and generation = $4";
/// A newer payload came meanwhile. What became of the older one is known, so nothing is in doubt any more.
const DONE_BUT_RENEWED: &str = "
    update effects set lease_owner = null, lease_until = null, attempts = 0, reason = null
    where id = $1 and lease_owner = $2 and claims = $3";
const RETRY: &str = "
    update effects set lease_owner = null, lease_until = null, retry_at = $4, reason = $5
    where id = $1 and lease_owner = $2 and claims = $3";
const FAILED: &str = "
    update effects
    set lease_owner = null, lease_until = null, reason = $5,
      status = case when generation = $4 then 'failed' else 'pending' end
    where id = $1 and lease_owner = $2 and claims = $3";

pub(super) async fn finish(
    connection: &mut PgConnection,
    effect: &ClaimedEffect,
    owner: &str,
    end: &EffectEnd,
) -> Result<bool, StoreError> {
    let generation = signed("the generation", effect.generation)?;
    let query = |sql| sqlx::query(sql).bind(effect.id).bind(owner).bind(i64::from(effect.claims));
    let ended = match end {
        EffectEnd::Done => {
            let done = query(DONE).bind(generation).execute(&mut *connection).await?.rows_affected();
            if done == 1 { done } else { query(DONE_BUT_RENEWED).execute(connection).await?.rows_affected() }
        }
        EffectEnd::RetryAt(at, reason) => {
            query(RETRY).bind(micros_after(*at)).bind(storable(reason)).execute(connection).await?.rows_affected()
        }
        EffectEnd::Failed(reason) => {
            query(FAILED).bind(generation).bind(storable(reason)).execute(connection).await?.rows_affected()
        }
    };
    Ok(ended == 1)
}

const NEXT: &str = "
    select min(case when retry_at > not_before then retry_at else not_before end) from effects
    where status = 'pending' and lease_owner is null";

pub(super) async fn next(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(connection).await?;
    next.map(timestamp).transpose()
}
