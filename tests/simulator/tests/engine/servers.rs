//! A world: its servers and what befalls them, and whoever they call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::{ErrorClass, StepType};
use flowctl_core::execution::{Event, Execution, Plan, StepError, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::passing::{Life, Passing, Shared};
use crate::people::Request;
use crate::processes::Processes;
use flowctl_app::clock::Clock;
use flowctl_app::engine::{DefinitionError, Definitions, EffectPlanner, Engine, EngineOptions, Published};
use flowctl_app::ids::SequentialIds;
use flowctl_app::steps::{Attempt, Performed, Performer, Performers};
use flowctl_app::store::{ExecutionFilter, NewEffect, SqliteStore, Store as _};

pub const SERVERS: usize = 2;
pub const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
/// How long things go wrong.
const TROUBLED: Duration = Duration::from_secs(3 * 60 * 60);
const LEASE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_secs(30);

/// Types whose steps somebody performs.
const PERFORMED: [StepType; 6] = [
    StepType::ApiCall,
    StepType::AiGenerate,
    StepType::AgentTask,
    StepType::McpCall,
    StepType::Workflow,
    StepType::Notify,
];

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub execution: String,
    pub step: String,
    pub attempt: u32,
    pub key: String,
}

pub struct World {
    pub shared: Shared,
    pub processes: Arc<Sampled>,
    pub clocks: Vec<Arc<Skewed>>,
    engines: Vec<watch::Sender<Option<Engine>>>,
    pub calls: Arc<Mutex<Vec<Call>>>,
    ids: Arc<SequentialIds>,
    pub requests: Mutex<Vec<Request>>,
    tells: bool,
    start: Instant,
}

impl World {
    pub fn new(seed: u64, store: SqliteStore, disk: Handle, troubled: bool, tells: bool) -> Arc<Self> {
        let mut chance = Chance::of(seed);
        let processes = Processes::random(&mut chance);
        if tells {
            processes.texts.iter().for_each(|text| println!("{text}"));
        }
        let shared = Shared {
            store: Arc::new(store),
            disk,
            changed: watch::channel(0).0,
            chance: Arc::new(Mutex::new(chance)),
            trouble: watch::channel(troubled).0,
        };
        let start = Instant::now();
        Arc::new(Self {
            shared,
            processes: Arc::new(Sampled(processes)),
            clocks: (0..SERVERS).map(|_| Arc::new(Skewed { start, ahead_ms: AtomicI64::new(0) })).collect(),
            engines: (0..SERVERS).map(|_| watch::channel(None).0).collect(),
            calls: Arc::default(),
            ids: Arc::default(),
            requests: Mutex::default(),
            tells,
            start,
        })
    }

    pub fn says(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>8.3}s {}", self.start.elapsed().as_secs_f64(), what());
        }
    }

    pub fn below(&self, bound: usize) -> usize {
        self.shared.chance.lock().unwrap().below(bound)
    }

    pub fn seconds(&self, below: usize) -> Duration {
        // Milliseconds, so that little happens at the very same instant.
        Duration::from_millis(1 + self.below(below * 1_000) as u64)
    }

    /// A server that answers, as far as is known.
    pub fn somebody(&self) -> Option<Engine> {
        let server = self.below(SERVERS);
        self.engines[server].borrow().clone()
    }

    pub async fn executions(&self) -> Vec<Execution> {
        let store = Arc::clone(&self.shared.store);
        let list = async move { store.list(None, &ExecutionFilter::default(), 1_000, None).await.unwrap().items };
        self.on_the_disk(list)
    }

    /// Looks at the database past all servers, while time stands still.
    pub fn on_the_disk<T: Send>(&self, looks: impl Future<Output = T> + Send) -> T {
        let disk = &self.shared.disk;
        std::thread::scope(|scope| scope.spawn(|| disk.block_on(looks)).join()).unwrap()
    }

    /// Things go wrong, then they calm down, then everybody helps until everything has ended.
    pub async fn play(self: &Arc<Self>) {
        let servers: Vec<JoinHandle<()>> =
            (0..SERVERS).map(|server| tokio::spawn(Arc::clone(self).befalls(server))).collect();
        let people = tokio::spawn(Arc::clone(self).people());
        sleep(TROUBLED).await;
        self.shared.trouble.send_replace(false);
        self.says(|| "all is calm".to_owned());
        people.await.unwrap();
        self.everybody_helps().await;
        servers.iter().for_each(JoinHandle::abort);
    }

    pub async fn close(&self) {
        // Servers know the world, which knows them.
        self.engines.iter().for_each(|engine| drop(engine.send_replace(None)));
        let store = Arc::clone(&self.shared.store);
        self.on_the_disk(async move { store.close().await });
    }

    /// Starts a server again and again, and has things happen to it.
    async fn befalls(self: Arc<Self>, server: usize) {
        for life in 0.. {
            let alive = watch::channel(Life::Goes).0;
            let engine = self.engine(format!("{server}.{life}"), server, alive.clone());
            self.says(|| format!("server {server}.{life} starts"));
            self.engines[server].send_replace(Some(engine.clone()));
            let running = tokio::spawn(async move { engine.run(CancellationToken::new()).await });
            self.lives(server, &alive).await;
            self.says(|| format!("server {server}.{life} is dead"));
            running.abort();
            sleep(self.seconds(200)).await;
        }
    }

    /// Until it dies.
    async fn lives(&self, server: usize, life: &watch::Sender<Life>) {
        let (mut seen, mut trouble) = (life.subscribe(), self.shared.trouble.subscribe());
        loop {
            if !*trouble.borrow_and_update() {
                self.clocks[server].ahead_ms.store(0, Ordering::Relaxed);
                // One that died at the last moment is started once more.
                return death(&mut seen).await;
            }
            let pause = self.seconds(900);
            tokio::select! {
                biased;
                () = death(&mut seen) => return,
                _ = trouble.changed() => {}
                () = sleep(pause) => if self.happens(server, life).await { return },
            }
        }
    }

    /// Something happens to a server; whether it dies of it.
    async fn happens(&self, server: usize, life: &watch::Sender<Life>) -> bool {
        match self.below(4) {
            0 => {
                life.send_replace(Life::Dead);
                return true;
            }
            1 => {
                self.says(|| format!("server {server} stands still"));
                becomes(life, Life::Goes, Life::StandsStill);
                sleep(self.seconds(300)).await;
                becomes(life, Life::StandsStill, Life::Goes);
                self.says(|| format!("server {server} goes on"));
            }
            2 => {
                let ahead = i64::try_from(self.below(1_200_000)).unwrap() - 600_000;
                self.says(|| format!("the clock of server {server} is {ahead} ms ahead"));
                self.clocks[server].ahead_ms.store(ahead, Ordering::Relaxed);
            }
            _ => {}
        }
        false
    }

    fn engine(self: &Arc<Self>, owner: String, server: usize, life: watch::Sender<Life>) -> Engine {
        let performer = Arc::new(Called { world: Arc::clone(self), life: life.clone() });
        let performers =
            PERFORMED.into_iter().fold(Performers::default(), |performers, it| performers.with(it, performer.clone()));
        let options = EngineOptions { lease: LEASE, poll: POLL, keep_executions: None, ..EngineOptions::new(owner) };
        Engine::new(
            Arc::new(Passing { shared: self.shared.clone(), life }),
            self.processes.clone(),
            Arc::new(performers),
            self.clocks[server].clone(),
            self.ids.clone(),
            Arc::new(Silent),
            options,
        )
    }
}

