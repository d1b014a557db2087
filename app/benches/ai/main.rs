//! What an AI step costs beside its provider: the time that the engine adds to a model's answer, and the memory of calls that
//! wait for one. The provider is a server on this machine with OpenAI's interface and a known delay. Prints one JSON line a figure.
//!
//! `cargo bench -p flowctl-app --bench ai -- [--executions 200] [--delay-ms 50] [--waiting 1000,5000]`
#![allow(missing_docs, reason = "a program")]

#[path = "../engine/memory.rs"]
mod memory;
mod provider;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flowctl_app::ai::{AiSettings, ProviderSettings, Providers};
use flowctl_app::clock::{Clock, SystemClock};
use flowctl_app::engine::{DefinitionError, Definitions, EffectPlanner, Engine, EngineOptions, StartRequest};
use flowctl_app::ids::RandomIds;
use flowctl_app::steps::{AiGeneratePerformer, Performers};
use flowctl_app::store::{NewEffect, SqliteStore, Store};
use flowctl_core::definition::StepType;
use flowctl_core::definition::repository::Repository;
use flowctl_core::execution::{Event, Execution, ExecutionId, ExecutionStatus, Plan, TenantId, TriggerInfo};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::provider::Provider;

/// The program's own: what is measured here is what people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

const PROCESS: &str = "name: asking
version: 1
steps:
  - id: draft
    type: ai_generate
    model: compatible/small
    prompt: Say a number.
    output_schema: {type: object, required: [n], properties: {n: {type: integer}}}
    timeout: 1h
";

/// What is measured.
struct Options {
    executions: usize,
    delay: Duration,
    waiting: Vec<usize>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { executions: 200, delay: Duration::from_millis(50), waiting: vec![1_000, 5_000] };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--executions" => options.executions = value()?.parse()?,
                "--delay-ms" => options.delay = Duration::from_millis(value()?.parse()?),
                "--waiting" => options.waiting = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--bench" => {}
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        overhead(&options).await?;
        for count in &options.waiting {
            waiting(*count).await?;
        }
        Ok(())
    })
}

/// An engine that runs, over a database of its own.
struct Running {
    engine: Engine,
    store: Arc<SqliteStore>,
    ended: mpsc::UnboundedReceiver<ExecutionId>,
    shutdown: CancellationToken,
    loops: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start(provider: &Provider, workers: usize) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        let store = Arc::new(SqliteStore::open(&url).await?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let compatible = ProviderSettings { api_key: None, base_url: Some(provider.url().parse()?) };
        let settings = AiSettings { compatible, ..AiSettings::default() };
        let providers = Arc::new(Providers::from_settings(&settings, &clock)?);
        let performer = Arc::new(AiGeneratePerformer::new(providers, Arc::clone(&clock)));
        let performers = Arc::new(Performers::default().with(StepType::AiGenerate, performer));
        let repository = Repository::read([(".flow/processes/asking.yaml".to_owned(), PROCESS.to_owned())]);
        let plan = Arc::new(repository.plan("asking").ok_or("the process cannot be read")??);
        let (ends, ended) = mpsc::unbounded_channel();
        let options = EngineOptions { workers, ..EngineOptions::new("bench") };
        let (definitions, ids) = (Arc::new(One(plan)), Arc::new(RandomIds::new()));
        let engine = Engine::new(store.clone(), definitions, performers, clock, ids, Arc::new(Ends(ends)), options);
        let shutdown = CancellationToken::new();
        let (running, stop) = (engine.clone(), shutdown.clone());
        let loops = tokio::spawn(async move { running.run(stop).await });
        Ok(Self { engine, store, ended, shutdown, loops, _folder: folder })
    }

    async fn end(self) -> Result<(), Failure> {
        self.shutdown.cancel();
        self.loops.await?;
        self.store.close().await;
        Ok(())
    }
}

