//! The forms in which things leave the server: what scripts and other programs rely on. Made from core's state; nothing
//! is decided here.

mod approval;
mod event;
mod execution;
mod large;
mod people;
mod process;
mod usage;

pub(crate) use approval::ApprovalStatusParameter;
pub use approval::ApprovalView;
pub use event::EventView;
pub use execution::{ErrorView, ExecutionView, StepView, TriggerView, WaitingView};
pub(crate) use execution::{ExecutionStatusParameter, ExecutionStatusSchema};
pub(in crate::api) use large::json_size;
pub use people::{ApproversView, DecisionView, MissingView, PersonView, SourceView};
pub use process::{ProcessView, StepOutline};
pub use usage::{CallView, TraceView, UsageView};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a longer list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// What is on this page. A page may be short, or empty, and still have a next one.
    pub items: Vec<T>,
    /// The `cursor` of the next page; nothing on the last one.
    pub next: Option<String>,
}
