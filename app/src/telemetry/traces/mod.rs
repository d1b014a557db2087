//! Traces of executions for OpenTelemetry collectors. Spans are made of what was stored, once it is stored, and their ids of the
//! execution's, so that one trace follows it over restarts and replicas. Nothing waits for a collector: what it cannot take is
//! dropped and counted in the log. What models were told stays here unless the operator says otherwise.

mod begun;
mod export;
mod ids;
mod spans;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowctl_core::execution::{Event, EventKind, Execution};
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use export::TracesError;

use self::begun::Begun;
use self::export::Exporter;
use crate::store::Store;

/// Transitions that wait to be made into spans at most.
const QUEUE: usize = 8_192;
/// Spans that a collector is sent at a time at most, and how long the first of them waits: as the specification of batch
/// processors has it (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
const BATCH: usize = 512;
const PAUSE: Duration = Duration::from_secs(5);

/// Where traces go, and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// The collector's address for traces, whole.
    pub endpoint: Url,
    /// Whether they hold what models answered and what tools were given and gave.
    pub content: bool,
    /// The name under which they come.
    pub service: String,
}

impl TraceSettings {
    /// As the variables of the OpenTelemetry specification say; nothing where they name no collector.
    ///
    /// # Errors
    /// The variable whose value cannot be used, and what is expected.
    pub fn read(named: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, (&'static str, &'static str)> {
        let given = |name: &str| named(name).filter(|text| !text.trim().is_empty());
        let is = |name: &str, word: &str| given(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(word));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let expected = "an http or https URL, such as http://127.0.0.1:4318";
        let url = |text: String| {
            Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        let endpoint = match (given(TRACES), given(ALL)) {
            (Some(whole), _) => url(whole).ok_or((TRACES, expected))?,
            (None, Some(base)) => {
                let mut base = url(base).ok_or((ALL, expected))?;
                base.set_path(&format!("{}/v1/traces", base.path().trim_end_matches('/')));
                base
            }
            (None, None) => return Ok(None),
        };
        let protocols = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        if let Some(name) = protocols.into_iter().find(|name| given(name).is_some())
            && !is(name, "http/protobuf")
        {
            return Err((name, "http/protobuf, the only protocol that is spoken"));
        }
        let content = is("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true");
        let service = given("OTEL_SERVICE_NAME").unwrap_or_else(|| "flowctl".to_owned());
        Ok(Some(Self { endpoint, content, service }))
    }
}

/// What was stored, to be made into spans.
#[derive(Debug)]
struct Told {
    after: Arc<Execution>,
    events: Vec<Event>,
}

/// Where the engine tells what it stored.
#[derive(Debug, Clone)]
pub struct Traces {
    told: mpsc::Sender<Told>,
    is_full: Arc<AtomicBool>,
}

impl Traces {
    /// Traces that go to a collector, and what sends them.
    ///
    /// # Errors
    /// Where the exporter cannot be set up.
    pub fn begin(settings: &TraceSettings, store: Arc<dyn Store>) -> Result<(Self, TraceSender), TracesError> {
        let (told, queue) = mpsc::channel(QUEUE);
        let exporter = Exporter::new(&settings.endpoint, &settings.service)?;
        let sender = TraceSender { queue, exporter, begun: Begun::new(store), content: settings.content };
        Ok((Self { told, is_full: Arc::default() }, sender))
    }

    /// A transition was stored.
    pub(crate) fn stored(&self, after: &Arc<Execution>, events: &[Event]) {
        let events: Vec<Event> = events.iter().filter(|event| matters(event)).cloned().collect();
        if events.is_empty() {
            return;
        }
        let is_full = self.told.try_send(Told { after: Arc::clone(after), events }).is_err();
        if is_full && !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("spans are dropped: the collector of traces takes them more slowly than they come");
        } else if !is_full {
            self.is_full.store(false, Ordering::Relaxed);
        }
    }
}

/// Whether a span begins or ends with it.
fn matters(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::StepNoted { .. }
            | EventKind::StepRetrying { .. }
            | EventKind::StepCompleted { .. }
            | EventKind::StepFailed { .. }
            | EventKind::StepCancelled
            | EventKind::StepWaiting { .. }
            | EventKind::ExecutionCompleted { .. }
            | EventKind::ExecutionFailed { .. }
            | EventKind::ExecutionCancelled { .. }
    )
}

/// Makes spans and sends them.
#[derive(Debug)]
pub struct TraceSender {
    queue: mpsc::Receiver<Told>,
    exporter: Exporter,
    begun: Begun,
    content: bool,
}

impl TraceSender {
    /// Sends until `shutdown`, and then what is left.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut batch: Vec<SpanData> = Vec::new();
        loop {
            let due = tokio::time::sleep(PAUSE);
            tokio::pin!(due);
            let goes_on = loop {
                tokio::select! {
                    biased;
                    told = self.queue.recv() => match told {
                        Some(told) => {
                            batch.extend(spans::of(&mut self.begun, &told.after, &told.events, self.content).await);
                            if batch.len() >= BATCH {
                                break true;
                            }
                        }
                        None => break false,
                    },
                    () = shutdown.cancelled() => break false,
                    () = &mut due => break true,
                }
            };
            if !goes_on {
                self.queue.close();
                while let Some(told) = self.queue.recv().await {
                    batch.extend(spans::of(&mut self.begun, &told.after, &told.events, self.content).await);
                }
            }
            while !batch.is_empty() {
                let rest = batch.split_off(batch.len().min(BATCH));
                self.exporter.send(std::mem::replace(&mut batch, rest)).await;
            }
            if !goes_on {
                return;
            }
        }
    }
}
