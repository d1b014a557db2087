//! Concurrency groups: executions of one group run one after the other. Who may go is decided by the store in the
//! transaction that sets it going; here is what is asked of it.

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{Execution, ExecutionStatus, Signal};

/// Whether this transition sets an execution of a group going: one that was queued, or had ended and is retried. Its
/// steps are not under way before.
pub(super) fn enters(before: Option<&Execution>, after: &Execution) -> bool {
    let rests = |status: ExecutionStatus| status == ExecutionStatus::Pending || status.is_final();
    let was_under_way = before.is_some_and(|before| !rests(before.status));
    // What was cancelled in the queue goes nowhere.
    let goes = !matches!(after.status, ExecutionStatus::Pending | ExecutionStatus::Cancelled);
    after.group.is_some() && !was_under_way && goes
}

/// What a new execution has the others of its group told.
pub(super) fn to_others(before: Option<&Execution>, after: &Execution) -> Option<Signal> {
    let cancels = after.group.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Cancel);
    let reason = || format!("a newer execution of its concurrency group took its place: {}", after.id);
    (cancels && before.is_none()).then(|| Signal::Cancel { actor: None, reason: reason() })
}
