//! The store on PostgreSQL, for one replica or several: transitions are committed in groups, everything else by single
//! statements. Replicas are kept apart by versions, leases with epochs, and locks of rows. Only this room and its
//! children know PostgreSQL.

mod along;
mod audit;
mod batch;
mod branches;
mod connections;
mod deliveries;
mod effects;
mod examine;
mod executions;
mod github_objects;
mod heard;
mod hints;
mod installations;
mod lists;
mod payloads;
mod prepared;
mod queries;
mod retention;
mod signals;
mod spending;
mod standing;
mod stream;
mod text;
mod work;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::watch;
use uuid::Uuid;

use self::connections::Connections;
use self::connections::is_lost;
pub(super) use self::connections::passes;
pub use self::examine::examine;
use self::hints::Hints;
use self::prepared::Unit;
use self::writer::Writers;
use super::{
    ApiEvent, Approval, ApprovalFilter, Backlog, BranchKey, ClaimedDelivery, ClaimedEffect, ClaimedOccurrence,
    ClaimedWork, Committed, DeliveryEnd, DeliveryId, EffectEnd, ExecutionFilter, GitHubObject, GitHubObjects,
    Installation, Migrations, NewDelivery, NewEffect, NewOccurrence, OccurrenceEnd, Page, PausedProcess, PendingSignal,
    ProcessKey, Progress, Receipt, ScheduleKey, SeenHead, Store, StoreError, Stored, StoredEvent, Transition,
    UntoldEvents,
};
use crate::audit::{NewEntry, Sealed};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/postgres/migrations");

/// Connections at most, beside those of the writers and of the listener.
const CONNECTIONS: usize = 8;

/// The store on PostgreSQL.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Arc<Connections>,
    writers: Writers,
    hints: Hints,
}

impl PostgresStore {
    /// Opens the database at `url` (`postgres://USER:PASSWORD@HOST/NAME`) and brings its schema up to date. Of several
    /// that do so at the same time one does it and the others wait.
    ///
    /// # Errors
    /// An address that cannot be understood, a server that cannot be reached, a schema from a newer flowctl.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let mut connection = options.connect().await.map_err(StoreError::Connect)?;
        migrate(&mut connection).await?;
        warn_of_what_forgets(&mut connection).await?;
        // What was asked for is done; a connection that does not end well is forgotten by the server.
        let _ = connection.close().await;
        let connections = Arc::new(Connections::new(options.clone(), CONNECTIONS));
        let hints = Hints::new();
        hints.start(&connections, options);
        let writers = Writers::start(&connections, &hints);
        Ok(Self { connections, writers, hints })
    }

    /// How many transactions of transitions were committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.writers.commits()
    }

    fn tell<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.is_ok() {
            self.hints.tell();
        }
        outcome
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let address = |reason: String| StoreError::Address { reason };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(address("it does not begin with `postgres://`".to_owned()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| address(error.to_string()))?;
    Ok(options.application_name("flowctl"))
}

async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => Err(StoreError::TooNew { migration, known: newest() }),
        Err(error) => Err(StoreError::Migration(error)),
    }
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What is committed here is acknowledged: a server that may forget it is told of.
async fn warn_of_what_forgets(connection: &mut PgConnection) -> Result<(), StoreError> {
    for statement in ["show fsync", "show synchronous_commit"] {
        // A database that does not know the setting has no way to turn it off.
        let Ok(value) = sqlx::query_scalar::<_, String>(statement).fetch_one(&mut *connection).await else { continue };
        if value == "off" {
            tracing::warn!(
                setting = &statement[5..],
                "the database may lose what it has acknowledged: the setting is off"
            );
        }
    }
    Ok(())
}

/// Does `operation` on a connection that is lent for it.
macro_rules! once {
    ($store:ident, $connection:ident => $operation:expr) => {{
        let mut lent = $store.connections.lend().await?;
        let outcome = {
            let $connection: &mut PgConnection = &mut lent;
            $operation.await
        };
        lent.give_back(outcome)
    }};
}

