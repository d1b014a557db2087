//! Metrics in Prometheus' text format. What happens is counted where it happens, by name; what there is to do is asked of
//! the store when somebody looks.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio_util::sync::CancellationToken;

use super::catalogue::{CATALOGUE, Kind};
use super::names;
use crate::store::{Backlog, Store};

/// How often what was measured is folded into buckets: it is kept one by one until then.
const UPKEEP: Duration = Duration::from_secs(5);
/// Whoever asks for metrics wants them soon, also while the database does not answer.
const WITHIN: Duration = Duration::from_secs(3);

/// Why there are no metrics.
#[derive(Debug, Clone, thiserror::Error)]
#[error("metrics cannot be kept: {0}")]
pub struct ExpositionError(Arc<BuildError>);

/// Where this process's metrics can be read. All servers of a process share them.
#[derive(Debug, Clone)]
pub struct Exposition {
    handle: PrometheusHandle,
    process: Collector,
}

impl Exposition {
    /// Begins to keep metrics, or joins those who have begun.
    ///
    /// # Errors
    /// Where something else in this process keeps metrics.
    pub fn begin() -> Result<Self, ExpositionError> {
        static EXPOSITION: LazyLock<Result<Exposition, ExpositionError>> =
            LazyLock::new(|| begin().map_err(|error| ExpositionError(Arc::new(error))));
        EXPOSITION.clone()
    }

    /// Keeps what is measured from piling up, until `shutdown`.
    pub async fn run(&self, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            self.handle.run_upkeep();
        }
    }

    /// All metrics, with what there is to do as the store sees it.
    pub async fn render(&self, store: &dyn Store, now: Timestamp) -> String {
        self.process.collect();
        match tokio::time::timeout(WITHIN, store.backlog()).await {
            Ok(Ok(backlog)) => tell(&backlog, now),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database does not say what there is to do");
                gauge!(names::STORE_UP).set(0.0);
            }
            Err(_) => gauge!(names::STORE_UP).set(0.0),
        }
        self.handle.render()
    }
}

fn begin() -> Result<Exposition, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in CATALOGUE {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
        }
    }
    let handle = builder.install_recorder()?;
    for metric in CATALOGUE {
        let unit = if metric.name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.meaning),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.meaning),
            Kind::Histogram(_) => describe_histogram!(metric.name, unit, metric.meaning),
        }
    }
    let process = Collector::default();
    process.describe();
    gauge!(names::BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Exposition { handle, process })
}

/// Counts of rows are exact far beyond what a database holds.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn tell(backlog: &Backlog, now: Timestamp) {
    let Backlog { deliveries, work, effects, signals, occurrences, .. } = *backlog;
    let queues = [
        ("deliveries", deliveries, Some(backlog.deliveries_since)),
        ("work", work, None),
        ("effects", effects, Some(backlog.effects_since)),
        ("signals", signals, Some(backlog.signals_since)),
        ("occurrences", occurrences, Some(backlog.occurrences_since)),
        ("stream", backlog.stream, None),
    ];
    for (queue, length, since) in queues {
        gauge!(names::QUEUE, "queue" => queue).set(length as f64);
        if let Some(since) = since {
            let age = since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
            gauge!(names::QUEUE_AGE, "queue" => queue).set(age);
        }
    }
    for (status, count) in [("pending", backlog.pending), ("running", backlog.running), ("waiting", backlog.waiting)] {
        gauge!(names::EXECUTIONS, "status" => status).set(count as f64);
    }
    gauge!(names::DELIVERIES_FAILED).set(backlog.failed_deliveries as f64);
    gauge!(names::EFFECTS_FAILED).set(backlog.failed_effects as f64);
    gauge!(names::STORE_UP).set(1.0);
}
