//! Giving one's word to somebody else, in the execution that an approval belongs to.

use axum::Json;
use axum::extract::{Path, State};
use flowctl_core::approval::{Person, SourceKind};
use flowctl_core::command::Until;
use flowctl_core::execution::{Delegation, Signal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::approvals::find;
use super::body::{Given, body};
use super::heard::{Spoken, source};
use super::person::Neighbourhood;
use super::problem::Problem;
use super::view::PersonView;
use crate::engine::Along;
use crate::github::client::GitHubError;
use crate::github::intake::Source as _;
use crate::github::people::person;
use crate::identity::{Hearing, given_until};

/// To whom a word is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DelegationGiven {
    /// Who may speak in the other's place; naming oneself takes the word back.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64)]
    to: String,
    /// Until when: a duration (`3d`), a day (`2026-03-10`, to its end in UTC) or a moment; 90 days at most, 7 without it.
    #[serde(default)]
    #[schema(max_length = 40, nullable = false)]
    until: Option<String>,
    /// Why, for people.
    #[serde(default)]
    #[schema(max_length = 10000, nullable = false)]
    note: Option<String>,
    /// Whose word this is. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(DelegationGiven);

/// A word that was given away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delegation)]
pub struct DelegationView {
    /// In which execution it counts.
    pub execution: String,
    /// Whose word it is.
    pub from: PersonView,
    /// Who may speak in their place.
    pub to: PersonView,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Delegate
///
/// Somebody has another person speak in their place in the approvals of this execution, as `/delegate` does: they must count
/// for one that waits, and who is given the word needs write permission and must not have made the change.
#[utoipa::path(post, path = "/approvals/{id}/delegations", tag = "approvals", operation_id = "delegate",
    params(("id" = uuid::Uuid, Path, description = "The approval")), request_body = DelegationGiven,
    responses((status = 200, description = "What was given", body = DelegationView)))]
pub(super) async fn delegate(
    State(api): State<Api>,
    Path(id): Path<String>,
    Given(given): Given<DelegationGiven>,
) -> Result<Json<DelegationView>, Problem> {
    let approval = find(&api, &id).await?;
    let until = match given.until.as_deref().map(|text| (text, Until::read(text))) {
        None => None,
        Some((_, Some(until))) => Some(until),
        Some((_, None)) => return Err(Problem::field("until", "is no duration, day or moment")),
    };
    let execution = api.load_of(&approval.tenant, approval.execution).await?;
    let repository = api.repository_of(&execution).await?;
    let neighbourhood = api.neighbourhood(&approval.tenant, &repository).await?;
    let from = api.must_be_named(&neighbourhood, given.acting.as_deref()).await?;
    let to = account(&neighbourhood, &given.to).await?;
    let until = given_until(until, api.now())?;
    let execution = api.at_head(&approval.tenant, &neighbourhood, execution).await?;
    let published = api.repositories.published(&approval.tenant, &repository).await?;
    let hearing =
        Hearing { engine: &api.engine, tenant: &approval.tenant, directory: &neighbourhood, published: &published };
    let source = source(SourceKind::Api, None);
    let spoken = Spoken {
        execution: Some(&execution),
        named: Some(&approval.step),
        ..Spoken::new((&approval.tenant, &repository), &from, &source, "delegate")
    };
    let word = api.word(spoken, "delegate");
    api.settled(spoken, hearing.may_delegate(&execution, &word, &to).await).await?;
    let note = given.note;
    let view = DelegationView {
        execution: execution.id.to_string(),
        from: PersonView::of(&from),
        to: PersonView::of(&to),
        until,
        note: note.clone(),
    };
    let delegation = Delegation { from, to, since: api.now(), until, note, source };
    let signal = Signal::Delegate { delegation };
    api.engine.signal(&execution.tenant, execution.id, signal, Along::default()).await?;
    Ok(Json(view))
}

/// The account that a word is given to.
async fn account(neighbourhood: &Neighbourhood, login: &str) -> Result<Person, Problem> {
    match neighbourhood {
        Neighbourhood::Local => Ok(Person { login: login.to_owned(), id: 0 }),
        Neighbourhood::GitHub { client, .. } => match client.user(login).await {
            Ok(user) if !user.is_bot() => Ok(person(&user)),
            Ok(_) | Err(GitHubError::NotFound { .. }) => Err(Problem::field("to", "is no person on GitHub")),
            Err(error) => Err(Problem::unavailable(&error)),
        },
    }
}
