//! The pages of the setup, and the page that says what the App still lacks. Forms lead only here and to GitHub.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use minijinja::context;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::Setup;
use super::manifest::{convert, manifest};
use super::needs::{EVENTS, PERMISSIONS, lacking_events, lacking_permissions};
use crate::clock::Clock;
use crate::github::client::GitHub;
use crate::github::outbox::count_refused_references;
use crate::pages::{Pages, style};
use crate::store::Store;

/// GitHub: "GitHub App name cannot be longer than 34 characters".
const LONGEST_NAME: usize = 34;
/// An account's name has at most 39 characters.
const LONGEST_ACCOUNT: usize = 39;
/// For how long what GitHub said of the App is shown.
const SHOWN_FOR: SignedDuration = SignedDuration::from_secs(30);

/// The pages while there is no App.
pub fn pages(setup: Setup) -> Router {
    Router::new()
        .route("/setup", get(begin).post(choose))
        .route("/setup/callback", get(callback))
        .with_state(setup)
        .route("/setup/style.css", get(style))
        // While the server starts anew the browser may already ask for what comes then.
        .route("/setup/app", get(restarting))
}

async fn restarting() -> Response {
    page(StatusCode::OK, "restarting.html", &context! {}, None, Some(2))
}

fn templates() -> &'static Pages {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    PAGES.get_or_init(|| {
        Pages::new(
            "/setup",
            &[
                ("code.html", include_str!("pages/code.html")),
                ("name.html", include_str!("pages/name.html")),
                ("confirm.html", include_str!("pages/confirm.html")),
                ("stored.html", include_str!("pages/stored.html")),
                ("restarting.html", include_str!("pages/restarting.html")),
                ("refused.html", include_str!("pages/refused.html")),
                ("app.html", include_str!("pages/app.html")),
            ],
        )
    })
}

/// One page. `to` is where its form may lead beside this server; `after` seconds it asks for itself or `/setup/app` anew.
fn page(status: StatusCode, name: &str, values: &minijinja::Value, to: Option<&Url>, after: Option<u32>) -> Response {
    let mut response = templates().page(status, name, values, to);
    let again = after.and_then(|after| HeaderValue::from_str(&format!("{after}; url=/setup/app")).ok());
    if let Some(again) = again {
        response.headers_mut().insert(header::REFRESH, again);
    }
    response
}

fn refused(status: StatusCode, words: &str, help: &str) -> Response {
    page(status, "refused.html", &context! { words, help }, None, None)
}

#[derive(Deserialize)]
struct Begin {
    code: Option<String>,
}

/// The form for the code, or with the right one the form for the name.
async fn begin(State(setup): State<Setup>, Query(given): Query<Begin>) -> Response {
    match given.code.as_deref().map(str::trim) {
        None => page(StatusCode::OK, "code.html", &context! { wrong => false }, None, None),
        Some(code) if setup.knows(code) => name_form(&setup, code, "flowctl", "", None),
        Some(_) => page(StatusCode::FORBIDDEN, "code.html", &context! { wrong => true }, None, None),
    }
}

fn name_form(setup: &Setup, code: &str, name: &str, organization: &str, fault: Option<&str>) -> Response {
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let values = context! {
        code,
        name,
        organization,
        fault,
        github => setup.inner.web_url.as_str().trim_end_matches('/'),
        public_url => setup.inner.public_url.as_str().trim_end_matches('/'),
        unreachable => is_local(&setup.inner.public_url),
        longest_name => LONGEST_NAME,
        longest_account => LONGEST_ACCOUNT,
    };
    page(status, "name.html", &values, None, None)
}

/// Whether GitHub surely cannot reach an address.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => true,
    }
}

#[derive(Deserialize)]
struct Chosen {
    code: String,
    name: String,
    #[serde(default)]
    organization: String,
}

/// What will be asked of GitHub, and the button that leads there.
async fn choose(State(setup): State<Setup>, Form(chosen): Form<Chosen>) -> Response {
    let Chosen { code, name, organization } = chosen;
    if !setup.knows(&code) {
        return page(StatusCode::FORBIDDEN, "code.html", &context! { wrong => true }, None, None);
    }
    let (name, organization) = (name.trim(), organization.trim());
    let is_account = |text: &str| {
        text.len() <= LONGEST_ACCOUNT && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        let fault = format!("The name has 1 to {LONGEST_NAME} characters.");
        return name_form(&setup, &code, name, organization, Some(&fault));
    }
    if !is_account(organization) {
        let fault = "The organisation is named as in its address: letters, digits and hyphens.";
        return name_form(&setup, &code, name, organization, Some(fault));
    }
    let web = setup.inner.web_url.as_str().trim_end_matches('/');
    let state = setup.new_state();
    let action = match organization {
        "" => format!("{web}/settings/apps/new?state={state}"),
        organization => format!("{web}/organizations/{organization}/settings/apps/new?state={state}"),
    };
    let values = context! {
        name,
        organization,
        action,
        manifest => manifest(name, &setup.inner.public_url).to_string(),
        permissions => PERMISSIONS.map(|one| context! { title => one.title, level => one.level, why => plain(one.why) }),
        events => EVENTS.map(|one| context! { title => one.title, why => plain(one.why) }),
    };
    page(StatusCode::OK, "confirm.html", &values, Some(&setup.inner.web_url), None)
}

