//! The store on SQLite: one file, one writer that commits whatever has queued, a pool of readers. For one machine;
//! several processes may share the file. Only this room and its children know SQLite.

mod audit;
mod backup;
mod branches;
mod columns;
mod deliveries;
mod effects;
mod examine;
mod faults;
mod github_objects;
mod heard;
mod installations;
mod lists;
mod opening;
mod outputs;
mod queries;
mod retention;
mod signals;
mod spending;
mod standing;
mod stream;
mod transitions;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::watch;
use uuid::Uuid;

pub use self::backup::{BackedUp, BackupError, back_up, restore};
pub use self::examine::examine;
pub(super) use self::faults::passes;
use self::opening::{
    Alone, BUSY_TIMEOUT, MIGRATIONS, forget_leases, lock, make_private, migrate, newest, options, unopened, writing,
};
use self::writer::{Hint, Writer};
use super::payloads::Payloads;
use super::{
    ApiEvent, Approval, ApprovalFilter, Backlog, BranchKey, ClaimedDelivery, ClaimedEffect, ClaimedOccurrence,
    ClaimedWork, Committed, DeliveryEnd, DeliveryId, EffectEnd, ExecutionFilter, GitHubObject, GitHubObjects,
    Installation, Migrations, NewDelivery, NewEffect, NewOccurrence, OccurrenceEnd, Outputs, Page, PausedProcess,
    PendingSignal, ProcessKey, Progress, Receipt, ScheduleKey, SeenHead, Store, StoreError, Stored, StoredEvent,
    Transition, UntoldEvents,
};
use crate::audit::{NewEntry, Sealed};

/// Connections that read at the same time.
const READERS: u32 = 4;

/// The store on SQLite.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    changed: watch::Sender<u64>,
    outputs: outputs::Folder,
    /// Held while the store is open and this process's alone.
    alone: Mutex<Option<Alone>>,
}

/// What executions are read from.
#[derive(Debug, Clone, Copy)]
struct Reading<'s> {
    pool: &'s SqlitePool,
    /// The folder of what is kept apart.
    outputs: &'s Path,
}

impl SqliteStore {
    /// Opens the database for this process alone. Leases of processes before it are void: whoever held them is gone,
    /// so what they had claimed is taken up again at once.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; and where another process has the database to itself.
    pub async fn open_alone(url: &str) -> Result<Self, StoreError> {
        let lock = lock(options(url)?.get_filename())?;
        let store = Self::open(url).await?;
        store.writer.write(Hint::Tell, forget_leases).await?;
        Ok(Self { alone: Mutex::new(Some(lock)), ..store })
    }

