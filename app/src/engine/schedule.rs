//! Time tables: `schedule` triggers of the processes at the head of each default branch. Which slots have been dealt with
//! is stored, and each slot has a start key of its own: however many servers look, it starts one execution.

use std::collections::BTreeMap;
use std::time::Duration;

use flowctl_core::definition::Trigger;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::definition::trigger::{MissedRuns, ScheduleTrigger};
use flowctl_core::execution::{TenantId, TriggerInfo};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Engine, Published, StartFailure, later};
use crate::store::{ScheduleKey, StoreError};

/// How often time tables are looked at, at the least.
const TICK: Duration = Duration::from_secs(30);
/// How old a slot is that counts as missed: the server was not there when its time came.
const MISSED: SignedDuration = SignedDuration::from_secs(90);
/// How long the definitions of a repository elsewhere are taken for current. Those on this machine are read each time.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// Slots that are counted through at most; a table of every minute has as many in two months.
const MAX_SLOTS: usize = 100_000;

/// What is known of repositories, and since when.
pub(super) type Known = BTreeMap<(TenantId, String), (Timestamp, Published)>;

/// The last slot of a time table after `from` and not after `now`, and the next one after it.
pub(super) fn slots(
    trigger: &ScheduleTrigger,
    from: Timestamp,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let zone = trigger.timezone.as_ref().map_or(TimeZone::UTC, |zone| zone.zone().clone());
    let (mut last, mut at) = (None, from.to_zoned(zone.clone()));
    for _ in 0..MAX_SLOTS {
        let Some(next) = trigger.cron.next_after(&at) else { return (last, None) };
        if next.timestamp() <= at.timestamp() || next.timestamp() > now {
            return (last, Some(next.timestamp()).filter(|next| *next > now));
        }
        last = Some(next.timestamp());
        at = next;
    }
    // So long a time is not counted through: what came last is found from its end.
    let now = now.to_zoned(zone);
    let newest = trigger.cron.last_until(&now).map(|newest| newest.timestamp());
    (newest.max(last), trigger.cron.next_after(&now).map(|next| next.timestamp()))
}

/// A time table's own name, which begins anew when any of it changes.
fn timetable(trigger: &ScheduleTrigger) -> String {
    let zone = trigger.timezone.as_ref().map_or("UTC", |zone| zone.zone().iana_name().unwrap_or("UTC"));
    format!("{} {zone}", trigger.cron.value)
}

/// The time tables of published processes.
fn timetables<'p>(
    tenant: &TenantId,
    repository: &str,
    published: &'p Published,
) -> impl Iterator<Item = (ScheduleKey, &'p ScheduleTrigger)> {
    let published = published.processes.iter().filter(|process| process.header.status == ProcessStatus::Published);
    let triggers = published.flat_map(|process| process.header.triggers.iter().flatten().map(move |it| (process, it)));
    triggers.filter_map(move |(process, trigger)| {
        let Trigger::Schedule(trigger) = &trigger.value else { return None };
        let key = ScheduleKey {
            tenant: tenant.clone(),
            repository: repository.to_owned(),
            process: process.header.name.as_str().to_owned(),
            timetable: timetable(trigger),
        };
        Some((key, &**trigger))
    })
}

