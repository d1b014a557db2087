//! The App's own endpoints: itself, installations, tokens, hook deliveries.
//! Source: REST documentation, "GitHub Apps".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Body, Paging, Shared, accepted, created, no_content, ok};
use crate::auth::Caller;
use crate::clock::stamp;
use crate::hub::Hub;
use crate::state::{Id, Selection, Token, TokenOwner};
use crate::{key, limits, webhook};

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/app", get(get_app))
        .route("/app/installations", get(list_installations))
        .route("/app/installations/{id}", get(get_installation).delete(delete_installation))
        .route("/app/installations/{id}/suspended", put(suspend).delete(unsuspend))
        .route("/app/installations/{id}/access_tokens", post(create_token))
        .route("/app/hook/config", get(hook_config))
        .route("/app/hook/deliveries", get(list_deliveries))
        .route("/app/hook/deliveries/{id}", get(get_delivery))
        .route("/app/hook/deliveries/{id}/attempts", post(redeliver))
        .route("/apps/{slug}", get(app_by_slug))
        .route("/installation/repositories", get(list_repositories))
        .route("/installation/token", delete(revoke_token))
        .route("/repos/{owner}/{repo}/installation", get(repository_installation))
        .route("/orgs/{login}/installation", get(account_installation))
        .route("/users/{login}/installation", get(account_installation))
}

async fn get_app(State(hub): Shared, caller: Caller) -> Answer {
    caller.require_app()?;
    Ok(ok(hub.read(|view| view.own_app())))
}

async fn app_by_slug(State(hub): Shared, Path(slug): Path<String>) -> Answer {
    hub.read(|view| {
        let apps = [&view.world.app, &view.world.other_app];
        let app = apps.into_iter().find(|app| app.slug == slug).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.app(app)))
    })
}

async fn list_installations(State(hub): Shared, caller: Caller, paging: Paging) -> Answer {
    caller.require_app()?;
    let installations = hub.read(|view| view.world.installations.values().map(|it| view.installation(it)).collect());
    Ok(paging.list(installations))
}

async fn get_installation(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.read(|view| {
        let found = view.world.installations.get(&id).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.installation(found)))
    })
}

async fn delete_installation(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.change(|change| change.delete_installation(id, change.world.app.owner)).map_err(ApiError::from)?;
    Ok(no_content())
}

async fn suspend(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.change(|change| change.suspend_installation(id, change.world.app.owner)).map_err(ApiError::from)?;
    Ok(no_content())
}

async fn unsuspend(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.change(|change| change.unsuspend_installation(id, change.world.app.owner)).map_err(ApiError::from)?;
    Ok(no_content())
}

async fn repository_installation(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer {
    caller.require_app()?;
    hub.read(|view| {
        let repository = view.world.repository(&format!("{owner}/{name}"))?;
        let found = view.world.installation_of(repository.id).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.installation(found)))
    })
}

async fn account_installation(State(hub): Shared, caller: Caller, Path(login): Path<String>) -> Answer {
    caller.require_app()?;
    hub.read(|view| {
        let account = view.world.account(&login)?.id;
        let found = view.world.installations.values().find(|it| it.account == account);
        Ok(ok(view.installation(found.ok_or_else(ApiError::not_found)?)))
    })
}

#[derive(Deserialize)]
struct TokenRequest {
    #[serde(default)]
    repositories: Option<Vec<String>>,
    #[serde(default)]
    repository_ids: Option<Vec<Id>>,
    #[serde(default)]
    permissions: Option<BTreeMap<String, String>>,
}

/// Source: REST documentation, "Create an installation access token for an app".
async fn create_token(
    State(hub): Shared,
    caller: Caller,
    Path(id): Path<Id>,
    Body(asked): Body<TokenRequest>,
) -> Answer {
    caller.require_app()?;
    hub.change(|change| {
        let installation = change.world.installations.get(&id).ok_or_else(ApiError::not_found)?.clone();
        if installation.suspended.is_some() {
            return Err(ApiError::suspended());
        }
        let permissions = narrowed(&installation.permissions, asked.permissions)?;
        let covered = change.world.covered_by(id);
        let chosen = chosen(change.world, &covered, asked.repositories, asked.repository_ids)?;
        let token = key::installation_token(change.world.app.id);
        let expires_at = change.now + SignedDuration::from_hours(limits::TOKEN_HOURS);
        let mut answer = json!({
            "token": token,
            "expires_at": stamp(expires_at),
            "permissions": permissions,
            "repository_selection": if chosen.is_some() || installation.selection != Selection::All { "selected" } else { "all" },
        });
        if let (Some(chosen), Value::Object(answer)) = (&chosen, &mut answer) {
            let view = change.view();
            let repositories = chosen.iter().filter_map(|id| view.world.repositories.get(id));
            answer.insert("repositories".to_owned(), repositories.map(|repository| view.repository(repository)).collect());
        }
        let now = change.now;
        change.world.tokens.retain(|_, token| token.expires_at.is_none_or(|end| end > now - SignedDuration::from_hours(1)));
        let owner = TokenOwner::Installation(id);
        change.world.tokens.insert(token, Token { owner, expires_at: Some(expires_at), permissions, repositories: chosen });
        Ok(created(answer))
    })
}

