//! What is stored with transitions whose executions are written already: events, work, signals, waits, occurrences and
//! effects. Nothing here can refuse a transition any more.

use flowctl_core::execution::{ExecutionId, StepStatus};
use sqlx::PgConnection;

use super::prepared::{Prepared, Wait};
use super::signals::add_occurrences;
use super::{effects, lists};
use crate::store::columns::{json, micros};
use crate::store::{NewEffect, NewOccurrence, StoreError};

/// Stores what comes along with parts; each with the sequence number of the last event before its own.
pub(super) async fn write(connection: &mut PgConnection, parts: &[(&Prepared, i64)]) -> Result<(), StoreError> {
    record_events(connection, parts).await?;
    let all: Vec<&Prepared> = parts.iter().map(|(part, _)| *part).collect();
    move_work(connection, &all).await?;
    add_signals(connection, &all).await?;
    for part in &all {
        tell_group(connection, part).await?;
        keep_waits(connection, part).await?;
        wake_next_of_group(connection, part).await?;
        lists::of_transition(connection, part).await?;
    }
    let occurrences: Vec<&NewOccurrence> = all.iter().flat_map(|part| &part.transition.occurrences).collect();
    add_occurrences(connection, &occurrences).await?;
    let effects: Vec<&NewEffect> = all.iter().flat_map(|part| &part.transition.effects).collect();
    effects::add(connection, &effects).await
}

const RECORD_EVENTS: &str = "
    insert into events (tenant, execution, seq, type, at, delivery, event, large)
    select tenant, execution, seq, type, at, delivery, event, large
    from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[])
      as t(tenant, execution, seq, type, at, delivery, event, large)";

async fn record_events(connection: &mut PgConnection, parts: &[(&Prepared, i64)]) -> Result<(), StoreError> {
    let (mut tenants, mut executions, mut seqs, mut types) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut moments, mut deliveries, mut texts, mut large) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (part, last_seq) in parts {
        let delivery = part.transition.delivery.as_ref().map(|delivery| delivery.0.as_str());
        let events = part.transition.events.iter().zip(&part.events);
        for (seq, (event, text)) in (last_seq + 1..).zip(events) {
            tenants.push(part.tenant.as_str());
            executions.push(part.transition.execution.id);
            seqs.push(seq);
            types.push(event.kind.name());
            moments.push(micros(event.at));
            deliveries.push(delivery);
            texts.push(text.text.as_str());
            large.push(text.large.as_deref());
        }
    }
    if seqs.is_empty() {
        return Ok(());
    }
    sqlx::query(RECORD_EVENTS)
        .bind(tenants)
        .bind(executions)
        .bind(seqs)
        .bind(types)
        .bind(moments)
        .bind(deliveries)
        .bind(texts)
        .bind(large)
        .execute(connection)
        .await?;
    Ok(())
}

/// Drops attempts whose steps no longer run them, since their results would be refused, and adds new ones.
const MOVE_WORK: &str = "
    with dropped as (
      delete from work w using unnest($1::text[], $2::uuid[]) as moved(tenant, execution)
      where w.tenant = moved.tenant and w.execution = moved.execution
        and not exists (
          select 1 from unnest($3::text[], $4::uuid[], $5::text[], $6::bigint[]) as kept(tenant, execution, step, attempt)
          where kept.tenant = w.tenant and kept.execution = w.execution and kept.step = w.step
            and kept.attempt = w.attempt))
    insert into work (tenant, execution, step, attempt, claims, lease_owner, lease_until)
    select tenant, execution, step, attempt, case when lease_owner is null then 0 else 1 end, lease_owner, lease_until
    from unnest($7::text[], $8::uuid[], $9::text[], $10::bigint[], $11::text[], $12::bigint[]) with ordinality
      as t(tenant, execution, step, attempt, lease_owner, lease_until, place)
    order by place
    on conflict do nothing";

async fn move_work(connection: &mut PgConnection, parts: &[&Prepared]) -> Result<(), StoreError> {
    let mut moved = Attempts::default();
    let (mut kept, mut new) = (Attempts::default(), Attempts::default());
    let (mut owners, mut leases) = (Vec::new(), Vec::new());
    for part in parts {
        let execution = &part.transition.execution;
        if !part.is_new() {
            moved.push(part, "", 0);
            for (id, step) in execution.steps.iter().filter(|(_, step)| step.status == StepStatus::Running) {
                kept.push(part, id, step.attempt);
            }
        }
        let claim = part.transition.claim.as_ref();
        for work in &part.transition.work {
            new.push(part, &work.step, work.attempt);
            owners.push(claim.map(|claim| claim.owner.as_str()));
            leases.push(claim.map(|claim| micros(claim.until)));
        }
    }
    if moved.tenants.is_empty() && new.tenants.is_empty() {
        return Ok(());
    }
    sqlx::query(MOVE_WORK)
        .bind(moved.tenants)
        .bind(moved.executions)
        .bind(kept.tenants)
        .bind(kept.executions)
        .bind(kept.steps)
        .bind(kept.attempts)
        .bind(new.tenants)
        .bind(new.executions)
        .bind(new.steps)
        .bind(new.attempts)
        .bind(owners)
        .bind(leases)
        .execute(connection)
        .await?;
    Ok(())
}

/// Columns of the work queue.
#[derive(Default)]
struct Attempts<'p> {
    tenants: Vec<&'p str>,
    executions: Vec<ExecutionId>,
    steps: Vec<&'p str>,
    attempts: Vec<i64>,
}

impl<'p> Attempts<'p> {
    fn push(&mut self, part: &'p Prepared, step: &'p str, attempt: u32) {
        self.tenants.push(&part.tenant);
        self.executions.push(part.transition.execution.id);
        self.steps.push(step);
        self.attempts.push(i64::from(attempt));
    }
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
    select tenant, $2::uuid, id, at from api_events where tenant = $1 and name = $3 and at >= $4 order by at
    on conflict do nothing";
const FORGET_WAIT: &str = "delete from event_waits where tenant = $1 and execution = $2 and step = $3";

async fn keep_waits(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let of = |sql| sqlx::query(sql).bind(&part.tenant).bind(part.transition.execution.id);
    for wait in &part.waits {
        match wait {
            Wait::Begins { step, name, since } => {
                of(REMEMBER_WAIT).bind(step).bind(name).bind(since).execute(&mut *connection).await?;
                of(LOOK_BACK).bind(name).bind(since).execute(&mut *connection).await?;
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
