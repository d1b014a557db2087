//! What pages of executions follow on every back end: how far one looks, and which ids lie in a time.

use jiff::Timestamp;
use uuid::Uuid;

/// How many executions a page looks at where no index finds exactly those that are asked for. A page may then hold
/// fewer than its limit, or none, and still have a next one.
const LOOKED_AT: u32 = 2_000;

/// How many executions a page of this limit looks at. `exact`: the index finds just those that are asked for.
pub(in crate::store) fn looked_at(limit: u32, exact: bool) -> u32 {
    let one_more = limit.saturating_add(1);
    if exact { one_more } else { LOOKED_AT.max(one_more) }
}

/// The smallest UUIDv7 of a millisecond.
pub(in crate::store) fn first_id_of(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid();
    // Version and variant bits are not the smallest; other sources of ids may leave them out.
    Uuid::from_u128(id.as_u128() & (u128::MAX << 80))
}

/// A `like` pattern, escaped by `\`, for texts that contain this one.
pub(in crate::store) fn containing(text: &str) -> String {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
