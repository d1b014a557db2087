//! Approvals: what waits for people, what was decided, and decisions in a person's name.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use flowctl_core::approval::{DecisionKind, SourceKind};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::body::{Given, body};
use super::heard::{Spoken, source};
use super::idempotency::{Keyed, optional, used_otherwise};
use super::problem::Problem;
use super::query::{PAGE_BYTES, Query};
use super::view::{ApprovalView, List, json_size};
use crate::engine::Along;
use crate::github::intake::Source as _;
use crate::github::wording::Refused;
use crate::identity::{About, Hearing, Word};
use crate::store::{Approval, ApprovalFilter, ApprovalStatus, Page};

/// Which approvals to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ApprovalsQuery {
    /// With this status.
    #[param(inline)]
    status: Option<super::view::ApprovalStatusParameter>,
    /// Of this execution.
    execution: Option<uuid::Uuid>,
    /// How many a page holds at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the page before, with the same filters.
    cursor: Option<String>,
}

/// List approvals
///
/// Newest first. A page may be short and still have a next one: go on until `next` is null.
#[utoipa::path(get, path = "/approvals", tag = "approvals", operation_id = "list_approvals", params(ApprovalsQuery),
    responses((status = 200, description = "A page of approvals", body = List<ApprovalView>)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<ApprovalView>>, Problem> {
    let mut query = Query::of(query.as_deref());
    let names: Vec<&str> = ApprovalStatus::ALL.iter().map(|status| status.as_str()).collect();
    let status = query.value("status", &format!("one of {}", names.join(", ")), ApprovalStatus::named);
    let execution = query.execution("execution");
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.finish()?;
    let filter = ApprovalFilter { status, execution };
    let list = format!("approvals?{filter:?}");
    let cursor = cursor.map(|cursor| api.cursors.read(&list, &cursor)).transpose()?;
    let Page { items, next } = page(&api, &filter, limit, cursor).await?;
    Ok(Json(List { items, next: next.map(|last| api.cursors.after(&list, &last)) }))
}

/// Approvals that are read at once.
const AT_ONCE: u32 = 25;

/// A page of at most `limit` approvals and of bounded size, however much people are told and say.
async fn page(
    api: &Api,
    filter: &ApprovalFilter,
    limit: u32,
    mut cursor: Option<String>,
) -> Result<Page<ApprovalView>, Problem> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let wanted = AT_ONCE.min(limit - u32::try_from(items.len()).unwrap_or(limit));
        let read = api.store.approvals(None, filter, wanted, cursor.as_deref()).await?;
        let last = read.items.last().map(|approval| approval.id);
        for approval in &read.items {
            let view = api.shown_approval(approval);
            bytes += json_size(&view);
            items.push(view);
            // Cursors are ids; what is behind this one comes with the next page.
            if bytes >= PAGE_BYTES && (last != Some(approval.id) || read.next.is_some()) {
                return Ok(Page { items, next: Some(approval.id.to_string()) });
            }
        }
        if read.next.is_none() || items.len() >= limit as usize {
            return Ok(Page { items, next: read.next });
        }
        cursor = read.next;
    }
}

/// Show an approval
#[utoipa::path(get, path = "/approvals/{id}", tag = "approvals", operation_id = "show_approval",
    params(("id" = uuid::Uuid, Path, description = "The approval")),
    responses((status = 200, description = "The approval", body = ApprovalView)))]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ApprovalView>, Problem> {
    Ok(Json(api.shown_approval(&find(&api, &id).await?)))
}

pub(super) async fn find(api: &Api, id: &str) -> Result<Approval, Problem> {
    let unknown = || Problem::not_found(format!("there is no approval {id}"));
    let id = id.parse().map_err(|_| unknown())?;
    api.store.approval(id).await?.ok_or_else(unknown)
}

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Takes back what the person said before.
    Withdraw,
    /// Goes on without the approval that is missing, with a note that says why; for those whom `flow.yaml` allows it.
    Override,
}

impl Said {
    pub(super) fn kind(self) -> DecisionKind {
        match self {
            Self::Approve => DecisionKind::Approve,
            Self::Reject => DecisionKind::Reject,
            Self::Withdraw => DecisionKind::Withdraw,
            Self::Override => DecisionKind::Override,
        }
    }

    /// How it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Override => "override",
        }
    }

    /// The command that it amounts to.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Approve | Self::Withdraw => "approve",
            Self::Reject => "reject",
            Self::Override => "override",
        }
    }
}

/// What a person decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionGiven {
    // Said by the type: a description here would make it two types in the document.
    #[schema(inline)]
    decision: Said,
    /// Why, for people.
    #[serde(default)]
    #[schema(max_length = 10000, nullable = false)]
    note: Option<String>,
    /// Whose word this is. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
    /// The commit that the person was shown: the approval's `commit`. Where it is another one by now the word is
    /// refused. Without it: the one that is asked about.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{40}$", nullable = false)]
    commit: Option<String>,
}
body!(DecisionGiven);