impl Engine {
    /// Fires time tables until `shutdown`.
    pub(super) async fn run_schedules(&self, shutdown: &CancellationToken) {
        let mut known = Known::new();
        if !self.inner.options.triggers {
            return;
        }
        while !shutdown.is_cancelled() {
            let pause = match self.fire_due(&mut known).await {
                Ok(pause) => pause,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "time tables cannot be looked at");
                    TICK
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Starts whatever time tables want by now; how long until the next slot, a tick at most.
    pub(super) async fn fire_due(&self, known: &mut Known) -> Result<Duration, StoreError> {
        let now = self.now();
        let mut tenants = self.inner.store.tenants().await?;
        if !self.inner.definitions.served(&TenantId::local()).is_empty() && !tenants.contains(&TenantId::local()) {
            tenants.push(TenantId::local());
        }
        let mut next = later(now, TICK);
        for tenant in tenants {
            for repository in self.repositories(&tenant).await? {
                let Some(published) = self.current(&tenant, &repository, now, known).await else { continue };
                for (key, trigger) in timetables(&tenant, &repository, &published) {
                    let slot = self.fire(&published, &key, trigger, now).await?;
                    next = slot.map_or(next, |slot| slot.min(next));
                }
            }
        }
        let pause = Duration::try_from(next.duration_since(self.now())).unwrap_or(Duration::ZERO);
        Ok(pause.clamp(Duration::from_millis(10), TICK))
    }

    /// Forgets time tables that the definitions do not have any more: one that comes back counts anew, and not from when
    /// it was last seen.
    async fn forget_others(
        &self,
        tenant: &TenantId,
        repository: &str,
        published: &Published,
    ) -> Result<(), StoreError> {
        let current: Vec<ScheduleKey> = timetables(tenant, repository, published).map(|(key, _)| key).collect();
        self.inner.store.forget_schedules(tenant, repository, &current).await.map(drop)
    }

    /// Starts the process if a slot has come; the next one.
    async fn fire(
        &self,
        published: &Published,
        key: &ScheduleKey,
        trigger: &ScheduleTrigger,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        // One that was never seen counts from now on.
        let handled = match self.inner.store.schedule_handled_until(key).await? {
            Some(handled) => handled,
            None => self.inner.store.schedule_handled(key, now).await?,
        };
        let (slot, next) = slots(trigger, handled, now);
        let Some(slot) = slot else { return Ok(next) };
        let missed = now.duration_since(slot) > MISSED;
        if missed && trigger.missed == MissedRuns::Skip {
            tracing::info!(process = key.process, %slot, "a slot was missed and is left out");
        } else if let Err(error) = self.start_slot(published, key, slot).await {
            tracing::warn!(process = key.process, %slot, %error, "a slot cannot be started now; it is tried again");
            return Ok(next);
        }
        self.inner.store.schedule_handled(key, slot).await?;
        Ok(next)
    }

    async fn start_slot(&self, published: &Published, key: &ScheduleKey, slot: Timestamp) -> Result<(), StartFailure> {
        let ScheduleKey { tenant, repository, process, timetable } = key;
        let process = published.processes.iter().find(|it| it.header.name.as_str() == process);
        let Some(process) = process else { return Ok(()) };
        let payload = json!({"at": slot.to_string(), "timetable": timetable});
        let trigger = TriggerInfo { kind: "schedule".to_owned(), actor: None, payload, pull_request: None };
        let start_key = format!("schedule:{repository}:{timetable}:{slot}");
        self.start_by_itself(tenant, repository, published, process, start_key, trigger).await
    }

    /// The definitions of a repository, not older than they may be; those known before where they cannot be read now.
    async fn current(
        &self,
        tenant: &TenantId,
        repository: &str,
        now: Timestamp,
        known: &mut Known,
    ) -> Option<Published> {
        let key = (tenant.clone(), repository.to_owned());
        let fresh = |at: &Timestamp| *tenant != TenantId::local() && now.duration_since(*at) < REFRESH;
        if let Some((_, published)) = known.get(&key).filter(|(at, _)| fresh(at)) {
            return Some(published.clone());
        }
        match self.inner.definitions.published(tenant, repository).await {
            Ok(published) => {
                let before = known.get(&key).map(|(_, before)| before.revision.as_str());
                if before != Some(published.revision.as_str())
                    && let Err(error) = self.forget_others(tenant, repository, &published).await
                {
                    tracing::warn!(repository, %error, "time tables that are no more cannot be forgotten now");
                    return None;
                }
                known.insert(key, (now, published.clone()));
                Some(published)
            }
            Err(error) => {
                tracing::debug!(repository, %error, "time tables cannot be read now");
                // Not asked again at once, and the time tables that are known go on.
                let published = known.get(&key).map(|(_, published)| published.clone());
                let none = || Published { revision: String::new(), processes: Vec::new(), unreadable: Vec::new() };
                known.insert(key, (now, published.clone().unwrap_or_else(none)));
                published
            }
        }
    }
}