/// The permissions asked for, none of them more than the installation has.
fn narrowed(
    granted: &BTreeMap<String, String>,
    asked: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    let level = |word: &str| ["read", "write", "admin"].iter().position(|known| *known == word);
    for (name, wanted) in &asked {
        let enough = granted.get(name).and_then(|has| Some(level(has)? >= level(wanted)?)).unwrap_or(false);
        if !enough {
            return Err(ApiError::unprocessable("The permissions requested are not granted to this installation."));
        }
    }
    Ok(asked)
}

fn chosen(
    world: &crate::state::World,
    covered: &[Id],
    names: Option<Vec<String>>,
    ids: Option<Vec<Id>>,
) -> Result<Option<BTreeSet<Id>>, ApiError> {
    if names.is_none() && ids.is_none() {
        return Ok(None);
    }
    let mut chosen: BTreeSet<Id> = ids.unwrap_or_default().into_iter().collect();
    let refused = || {
        ApiError::unprocessable(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    };
    for name in names.unwrap_or_default() {
        let found = covered.iter().find(|id| {
            world.repositories.get(id).is_some_and(|repository| repository.name.eq_ignore_ascii_case(&name))
        });
        chosen.insert(*found.ok_or_else(refused)?);
    }
    if chosen.iter().all(|id| covered.contains(id)) { Ok(Some(chosen)) } else { Err(refused()) }
}

async fn revoke_token(State(hub): Shared, caller: Caller) -> Answer {
    let Caller::Installation { token, .. } = caller else { return Err(ApiError::unauthenticated()) };
    hub.change(|change| {
        change.world.tokens.remove(&token);
        Ok::<_, ApiError>(no_content())
    })
}

async fn list_repositories(State(hub): Shared, caller: Caller, paging: Paging) -> Answer {
    let repositories = hub.read(|view| {
        let installation = caller.require_installation(view.world)?;
        let covered = view.world.covered_by(installation).into_iter();
        let only = match &caller {
            Caller::Installation { token, .. } => {
                view.world.tokens.get(token).and_then(|token| token.repositories.clone())
            }
            _ => None,
        };
        let covered = covered.filter(|id| only.as_ref().is_none_or(|only| only.contains(id)));
        let shapes =
            covered.filter_map(|id| view.world.repositories.get(&id)).map(|repository| view.repository(repository));
        Ok::<Vec<Value>, ApiError>(shapes.collect())
    })?;
    Ok(paging.wrapped(
        repositories,
        |total, items| json!({"total_count": total, "repository_selection": "all", "repositories": items}),
    ))
}

async fn hook_config(State(hub): Shared, caller: Caller) -> Answer {
    caller.require_app()?;
    let url = hub.read(|view| view.world.app.webhook_url.clone());
    Ok(ok(json!({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url})))
}

/// Source: REST documentation, "List deliveries for an app webhook".
async fn list_deliveries(State(hub): Shared, caller: Caller, paging: Paging) -> Answer {
    caller.require_app()?;
    let wanted = paging.parameter("status").map(str::to_owned);
    let items = hub.read(|view| {
        let done = view.world.deliveries.values().rev().filter(|delivery| delivery.done);
        let fits = done.filter(|delivery| match wanted.as_deref() {
            Some("success") => (200..400).contains(&delivery.status_code),
            Some("failure") => !(200..400).contains(&delivery.status_code),
            _ => true,
        });
        fits.map(|delivery| (delivery.id, view.delivery_item(delivery))).collect()
    });
    Ok(paging.after_cursor(items))
}

async fn get_delivery(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.read(|view| {
        let found = view.world.deliveries.get(&id).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.delivery(found)))
    })
}

/// Source: REST documentation, "Redeliver a delivery for an app webhook".
async fn redeliver(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    caller.require_app()?;
    hub.redeliver(id).map_err(ApiError::from)?;
    Ok(accepted())
}

impl Hub {
    /// Sends a delivery again under its old GUID; returns the new delivery's number.
    ///
    /// # Errors
    /// There is no such delivery.
    pub fn redeliver(&self, id: Id) -> Result<Id, crate::error::SandboxError> {
        let again = self.change(|change| {
            let again = webhook::record_again(change.world, change.now, id);
            again.ok_or_else(|| crate::error::SandboxError::NotFound(format!("delivery {id}")))
        })?;
        self.queue(again);
        Ok(again)
    }
}
