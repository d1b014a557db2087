//! The durable truth: executions with their events, and three queues (deliveries, work, effects), behind one trait.
//! SQL lives in the back ends only. Nothing here decides what an execution does or what GitHub is told.

mod approval;
mod archived;
mod backlog;
mod branch;
mod columns;
mod delivery;
mod effect;
mod error;
mod examination;
mod execution;
mod github_object;
mod heard;
mod installation;
mod listing;
mod measures;
mod outputs;
mod payloads;
pub mod postgres;
mod signal;
mod spending;
pub mod sqlite;
mod standing;
mod states;
mod stream;
mod work;

#[cfg(test)]
pub(crate) mod conformance;

use async_trait::async_trait;
use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::audit::{NewEntry, Sealed};

pub use approval::{Approval, ApprovalFilter, ApprovalStatus, approval_id};
pub use archived::ProcessKey;
pub use backlog::Backlog;
pub use branch::{BranchKey, SeenHead};
pub use delivery::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Receipt};
pub use effect::{ClaimedEffect, EffectEnd, NewEffect};
pub use error::StoreError;
pub use examination::Examination;
pub use execution::{Committed, ExecutionFilter, Page, PausedProcess, Progress, Stored, StoredEvent, Transition};
pub use github_object::{CheckRunRow, GitHubObject, GitHubObjects};
pub use heard::{Heard, HeardStore, RepositoryCalled};
pub use installation::Installation;
pub use outputs::{Outputs, digest};
pub use postgres::PostgresStore;
pub(in crate::store) use signal::MAX_LOOK_BACK;
pub use signal::{ApiEvent, ClaimedOccurrence, NewOccurrence, NewSignal, OccurrenceEnd, PendingSignal, ScheduleKey};
pub use spending::{Charge, OverBudget, SpendingStore, Spent};
pub use sqlite::SqliteStore;
pub use standing::{NamedStanding, Standing, StandingStore};
pub(in crate::store) use stream::MAX_COUNTED;
pub use stream::UntoldEvents;
pub use work::{Claim, ClaimedWork, Held, Work};

/// The store. Every method that changes something returns after it is durable.
///
/// A *lease* is a claim with an end: until then nobody else gets what was claimed, and after it anybody does. Who
/// comes back too late, when somebody else has it, is told `false` and has changed nothing.
#[async_trait]
pub trait Store: HeardStore + SpendingStore + StandingStore {
    /// Puts a webhook into the inbox, once per delivery id. One that had failed is taken up again when GitHub
    /// redelivers it.
    async fn receive(&self, delivery: NewDelivery) -> Result<Receipt, StoreError>;

