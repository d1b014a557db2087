//! What is stored with transitions whose executions are written already: signals, waits, approvals, occurrences and
//! effects. Nothing here can refuse a transition any more.

use flowctl_core::execution::TenantId;
use sqlx::PgConnection;

use super::prepared::{Prepared, Wait};
use super::signals::add_occurrences;
use super::{audit, effects, lists};
use crate::audit::NewEntry;
use crate::store::columns::json;
use crate::store::{MAX_LOOK_BACK, NewEffect, NewOccurrence, StoreError};

/// Stores what comes along with parts.
pub(super) async fn write(connection: &mut PgConnection, parts: &[&Prepared]) -> Result<(), StoreError> {
    add_signals(connection, parts).await?;
    for part in parts {
        tell_group(connection, part).await?;
        keep_waits(connection, part).await?;
        wake_next_of_group(connection, part).await?;
        lists::of_transition(connection, part).await?;
    }
    let mut entries: Vec<(&TenantId, &NewEntry)> = Vec::new();
    for part in parts {
        entries.extend(part.transition.audit.iter().map(|entry| (&part.transition.tenant, entry)));
    }
    audit::append(connection, &entries).await?;
    let occurrences: Vec<&NewOccurrence> = parts.iter().flat_map(|part| &part.transition.occurrences).collect();
    add_occurrences(connection, &occurrences).await?;
    let effects: Vec<&NewEffect> = parts.iter().flat_map(|part| &part.transition.effects).collect();
    effects::add(connection, &effects).await
}

const ADD_SIGNALS: &str = "
    insert into signals (tenant, execution, signal, not_before)
    select tenant, execution, signal, not_before
    from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) with ordinality
      as t(tenant, execution, signal, not_before, place)
    order by place";

async fn add_signals(connection: &mut PgConnection, parts: &[&Prepared]) -> Result<(), StoreError> {
    let (mut tenants, mut executions, mut texts, mut moments) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        for new in &part.transition.signals {
            tenants.push(part.tenant.as_str());
            executions.push(new.execution);
            texts.push(json("a signal", &new.signal)?);
            moments.push(part.at());
        }
    }
    if !executions.is_empty() {
        let query = sqlx::query(ADD_SIGNALS).bind(tenants).bind(executions).bind(texts).bind(moments);
        query.execute(connection).await?;
    }
    Ok(())
}

const TELL_GROUP: &str = "
    insert into signals (tenant, execution, signal, not_before)
    select tenant, id, $4::text, $5::bigint from executions
    where tenant = $1 and concurrency_group = $2 and open and id <> $3";

async fn tell_group(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let (Some(signal), Some(group)) = (&part.transition.to_group, &part.group) else { return Ok(()) };
    sqlx::query(TELL_GROUP)
        .bind(&part.tenant)
        .bind(group)
        .bind(part.transition.execution.id)
        .bind(json("a signal", signal)?)
        .bind(part.at())
        .execute(connection)
        .await?;
    Ok(())
}

const REMEMBER_WAIT: &str = "
    insert into event_waits (tenant, execution, step, name, since) values ($1, $2, $3, $4, $5)
    on conflict (tenant, execution, step) do update set name = excluded.name, since = excluded.since";
/// Events that came since the execution started, and before its step began to wait.
const LOOK_BACK: &str = "
    insert into signals (tenant, execution, event, not_before)
    select tenant, $2::uuid, id, at from (
      select tenant, id, at from api_events where tenant = $1 and name = $3 and at >= $4 order by at desc limit $5) last
    order by at
    on conflict do nothing";
const FORGET_WAIT: &str = "delete from event_waits where tenant = $1 and execution = $2 and step = $3";

async fn keep_waits(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let of = |sql| sqlx::query(sql).bind(&part.tenant).bind(part.transition.execution.id);
    for wait in &part.waits {
        match wait {
            Wait::Begins { step, name, since } => {
                of(REMEMBER_WAIT).bind(step).bind(name).bind(since).execute(&mut *connection).await?;
                of(LOOK_BACK).bind(name).bind(since).bind(MAX_LOOK_BACK).execute(&mut *connection).await?;
            }
            Wait::Ends { step } => {
                of(FORGET_WAIT).bind(step).execute(&mut *connection).await?;
            }
        }
    }
    Ok(())
}

const NEXT_OF_GROUP: &str = "
    update executions set wake_at = $3
    where tenant = $1 and id = (
      select id from executions
      where tenant = $1 and concurrency_group = $2 and open and status = 'pending' order by position limit 1)";

/// Tells the execution of a group that has waited longest that its turn has come.
async fn wake_next_of_group(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let Some(group) = part.group.as_ref().filter(|_| part.transition.execution.status.is_final()) else {
        return Ok(());
    };
    let query = sqlx::query(NEXT_OF_GROUP).bind(&part.tenant).bind(group).bind(part.at());
    query.execute(connection).await?;
    Ok(())
}