/// Decide
///
/// A person's word, weighed as anywhere else: it counts where the person is among those asked. A token is no person:
/// `as` names one. With `Idempotency-Key` the same request counts once; another one under the
/// same key is refused.
#[utoipa::path(post, path = "/approvals/{id}/decisions", tag = "approvals", operation_id = "decide",
    params(("id" = uuid::Uuid, Path, description = "The approval"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key, at most 200 characters")),
    request_body = DecisionGiven,
    responses((status = 200, description = "The approval as it is then", body = ApprovalView)))]
pub(super) async fn decide(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Given(given): Given<DecisionGiven>,
) -> Result<Json<ApprovalView>, Problem> {
    let approval = find(&api, &id).await?;
    let said = [
        given.decision.word().to_owned(),
        optional(given.note.as_deref()),
        optional(given.acting.as_deref()),
        optional(given.commit.as_deref()),
    ];
    let keyed = Keyed::of(&headers, &format!("decision:{}", approval.id), &said.each_ref().map(String::as_str))?;
    if let Some(before) = decided_before(&api, &approval, keyed.as_ref()).await? {
        return Ok(before);
    }
    if let Err(problem) = say(&api, &approval, given, keyed.as_ref()).await {
        // The same request may have come at the same time, and have been faster.
        return decided_before(&api, &approval, keyed.as_ref()).await?.ok_or(problem);
    }
    Ok(Json(api.shown_approval(&find(&api, &id).await?)))
}

/// What a key's decision led to, where it was recorded before; refused where that was another one.
async fn decided_before(
    api: &Api,
    approval: &Approval,
    keyed: Option<&Keyed>,
) -> Result<Option<Json<ApprovalView>>, Problem> {
    let Some(keyed) = keyed else { return Ok(None) };
    if !api.store.knows_word(&approval.tenant, &keyed.word).await? {
        return Ok(None);
    }
    let now = find(api, &approval.id.to_string()).await?;
    if now.decisions.iter().any(|decision| decision.source.id == keyed.fingerprint) {
        return Ok(Some(Json(api.shown_approval(&now))));
    }
    Err(used_otherwise(approval.execution))
}

async fn say(api: &Api, approval: &Approval, given: DecisionGiven, keyed: Option<&Keyed>) -> Result<(), Problem> {
    let execution = api.load_of(&approval.tenant, approval.execution).await?;
    let repository = api.repository_of(&execution).await?;
    let neighbourhood = api.neighbourhood(&approval.tenant, &repository).await?;
    let person = api.must_be_named(&neighbourhood, given.acting.as_deref()).await?;
    let source = source(SourceKind::Api, keyed);
    let spoken = Spoken {
        execution: Some(&execution),
        named: Some(&approval.step),
        once: keyed.map(|keyed| keyed.word.as_str()),
        ..Spoken::new((&approval.tenant, &repository), &person, &source, given.decision.word())
    };
    must_still_ask(api, approval, spoken).await?;
    let moved = api.at_head(&approval.tenant, &neighbourhood, execution.clone()).await?;
    // It may have gone on meanwhile, and ask about something else.
    must_still_ask(api, approval, Spoken { execution: Some(&moved), ..spoken }).await?;
    let about = given.commit.map_or(About::Shown, About::Commit);
    let word = Word { about, ..api.word(spoken, given.decision.verb()) };
    let published = api.repositories.published(&approval.tenant, &repository).await?;
    let hearing =
        Hearing { engine: &api.engine, tenant: &approval.tenant, directory: &neighbourhood, published: &published };
    let along = Along { word: keyed.map(|keyed| keyed.word.clone()), ..Along::default() };
    let decision = (given.decision.kind(), given.note);
    api.settled(spoken, hearing.decide(&moved, &approval.step, &word, decision, along).await).await
}

/// Whether the execution asks what this approval is about. A word that comes too late stands in the audit log.
async fn must_still_ask(api: &Api, approval: &Approval, spoken: Spoken<'_>) -> Result<(), Problem> {
    let asking = spoken.execution.and_then(|execution| execution.steps.get(&approval.step));
    if approval.status == ApprovalStatus::Pending && asking.is_some_and(|state| state.attempt == approval.attempt) {
        return Ok(());
    }
    api.note_refusal(spoken, &Refused::NothingWaits { what: "an approval" }).await?;
    let detail = format!("Nobody is asked any more: the approval is {}.", approval.status.as_str());
    Err(Problem::new("ended", detail).with_execution(approval.execution))
}
