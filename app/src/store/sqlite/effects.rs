//! The outbox in SQL.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::columns::{from_json, json, micros, micros_after, signed, small, tenant, timestamp, unsigned};
use crate::store::{ClaimedEffect, EffectEnd, NewEffect, StoreError};

/// One row a key. While nobody has it, a newer payload may only make it go earlier; one that is being written keeps
/// its count of attempts, because that write may have happened. `retry_at` stays: it is what GitHub asked for.
const ADD: &str = "
    insert into effects (tenant, installation_id, key, priority, payload, not_before, status)
    values ($1, $2, $3, $4, $5, $6, 'pending')
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

pub(super) async fn add(connection: &mut SqliteConnection, effects: Vec<NewEffect>) -> Result<(), StoreError> {
    for effect in effects {
        sqlx::query(ADD)
            .bind(effect.tenant.0)
            .bind(signed("the installation's id", effect.installation_id)?)
            .bind(effect.key)
            .bind(effect.priority)
            .bind(json("an effect", &effect.payload)?)
            .bind(micros_after(effect.not_before))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The first of each installation that has none under lease.
const CLAIM: &str = "
    update effects set lease_owner = $1, lease_until = $2, claims = claims + 1
    where id in (
      select ranked.id from (
        select candidate.id, candidate.priority, candidate.not_before, row_number() over (
          partition by candidate.installation_id order by candidate.priority, candidate.not_before, candidate.id
        ) as place
        from effects candidate
        where candidate.status = 'pending' and candidate.not_before <= $3 and candidate.retry_at <= $3
          and not exists (
            select 1 from effects leased
            where leased.installation_id = candidate.installation_id
              and leased.lease_until is not null and leased.lease_until > $3)
      ) as ranked
      where ranked.place = 1
      order by ranked.priority, ranked.not_before, ranked.id limit $4)
    returning id, tenant, installation_id, key, priority, not_before, payload, attempts, generation,
      claims";

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    owner: String,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedEffect>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    // RETURNING promises no order.
    let mut claimed: Vec<((i64, i64), ClaimedEffect)> = rows
        .iter()
        .map(|row| Ok(((row.try_get("priority")?, row.try_get("not_before")?), claimed(row)?)))
        .collect::<Result<_, StoreError>>()?;
    claimed.sort_by_key(|(place, effect)| (*place, effect.id));
    Ok(claimed.into_iter().map(|(_, effect)| effect).collect())
}

fn claimed(row: &SqliteRow) -> Result<ClaimedEffect, StoreError> {
    Ok(ClaimedEffect {
        id: row.try_get("id")?,
        tenant: tenant(row.try_get("tenant")?),
        installation_id: unsigned("an installation's id", row.try_get("installation_id")?)?,
        key: row.try_get("key")?,
        payload: from_json("an effect", row.try_get("payload")?)?,
        attempts: small("a count", row.try_get("attempts")?)?,
        generation: unsigned("a generation", row.try_get("generation")?)?,
        claims: small("a count", row.try_get("claims")?)?,
    })
}

/// A claim is fenced by its count: whoever claimed the effect earlier has a lower one, be it the same owner.
const ATTEMPT: &str = "update effects set attempts = attempts + 1 where id = $1 and lease_owner = $2 and claims = $3";

pub(super) async fn attempt(
    connection: &mut SqliteConnection,
    id: i64,
    owner: String,
    claims: u32,
) -> Result<bool, StoreError> {
    let result = sqlx::query(ATTEMPT).bind(id).bind(owner).bind(claims).execute(connection).await?;
    Ok(result.rows_affected() == 1)
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
    connection: &mut SqliteConnection,
    effect: ClaimedEffect,
    owner: String,
    end: EffectEnd,
) -> Result<bool, StoreError> {
    let generation = signed("the generation", effect.generation)?;
    let query = |sql| sqlx::query(sql).bind(effect.id).bind(owner.clone()).bind(effect.claims);
    let ended = match end {
        EffectEnd::Done => {
            let done = query(DONE).bind(generation).execute(&mut *connection).await?.rows_affected();
            if done == 1 { done } else { query(DONE_BUT_RENEWED).execute(connection).await?.rows_affected() }
        }
        EffectEnd::RetryAt(at, reason) => {
            query(RETRY).bind(micros_after(at)).bind(reason).execute(connection).await?.rows_affected()
        }
        EffectEnd::Failed(reason) => {
            query(FAILED).bind(generation).bind(reason).execute(connection).await?.rows_affected()
        }
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
