//! The HTTP API: what comes in is read and held against its schema, handed to the engine or the store, and what leaves
//! has one form each. Nothing is decided here: who may do what is `identity`'s, what follows is `engine`'s and core's.
//! The OpenAPI document is made from the routes themselves.

mod access;
mod ai;
mod approvals;
mod body;
mod catalogue;
mod cursor;
mod delegations;
mod description;
mod events;
mod executions;
mod feed;
mod heard;
pub mod hooks;
mod idempotency;
mod json;
mod person;
pub mod problem;
mod processes;
mod published;
mod query;
mod questions;
mod refusal;
mod resume;
pub mod resume_page;
mod start;
mod steering;
mod steps;
mod stream;
mod trace;
mod validation;
pub mod view;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::{Router, middleware};
use flowctl_core::execution::{EventKind, Execution, ExecutionId, ExecutionStatus, TenantId};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use ai::tested;
pub use delegations::DelegationView;
pub use view::{ApprovalView, EventView, ExecutionView, List, ProcessView, TraceView};

use self::catalogue::Catalogue;
use self::cursor::Cursors;
use self::feed::Feed;
use self::problem::Problem;
use self::questions::Questions;
use self::view::ErrorView;
use crate::ai::Providers;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::github::client::GitHub;
use crate::github::definitions::Repositories;
use crate::identity::resume::{KEY_NAME, ResumeTokens};
use crate::store::{Approval, Store, StoreError};

/// Where every address of the API begins.
pub const BASE: &str = "/api/v1";
/// Bytes of a request's body at most.
pub const MAX_BODY: usize = 1024 * 1024;
/// The name of the key that cursors are signed with, in the store.
const CURSOR_KEY: &str = "cursor";

/// How long an answer of this address may take, where that is longer than others have.
pub fn patience(path: &str) -> Option<Duration> {
    (path.strip_prefix(BASE)? == ai::INTERPRET).then_some(ai::PATIENCE)
}

/// An execution as JSON. Times are RFC 3339 in UTC, durations milliseconds up to `now` for what is under way.
pub fn execution(execution: &Execution, now: Timestamp) -> Value {
    json!(ExecutionView::of(execution, now, None))
}

/// What the API works with.
pub struct ApiParts {
    /// The durable truth.
    pub store: Arc<dyn Store>,
    /// What moves executions.
    pub engine: Engine,
    /// Repositories' definitions.
    pub repositories: Repositories,
    /// GitHub, where there is an App.
    pub github: Option<GitHub>,
    /// The models that are set up.
    pub providers: Arc<Providers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The administrator's token; without one the API is closed.
    pub token: Option<SecretString>,
    /// Whether that token may decide in a person's name outside tenant `local`.
    pub act_as: bool,
    /// The operator's secrets by name, which `webhook` triggers name.
    pub secrets: BTreeMap<String, SecretString>,
    /// The base of links, without a slash at its end.
    pub public_url: String,
    /// Ends streams, and what models are asked.
    pub shutdown: CancellationToken,
}

/// The API. Clones are the same one.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

/// The parts, and what is made from them.
pub struct Inner {
    parts: ApiParts,
    catalogue: Catalogue,
    cursors: Cursors,
    tokens: ResumeTokens,
    feed: Feed,
    questions: Questions,
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Deref for Inner {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.parts
    }
}

impl Api {
    /// An API over these parts. Keys that it signs with are kept in the store, where every server of it finds them.
    ///
    /// # Errors
    /// Where the store cannot keep them.
    pub async fn new(parts: ApiParts) -> Result<Self, StoreError> {
        let tokens = resume_tokens(&parts.store).await?;
        let cursors = Cursors::new(key(&parts.store, CURSOR_KEY).await?);
        let catalogue = Catalogue::new(parts.repositories.clone(), Arc::clone(&parts.store));
        let feed = Feed::start(Arc::clone(&parts.store), parts.shutdown.clone());
        let questions = Questions::new(parts.shutdown.clone());
        Ok(Self { inner: Arc::new(Inner { parts, catalogue, cursors, tokens, feed, questions }) })
    }

    /// Waits until all that requests began has ended, once [`ApiParts::shutdown`] has been cancelled.
    pub async fn ended(&self) {
        self.questions.ended().await;
    }

    /// Every address of the API with what answers it.
    pub fn router(&self) -> Router {
        let (router, openapi) = self.described();
        router.merge(hooks::router(self)).merge(resume_page::router(self)).merge(description::router(openapi))
    }

    /// The OpenAPI document.
    pub fn openapi() -> OpenApi {
        let (_, mut openapi) = OpenApiRouter::with_openapi(description::head())
            .nest(BASE, administrators_routes())
            .nest(BASE, bearers_routes())
            .split_for_parts();
        description::complete(&mut openapi);
        openapi
    }