    /// Opens the database at `url` (`sqlite://PATH`), makes it where it does not exist, and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// An address that names no file, a file that cannot be opened, a schema from a newer flowctl.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let path: PathBuf = options.get_filename().to_owned();
        let failed = |source| unopened(&path, source);
        make_private(&path);
        // Migrations replace tables that others refer to.
        let migrating = options.clone().foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&migrating).await.map_err(failed)?;
        migrate(&mut connection).await?;
        connection.close().await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().create_if_missing(false))
            .await
            .map_err(failed)?;
        let (changed, _) = watch::channel(0);
        let connection = writing(&path)?;
        let writer = Writer::start(connection, changed.clone())
            .map_err(|source| StoreError::Open { path: path.clone(), source: sqlx::Error::Io(source) })?;
        Ok(Self { writer, readers, changed, outputs: outputs::Folder::of(&path), alone: Mutex::default() })
    }

    fn reading(&self) -> Reading<'_> {
        Reading { pool: &self.readers, outputs: self.outputs.path() }
    }

    /// How many transactions were committed since the store was opened.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn receive(&self, delivery: NewDelivery) -> Result<Receipt, StoreError> {
        self.writer.write(Hint::Tell, move |connection| deliveries::receive(connection, &delivery)).await
    }

    async fn claim_deliveries(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let owner = owner.to_owned();
        self.writer
            .write(Hint::Quiet, move |connection| deliveries::claim(connection, &owner, limit, now, lease_until))
            .await
    }

    async fn renew_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, owner) = (id.clone(), owner.to_owned());
        self.writer
            .write(Hint::Quiet, move |connection| deliveries::renew(connection, &id, attempts, &owner, lease_until))
            .await
    }

    async fn finish_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        end: DeliveryEnd,
    ) -> Result<bool, StoreError> {
        let (id, owner) = (id.clone(), owner.to_owned());
        self.writer
            .write(Hint::Tell, move |connection| deliveries::finish(connection, &id, attempts, &owner, end))
            .await
    }

    async fn commit(&self, transition: Transition) -> Result<Committed, StoreError> {
        let mut large = Payloads::new();
        let prepared = transitions::Prepared::new(transition, &mut large)?;
        if !large.is_empty() {
            self.keep_payloads(large, prepared.at()).await?;
        }
        self.writer.write(Hint::Tell, move |connection| transitions::commit(connection, prepared)).await
    }

    async fn load(&self, tenant: &TenantId, id: ExecutionId) -> Result<Option<Stored>, StoreError> {
        queries::load(self.reading(), tenant, id).await
    }

    async fn by_start_key(&self, tenant: &TenantId, key: &str) -> Result<Option<ExecutionId>, StoreError> {
        queries::by_start_key(&self.readers, tenant, key).await
    }

    async fn knows_word(&self, tenant: &TenantId, word: &str) -> Result<bool, StoreError> {
        queries::knows_word(&self.readers, tenant, word).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<(TenantId, ExecutionId)>, StoreError> {
        queries::due(&self.readers, now, limit).await
    }

    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        queries::next_wake(&self.readers).await
    }

    async fn postpone(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        version: u64,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(Hint::Quiet, move |connection| transitions::postpone(connection, &tenant, id, version, until))
            .await
    }

    async fn claim_work_but(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
        sated: &[ExecutionId],
    ) -> Result<Vec<ClaimedWork>, StoreError> {
        let (owner, sated) = (owner.to_owned(), sated.to_vec());
        let claim = move |connection: &_| work::claim(connection, &owner, limit, (now, lease_until), &sated);
        self.writer.write(Hint::Quiet, claim).await
    }

    async fn next_work(&self) -> Result<Option<Timestamp>, StoreError> {
        work::next(&self.readers).await
    }

    async fn renew_work(&self, work: &ClaimedWork, owner: &str, lease_until: Timestamp) -> Result<bool, StoreError> {
        let (work, owner) = (work.clone(), owner.to_owned());
        self.writer.write(Hint::Quiet, move |connection| work::renew(connection, &work, &owner, lease_until)).await
    }

    async fn finish_work(&self, work: &ClaimedWork, owner: &str) -> Result<bool, StoreError> {
        let (work, owner) = (work.clone(), owner.to_owned());
        self.writer.write(Hint::Tell, move |connection| work::finish(connection, &work, &owner)).await
    }

    async fn release_work(&self, work: &ClaimedWork, owner: &str, until: Timestamp) -> Result<bool, StoreError> {
        let (work, owner) = (work.clone(), owner.to_owned());
        self.writer.write(Hint::Quiet, move |connection| work::release(connection, &work, &owner, until)).await
    }

    async fn signals(&self, now: Timestamp, limit: u32) -> Result<Vec<PendingSignal>, StoreError> {
        signals::due(&self.readers, now, limit).await
    }

    async fn next_signal(&self) -> Result<Option<Timestamp>, StoreError> {
        signals::next(&self.readers).await
    }

    async fn drop_signals(&self, ids: &[i64]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.writer.write(Hint::Tell, move |connection| signals::drop(connection, &ids)).await
    }

    async fn postpone_signal(&self, id: i64, until: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Hint::Quiet, move |connection| signals::postpone(connection, id, until)).await
    }

    async fn publish(
        &self,
        tenant: &TenantId,
        event: ApiEvent,
        occurrences: Vec<NewOccurrence>,
    ) -> Result<Receipt, StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(Hint::Tell, move |connection| signals::publish(connection, &tenant, &event, &occurrences))
            .await
    }

    async fn forget_deliveries(&self, received_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer.write(Hint::Quiet, move |connection| deliveries::forget(connection, received_before, limit)).await
    }

    async fn api_event(&self, tenant: &TenantId, id: &str) -> Result<Option<ApiEvent>, StoreError> {
        signals::api_event(&self.readers, tenant, id).await
    }

    async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(Hint::Quiet, move |connection| signals::forget(connection, before)).await
    }

    async fn forget_executions(&self, ended_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer.write(Hint::Quiet, move |connection| retention::forget(connection, ended_before, limit)).await
    }

    async fn processes_ended(&self, ended_before: Timestamp) -> Result<Vec<ProcessKey>, StoreError> {
        retention::processes_ended(&self.readers, ended_before).await
    }

    async fn note_archived(&self, process: &ProcessKey, now: Timestamp) -> Result<Timestamp, StoreError> {
        let process = process.clone();
        self.writer.write(Hint::Quiet, move |connection| retention::note_archived(connection, &process, now)).await
    }

    async fn note_live(&self, process: &ProcessKey) -> Result<(), StoreError> {
        let process = process.clone();
        self.writer.write(Hint::Quiet, move |connection| retention::note_live(connection, &process)).await
    }

    async fn forget_executions_of(
        &self,
        process: &ProcessKey,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let process = process.clone();
        self.writer
            .write(Hint::Quiet, move |connection| retention::forget_of(connection, &process, ended_before, limit))
            .await
    }

    async fn seen_head(&self, key: &BranchKey) -> Result<Option<SeenHead>, StoreError> {
        branches::seen(&self.readers, key).await
    }

    async fn see_head(&self, key: &BranchKey, stood: Option<&SeenHead>, commit: &str) -> Result<bool, StoreError> {
        let (key, stood, commit) = (key.clone(), stood.cloned(), commit.to_owned());
        self.writer.write(Hint::Quiet, move |connection| branches::see(connection, &key, stood.as_ref(), &commit)).await
    }

    async fn claim_occurrences(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedOccurrence>, StoreError> {
        let owner = owner.to_owned();
        self.writer
            .write(Hint::Quiet, move |connection| signals::claim(connection, &owner, limit, now, lease_until))
            .await
    }

    async fn finish_occurrence(&self, occurrence: &ClaimedOccurrence, end: OccurrenceEnd) -> Result<bool, StoreError> {
        let occurrence = occurrence.clone();
        self.writer.write(Hint::Tell, move |connection| signals::finish(connection, &occurrence, &end)).await
    }

    async fn next_occurrence(&self) -> Result<Option<Timestamp>, StoreError> {
        signals::next_occurrence(&self.readers).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        signals::tenants(&self.readers).await
    }

    async fn repositories(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        signals::repositories(&self.readers, tenant).await
    }

    async fn schedule_handled(&self, key: &ScheduleKey, until: Timestamp) -> Result<Timestamp, StoreError> {
        let key = key.clone();
        self.writer.write(Hint::Quiet, move |connection| signals::handled(connection, &key, until)).await
    }

    async fn schedule_handled_until(&self, key: &ScheduleKey) -> Result<Option<Timestamp>, StoreError> {
        signals::handled_until(&self.readers, key).await
    }

    async fn forget_schedules(
        &self,
        tenant: &TenantId,
        repository: &str,
        current: &[ScheduleKey],
    ) -> Result<u64, StoreError> {
        let (tenant, repository, current) = (tenant.clone(), repository.to_owned(), current.to_vec());
        let forget = move |connection: &_| signals::forget_schedules(connection, &tenant, &repository, &current);
        self.writer.write(Hint::Quiet, forget).await
    }

    async fn add_effects(&self, effects: Vec<NewEffect>) -> Result<(), StoreError> {
        self.writer.write(Hint::Tell, move |connection| effects::add(connection, effects)).await
    }

    async fn hasten_effect(&self, tenant: &TenantId, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (tenant, key) = (tenant.clone(), key.to_owned());
        self.writer.write(Hint::Tell, move |connection| effects::hasten(connection, &tenant, &key, now)).await
    }

    async fn claim_effects(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedEffect>, StoreError> {
        let owner = owner.to_owned();
        self.writer
            .write(Hint::Quiet, move |connection| effects::claim(connection, &owner, limit, now, lease_until))
            .await
    }

    async fn attempt_effect(&self, effect: &ClaimedEffect, owner: &str) -> Result<bool, StoreError> {
        let (id, claims, owner) = (effect.id, effect.claims, owner.to_owned());
        self.writer.write(Hint::Quiet, move |connection| effects::attempt(connection, id, &owner, claims)).await
    }

    async fn renew_effect(
        &self,
        effect: &ClaimedEffect,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, claims, owner) = (effect.id, effect.claims, owner.to_owned());
        self.writer
            .write(Hint::Quiet, move |connection| effects::renew(connection, id, &owner, claims, lease_until))
            .await
    }

    async fn finish_effect(&self, effect: &ClaimedEffect, owner: &str, end: EffectEnd) -> Result<bool, StoreError> {
        let (effect, owner) = (effect.clone(), owner.to_owned());
        self.writer.write(Hint::Tell, move |connection| effects::finish(connection, &effect, &owner, &end)).await
    }

    async fn next_effect(&self) -> Result<Option<Timestamp>, StoreError> {
        effects::next(&self.readers).await
    }

    async fn github_objects(&self, tenant: &TenantId, execution: ExecutionId) -> Result<GitHubObjects, StoreError> {
        github_objects::of(&self.readers, tenant, execution).await
    }

    async fn save_github_object(
        &self,
        tenant: &TenantId,
        execution: ExecutionId,
        object: GitHubObject,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(Hint::Quiet, move |connection| github_objects::save(connection, &tenant, execution, &object))
            .await
    }

    async fn executions_of(
        &self,
        tenant: &TenantId,
        repository: &str,
        number: Option<u64>,
        open_only: bool,
    ) -> Result<Vec<Execution>, StoreError> {
        queries::executions_of(self.reading(), tenant, repository, number, open_only).await
    }

    async fn list(
        &self,
        tenant: Option<&TenantId>,
        filter: &ExecutionFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Execution>, StoreError> {
        lists::executions(self.reading(), tenant, filter, limit, cursor).await
    }

    async fn tenant_of(&self, id: ExecutionId) -> Result<Option<TenantId>, StoreError> {
        lists::tenant_of_execution(&self.readers, id).await
    }

    async fn progress(&self, executions: &[ExecutionId]) -> Result<Vec<Progress>, StoreError> {
        lists::progress(&self.readers, executions).await
    }

    async fn approvals(
        &self,
        tenant: Option<&TenantId>,
        filter: &ApprovalFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Approval>, StoreError> {
        lists::approvals(&self.readers, tenant, filter, limit, cursor).await
    }

    async fn approval(&self, id: Uuid) -> Result<Option<Approval>, StoreError> {
        lists::approval_by_id(&self.readers, id).await
    }

    async fn pause(&self, process: PausedProcess) -> Result<bool, StoreError> {
        self.writer.write(Hint::Tell, move |connection| lists::pause(connection, &process, true)).await
    }

    async fn unpause(&self, process: PausedProcess) -> Result<bool, StoreError> {
        self.writer.write(Hint::Tell, move |connection| lists::pause(connection, &process, false)).await
    }

    async fn paused(&self) -> Result<Vec<PausedProcess>, StoreError> {
        lists::paused(&self.readers).await
    }

    async fn server_key(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let name = name.to_owned();
        self.writer.write(Hint::Quiet, move |connection| lists::server_key(connection, &name, &candidate)).await
    }

    async fn events(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        queries::events(self.reading(), tenant, id, after_seq, limit).await
    }

    async fn audit(&self, tenant: &TenantId, after: u64, limit: u32) -> Result<Vec<Sealed>, StoreError> {
        audit::read(&self.readers, tenant, after, limit).await
    }

    async fn audited_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        audit::tenants(&self.readers).await
    }

    async fn record(&self, tenant: &TenantId, entry: NewEntry) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer.write(Hint::Quiet, move |connection| audit::append(connection, &tenant, &[entry])).await
    }

    async fn upsert_installation(&self, installation: Installation) -> Result<(), StoreError> {
        self.writer.write(Hint::Tell, move |connection| installations::upsert(connection, &installation)).await
    }

    async fn installation(&self, tenant: &TenantId) -> Result<Option<Installation>, StoreError> {
        installations::of_tenant(&self.readers, tenant).await
    }

    async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        installations::all(&self.readers).await
    }

    async fn untold_events(&self, limit: u32) -> Result<Vec<UntoldEvents>, StoreError> {
        stream::untold(self.reading(), limit).await
    }

    async fn told_events(&self, positions: &[i64]) -> Result<(), StoreError> {
        let positions = positions.to_vec();
        self.writer.write(Hint::Quiet, move |connection| stream::told(connection, &positions)).await
    }

    async fn take_lease(&self, name: &str, owner: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.writer
            .write(Hint::Quiet, move |connection| stream::take_lease(connection, &name, &owner, now, until))
            .await
    }

    async fn end_lease(&self, name: &str, owner: &str) -> Result<(), StoreError> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.writer.write(Hint::Quiet, move |connection| stream::end_lease(connection, &name, &owner)).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        queries::backlog(&self.readers).await
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn outputs(&self) -> Option<&dyn Outputs> {
        Some(self)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        queries::ping(&self.readers).await?;
        self.writer.write(Hint::Quiet, |_| Ok(())).await
    }

    async fn migrations(&self) -> Result<Migrations, StoreError> {
        Ok(Migrations { applied: queries::applied(&self.readers).await?, known: newest() })
    }

    async fn broken(&self) -> StoreError {
        self.writer.broken().await
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
        // Whoever still holds the store can do nothing with it: the next process need not wait for them.
        self.alone.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
