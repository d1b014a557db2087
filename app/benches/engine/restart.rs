//! How soon executions under way go on after their server was killed. On SQLite the next server knows that it is alone;
//! on PostgreSQL it takes over what the dead one had when that one's leases end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use flowctl_app::steps::{Attempt, Performed, Performer};
use flowctl_app::store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{AtOnce, Database, Ends, Failure, Options, chain, engine, milliseconds, print, request, says};

/// Attempts performed at a time.
const WORKERS: usize = 64;

pub async fn measure(count: usize, options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = Database::of(options, folder.path())?;
    says(&format!("starting {count} executions that are under way at a kill"));
    let mut dying = Command::new(std::env::current_exe()?)
        .args(["--bench", "--executions", &count.to_string(), "--steps", &options.steps.to_string(), "--child-dies"])
        .arg(database.url())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(dying.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    dying.kill()?;
    dying.wait()?;
    if line.trim() != "under way" {
        return Err("the executions did not start".into());
    }

    says("starting again");
    let start = Instant::now();
    let store: Arc<dyn Store> = database.open().await?.store();
    let first = Arc::new(First::default());
    let ends = Arc::new(Ends::default());
    let engine = engine(store.clone(), chain(options.steps)?, first.clone(), ends, WORKERS);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let loops = tokio::spawn(async move { engine.run(stop).await });
    let mut changed = store.subscribe();
    first.0.notified().await;
    changed.changed().await?;
    let progress = start.elapsed();
    while store.backlog().await?.work > 0 {
        changed.changed().await?;
    }
    let all = start.elapsed();
    shutdown.cancel();
    loops.await?;
    store.close().await;
    let about = json!({"under_way": count, "steps": options.steps});
    print("restart_progress_ms", json!(milliseconds(progress)), &about);
    print("restart_all_ended_ms", json!(milliseconds(all)), &about);
    Ok(())
}

/// Starts executions whose first step nobody ever ends, says so, and waits to be killed.
pub async fn die(database: &str, options: &Options) -> Result<(), Failure> {
    let store: Arc<dyn Store> = Database::at(database)?.open().await?.store();
    let engine = engine(store, chain(options.steps)?, Arc::new(Never), Arc::new(Ends::default()), WORKERS);
    let running = engine.clone();
    tokio::spawn(async move { running.run(CancellationToken::new()).await });
    let starts = stream::iter(0..options.executions).map(|_| engine.start(request())).buffer_unordered(WORKERS);
    starts.map_ok(drop).try_collect::<()>().await?;
    println!("under way");
    std::future::pending().await
}

struct Never;

#[async_trait]
impl Performer for Never {
    async fn perform(&self, _attempt: Attempt) -> Performed {
        std::future::pending().await
    }
}

/// Answers at once, and tells when it is asked for the first time.
#[derive(Default)]
struct First(Notify);

#[async_trait]
impl Performer for First {
    async fn perform(&self, attempt: Attempt) -> Performed {
        self.0.notify_one();
        AtOnce.perform(attempt).await
    }
}
