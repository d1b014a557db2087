//! The store as one server sees it: the real one, which all servers of a story share, behind a server that may die before or
//! after anything is stored, stand still in the middle of it, or find the database busy. What a server knew and had not
//! stored is gone with it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flowctl_core::execution::budget::Month;
use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use rusqlite::{Error, ffi};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;
use uuid::Uuid;

use crate::chance::Chance;
use flowctl_app::audit::{NewEntry, Sealed};
use flowctl_app::store::*;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Goes,
    /// It does nothing until it goes on, and does not know that time has passed.
    StandsStill,
    Dead,
}

/// What all servers of a story share.
#[derive(Clone)]
pub struct Shared {
    pub store: Arc<SqliteStore>,
    /// Where the database does its work. The story stands still meanwhile: its clock is moved by nothing but the story.
    pub disk: Handle,
    pub changed: watch::Sender<u64>,
    pub chance: Arc<Mutex<Chance>>,
    /// Whether anything goes wrong.
    pub trouble: watch::Sender<bool>,
}

/// The store of one server.
pub struct Passing {
    pub shared: Shared,
    pub life: watch::Sender<Life>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reads,
    Writes,
}

/// Once in so many calls.
const DIES: usize = 250;
const IS_BUSY: usize = 80;

impl Passing {
    fn happens(&self, once_in: usize) -> bool {
        *self.shared.trouble.borrow() && self.shared.chance.lock().unwrap().once_in(once_in)
    }

    /// Nothing is done any more where the server is dead.
    async fn goes(&self) {
        let _ = self.life.subscribe().wait_for(|life| *life == Life::Goes).await;
    }

    async fn may_die(&self) {
        if self.happens(DIES) {
            self.life.send_replace(Life::Dead);
        }
        self.goes().await;
    }

    async fn pass<T: Send>(
        &self,
        kind: Kind,
        operation: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.goes().await;
        if kind == Kind::Writes {
            self.may_die().await;
        }
        if self.happens(IS_BUSY) {
            let busy = ffi::Error::new(ffi::SQLITE_BUSY);
            return Err(StoreError::Sqlite(Arc::new(Error::SqliteFailure(busy, None))));
        }
        let disk = &self.shared.disk;
        let done = std::thread::scope(|scope| scope.spawn(|| disk.block_on(operation)).join()).unwrap();
        if kind == Kind::Writes {
            self.may_die().await;
            if done.is_ok() {
                self.shared.changed.send_modify(|changes| *changes += 1);
            }
        }
        done
    }
}

macro_rules! passed_on {
    ($trait:ident of $inner:ident {
        $($kind:ident $name:ident($($argument:ident: $type:ty),*) -> $given:ty;)*
    } $($rest:tt)*) => {
        #[async_trait]
        impl $trait for Passing {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$given, StoreError> {
                self.pass(passed_on!(@$kind), self.shared.$inner.$name($($argument),*)).await
            })*
            $($rest)*
        }
    };
    (@reads) => { Kind::Reads };
    (@writes) => { Kind::Writes };
}

