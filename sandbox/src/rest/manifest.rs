//! The manifest flow: a form that another site posts becomes an App, whose secrets are given once for a code.
//! Source: GitHub documentation, "Registering a GitHub App from a manifest"; REST documentation, "Create a GitHub App
//! from a manifest". The sandbox has one App: the one that is registered takes its place. It asks nobody to confirm.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, ApiError, Shared, created};
use crate::error::SandboxError;
use crate::hub::Hub;
use crate::key;
use crate::state::{App, Registration};

/// How long a code holds ("you must complete this step within one hour").
const CODE_HOLDS: SignedDuration = SignedDuration::from_hours(1);
/// "GitHub App name cannot be longer than 34 characters".
const LONGEST_NAME: usize = 34;

/// Permissions of repositories and organisations that Apps of these tests ask for.
/// Source: REST documentation, schema `app-permissions`.
const KNOWN_PERMISSIONS: [&str; 14] = [
    "actions",
    "administration",
    "checks",
    "contents",
    "deployments",
    "environments",
    "issues",
    "members",
    "merge_queues",
    "metadata",
    "pull_requests",
    "repository_projects",
    "statuses",
    "workflows",
];

/// What the form brings. Source: as above, "GitHub App Manifest parameters".
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Manifest {
    name: Option<String>,
    url: Option<String>,
    hook_attributes: Option<Hook>,
    redirect_url: Option<String>,
    #[serde(default)]
    default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    default_events: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hook {
    url: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Posted {
    manifest: String,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    state: Option<String>,
}

/// The endpoint that turns a code into an App.
pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new().route("/app-manifests/{code}/conversions", post(convert))
}

pub(crate) async fn register(state: Shared, asked: Query<Asked>, posted: Form<Posted>) -> Response {
    registered(&state, None, &asked, &posted)
}

pub(crate) async fn register_for(
    state: Shared,
    Path(login): Path<String>,
    asked: Query<Asked>,
    posted: Form<Posted>,
) -> Response {
    registered(&state, Some(&login), &asked, &posted)
}

fn registered(hub: &Hub, owner: Option<&str>, asked: &Asked, posted: &Posted) -> Response {
    let refused = |words: String| (StatusCode::UNPROCESSABLE_ENTITY, format!("{words}\n")).into_response();
    let manifest: Manifest = match serde_json::from_str(&posted.manifest) {
        Ok(manifest) => manifest,
        Err(error) => return refused(format!("Invalid GitHub App configuration: {error}")),
    };
    if let Some(fault) = fault(&manifest) {
        return refused(format!("Invalid GitHub App configuration: {fault}"));
    }
    let code = key::secret(20);
    let back = manifest.redirect_url.clone().unwrap_or_default();
    let stored = hub.change(|change| {
        let owner = match owner {
            Some(login) => change.world.account(login)?.id,
            None => change.world.app.owner,
        };
        let app = app_of(&manifest, owner, change.now)?;
        let expires_at = change.now + CODE_HOLDS;
        change.world.registrations.insert(code.clone(), Registration { app, expires_at });
        Ok::<_, SandboxError>(())
    });
    if let Err(error) = stored {
        return refused(error.to_string());
    }
    let state = asked.state.as_deref().map(|state| format!("&state={state}")).unwrap_or_default();
    Redirect::to(&format!("{back}?code={code}{state}")).into_response()
}

/// Why a manifest is not taken.
fn fault(manifest: &Manifest) -> Option<String> {
    let name = manifest.name.as_deref().unwrap_or_default();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Some(format!("Name has 1 to {LONGEST_NAME} characters"));
    }
    if manifest.url.as_deref().is_none_or(str::is_empty) || manifest.redirect_url.is_none() {
        return Some("\"url\" and \"redirect_url\" must be given".to_owned());
    }
    if manifest.hook_attributes.as_ref().is_none_or(|hook| hook.url.is_none()) {
        return Some("\"hook_attributes\" needs \"url\"".to_owned());
    }
    let unknown = manifest.default_permissions.iter().find(|(name, level)| {
        !KNOWN_PERMISSIONS.contains(&name.as_str()) || !["read", "write", "admin"].contains(&level.as_str())
    });
    unknown.map(|(name, level)| {
        format!("Default permission records resource is not included in the list: {name}: {level}")
    })
}

fn app_of(manifest: &Manifest, owner: u64, now: jiff::Timestamp) -> Result<App, SandboxError> {
    let (private_key_pem, public_key_pem) = key::generate()?;
    let name = manifest.name.clone().unwrap_or_default();
    let slug: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(App {
        id: 0,
        slug,
        name,
        client_id: format!("Iv23li{}", key::secret(7)),
        owner,
        bot: 0,
        private_key_pem,
        public_key_pem,
        webhook_secret: key::secret(20),
        webhook_url: manifest.hook_attributes.as_ref().and_then(|hook| hook.url.clone()),
        permissions: manifest.default_permissions.clone(),
        events: manifest.default_events.clone(),
        created_at: now,
    })
}

/// Gives the App for its code, once: from then on it is the sandbox's App, installed nowhere.
async fn convert(State(hub): Shared, Path(code): Path<String>) -> Answer {
    hub.change(|change| {
        let now = change.now;
        let found = change.world.registrations.remove(&code).filter(|found| found.expires_at > now);
        let Registration { app, .. } = found.ok_or_else(ApiError::not_found)?;
        let id = change.world.take_id();
        let bot = change.world.app.bot;
        change.world.app = App { id, bot, ..app };
        change.world.installations.clear();
        change.world.tokens.clear();
        let app = &change.world.app;
        let mut shape = change.view().app(app);
        let secrets = json!({
            "client_secret": key::secret(20),
            "webhook_secret": app.webhook_secret,
            "pem": app.private_key_pem,
        });
        if let (Value::Object(shape), Value::Object(secrets)) = (&mut shape, secrets) {
            shape.extend(secrets);
        }
        Ok(created(shape))
    })
}
