//! How fast the engine is on one machine: executions of a chain of steps, each performed by somebody who answers at
//! once, from their start to their end, through the store. Prints one JSON line a figure.
//!
//! `cargo bench -p flowctl-app --bench engine -- [--database-url URL] [--executions N] [--steps 5] [--concurrency C]
//! [--history N]`

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flowctl_app::clock::SystemClock;
use flowctl_app::engine::{DefinitionError, Definitions, EffectPlanner, Engine, EngineOptions, StartRequest};
use flowctl_app::ids::RandomIds;
use flowctl_app::steps::{Attempt, Performed, Performer, Performers};
use flowctl_app::store::{NewEffect, SqliteStore, Store};
use flowctl_core::definition::StepType;
use flowctl_core::definition::repository::Repository;
use flowctl_core::execution::{Event, Execution, ExecutionId, ExecutionStatus, Plan, TenantId, TriggerInfo};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

/// What is measured.
struct Options {
    database_url: Option<String>,
    executions: usize,
    steps: usize,
    concurrency: usize,
    history: usize,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { database_url: None, executions: 2_000, steps: 5, concurrency: 64, history: 0 };
        let mut benchmarks = false;
        let mut arguments = arguments.peekable();
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                benchmarks = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--database-url" => options.database_url = Some(value),
                "--executions" => options.executions = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--concurrency" => options.concurrency = value.parse::<usize>()?.max(1),
                "--history" => options.history = value.parse()?,
                _ => {
                    return Err(format!(
                        "`{name}` is unknown; there are --database-url, --executions, --steps, --concurrency, --history"
                    )
                    .into());
                }
            }
        }
        if !benchmarks {
            // Run as a test: only whether it runs.
            options.executions = options.executions.min(20);
        }
        if options.steps == 0 || options.executions == 0 {
            return Err("`--steps` and `--executions` must be at least 1".into());
        }
        Ok(options)
    }
}

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(options))
}

async fn measure(options: Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let own = format!("sqlite://{}", folder.path().join("bench.db").display());
    let url = options.database_url.as_deref().unwrap_or(&own);
    if !url.starts_with("sqlite:") {
        return Err(format!("`{url}`: only databases of `sqlite://` can be measured").into());
    }
    let store = Arc::new(SqliteStore::open(url).await?);
    let ends = Arc::new(Ends::default());
    let engine = engine(store.clone(), chain(options.steps)?, ends.clone(), options.concurrency);
    let shutdown = CancellationToken::new();
    let (running, stop) = (engine.clone(), shutdown.clone());
    let loops = tokio::spawn(async move { running.run(stop).await });

    run(&engine, &ends, options.history, options.concurrency).await?;
    let (commits, cpu, start) = (store.commits(), cpu_time(), Instant::now());
    let mut latencies = run(&engine, &ends, options.executions, options.concurrency).await?;
    let (elapsed, commits) = (start.elapsed(), store.commits() - commits);
    let cpu = cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before));

    latencies.sort_unstable();
    let executions = options.executions as f64;
    let per_second = executions / elapsed.as_secs_f64();
    print("executions_per_s", json!(rounded(per_second)), &options);
    print("steps_per_s", json!(rounded(per_second * options.steps as f64)), &options);
    print("p50_ms", json!(milliseconds(percentile(&latencies, 50))), &options);
    print("p99_ms", json!(milliseconds(percentile(&latencies, 99))), &options);
    if let Some(cpu) = cpu {
        print("cpu_ms_per_execution", json!(rounded(cpu.as_secs_f64() * 1000.0 / executions)), &options);
    }
    print("commits", json!(commits), &options);
    if let Some(peak) = peak_rss_mib() {
        print("peak_rss_mib", json!(rounded(peak)), &options);
    }
    shutdown.cancel();
    loops.await?;
    store.close().await;
    Ok(())
}