/// From the start of an execution to its end is stored, without the time that the provider took.
async fn overhead(options: &Options) -> Result<(), Failure> {
    let provider = Provider::start(options.delay).await?;
    let mut running = Running::start(&provider, 16).await?;
    // The same question without an engine: what the provider, the client and this machine's network take.
    let (mut alone, mut with_engine) = (Vec::new(), Vec::new());
    let client = reqwest::Client::new();
    for round in 0..options.executions + 10 {
        let began = Instant::now();
        let request = client.post(format!("{}/chat/completions", provider.url())).body("{}");
        request.send().await?.bytes().await?;
        let took = began.elapsed();
        let began = Instant::now();
        running.engine.start(request_for()).await?;
        running.ended.recv().await.ok_or("the engine has ended")?;
        // The first ones open connections and files.
        if round >= 10 {
            alone.push(took);
            with_engine.push(began.elapsed());
        }
    }
    let about = json!({"executions": options.executions, "delay_ms": options.delay.as_millis()});
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (own, whole) = (quantile(&mut alone, share), quantile(&mut with_engine, share));
        print(&format!("ai_step_overhead_{name}_ms"), json!(milliseconds(whole.saturating_sub(own))), &about);
        print(&format!("provider_{name}_ms"), json!(milliseconds(own)), &about);
    }
    running.end().await
}

/// The memory of calls that wait for an answer, each of an execution of its own.
async fn waiting(count: usize) -> Result<(), Failure> {
    let provider = Provider::start(Duration::MAX).await?;
    let mut running = Running::start(&provider, count + 16).await?;
    let before = memory::mib(memory::NOW).unwrap_or_default();
    for _ in 0..count {
        running.engine.start(request_for()).await?;
    }
    provider.wait_for(count).await?;
    let more = memory::mib(memory::NOW).unwrap_or_default() - before;
    let about = json!({"waiting_calls": count});
    print("waiting_calls_rss_mib_more", json!(rounded(more)), &about);
    print("waiting_call_rss_kib", json!(rounded(more * 1024.0 / count as f64)), &about);
    provider.release();
    for _ in 0..count {
        running.ended.recv().await.ok_or("the engine has ended")?;
    }
    running.end().await
}

fn request_for() -> StartRequest {
    StartRequest {
        tenant: TenantId::local(),
        repository: "bench".to_owned(),
        repository_id: None,
        revision: "0".repeat(40),
        process: "asking".to_owned(),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs: Map::new(),
        start_key: None,
        url: None,
    }
}

/// The one definition.
struct One(Arc<Plan>);

#[async_trait]
impl Definitions for One {
    async fn plan(&self, _: &TenantId, _: &str, _: &str, _: &str) -> Result<Arc<Plan>, DefinitionError> {
        Ok(Arc::clone(&self.0))
    }
}

/// Tells when executions have ended and that is stored.
struct Ends(mpsc::UnboundedSender<ExecutionId>);

impl EffectPlanner for Ends {
    fn plan(&self, _: Option<&Execution>, _: &Execution, _: &[Event], _: Timestamp) -> Vec<NewEffect> {
        Vec::new()
    }

    fn committed(&self, after: &Execution) {
        if after.status == ExecutionStatus::Completed {
            // Nobody listens any more where the measurement has ended.
            let _ = self.0.send(after.id);
        } else if after.status.is_final() {
            eprintln!("an execution failed: {:?}", after.error);
        }
    }
}

fn quantile(durations: &mut [Duration], share: f64) -> Duration {
    durations.sort_unstable();
    let place = (durations.len().saturating_sub(1) as f64 * share).round() as usize;
    durations.get(place).copied().unwrap_or_default()
}

fn print(figure: &str, value: Value, about: &Value) {
    let mut line = json!({"figure": figure, "value": value});
    if let (Value::Object(line), Value::Object(about)) = (&mut line, about) {
        line.extend(about.clone());
    }
    println!("{line}");
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
