//! Executions a second, how long one takes, and what the database by itself does in the same run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowctl_app::engine::Engine;
use flowctl_app::store::Store;
use flowctl_core::execution::{ExecutionId, ExecutionStatus, TenantId};
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    AtOnce, Database, Ends, Failure, Options, chain, engine, machine, memory, milliseconds, print, request, rounded,
    says,
};

/// The most memory that this process has had at a time.
const MOST: &str = "VmHWM:";

/// Executions that run before anything is measured.
const WARMING: usize = 200;

pub async fn measure(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = Database::of(options, folder.path())?;
    let store = database.open().await?;
    let ends = Arc::new(Ends::default());
    let plan = chain(options.steps)?;
    let engine = engine(store.store(), plan, Arc::new(AtOnce), ends.clone(), options.concurrency);
    let shutdown = CancellationToken::new();
    let (running, stop) = (engine.clone(), shutdown.clone());
    let loops = tokio::spawn(async move { running.run(stop).await });

    let (warm, _) = run(&engine, &ends, WARMING.min(options.executions), options.concurrency).await?;
    if options.history > 0 {
        says(&format!("laying {} executions in", options.history));
        database.lay(warm[0], options.history).await?;
        run(&engine, &ends, WARMING.min(options.executions), options.concurrency).await?;
    }
    says(&format!("{} executions, {} at a time", options.executions, options.concurrency));
    let (commits, cpu, all, start) = (store.commits(), machine::cpu_time(), machine::cpu_time_of_all(), Instant::now());
    let (ids, mut latencies) = run(&engine, &ends, options.executions, options.concurrency).await?;
    let (elapsed, commits) = (start.elapsed(), store.commits() - commits);
    let cpu = machine::cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before));
    let all = machine::cpu_time_of_all().zip(all).map(|(after, before)| after.saturating_sub(before));
    check(&*store.store(), &ids).await?;
    shutdown.cancel();
    loops.await?;
    store.store().close().await;

    latencies.sort_unstable();
    let executions = options.executions as f64;
    let (per_second, steps) = (executions / elapsed.as_secs_f64(), options.steps as f64);
    let Options { executions: count, steps: length, concurrency, history, .. } = options;
    let about = json!({"executions": count, "steps": length, "concurrency": concurrency, "history": history});
    let say = |figure: &str, value: serde_json::Value| print(figure, value, &about);
    say("executions_per_s", json!(rounded(per_second)));
    say("steps_per_s", json!(rounded(per_second * steps)));
    say("p50_ms", json!(milliseconds(percentile(&latencies, 50))));
    say("p99_ms", json!(milliseconds(percentile(&latencies, 99))));
    if let Some(cpu) = cpu {
        say("cpu_ms_per_execution", json!(rounded(cpu.as_secs_f64() * 1000.0 / executions)));
    }
    if let Some(all) = all {
        say("cpu_ms_per_execution_of_all", json!(rounded(all.as_secs_f64() * 1000.0 / executions)));
    }
    say("commits", json!(commits));
    if let Some(peak) = memory::mib(MOST) {
        say("peak_rss_mib", json!(rounded(peak)));
    }
    says("what the database does by itself");
    let bytes = database.bytes_per_transition().await?;
    let floor = database.floor(folder.path(), bytes).await?;
    say("bytes_per_step", json!(bytes));
    say("floor_commits_per_s", json!(rounded(floor.commits_per_s)));
    say("floor_rows_per_s", json!(rounded(floor.rows_per_s)));
    say("ratio_to_floor", json!(rounded(per_second * steps / floor.rows_per_s)));
    Ok(())
}

/// Starts `count` executions, `concurrency` of them at a time, and waits for their ends.
pub async fn run(
    engine: &Engine,
    ends: &Ends,
    count: usize,
    concurrency: usize,
) -> Result<(Vec<ExecutionId>, Vec<Duration>), Failure> {
    let ended: Vec<Result<(ExecutionId, Duration), Failure>> = stream::iter(0..count)
        .map(|_| async {
            let start = Instant::now();
            let id = engine.start(request()).await?.execution.id;
            let execution = ends.of(id).await?;
            match execution.status {
                ExecutionStatus::Completed => Ok((id, start.elapsed())),
                status => Err(format!("an execution ended as {}", status.as_str()).into()),
            }
        })
        .buffer_unordered(concurrency)
        .collect()
        .await;
    Ok(ended.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// What was measured is stored: a hundred of the executions are read back.
async fn check(store: &dyn Store, ids: &[ExecutionId]) -> Result<(), Failure> {
    for id in ids.iter().step_by(ids.len().div_ceil(100)) {
        let stored = store.load(&TenantId::local(), *id).await?.ok_or("an execution is gone")?;
        if stored.execution.status != ExecutionStatus::Completed {
            return Err("an execution is not stored as it ended".into());
        }
    }
    Ok(())
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
    sorted[place - 1]
}