/// The same for what changes nothing: where the connection turns out to be lost, once more on another one.
macro_rules! read {
    ($store:ident, $connection:ident => $operation:expr) => {{
        match once!($store, $connection => $operation) {
            Err(StoreError::Database(error)) if is_lost(&error) => once!($store, $connection => $operation),
            // What is kept apart is read by a statement of its own: it may have been forgotten with what refers to it.
            Err(StoreError::Corrupt { .. }) => once!($store, $connection => $operation),
            outcome => outcome,
        }
    }};
}

use {once, read};

#[async_trait]
impl Store for PostgresStore {
    async fn receive(&self, delivery: NewDelivery) -> Result<Receipt, StoreError> {
        // Storing it twice is storing it once.
        self.tell(read!(self, connection => deliveries::receive(connection, &delivery)))
    }

    async fn claim_deliveries(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        once!(self, connection => deliveries::claim(connection, owner, limit, now, lease_until))
    }

    async fn renew_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError> {
        // Doing it twice is doing it once.
        read!(self, connection => deliveries::renew(connection, id, attempts, owner, lease_until))
    }

    async fn finish_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        end: DeliveryEnd,
    ) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => deliveries::finish(connection, id, attempts, owner, &end)))
    }

    async fn commit(&self, transition: Transition) -> Result<Committed, StoreError> {
        self.writers.store(Unit::new(transition)?).await
    }

    async fn load(&self, tenant: &TenantId, id: ExecutionId) -> Result<Option<Stored>, StoreError> {
        read!(self, connection => queries::load(connection, tenant, id))
    }

    async fn by_start_key(&self, tenant: &TenantId, key: &str) -> Result<Option<ExecutionId>, StoreError> {
        read!(self, connection => queries::by_start_key(connection, tenant, key))
    }

    async fn knows_word(&self, tenant: &TenantId, word: &str) -> Result<bool, StoreError> {
        read!(self, connection => queries::knows_word(connection, tenant, word))
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<(TenantId, ExecutionId)>, StoreError> {
        read!(self, connection => queries::due(connection, now, limit))
    }

    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => queries::next_wake(connection))
    }

    async fn postpone(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        version: u64,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        once!(self, connection => queries::postpone(connection, tenant, id, version, until))
    }

    async fn claim_work_but(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
        sated: &[ExecutionId],
    ) -> Result<Vec<ClaimedWork>, StoreError> {
        once!(self, connection => work::claim(connection, owner, limit, (now, lease_until), sated))
    }

    async fn next_work(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => work::next(connection))
    }

    async fn renew_work(&self, work: &ClaimedWork, owner: &str, lease_until: Timestamp) -> Result<bool, StoreError> {
        once!(self, connection => work::renew(connection, work, owner, lease_until))
    }

    async fn finish_work(&self, work: &ClaimedWork, owner: &str) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => work::finish(connection, work, owner)))
    }

    async fn release_work(&self, work: &ClaimedWork, owner: &str, until: Timestamp) -> Result<bool, StoreError> {
        once!(self, connection => work::release(connection, work, owner, until))
    }

    async fn signals(&self, now: Timestamp, limit: u32) -> Result<Vec<PendingSignal>, StoreError> {
        read!(self, connection => signals::due(connection, now, limit))
    }

    async fn next_signal(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => signals::next(connection))
    }

    async fn drop_signals(&self, ids: &[i64]) -> Result<(), StoreError> {
        self.tell(once!(self, connection => signals::drop(connection, ids)))
    }

    async fn postpone_signal(&self, id: i64, until: Timestamp) -> Result<(), StoreError> {
        once!(self, connection => signals::postpone(connection, id, until))
    }

    async fn publish(
        &self,
        tenant: &TenantId,
        event: ApiEvent,
        occurrences: Vec<NewOccurrence>,
    ) -> Result<Receipt, StoreError> {
        self.tell(once!(self, connection => signals::publish(connection, tenant, &event, &occurrences)))
    }

    async fn forget_deliveries(&self, received_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        read!(self, connection => deliveries::forget(connection, received_before, limit))
    }

    async fn api_event(&self, tenant: &TenantId, id: &str) -> Result<Option<ApiEvent>, StoreError> {
        read!(self, connection => signals::api_event(connection, tenant, id))
    }

    async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        once!(self, connection => signals::forget(connection, before))
    }

    async fn forget_executions(&self, ended_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        once!(self, connection => retention::forget(connection, ended_before, limit))
    }

    async fn processes_ended(&self, ended_before: Timestamp) -> Result<Vec<ProcessKey>, StoreError> {
        read!(self, connection => retention::processes_ended(connection, ended_before))
    }

    async fn note_archived(&self, process: &ProcessKey, now: Timestamp) -> Result<Timestamp, StoreError> {
        // Doing it twice is doing it once.
        read!(self, connection => retention::note_archived(connection, process, now))
    }

    async fn note_live(&self, process: &ProcessKey) -> Result<(), StoreError> {
        read!(self, connection => retention::note_live(connection, process))
    }

    async fn forget_executions_of(
        &self,
        process: &ProcessKey,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        once!(self, connection => retention::forget_of(connection, process, ended_before, limit))
    }

    async fn seen_head(&self, key: &BranchKey) -> Result<Option<SeenHead>, StoreError> {
        read!(self, connection => branches::seen(connection, key))
    }

    async fn see_head(&self, key: &BranchKey, stood: Option<&SeenHead>, commit: &str) -> Result<bool, StoreError> {
        once!(self, connection => branches::see(connection, key, stood, commit))
    }

    async fn claim_occurrences(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedOccurrence>, StoreError> {
        once!(self, connection => signals::claim(connection, owner, limit, now, lease_until))
    }

    async fn finish_occurrence(&self, occurrence: &ClaimedOccurrence, end: OccurrenceEnd) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => signals::finish(connection, occurrence, &end)))
    }

    async fn next_occurrence(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => signals::next_occurrence(connection))
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        read!(self, connection => signals::tenants(connection))
    }

    async fn repositories(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        read!(self, connection => signals::repositories(connection, tenant))
    }

    async fn schedule_handled(&self, key: &ScheduleKey, until: Timestamp) -> Result<Timestamp, StoreError> {
        once!(self, connection => signals::handled(connection, key, until))
    }

    async fn schedule_handled_until(&self, key: &ScheduleKey) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => signals::handled_until(connection, key))
    }

    async fn forget_schedules(
        &self,
        tenant: &TenantId,
        repository: &str,
        current: &[ScheduleKey],
    ) -> Result<u64, StoreError> {
        once!(self, connection => signals::forget_schedules(connection, tenant, repository, current))
    }

    async fn add_effects(&self, effects: Vec<NewEffect>) -> Result<(), StoreError> {
        if effects.is_empty() {
            return Ok(());
        }
        let effects: Vec<&NewEffect> = effects.iter().collect();
        self.tell(once!(self, connection => effects::add_alone(connection, &effects)))
    }

    async fn hasten_effect(&self, tenant: &TenantId, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => effects::hasten(connection, tenant, key, now)))
    }

    async fn claim_effects(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedEffect>, StoreError> {
        once!(self, connection => effects::claim(connection, owner, limit, now, lease_until))
    }

    async fn attempt_effect(&self, effect: &ClaimedEffect, owner: &str) -> Result<bool, StoreError> {
        once!(self, connection => effects::attempt(connection, effect, owner))
    }

    async fn renew_effect(
        &self,
        effect: &ClaimedEffect,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError> {
        // Doing it twice is doing it once.
        read!(self, connection => effects::renew(connection, effect, owner, lease_until))
    }

    async fn finish_effect(&self, effect: &ClaimedEffect, owner: &str, end: EffectEnd) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => effects::finish(connection, effect, owner, &end)))
    }

    async fn next_effect(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, connection => effects::next(connection))
    }

    async fn github_objects(&self, tenant: &TenantId, execution: ExecutionId) -> Result<GitHubObjects, StoreError> {
        read!(self, connection => github_objects::of(connection, tenant, execution))
    }

    async fn save_github_object(
        &self,
        tenant: &TenantId,
        execution: ExecutionId,
        object: GitHubObject,
    ) -> Result<(), StoreError> {
        once!(self, connection => github_objects::save(connection, tenant, execution, &object))
    }

    async fn executions_of(
        &self,
        tenant: &TenantId,
        repository: &str,
        number: Option<u64>,
        open_only: bool,
    ) -> Result<Vec<Execution>, StoreError> {
        read!(self, connection => queries::executions_of(connection, tenant, repository, number, open_only))
    }

    async fn list(
        &self,
        tenant: Option<&TenantId>,
        filter: &ExecutionFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Execution>, StoreError> {
        read!(self, connection => lists::executions(connection, tenant, filter, limit, cursor))
    }

    async fn tenant_of(&self, id: ExecutionId) -> Result<Option<TenantId>, StoreError> {
        read!(self, connection => lists::tenant_of_execution(connection, id))
    }

    async fn progress(&self, executions: &[ExecutionId]) -> Result<Vec<Progress>, StoreError> {
        read!(self, connection => lists::progress(connection, executions))
    }

    async fn approvals(
        &self,
        tenant: Option<&TenantId>,
        filter: &ApprovalFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Approval>, StoreError> {
        read!(self, connection => lists::approvals(connection, tenant, filter, limit, cursor))
    }

    async fn approval(&self, id: Uuid) -> Result<Option<Approval>, StoreError> {
        read!(self, connection => lists::approval_by_id(connection, id))
    }

    async fn pause(&self, process: PausedProcess) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => lists::pause(connection, &process, true)))
    }

    async fn unpause(&self, process: PausedProcess) -> Result<bool, StoreError> {
        self.tell(once!(self, connection => lists::pause(connection, &process, false)))
    }

    async fn paused(&self) -> Result<Vec<PausedProcess>, StoreError> {
        read!(self, connection => lists::paused(connection))
    }

    async fn server_key(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        once!(self, connection => lists::server_key(connection, name, &candidate))
    }

    async fn events(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        read!(self, connection => queries::events(connection, tenant, id, after_seq, limit))
    }

    async fn audit(&self, tenant: &TenantId, after: u64, limit: u32) -> Result<Vec<Sealed>, StoreError> {
        read!(self, connection => audit::read(connection, tenant, after, limit))
    }

    async fn audited_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        read!(self, connection => audit::tenants(connection))
    }

    async fn record(&self, tenant: &TenantId, entry: NewEntry) -> Result<(), StoreError> {
        once!(self, connection => audit::record(connection, tenant, &entry))
    }

    async fn upsert_installation(&self, installation: Installation) -> Result<(), StoreError> {
        self.tell(once!(self, connection => installations::upsert(connection, &installation)))
    }

    async fn installation(&self, tenant: &TenantId) -> Result<Option<Installation>, StoreError> {
        read!(self, connection => installations::of_tenant(connection, tenant))
    }

    async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        read!(self, connection => installations::all(connection))
    }

    async fn untold_events(&self, limit: u32) -> Result<Vec<UntoldEvents>, StoreError> {
        read!(self, connection => stream::untold(connection, limit))
    }

    async fn told_events(&self, positions: &[i64]) -> Result<(), StoreError> {
        // Doing it twice is doing it once.
        read!(self, connection => stream::told(connection, positions))
    }

    async fn take_lease(&self, name: &str, owner: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        read!(self, connection => stream::take_lease(connection, name, owner, now, until))
    }

    async fn end_lease(&self, name: &str, owner: &str) -> Result<(), StoreError> {
        once!(self, connection => stream::end_lease(connection, name, owner))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        read!(self, connection => queries::backlog(connection))
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.hints.subscribe()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        read!(self, connection => queries::ping(connection))
    }

    async fn migrations(&self) -> Result<Migrations, StoreError> {
        let applied = read!(self, connection => queries::applied(connection))?;
        Ok(Migrations { applied, known: newest() })
    }

    async fn close(&self) {
        self.hints.end();
        self.writers.close().await;
        self.connections.close().await;
    }
}