    fn described(&self) -> (Router, OpenApi) {
        let guarded = middleware::from_fn_with_state(self.clone(), access::administrators);
        let (administrators, _) = OpenApiRouter::new().nest(BASE, administrators_routes()).split_for_parts();
        let administrators = administrators
            // Addresses that hold `owner/repo:name` as it is, beside those where it is percent-encoded.
            .merge(Router::new().nest(BASE, processes::plain_routes()))
            .method_not_allowed_fallback(no_such_method)
            .layer(guarded);
        let (bearers, _) = OpenApiRouter::new().nest(BASE, bearers_routes()).split_for_parts();
        let bearers = bearers
            .method_not_allowed_fallback(no_such_method)
            .layer(middleware::from_fn_with_state(self.clone(), access::anybody));
        let router = administrators
            .merge(bearers)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::map_response(problem::as_problem))
            .with_state(self.clone());
        (router, Self::openapi())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An execution of any tenant.
    async fn load(&self, id: &str) -> Result<Execution, Problem> {
        let unknown = || Problem::not_found(format!("there is no execution {id}"));
        let id: ExecutionId = id.parse().map_err(|_| unknown())?;
        let tenant = self.store.tenant_of(id).await?.ok_or_else(unknown)?;
        self.load_of(&tenant, id).await
    }

    async fn load_of(&self, tenant: &TenantId, id: ExecutionId) -> Result<Execution, Problem> {
        let stored = self.store.load(tenant, id).await?;
        stored.map(|stored| stored.execution).ok_or_else(|| Problem::not_found(format!("there is no execution {id}")))
    }

    /// An execution as administrators see it.
    fn shown(&self, execution: &Execution) -> ExecutionView {
        let view = ExecutionView::of(execution, self.now(), Some(&self.tokens));
        ExecutionView { url: view.url.or_else(|| Some(self.address(execution.id))), ..view }
    }

    /// The same with the reason of a cancellation, which stands in the events only.
    async fn shown_with_reason(&self, execution: &Execution) -> Result<ExecutionView, Problem> {
        let view = self.shown(execution);
        if execution.status != ExecutionStatus::Cancelled || view.error.is_some() {
            return Ok(view);
        }
        let mut before = match self.store.progress(&[execution.id]).await?.first() {
            Some(progress) => progress.last_seq,
            None => return Ok(view),
        };
        // What is stopped and undone is told after it: it is near the end.
        while before > 0 {
            let after = before.saturating_sub(u64::from(query::MAX_LIMIT));
            let events = self.store.events(&execution.tenant, execution.id, after, query::MAX_LIMIT).await?;
            let reason = events.iter().rev().find_map(|stored| match &stored.event.kind {
                EventKind::ExecutionCancelled { reason } => Some(reason.clone()),
                _ => None,
            });
            if let Some(message) = reason {
                let error = ErrorView { class: "cancelled".to_owned(), message, step: None };
                return Ok(ExecutionView { error: Some(error), ..view });
            }
            before = after;
        }
        Ok(view)
    }

    fn shown_approval(&self, approval: &Approval) -> ApprovalView {
        let view = ApprovalView::of(approval);
        ApprovalView { url: view.url.or_else(|| Some(self.address(approval.execution))), ..view }
    }

    /// Where an execution is shown that has no page of its own.
    fn address(&self, id: ExecutionId) -> String {
        format!("{}{BASE}/executions/{id}", self.public_url)
    }
}

/// What the administrator's token opens.
fn administrators_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(executions::list, start::start))
        .routes(routes!(executions::show))
        .routes(routes!(events::list))
        .routes(routes!(trace::show))
        .routes(routes!(stream::stream))
        .routes(routes!(steps::output))
        .routes(routes!(steps::answer))
        .routes(routes!(steering::cancel))
        .routes(routes!(steering::retry))
        .routes(routes!(steering::hold))
        .routes(routes!(steering::unhold))
        .routes(routes!(start::rerun))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::decide))
        .routes(routes!(delegations::delegate))
        .routes(routes!(processes::list))
        .routes(routes!(processes::show))
        .routes(routes!(processes::pause))
        .routes(routes!(processes::resume))
        .routes(routes!(published::publish))
        .routes(routes!(validation::validate))
        .routes(routes!(ai::capabilities))
        .routes(routes!(ai::interpret))
        .routes(routes!(ai::validate))
        .routes(routes!(ai::test))
}

/// What brings its own authority.
fn bearers_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(resume::resume))
}

async fn no_such_method() -> Problem {
    Problem::new("method-not-allowed", "The header `Allow` says which methods this address takes.")
}

/// Nothing is at this address.
pub(crate) async fn no_such_route() -> Response {
    use axum::response::IntoResponse;
    Problem::new("unknown-route", "There is nothing at this address; /docs lists what there is.").into_response()
}

/// What makes and reads resume tokens, with the key that every server of the store has.
pub(crate) async fn resume_tokens(store: &Arc<dyn Store>) -> Result<ResumeTokens, StoreError> {
    Ok(ResumeTokens::new(key(store, KEY_NAME).await?))
}

async fn key(store: &Arc<dyn Store>, name: &str) -> Result<[u8; 32], StoreError> {
    // Version 4 ids come from the system's source of randomness: 122 bits each.
    let mut candidate = Vec::with_capacity(32);
    for _ in 0..2 {
        candidate.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    let kept = store.server_key(name, candidate).await?;
    <[u8; 32]>::try_from(kept.as_slice()).map_err(|_| StoreError::Corrupt {
        what: format!("the key `{name}`"),
        reason: format!("it has {} bytes", kept.len()),
    })
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } | StoreError::OutOfRange { .. } => Self::internal(&error),
            StoreError::WrongCursor => Self::field("cursor", "is not one that this list gave; begin without it"),
            passing => {
                tracing::error!(error = %passing, "the store does not answer");
                Self::new("unavailable", "The database does not answer; try again later.")
            }
        }
    }
}