/// A sentence of the table without its Markdown.
fn plain(text: &str) -> String {
    text.replace(['`', '*'], "")
}

#[derive(Deserialize)]
struct Callback {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// GitHub has made the App: its credentials are fetched and kept, and the server starts anew.
async fn callback(State(setup): State<Setup>, Query(given): Query<Callback>) -> Response {
    let again = "Begin again with the address that the server has told at its start.";
    if !setup.take_state(&given.state) {
        return refused(StatusCode::FORBIDDEN, "This did not begin here, or longer than an hour ago.", again);
    }
    let converted = match convert(&setup.inner.api_url, &given.code).await {
        Ok(converted) => converted,
        Err(error) => {
            tracing::warn!(%error, "GitHub gave no App");
            return refused(StatusCode::BAD_GATEWAY, &format!("GitHub gave no App: {error}."), again);
        }
    };
    let data = setup.inner.data.clone();
    let credentials = converted.credentials;
    let app_id = credentials.app_id;
    let kept = tokio::task::spawn_blocking(move || credentials.keep(&data)).await;
    let failed = match kept {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = failed {
        tracing::error!(error, app_id, "the App's credentials cannot be kept");
        let help = "Mend the data folder, make a new private key and webhook secret on the App's page on GitHub, and set \
                    FLOWCTL_GITHUB_APP_ID, FLOWCTL_GITHUB_PRIVATE_KEY_FILE and FLOWCTL_GITHUB_WEBHOOK_SECRET_FILE.";
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "The App was made, but its key cannot be kept here.", help);
    }
    tracing::info!(app_id, slug = converted.slug, "the App is set up; the server starts anew with it");
    setup.inner.done.cancel();
    page(StatusCode::OK, "stored.html", &context! { slug => converted.slug }, None, Some(3))
}

/// What the page about the App is made of.
#[derive(Clone)]
pub struct AppPage {
    inner: Arc<AppPageInner>,
}

struct AppPageInner {
    github: GitHub,
    web_url: Url,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    last: Mutex<Option<(Timestamp, minijinja::Value)>>,
}

impl AppPage {
    /// A page that asks GitHub at most twice a minute.
    pub fn new(github: GitHub, web_url: Url, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Self {
        Self { inner: Arc::new(AppPageInner { github, web_url, clock, store, last: Mutex::default() }) }
    }

    async fn values(&self) -> minijinja::Value {
        let now = self.inner.clock.now();
        let mut last = self.inner.last.lock().await;
        if let Some((asked_at, values)) = last.as_ref()
            && now.duration_since(*asked_at) < SHOWN_FOR
        {
            return values.clone();
        }
        let values = self.ask().await;
        *last = Some((now, values.clone()));
        values
    }

    /// Names no account: anybody may read the page.
    async fn ask(&self) -> minijinja::Value {
        let app = self.inner.github.app();
        let (found, installations) = match (app.get_app().await, app.installations().await) {
            (Ok(found), Ok(installations)) => (found, installations),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "GitHub says nothing of the App");
                return context! { reachable => false };
            }
        };
        let lacks = |permissions, events: &[String]| {
            !lacking_permissions(permissions).is_empty() || !lacking_events(events).is_empty()
        };
        let lacking = installations.iter().filter(|one| lacks(&one.permissions, &one.events)).count();
        let suspended = installations.iter().filter(|one| one.suspended_at.is_some()).count();
        let unwritten = count_refused_references(&*self.inner.store).await.unwrap_or_default();
        let web = self.inner.web_url.as_str().trim_end_matches('/');
        context! {
            reachable => true,
            name => found.name,
            install => format!("{web}/apps/{}/installations/new", found.slug),
            permissions => lacking_permissions(&found.permissions),
            events => lacking_events(&found.events),
            installations => installations.len(),
            lacking,
            suspended,
            unwritten,
        }
    }
}

/// The page about the App that is set up.
pub fn app_page(app: AppPage) -> Router {
    Router::new().route("/setup/app", get(show)).with_state(app).route("/setup/style.css", get(style))
}

async fn show(State(app): State<AppPage>) -> Response {
    page(StatusCode::OK, "app.html", &app.values().await, None, None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::super::is_same;
    use super::*;

    #[test]
    fn an_address_that_github_cannot_reach_is_told() {
        let local = |text: &str| is_local(&text.parse().unwrap());
        for text in ["http://localhost:8080", "http://127.0.0.1:8080", "http://10.0.0.7", "http://[::1]:8080"] {
            assert!(local(text), "{text}");
        }
        assert!(!local("https://flows.example.com"));
        assert!(is_same("abc", "abc") && !is_same("abc", "abd") && !is_same("abc", "ab") && !is_same("abc", ""));
    }
}