    /// Claims up to `limit` deliveries, oldest first, of each ordering key the oldest unfinished one and no other.
    async fn claim_deliveries(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError>;

    /// Extends the lease of a delivery; `false` where this claim of `owner`'s no longer holds. `attempts` is the claim's
    /// epoch.
    async fn renew_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Says how a claimed delivery ended; whether this claim of `owner`'s still held. `attempts` is the claim's epoch.
    async fn finish_delivery(
        &self,
        id: &DeliveryId,
        attempts: u32,
        owner: &str,
        end: DeliveryEnd,
    ) -> Result<bool, StoreError>;

    /// Stores a transition with all that follows from it, or nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the execution is no longer at the expected version, [`StoreError::WordKnown`]
    /// where the word was recorded before, [`StoreError::SignalTaken`] where the signal was, [`StoreError::Fenced`] where
    /// the claim that it is made under is somebody else's by now.
    async fn commit(&self, transition: Transition) -> Result<Committed, StoreError>;

    /// An execution as it stands.
    async fn load(&self, tenant: &TenantId, id: ExecutionId) -> Result<Option<Stored>, StoreError>;

    /// The execution that was started with this key.
    async fn by_start_key(&self, tenant: &TenantId, key: &str) -> Result<Option<ExecutionId>, StoreError>;

    /// Whether a word was recorded.
    async fn knows_word(&self, tenant: &TenantId, word: &str) -> Result<bool, StoreError>;

    /// Executions that something is due for by `now`, longest due first. A pending one is due from its creation.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<(TenantId, ExecutionId)>, StoreError>;

    /// When the next execution becomes due, be it in the past.
    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Puts off what is due for an execution, without changing its state: for one that cannot go on now. Nothing
    /// happens where the version has moved.
    async fn postpone(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        version: u64,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Claims up to `limit` attempts, oldest first.
    async fn claim_work(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedWork>, StoreError> {
        self.claim_work_but(owner, limit, now, lease_until, &[]).await
    }

    /// The same, leaving those of these executions.
    async fn claim_work_but(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
        sated: &[ExecutionId],
    ) -> Result<Vec<ClaimedWork>, StoreError>;

    /// When the next attempt may be claimed, be it in the past; nothing where there is none. One that nobody has may
    /// be claimed from the beginning of time.
    async fn next_work(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Extends the lease of an attempt; `false` where it is no longer this claim's: it was taken over, or its step
    /// is no longer running.
    async fn renew_work(&self, work: &ClaimedWork, owner: &str, lease_until: Timestamp) -> Result<bool, StoreError>;

    /// Drops an attempt that is not to be performed. A commit does so by itself where the step stopped running.
    async fn finish_work(&self, work: &ClaimedWork, owner: &str) -> Result<bool, StoreError>;

    /// Gives an attempt back, to be claimed again not before `until`.
    async fn release_work(&self, work: &ClaimedWork, owner: &str, until: Timestamp) -> Result<bool, StoreError>;

    /// Signals that executions have not taken yet and that may be by `now`: of each execution the oldest.
    async fn signals(&self, now: Timestamp, limit: u32) -> Result<Vec<PendingSignal>, StoreError>;

    /// When the next signal may be taken, be it in the past.
    async fn next_signal(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Drops a signal from which nothing follows.
    async fn drop_signal(&self, id: i64) -> Result<(), StoreError> {
        self.drop_signals(&[id]).await
    }

    /// Drops signals from which nothing follows, in one go.
    async fn drop_signals(&self, ids: &[i64]) -> Result<(), StoreError>;

    /// Puts a signal off that cannot be taken now; those behind it to the same execution wait with it.
    async fn postpone_signal(&self, id: i64, until: Timestamp) -> Result<(), StoreError>;

    /// Records an event, once per id, together with what may start because of it; every execution that waits for one of
    /// this name is told.
    async fn publish(
        &self,
        tenant: &TenantId,
        event: ApiEvent,
        occurrences: Vec<NewOccurrence>,
    ) -> Result<Receipt, StoreError>;

    /// An event that was given to the API, as it was recorded.
    async fn api_event(&self, tenant: &TenantId, id: &str) -> Result<Option<ApiEvent>, StoreError>;

    /// Forgets events that came before this moment, but for those that somebody is still to be told of; how many.
    async fn forget_events(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Forgets up to `limit` executions that ended before this moment, the oldest first, with everything that is kept of
    /// them: events, words, start keys, what stands on GitHub. How many.
    async fn forget_executions(&self, ended_before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// The processes that have executions which ended before this moment.
    async fn processes_ended(&self, ended_before: Timestamp) -> Result<Vec<ProcessKey>, StoreError>;

    /// Keeps in mind that a process is archived; gives since when that is known, which is `now` where it is new.
    async fn note_archived(&self, process: &ProcessKey, now: Timestamp) -> Result<Timestamp, StoreError>;

    /// A process is not archived, or not any more.
    async fn note_live(&self, process: &ProcessKey) -> Result<(), StoreError>;

    /// The same as [`Store::forget_executions`] of one process alone.
    async fn forget_executions_of(
        &self,
        process: &ProcessKey,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Forgets deliveries that were received before this moment and are done with, looking at no more than `limit` of the
    /// oldest; how many. One that comes again after that counts as new.
    async fn forget_deliveries(&self, received_before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Claims up to `limit` occurrences, those due longest first.
    async fn claim_occurrences(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedOccurrence>, StoreError>;

    /// Says how dealing with a claimed occurrence ended; whether the claim still held.
    async fn finish_occurrence(&self, occurrence: &ClaimedOccurrence, end: OccurrenceEnd) -> Result<bool, StoreError>;

    /// When the next occurrence may be claimed, be it in the past; one that somebody has, when the lease ends.
    async fn next_occurrence(&self) -> Result<Option<Timestamp>, StoreError>;

    /// The tenants that have repositories.
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// The repositories of a tenant that something was heard of: a delivery, an execution.
    async fn repositories(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError>;

    /// Records that the slots of a time table up to this moment have been dealt with, which never goes back; gives the
    /// moment that stands then.
    async fn schedule_handled(&self, key: &ScheduleKey, until: Timestamp) -> Result<Timestamp, StoreError>;

    /// Up to when the slots of a time table have been dealt with; nothing for one that is new.
    async fn schedule_handled_until(&self, key: &ScheduleKey) -> Result<Option<Timestamp>, StoreError>;

    /// Forgets the time tables of a repository that are not among these; how many. One that comes back is new.
    async fn forget_schedules(
        &self,
        tenant: &TenantId,
        repository: &str,
        current: &[ScheduleKey],
    ) -> Result<u64, StoreError>;

    /// Where a branch stood when it was last looked at; nothing for one that is new.
    async fn seen_head(&self, key: &BranchKey) -> Result<Option<SeenHead>, StoreError>;

    /// Records where a branch stands now; `false` where it does not stand any more where it stood.
    async fn see_head(&self, key: &BranchKey, stood: Option<&SeenHead>, commit: &str) -> Result<bool, StoreError>;

    /// Adds effects that belong to no transition.
    async fn add_effects(&self, effects: Vec<NewEffect>) -> Result<(), StoreError>;

    /// Has an effect that waits for its time told now; whether there is one. Nothing happens to one that somebody has.
    async fn hasten_effect(&self, tenant: &TenantId, key: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Claims up to `limit` effects by priority and age, at most one per tenant, and none of a tenant that has one under
    /// lease: writes to GitHub are serial, also where some were queued for an installation that another one has followed.
    async fn claim_effects(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedEffect>, StoreError>;

    /// Records that the effect is about to be written, so that whoever takes it over knows that it may have been.
    /// `false` where this claim of `owner`'s no longer holds: then it must not write.
    async fn attempt_effect(&self, effect: &ClaimedEffect, owner: &str) -> Result<bool, StoreError>;

    /// Extends the lease of an effect; `false` where this claim of `owner`'s no longer holds.
    async fn renew_effect(
        &self,
        effect: &ClaimedEffect,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Says how a claimed effect ended; whether this claim of `owner`'s still held. If a newer payload came meanwhile (its
    /// generation is higher), the effect stays to be done.
    async fn finish_effect(&self, effect: &ClaimedEffect, owner: &str, end: EffectEnd) -> Result<bool, StoreError>;

    /// When the next effect that nobody has may be claimed, be it in the past.
    async fn next_effect(&self) -> Result<Option<Timestamp>, StoreError>;

    /// What stands on GitHub for an execution.
    async fn github_objects(&self, tenant: &TenantId, execution: ExecutionId) -> Result<GitHubObjects, StoreError>;

    /// Records what stands on GitHub for an execution: its comment, or a check run by its `seq`.
    async fn save_github_object(
        &self,
        tenant: &TenantId,
        execution: ExecutionId,
        object: GitHubObject,
    ) -> Result<(), StoreError>;

    /// The executions of a repository, those of one pull request or issue where `number` is given, oldest first.
    async fn executions_of(
        &self,
        tenant: &TenantId,
        repository: &str,
        number: Option<u64>,
        open_only: bool,
    ) -> Result<Vec<Execution>, StoreError>;

    /// Executions, newest first; of every tenant (for administrators) where none is given. A page looks at a bounded
    /// number of executions: it may hold fewer than `limit`, or none, and still have a next one.
    ///
    /// # Errors
    /// [`StoreError::WrongCursor`] where the cursor is none that an earlier page gave.
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        filter: &ExecutionFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Execution>, StoreError>;

    /// Whose an execution is: for administrators, who see every tenant's.
    async fn tenant_of(&self, id: ExecutionId) -> Result<Option<TenantId>, StoreError>;

    /// How far executions of any tenant have got, in no order; those that do not exist are left out.
    async fn progress(&self, executions: &[ExecutionId]) -> Result<Vec<Progress>, StoreError>;

    /// Questions to people, newest first; of every tenant (for administrators) where none is given.
    ///
    /// # Errors
    /// [`StoreError::WrongCursor`] where the cursor is none that an earlier page gave.
    async fn approvals(
        &self,
        tenant: Option<&TenantId>,
        filter: &ApprovalFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Approval>, StoreError>;

    /// A question to people, of any tenant.
    async fn approval(&self, id: Uuid) -> Result<Option<Approval>, StoreError>;

    /// Has a process start nothing from now on; whether that is new.
    async fn pause(&self, process: PausedProcess) -> Result<bool, StoreError>;

    /// Has a paused process start again; whether it was paused.
    async fn unpause(&self, process: PausedProcess) -> Result<bool, StoreError>;

    /// Every paused process, by tenant, repository and name.
    async fn paused(&self) -> Result<Vec<PausedProcess>, StoreError>;

    /// The key of this name, which every server of this database shares; `candidate` becomes it where there is none.
    async fn server_key(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// The events of an execution with a `seq` above `after_seq`, in order.
    async fn events(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// The audit log of a tenant behind entry `after`, in order.
    async fn audit(&self, tenant: &TenantId, after: u64, limit: u32) -> Result<Vec<Sealed>, StoreError>;

    /// The tenants that have an audit log, by name.
    async fn audited_tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// Puts an entry into a tenant's audit log that belongs to no transition.
    async fn record(&self, tenant: &TenantId, entry: NewEntry) -> Result<(), StoreError>;

    /// Records an installation of the App, or what became of it.
    async fn upsert_installation(&self, installation: Installation) -> Result<(), StoreError>;

    /// The tenant's installation: the newest one that is not deleted, else the newest.
    async fn installation(&self, tenant: &TenantId) -> Result<Option<Installation>, StoreError>;

    /// Every installation, by id.
    async fn installations(&self) -> Result<Vec<Installation>, StoreError>;

    /// Transitions whose events the event stream has not been told of, those of one execution in order, the oldest
    /// first; up to `limit`.
    async fn untold_events(&self, limit: u32) -> Result<Vec<UntoldEvents>, StoreError>;

    /// The stream was told of the transitions at these positions.
    async fn told_events(&self, positions: &[i64]) -> Result<(), StoreError>;

    /// Takes or extends the right to do what `name` names, which one owner has at a time; whether it is `owner`'s now.
    async fn take_lease(&self, name: &str, owner: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Gives the right back before its end; nothing happens where it is somebody else's.
    async fn end_lease(&self, name: &str, owner: &str) -> Result<(), StoreError>;

    /// How much there is to do.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Changes whenever there may be something new to do or to show. A hint only: it may come too often, and changes
    /// of other processes may go unnoticed; polls are the truth.
    fn subscribe(&self) -> watch::Receiver<u64>;

    /// Where large outputs are kept; nothing: they stay in the events.
    fn outputs(&self) -> Option<&dyn Outputs> {
        None
    }

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Up to which migration the schema stands.
    async fn migrations(&self) -> Result<Migrations, StoreError>;

    /// Waits until what was written may not have been kept, and gives why. Nothing more is stored then: whoever has the
    /// store ends, without closing it, and is started again. Never ends where a store finds out about that by itself.
    async fn broken(&self) -> StoreError {
        std::future::pending().await
    }

    /// Finishes what was asked for and lets the database go. Whatever comes later gets [`StoreError::Closed`].
    async fn close(&self);
}

/// How far a schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrations {
    /// The newest migration that was applied; 0 where none was.
    pub applied: i64,
    /// The newest one that this version knows.
    pub known: i64,
}
