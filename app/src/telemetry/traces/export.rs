//! Sending spans over OTLP, as protobuf over HTTP. Headers, timeout and compression are read by the exporter from the variables
//! that the specification names.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use url::Url;

/// Why traces cannot be sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub struct TracesError(Arc<str>);

/// The way to a collector.
#[derive(Debug)]
pub(super) struct Exporter {
    exporter: SpanExporter,
    fails: bool,
}

impl Exporter {
    pub(super) fn new(endpoint: &Url, service: &str) -> Result<Self, TracesError> {
        let failed = |error: String| TracesError(error.into());
        // A collector is the operator's own, and spans are sent nowhere else.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let builder = SpanExporter::builder()
            .with_http()
            .with_http_client(client.map_err(|error| failed(error.to_string()))?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str());
        let mut exporter = builder.build().map_err(|error| failed(error.to_string()))?;
        exporter.set_resource(&resource(service));
        Ok(Self { exporter, fails: false })
    }

    /// Sends spans, or drops them where the collector does not take them.
    pub(super) async fn send(&mut self, spans: Vec<SpanData>) {
        let count = spans.len();
        let failed = self.exporter.export(spans).await.err();
        match &failed {
            // One line for each time that it begins.
            Some(error) if !self.fails => {
                tracing::warn!(%error, spans = count, "the collector takes no traces; they are dropped");
            }
            Some(error) => tracing::debug!(%error, spans = count, "the collector takes no traces"),
            None if self.fails => tracing::info!("the collector takes traces again"),
            None => {}
        }
        self.fails = failed.is_some();
    }
}

/// Who tells; what `OTEL_RESOURCE_ATTRIBUTES` says stands beside it.
fn resource(service: &str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_attribute(version).with_service_name(service.to_owned()).build()
}
