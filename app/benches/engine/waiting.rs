//! What executions cost that wait: memory and processor time of a process that has nothing to do, without and with
//! them. Each side is a process of its own, so that neither has the memory of the other.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{AtOnce, Database, Ends, Failure, Options, engine, machine, memory, plan, print, request, rounded, says};

/// How long a process is watched.
const WATCHED: Duration = Duration::from_secs(5);

const PROCESS: &str = "name: chain\nversion: 1\nsteps:\n  - id: rest\n    type: wait\n    for: 30d\n";

pub async fn measure(count: usize, options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = Database::of(options, folder.path())?;
    let store = database.open().await?.store();
    let engine = engine(store.clone(), plan(PROCESS.to_owned())?, Arc::new(AtOnce), Arc::new(Ends::default()), 16);
    let template = engine.start(request()).await?.execution.id;
    store.close().await;
    drop((engine, store));
    says("watching a server without them");
    let none = watch(&database)?;
    says(&format!("laying {count} executions in that wait"));
    database.lay(template, count).await?;
    says("watching a server with them");
    let many = watch(&database)?;
    let about = json!({"waiting": count});
    let more = |name: &str| many[name].as_f64().zip(none[name].as_f64()).map(|(many, none)| rounded(many - none));
    print("waiting_rss_mib_more", json!(more("rss_mib")), &about);
    print("idle_cpu_ms_per_s", many["cpu_ms_per_s"].clone(), &about);
    print("idle_cpu_ms_per_s_without", none["cpu_ms_per_s"].clone(), &about);
    Ok(())
}

fn watch(database: &Database) -> Result<Value, Failure> {
    let output =
        Command::new(std::env::current_exe()?).arg("--bench").arg("--child-idle").arg(database.url()).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs an engine that has nothing to do, and prints what that costs.
pub async fn idle(database: &str) -> Result<(), Failure> {
    let store = Database::at(database)?.open().await?.store();
    let engine = engine(store.clone(), plan(PROCESS.to_owned())?, Arc::new(AtOnce), Arc::new(Ends::default()), 16);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let loops = tokio::spawn(async move { engine.run(stop).await });
    tokio::time::sleep(WATCHED / 5).await;
    let before = machine::cpu_time().unwrap_or_default();
    tokio::time::sleep(WATCHED).await;
    let used = machine::cpu_time().unwrap_or_default().saturating_sub(before);
    let rss = memory::mib(memory::NOW);
    println!("{}", json!({"rss_mib": rss, "cpu_ms_per_s": used.as_millis() as f64 / WATCHED.as_secs_f64()}));
    shutdown.cancel();
    loops.await?;
    store.close().await;
    Ok(())
}
