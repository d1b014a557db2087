//! What a server says about itself to those who run it: its log, and its metrics. What happened to an execution is in its
//! events, not here.

mod catalogue;
mod log;
mod metrics;
pub mod names;

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use log::{TelemetryError, start};
pub use metrics::{Exposition, ExpositionError};
