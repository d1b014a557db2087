//! What a server says about itself to those who run it: its log, its metrics, and traces for those who collect them. What
//! happened to an execution is in its events, not here.

mod catalogue;
mod log;
mod metrics;
pub mod names;
mod traces;

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use log::{TelemetryError, start};
pub use metrics::{Exposition, ExpositionError};
pub use traces::{TraceSender, TraceSettings, Traces, TracesError};