/// Starts `count` executions, `concurrency` of them at a time, and waits for their ends.
async fn run(engine: &Engine, ends: &Ends, count: usize, concurrency: usize) -> Result<Vec<Duration>, Failure> {
    let latencies: Vec<Result<Duration, Failure>> = stream::iter(0..count)
        .map(|_| async {
            let start = Instant::now();
            let id = engine.start(request()).await?.execution.id;
            ends.of(id).notified().await;
            ends.forget(id);
            // It was told just before the commit; the store hints just after it.
            let mut changed = engine.store().subscribe();
            while !has_ended(engine, id).await? {
                changed.changed().await?;
            }
            Ok(start.elapsed())
        })
        .buffer_unordered(concurrency)
        .collect()
        .await;
    latencies.into_iter().collect()
}

/// Whether the execution has ended; one that ended otherwise than well is a failure of the measurement.
async fn has_ended(engine: &Engine, id: ExecutionId) -> Result<bool, Failure> {
    let stored = engine.store().load(&TenantId::local(), id).await?.ok_or("an execution is gone")?;
    match stored.execution.status {
        ExecutionStatus::Completed => Ok(true),
        status if status.is_final() => Err(format!("an execution ended as {}", status.as_str()).into()),
        _ => Ok(false),
    }
}

fn request() -> StartRequest {
    StartRequest {
        tenant: TenantId::local(),
        repository: "bench".to_owned(),
        revision: "0".repeat(40),
        process: "chain".to_owned(),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs: Map::new(),
        start_key: None,
        url: None,
    }
}

fn engine(store: Arc<SqliteStore>, plan: Arc<Plan>, ends: Arc<Ends>, concurrency: usize) -> Engine {
    let performers = Performers::default().with(StepType::ApiCall, Arc::new(AtOnce));
    let options = EngineOptions { workers: concurrency, ..EngineOptions::new("bench") };
    Engine::new(
        store,
        Arc::new(One(plan)),
        Arc::new(performers),
        Arc::new(SystemClock),
        Arc::new(RandomIds::new()),
        ends,
        options,
    )
}

/// Steps one after the other, each of which somebody must perform.
fn chain(steps: usize) -> Result<Arc<Plan>, Failure> {
    let mut text = "name: chain\nversion: 1\nsteps:\n".to_owned();
    for step in 0..steps {
        text.push_str(&format!("  - id: step_{step}\n    type: api_call\n    url: https://example.com/{step}\n"));
        if step > 0 {
            text.push_str(&format!("    depends_on: step_{}\n", step - 1));
        }
    }
    let repository = Repository::read([(".flow/processes/chain.yaml".to_owned(), text)]);
    Ok(Arc::new(repository.plan("chain").ok_or("the chain cannot be read")??))
}

/// The one definition.
struct One(Arc<Plan>);

#[async_trait]
impl Definitions for One {
    async fn plan(&self, _: &TenantId, _: &str, _: &str, _: &str) -> Result<Arc<Plan>, DefinitionError> {
        Ok(self.0.clone())
    }
}

/// Answers at once.
struct AtOnce;

#[async_trait]
impl Performer for AtOnce {
    async fn perform(&self, _attempt: Attempt) -> Performed {
        Ok(json!({"status": 200, "headers": {}, "body": {"ok": true}})).into()
    }
}

/// Tells when an execution is about to end, so that nobody has to poll for it.
#[derive(Default)]
struct Ends(Mutex<HashMap<ExecutionId, Arc<Notify>>>);

impl Ends {
    fn of(&self, id: ExecutionId) -> Arc<Notify> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().clone()
    }

    fn forget(&self, id: ExecutionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl EffectPlanner for Ends {
    fn plan(&self, _: Option<&Execution>, after: &Execution, _: &[Event], _: Timestamp) -> Vec<NewEffect> {
        if after.status.is_final() {
            self.of(after.id).notify_one();
        }
        Vec::new()
    }
}

fn print(figure: &str, value: Value, options: &Options) {
    let Options { executions, steps, concurrency, history, .. } = options;
    println!(
        "{}",
        json!({"figure": figure, "value": value, "executions": executions, "steps": steps, "concurrency": concurrency,
            "history": history})
    );
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
    sorted[place - 1]
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The time that this process has had of the processors, where the system tells it (Linux).
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15 of proc_pid_stat(5), counted behind the name in parentheses; in ticks of 10 ms.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// The most memory that this process has had at a time, where the system tells it (Linux).
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().split(' ').next()?;
    Some(kilobytes.parse::<f64>().ok()? / 1024.0)
}
