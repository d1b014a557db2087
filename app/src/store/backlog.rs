//! How much there is to do, in words that both databases understand.

use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::StoreError;
use super::columns::{timestamp, unsigned};

/// How much there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries not yet finished.
    pub deliveries: u64,
    /// Deliveries that were given up.
    pub failed_deliveries: u64,
    /// Attempts not yet ended.
    pub work: u64,
    /// Effects not yet done; those that failed for good are not among them.
    pub effects: u64,
    /// Effects that failed for good.
    pub failed_effects: u64,
    /// Signals that executions have not taken yet.
    pub signals: u64,
    /// Occurrences that have not been dealt with.
    pub occurrences: u64,
    /// Transitions that the event stream has not been told of, counted up to a million.
    pub stream: u64,
    /// Executions that have been accepted and not started.
    pub pending: u64,
    /// Executions of which something runs.
    pub running: u64,
    /// Executions that wait for people or time.
    pub waiting: u64,
    /// When the oldest delivery that is not finished came in.
    pub deliveries_since: Option<Timestamp>,
    /// When the first effect may be written, be it in the future.
    pub effects_since: Option<Timestamp>,
    /// When the first signal may be taken, be it in the future.
    pub signals_since: Option<Timestamp>,
    /// When the first occurrence may be dealt with, be it in the future.
    pub occurrences_since: Option<Timestamp>,
}

pub(in crate::store) const QUERY: &str = "
    select (select count(*) from deliveries where status = 'pending') as deliveries,
      (select min(received_at) from deliveries where status = 'pending') as deliveries_since,
      (select count(*) from deliveries where status = 'failed') as failed_deliveries,
      (select count(*) from work) as work,
      (select count(*) from effects where status = 'pending') as effects,
      (select min(case when retry_at > not_before then retry_at else not_before end) from effects where status = 'pending')
        as effects_since,
      (select count(*) from effects where status = 'failed') as failed_effects,
      (select count(*) from signals) as signals,
      (select min(not_before) from signals) as signals_since,
      (select count(*) from occurrences) as occurrences,
      (select min(not_before) from occurrences) as occurrences_since,
      (select count(*) from (select 1 from untold_events limit 1000000) untold) as stream,
      (select count(*) from executions where status = 'pending' and status <> 'completed') as pending,
      (select count(*) from executions where status = 'running' and status <> 'completed') as running,
      (select count(*) from executions where status = 'waiting' and status <> 'completed') as waiting";

/// What a row of [`QUERY`] says.
pub(in crate::store) fn read<R>(row: &R) -> Result<Backlog, StoreError>
where
    R: Row,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'c> &'c str: ColumnIndex<R>,
{
    let count = |column: &str| unsigned("a count", row.try_get::<i64, _>(column)?);
    let since = |column: &str| row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose();
    Ok(Backlog {
        deliveries: count("deliveries")?,
        failed_deliveries: count("failed_deliveries")?,
        work: count("work")?,
        effects: count("effects")?,
        failed_effects: count("failed_effects")?,
        signals: count("signals")?,
        occurrences: count("occurrences")?,
        stream: count("stream")?,
        pending: count("pending")?,
        running: count("running")?,
        waiting: count("waiting")?,
        deliveries_since: since("deliveries_since")?,
        effects_since: since("effects_since")?,
        signals_since: since("signals_since")?,
        occurrences_since: since("occurrences_since")?,
    })
}