async fn death(life: &mut watch::Receiver<Life>) {
    let _ = life.wait_for(|life| *life == Life::Dead).await;
}

fn becomes(life: &watch::Sender<Life>, before: Life, after: Life) {
    life.send_if_modified(|life| {
        let is_so = *life == before;
        if is_so {
            *life = after;
        }
        is_so
    });
}

/// Nobody is told of anything.
struct Silent;

impl EffectPlanner for Silent {
    fn plan(&self, _: Option<&Execution>, _: &Execution, _: &[Event], _: Timestamp) -> Vec<NewEffect> {
        Vec::new()
    }
}

/// A server's clock.
pub struct Skewed {
    start: Instant,
    ahead_ms: AtomicI64,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let since = SignedDuration::try_from(self.start.elapsed()).unwrap();
        start + since + SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }
}

/// The processes of a world, of one commit.
pub struct Sampled(pub Processes);

impl Sampled {
    pub fn plans(&self) -> &BTreeMap<&'static str, Arc<Plan>> {
        &self.0.plans
    }
}

#[async_trait]
impl Definitions for Sampled {
    async fn plan(
        &self,
        _tenant: &TenantId,
        repository: &str,
        revision: &str,
        process: &str,
    ) -> Result<Arc<Plan>, DefinitionError> {
        let (process, repository, revision) = (process.to_owned(), repository.to_owned(), revision.to_owned());
        let plan = self.plans().get(process.as_str()).cloned();
        plan.ok_or(DefinitionError::NotFound { process, repository, revision })
    }

    async fn published(&self, _tenant: &TenantId, _repository: &str) -> Result<Published, DefinitionError> {
        let processes = self.plans().values().map(|plan| Arc::clone(&plan.process)).collect();
        Ok(Published { revision: REVISION.to_owned(), processes, unreadable: Vec::new() })
    }

    fn may_follow(&self, _tenant: &TenantId, _repository: &str, _process: &str) -> bool {
        true
    }
}

/// Whoever a server calls: answers soon, late or not at all, well or badly.
struct Called {
    world: Arc<World>,
    life: watch::Sender<Life>,
}

#[async_trait]
impl Performer for Called {
    async fn perform(&self, attempt: Attempt) -> Performed {
        let Attempt { execution, step, attempt, idempotency_key: key, .. } = attempt;
        let call = Call { execution: execution.to_string(), step, attempt, key };
        self.world.says(|| format!("{call:?}"));
        self.world.calls.lock().unwrap().push(call);
        let (troubled, world) = (*self.world.shared.trouble.borrow(), &self.world);
        match world.below(12) {
            // It never answers: the step's own time runs out, or the server's life.
            0 if troubled => sleep(Duration::from_secs(5 * 60 * 60)).await,
            1 | 2 if troubled => sleep(world.seconds(3_600)).await,
            _ => sleep(world.seconds(10)).await,
        }
        // A dead server hears no answer.
        let _ = self.life.subscribe().wait_for(|life| *life == Life::Goes).await;
        let bad = |class| Err(StepError::new(class, "it went badly"));
        let result = match world.below(8) {
            0 => bad(ErrorClass::Network),
            1 => bad(ErrorClass::Timeout),
            2 => Ok(json!({"much": "m".repeat(9_000)})),
            _ => Ok(json!({"ok": true})),
        };
        result.into()
    }
}
