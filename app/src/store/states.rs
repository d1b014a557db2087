//! How the state of an execution is kept, in whichever database: the events of each transition, and now and then a
//! snapshot. The state is what the events fold to, from the last snapshot on. Knows no SQL but the shape of one query.

use flowctl_core::execution::{Event, EventKind, Execution, ExecutionStatus};

use super::columns::{micros, micros_after, signed, unsigned};
use super::payloads::{Payloads, Text, split};
use super::{DeliveryId, StoreError, Stored, StoredEvent, Transition};

/// Bytes of events since the last snapshot that are folded anew at each read without another snapshot; where the
/// snapshot itself is larger, twice its size. So what is read stays in proportion to the state, and what is written to
/// the events.
const MAX_TAIL: i64 = 64 * 1024;

/// Whether the events since the last snapshot have outgrown what they are folded into: then there is a new one.
pub(in crate::store) fn is_outgrown(base_bytes: i64, tail_bytes: i64) -> bool {
    tail_bytes > MAX_TAIL.max(base_bytes.saturating_mul(2))
}

/// Whether a transition stores a snapshot whatever the size of its events: an execution that has ended is read more
/// often than it changes from then on.
pub(in crate::store) fn ends(transition: &Transition) -> bool {
    transition.execution.status.is_final()
}

/// The text of a snapshot; what is large goes into `payloads`.
pub(in crate::store) fn snapshot(
    transition: &Transition,
    tenant: &str,
    payloads: &mut Payloads,
) -> Result<Text, StoreError> {
    split(SNAPSHOT, &*transition.execution, tenant, payloads)
}

/// What a snapshot is called in errors.
pub(in crate::store) const SNAPSHOT: &str = "the execution";

/// Bytes of a text, as the sizes of an execution are counted.
pub(in crate::store) fn bytes(text: &str) -> Result<i64, StoreError> {
    signed("the size of an execution", text.len() as u64)
}

/// When somebody must look at the execution again. A pending one is due from its creation.
pub(in crate::store) fn wake_at(execution: &Execution) -> Option<i64> {
    if execution.status == ExecutionStatus::Pending {
        return Some(micros(execution.created_at));
    }
    execution.wake_at().map(micros_after)
}

/// Of the executions that `$chosen` selects (position, version, tenant) the last snapshot and the events since, in one
/// statement, so that they belong together: rows of position, seq (0 for the snapshot), version, tenant, text and what is
/// kept apart of it. What [`states`] is given.
macro_rules! states_of {
    ($chosen:expr) => {
        concat!(
            "with chosen as materialized (",
            $chosen,
            ")
            select chosen.position, 0 as seq, chosen.version, chosen.tenant, snapshots.state as text, snapshots.large
            from chosen left join snapshots on snapshots.execution = chosen.position
            union all
            select chosen.position, events.seq, 0, chosen.tenant, events.events, events.large
            from chosen join events on events.execution = chosen.position
            where events.seq > coalesce((select seq from snapshots where execution = chosen.position), 0)
            order by 1, 2"
        )
    };
}
pub(in crate::store) use states_of;

/// What a row of such a statement brings.
pub(in crate::store) enum Part {
    /// Another execution: its version, and its snapshot where it has one.
    Next(u64, Option<Box<Execution>>),
    /// More events of the same one.
    Events(Vec<Event>),
}

/// The executions that such parts make up, in the order of their creation in this database.
pub(in crate::store) fn states(
    parts: impl IntoIterator<Item = Result<Part, StoreError>>,
) -> Result<Vec<Stored>, StoreError> {
    let mut read = Vec::new();
    let mut under_way: Option<(u64, Option<Execution>)> = None;
    for part in parts {
        match part? {
            Part::Next(version, snapshot) => {
                let before = under_way.replace((version, snapshot.map(|snapshot| *snapshot)));
                read.extend(before.map(whole).transpose()?);
            }
            Part::Events(events) => {
                if let Some((_, state)) = &mut under_way {
                    fold(state, events);
                }
            }
        }
    }
    read.extend(under_way.map(whole).transpose()?);
    Ok(read)
}

fn whole((version, state): (u64, Option<Execution>)) -> Result<Stored, StoreError> {
    let execution =
        state.ok_or_else(|| StoreError::corrupt("an execution", "it has neither snapshot nor beginning"))?;
    Ok(Stored { execution, version })
}

/// Folds events into a state, which the first one of all begins.
pub(in crate::store) fn fold(state: &mut Option<Execution>, events: Vec<Event>) {
    for event in events {
        match (&mut *state, event.kind) {
            (None, EventKind::ExecutionCreated { execution }) => *state = Some(*execution),
            (None, _) => {}
            (Some(state), kind) => state.apply(&Event { kind, ..event }),
        }
    }
}

/// The events of a row whose last one has this number, each with its own; those after `after_seq`.
pub(in crate::store) fn numbered(
    last_seq: i64,
    events: Vec<Event>,
    delivery: Option<DeliveryId>,
    after_seq: u64,
) -> Result<impl Iterator<Item = StoredEvent>, StoreError> {
    let end = unsigned("a sequence number", last_seq)? + 1;
    let first = end.saturating_sub(events.len() as u64);
    let later = (first..).zip(events).filter(move |(seq, _)| *seq > after_seq);
    Ok(later.map(move |(seq, event)| StoredEvent { seq, event, delivery: delivery.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_in_proportion_to_what_is_folded() {
        assert!(!is_outgrown(1_000, MAX_TAIL));
        assert!(is_outgrown(1_000, MAX_TAIL + 1));
        assert!(!is_outgrown(MAX_TAIL, 2 * MAX_TAIL));
        assert!(is_outgrown(MAX_TAIL, 2 * MAX_TAIL + 1));
    }
}