passed_on! { Store of store {
    writes receive(delivery: NewDelivery) -> Receipt;
    writes claim_deliveries(owner: &str, limit: u32, now: Timestamp, lease_until: Timestamp) -> Vec<ClaimedDelivery>;
    writes renew_delivery(id: &DeliveryId, attempts: u32, owner: &str, lease_until: Timestamp) -> bool;
    writes finish_delivery(id: &DeliveryId, attempts: u32, owner: &str, end: DeliveryEnd) -> bool;
    writes commit(transition: Transition) -> Committed;
    reads load(tenant: &TenantId, id: ExecutionId) -> Option<Stored>;
    reads by_start_key(tenant: &TenantId, key: &str) -> Option<ExecutionId>;
    reads knows_word(tenant: &TenantId, word: &str) -> bool;
    reads due(now: Timestamp, limit: u32) -> Vec<(TenantId, ExecutionId)>;
    reads next_wake() -> Option<Timestamp>;
    writes postpone(tenant: &TenantId, id: ExecutionId, version: u64, until: Timestamp) -> ();
    writes claim_work_but(owner: &str, limit: u32, now: Timestamp, lease_until: Timestamp, sated: &[ExecutionId]) -> Vec<ClaimedWork>;
    reads next_work() -> Option<Timestamp>;
    writes renew_work(work: &ClaimedWork, owner: &str, lease_until: Timestamp) -> bool;
    writes finish_work(work: &ClaimedWork, owner: &str) -> bool;
    writes release_work(work: &ClaimedWork, owner: &str, until: Timestamp) -> bool;
    reads signals(now: Timestamp, limit: u32) -> Vec<PendingSignal>;
    reads next_signal() -> Option<Timestamp>;
    writes drop_signals(ids: &[i64]) -> ();
    writes postpone_signal(id: i64, until: Timestamp) -> ();
    writes publish(tenant: &TenantId, event: ApiEvent, occurrences: Vec<NewOccurrence>) -> Receipt;
    reads api_event(tenant: &TenantId, id: &str) -> Option<ApiEvent>;
    writes forget_events(before: Timestamp) -> u64;
    writes forget_executions(ended_before: Timestamp, limit: u32) -> u64;
    reads processes_ended(ended_before: Timestamp) -> Vec<ProcessKey>;
    writes note_archived(process: &ProcessKey, now: Timestamp) -> Timestamp;
    writes note_live(process: &ProcessKey) -> ();
    writes forget_executions_of(process: &ProcessKey, ended_before: Timestamp, limit: u32) -> u64;
    writes forget_deliveries(received_before: Timestamp, limit: u32) -> u64;
    writes claim_occurrences(owner: &str, limit: u32, now: Timestamp, lease_until: Timestamp) -> Vec<ClaimedOccurrence>;
    writes finish_occurrence(occurrence: &ClaimedOccurrence, end: OccurrenceEnd) -> bool;
    reads next_occurrence() -> Option<Timestamp>;
    reads tenants() -> Vec<TenantId>;
    reads repositories(tenant: &TenantId) -> Vec<String>;
    writes schedule_handled(key: &ScheduleKey, until: Timestamp) -> Timestamp;
    reads schedule_handled_until(key: &ScheduleKey) -> Option<Timestamp>;
    writes forget_schedules(tenant: &TenantId, repository: &str, current: &[ScheduleKey]) -> u64;
    reads seen_head(key: &BranchKey) -> Option<SeenHead>;
    writes see_head(key: &BranchKey, stood: Option<&SeenHead>, commit: &str) -> bool;
    writes add_effects(effects: Vec<NewEffect>) -> ();
    writes hasten_effect(tenant: &TenantId, key: &str, now: Timestamp) -> bool;
    writes claim_effects(owner: &str, limit: u32, now: Timestamp, lease_until: Timestamp) -> Vec<ClaimedEffect>;
    writes attempt_effect(effect: &ClaimedEffect, owner: &str) -> bool;
    writes renew_effect(effect: &ClaimedEffect, owner: &str, lease_until: Timestamp) -> bool;
    writes finish_effect(effect: &ClaimedEffect, owner: &str, end: EffectEnd) -> bool;
    reads next_effect() -> Option<Timestamp>;
    reads github_objects(tenant: &TenantId, execution: ExecutionId) -> GitHubObjects;
    writes save_github_object(tenant: &TenantId, execution: ExecutionId, object: GitHubObject) -> ();
    reads executions_of(tenant: &TenantId, repository: &str, number: Option<u64>, open_only: bool) -> Vec<Execution>;
    reads list(tenant: Option<&TenantId>, filter: &ExecutionFilter, limit: u32, cursor: Option<&str>) -> Page<Execution>;
    reads tenant_of(id: ExecutionId) -> Option<TenantId>;
    reads progress(executions: &[ExecutionId]) -> Vec<Progress>;
    reads approvals(tenant: Option<&TenantId>, filter: &ApprovalFilter, limit: u32, cursor: Option<&str>) -> Page<Approval>;
    reads approval(id: Uuid) -> Option<Approval>;
    writes pause(process: PausedProcess) -> bool;
    writes unpause(process: PausedProcess) -> bool;
    reads paused() -> Vec<PausedProcess>;
    writes server_key(name: &str, candidate: Vec<u8>) -> Vec<u8>;
    reads events(tenant: &TenantId, id: ExecutionId, after_seq: u64, limit: u32) -> Vec<StoredEvent>;
    reads audit(tenant: &TenantId, after: u64, limit: u32) -> Vec<Sealed>;
    reads audited_tenants() -> Vec<TenantId>;
    writes record(tenant: &TenantId, entry: NewEntry) -> ();
    writes upsert_installation(installation: Installation) -> ();
    reads installation(tenant: &TenantId) -> Option<Installation>;
    reads installations() -> Vec<Installation>;
    reads untold_events(limit: u32) -> Vec<UntoldEvents>;
    writes told_events(positions: &[i64]) -> ();
    writes take_lease(name: &str, owner: &str, now: Timestamp, until: Timestamp) -> bool;
    writes end_lease(name: &str, owner: &str) -> ();
    reads backlog() -> Backlog;
    reads ping() -> ();
    reads migrations() -> Migrations;
}
    fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn outputs(&self) -> Option<&dyn Outputs> {
        Some(self)
    }

    async fn close(&self) {}
}

passed_on! { HeardStore of store {
    writes hear(heard: Heard) -> Heard;
    reads heard(tenant: &TenantId, what: &str) -> Option<Heard>;
    writes forget_heard(before: Timestamp, limit: u32) -> u64;
    writes call_repository(called: RepositoryCalled) -> ();
    reads names_of_repository(id: u64) -> Vec<RepositoryCalled>;
    reads repository_called(tenant: &TenantId, name: &str) -> Option<u64>;
    reads repositories_called(tenant: &TenantId, name: &str) -> Vec<RepositoryCalled>;
} }

passed_on! { SpendingStore of store {
    reads spent(tenant: &TenantId, month: Month) -> Vec<Spent>;
    writes spend(tenant: &TenantId, charge: Charge) -> ();
} }

passed_on! { StandingStore of store {
    reads standing(tenant: &TenantId, name: &str) -> Option<Standing>;
    writes note_standing(
        tenant: &TenantId, name: &str, stood: Option<&Standing>, state: Value, entry: Option<NewEntry>
    ) -> bool;
    reads standings(beginning: &str) -> Vec<NamedStanding>;
} }

passed_on! { Outputs of store {
    writes keep(tenant: &TenantId, digest: &str, content: Vec<u8>, now: Timestamp) -> ();
    reads read(tenant: &TenantId, digest: &str) -> Option<Vec<u8>>;
    writes forget(kept_before: Timestamp, limit: u32) -> u64;
} }
