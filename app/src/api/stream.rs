//! The events of an execution as they happen: server-sent events (the HTML standard, section 9.2), from any event on, to
//! the end of the execution.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use flowctl_core::execution::{ExecutionId, TenantId};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use utoipa::IntoParams;

use super::Api;
use super::events::sequence;
use super::problem::Problem;
use super::query::Query;
use super::view::EventView;
use crate::store::{Progress, StoredEvent};

/// How often something is sent where nothing happens, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(1);
/// Events that are read at a time.
const BATCH: u32 = 200;

/// Where a stream begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct StreamQuery {
    /// Only events with a higher `seq`. `Last-Event-ID` wins over it.
    #[param(minimum = 0, maximum = 9007199254740991u64)]
    after: Option<u64>,
}

/// Follow an execution
///
/// Server-sent events: one message for each stored event, `id` its `seq`, `data` the event as JSON; comments in
/// between as heartbeats. It ends when the execution has; who asks for more then gets 204, which tells browsers to
/// stop connecting.
#[utoipa::path(get, path = "/executions/{id}/events/stream", tag = "executions", operation_id = "follow_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution"), StreamQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The `id` of the last message that was seen")),
    responses(
        (status = 200, description = "Messages as they come", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The execution has ended and there are no further events"),
    ))]
pub(super) async fn stream(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref());
    let after = sequence(&mut query, "after");
    query.finish()?;
    let seen = match headers.get("last-event-id") {
        None => after.unwrap_or(0),
        Some(seen) => {
            let seen = seen.to_str().ok().and_then(|seen| seen.trim().parse().ok());
            let in_range = seen.filter(|seen| i64::try_from(*seen).is_ok());
            in_range.ok_or_else(|| Problem::field("Last-Event-ID", "must be the `id` of a message"))?
        }
    };
    let execution = api.load(&id).await?;
    let (tenant, id) = (execution.tenant.clone(), execution.id);
    let progress = api.feed.follow(id);
    let first: VecDeque<StoredEvent> = api.store.events(&tenant, id, seen, BATCH).await?.into();
    if first.is_empty() && execution.status.is_final() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = Follower { api, tenant, id, seen, read: first, progress };
    let alive = KeepAlive::new().interval(HEARTBEAT).text("heartbeat");
    Ok(Sse::new(follower.events()).keep_alive(alive).into_response())
}

/// One connection.
struct Follower {
    api: Api,
    tenant: TenantId,
    id: ExecutionId,
    /// The last event that was sent.
    seen: u64,
    /// Events that are to be sent.
    read: VecDeque<StoredEvent>,
    progress: watch::Receiver<Progress>,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let stored = follower.next().await?;
            follower.seen = stored.seq;
            let view = EventView::of(follower.id, &stored);
            let message = Event::default().id(stored.seq.to_string()).retry(RETRY).json_data(view);
            match message {
                Ok(message) => Some((Ok(message), follower)),
                Err(error) => {
                    tracing::error!(%error, execution = %follower.id, "an event cannot be told");
                    None
                }
            }
        })
    }

    /// The next event; nothing where there will be none, or the server ends, or the store does not answer: whoever
    /// follows connects again.
    async fn next(&mut self) -> Option<StoredEvent> {
        loop {
            if let Some(stored) = self.read.pop_front() {
                return Some(stored);
            }
            let now = *self.progress.borrow_and_update();
            if now.last_seq > self.seen {
                let read = self.api.store.events(&self.tenant, self.id, self.seen, BATCH).await;
                match read {
                    Ok(read) => self.read = read.into(),
                    Err(error) => {
                        tracing::warn!(%error, execution = %self.id, "a follower is sent away");
                        return None;
                    }
                }
                if !self.read.is_empty() {
                    continue;
                }
            } else if now.ended {
                return None;
            }
            tokio::select! {
                changed = self.progress.changed() => changed.ok()?,
                () = self.api.shutdown.cancelled() => return None,
            }
        }
    }
}
