//! How fast webhooks are stored and acknowledged: signed deliveries over loopback, to the whole server in a process of
//! its own. Prints one JSON line a figure: at a steady rate how long an acknowledgement takes and what that does to the
//! memory, then how many deliveries are taken at most.
//!
//! With examples it sends those instead, each delivery twice and all in disorder, and says how many were answered how and
//! how many of the acknowledged ones are not in the inbox.
//!
//! `cargo bench -p flowctl-app --bench webhooks -- [--database-url URL] [--rate 1000] [--seconds 15] [--bytes 12288]
//! [--connections 64] [--examples FILE]`
#![allow(missing_docs, reason = "a program")]

mod letters;
mod load;
mod options;
mod server;

use std::error::Error;

use serde_json::json;

use self::load::{Figures, Load};
use self::options::Options;
use self::server::Serving;

/// The program's own: what is measured here is what people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options.child {
            Some(folder) => server::serve(folder, options.database_url.as_deref()).await,
            None if options.examples.is_some() => measure_examples(&options).await,
            None => measure(&options).await,
        }
    })
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let serving = Serving::start(options.database_url.as_deref())?;
    let letters = letters::made(server::SECRET, options.bytes);
    let load = Load::new(serving.address, letters, options.connections);
    // Connections, statements and caches are made by the first ones.
    load.steady("warm-up", options.rate, 2).await?;
    let before = serving.memory_mib()?;
    let steady = load.steady("steady", options.rate, options.seconds).await?;
    let after = serving.memory_mib()?;
    tell("steady", options, &steady, json!({"rate": options.rate, "rss_before_mib": before, "rss_after_mib": after}));
    let cpu = serving.cpu_seconds()?;
    let full = load.full("full", options.seconds).await?;
    let cpu = (serving.cpu_seconds()? - cpu) * 1_000.0 / full.taken.len().max(1) as f64;
    let more = json!({"cpu_ms_per_delivery": rounded(cpu), "rss_after_mib": serving.memory_mib()?});
    tell("full", options, &full, more);
    Ok(())
}

/// Every published example, again and again for as long as is asked.
async fn measure_examples(options: &Options) -> Result<(), Failure> {
    let file = options.examples.as_deref().ok_or("no examples are named")?;
    let letters = letters::examples(server::SECRET, file)?;
    let examples = letters.len();
    let serving = Serving::start(options.database_url.as_deref())?;
    let load = Load::new(serving.address, letters, options.connections);
    load.steady("warm-up", options.rate, 2).await?;
    let before = serving.memory_mib()?;
    let deliveries = options.rate * options.seconds / 2;
    let sent = load.in_order("examples", options.rate, letters::twice(deliveries)).await?;
    let stored = serving.stored(options.database_url.as_deref(), "examples-").await?;
    let more = json!({
        "rate": options.rate, "seconds": options.seconds, "examples": examples, "statuses": sent.statuses,
        "lost": deliveries.saturating_sub(stored), "rss_before_mib": before, "rss_after_mib": serving.memory_mib()?,
    });
    tell("examples", options, &sent, more);
    Ok(())
}

/// One line: what was measured, and what came of it.
fn tell(figure: &str, options: &Options, figures: &Figures, more: serde_json::Value) {
    let mut line = json!({
        "figure": figure,
        "bytes": options.bytes,
        "connections": options.connections,
        "deliveries": figures.taken.len(),
        "refused": figures.taken.len() - figures.answered(202) - figures.answered(200),
        "deliveries_per_s": (figures.taken.len() as f64 / figures.seconds).round(),
        "p50_ms": rounded(figures.percentile(0.50)),
        "p99_ms": rounded(figures.percentile(0.99)),
        "max_ms": rounded(figures.percentile(1.0)),
    });
    if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    println!("{line}");
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
