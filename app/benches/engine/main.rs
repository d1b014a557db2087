//! How fast the engine is on one machine: executions of a chain of steps, each performed by somebody who answers at
//! once, from their start to their end, through the store. Prints one JSON line a figure.
//!
//! `cargo bench -p flowctl-app --bench engine -- [--database-url URL] [--executions N] [--steps 5] [--concurrency C]
//! [--history N]`, or with `--waiting N` what executions cost that wait, or with `--restart N` how soon executions under
//! way go on after a kill.
#![allow(missing_docs, reason = "a program")]

mod database;
mod history;
mod machine;
mod memory;
mod options;
mod restart;
mod speed;
mod waiting;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flowctl_app::clock::SystemClock;
use flowctl_app::engine::{DefinitionError, Definitions, EffectPlanner, Engine, EngineOptions, StartRequest};
use flowctl_app::ids::RandomIds;
use flowctl_app::steps::{Attempt, Performed, Performer, Performers};
use flowctl_app::store::{NewEffect, Store};
use flowctl_core::definition::StepType;
use flowctl_core::definition::repository::Repository;
use flowctl_core::execution::{Event, Execution, ExecutionId, Plan, TenantId, TriggerInfo};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use self::database::Database;
use self::options::Options;

/// The program's own: what is measured here is what people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options {
            Options { child: Some((what, database)), .. } if what == "idle" => waiting::idle(database).await,
            Options { child: Some((_, database)), .. } => restart::die(database, &options).await,
            Options { waiting: Some(count), .. } => waiting::measure(*count, &options).await,
            Options { restart: Some(count), .. } => restart::measure(*count, &options).await,
            _ => speed::measure(&options).await,
        }
    })
}

pub fn request() -> StartRequest {
    StartRequest {
        tenant: TenantId::local(),
        repository: "bench".to_owned(),
        repository_id: None,
        revision: "0".repeat(40),
        process: "chain".to_owned(),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs: Map::new(),
        start_key: None,
        url: None,
    }
}

pub fn engine(
    store: Arc<dyn Store>,
    plan: Arc<Plan>,
    performer: Arc<dyn Performer>,
    ends: Arc<Ends>,
    workers: usize,
) -> Engine {
    let performers = Performers::default().with(StepType::ApiCall, performer);
    let options = EngineOptions { workers, ..EngineOptions::new("bench") };
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
pub fn chain(steps: usize) -> Result<Arc<Plan>, Failure> {
    let mut text = "name: chain\nversion: 1\nsteps:\n".to_owned();
    for step in 0..steps {
        text.push_str(&format!("  - id: step_{step}\n    type: api_call\n    url: https://example.com/{step}\n"));
        if step > 0 {
            text.push_str(&format!("    depends_on: step_{}\n", step - 1));
        }
    }
    plan(text)
}

pub fn plan(text: String) -> Result<Arc<Plan>, Failure> {
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
pub struct AtOnce;

#[async_trait]
impl Performer for AtOnce {
    async fn perform(&self, _attempt: Attempt) -> Performed {
        Ok(json!({"status": 200, "headers": {}, "body": {"ok": true}})).into()
    }
}

/// Tells when executions have ended and that is stored, so that nobody has to ask the store for it.
#[derive(Default)]
pub struct Ends(Mutex<HashMap<ExecutionId, End>>);

enum End {
    Awaited(oneshot::Sender<Execution>),
    Come(Box<Execution>),
}

impl Ends {
    /// The execution as it ended.
    pub async fn of(&self, id: ExecutionId) -> Result<Execution, Failure> {
        let (told, end) = oneshot::channel();
        {
            let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(End::Come(execution)) = ends.remove(&id) {
                return Ok(*execution);
            }
            ends.insert(id, End::Awaited(told));
        }
        Ok(end.await?)
    }
}

impl EffectPlanner for Ends {
    fn plan(&self, _: Option<&Execution>, _: &Execution, _: &[Event], _: Timestamp) -> Vec<NewEffect> {
        Vec::new()
    }

    fn committed(&self, after: &Execution) {
        if after.status.is_final() {
            let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match ends.remove(&after.id) {
                Some(End::Awaited(told)) => drop(told.send(after.clone())),
                _ => drop(ends.insert(after.id, End::Come(Box::new(after.clone())))),
            }
        }
    }
}

pub fn print(figure: &str, value: Value, about: &Value) {
    let mut line = json!({"figure": figure, "value": value});
    if let (Value::Object(line), Value::Object(about)) = (&mut line, about) {
        line.extend(about.clone());
    }
    println!("{line}");
}

/// Says on standard error what is being done.
pub fn says(what: &str) {
    eprintln!("   {what}");
}

pub fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

pub fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
