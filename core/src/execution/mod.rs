//! An execution as a pure state machine: `decide` says what follows from a signal, `apply` folds an event into the
//! state. Nothing here does I/O; `now` and ids are arguments, so the same inputs give the same events.

pub mod address;
pub mod budget;
pub mod context;
pub mod decide;
pub mod edges;
pub mod equipment;
pub mod event;
pub mod items;
pub mod journal;
pub mod large;
pub mod performable;
pub mod plan;
pub mod relevance;
pub mod shared;
pub mod signal;
pub mod start;
pub mod state;
pub mod timeline;
pub mod untrusted;
pub mod usage;
pub mod waiting;
pub mod workflow;

mod advance;
mod apply;
mod children;
mod finish;
mod foreach;
mod hold;
pub(crate) mod input;
pub mod notice;
mod people;
mod perform;
mod reads;
mod received;
mod retry;

pub use children::{ApprovedWithin, ChildApprovals, MAX_DEPTH, signals_to_others};
pub use decide::{Refusal, abandon, decide, decide_and_apply};
pub use equipment::{EquippedAgent, EquippedTool};
pub use event::{Event, EventKind, SkipReason};
pub use foreach::{MAX_ITEMS, MAX_STEPS};
pub use items::{BodyStep, Item, Items};
pub use journal::{
    CallDecided, CallDecision, CallRequest, Entry, LeftOutTool, MAX_SHOWN_ARGUMENTS, Noted, ShownCall, Speaker,
    StopReason, ToolCall, ToolOutcome, call_digest, shown_arguments,
};
pub use large::{AtHand, LargeOutput};
pub use performable::Performable;
pub use plan::{Plan, PlanError};
pub use shared::{Shared, Steps};
pub use signal::Signal;
pub use start::{NewExecution, StartError, create, create_child};
pub use state::{
    Delegation, Execution, ExecutionId, ExecutionStatus, Group, Hold, Parent, PullRequestInfo, StepError, StepState,
    StepStatus, Subject, TenantId, TriggerInfo,
};
pub use usage::Usage;
pub use waiting::{ApprovalRequest, FormRequest, Waiting};

#[cfg(test)]
mod tests;
