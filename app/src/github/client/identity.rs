//! Who we are to GitHub: the App's signed token, the tokens of its installations, and what the App may ask about
//! itself. A token is made under one lock per installation and never printed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::GitHubError;
use super::pace::Urgency;
use super::people::UserKind;
use super::repository::{InstallationId, RepositoryName};
use super::transport::{Answer, Call};
use super::{AppClient, Shared};

/// GitHub takes at most ten minutes from now, and asks to allow for a clock that goes ahead
/// (<https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>).
const ISSUED_IN_THE_PAST: i64 = 60;
const VALID_FOR: i64 = 8 * 60;
/// An installation token lives an hour; what is begun with one must not outlive it.
const REFRESH_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// GitHub keeps deliveries for three days; this many pages of a hundred are read at once.
pub(in crate::github) const MOST_DELIVERY_PAGES: usize = 100;

/// The App's id and key.
pub(super) struct AppIdentity {
    pub(super) app_id: u64,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: u64,
}

impl AppIdentity {
    pub(super) fn new(app_id: u64, private_key: &SecretString) -> Result<Self, GitHubError> {
        let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes())
            .map_err(|_| GitHubError::Setup("the private key is no RSA key in PEM form".to_owned()))?;
        Ok(Self { app_id, key })
    }

    /// A token that proves that we are the App, from a minute ago to eight minutes ahead.
    pub(super) fn token(&self, now: Timestamp) -> Result<SecretString, GitHubError> {
        let now = now.as_second();
        let claims = Claims { iat: now - ISSUED_IN_THE_PAST, exp: now + VALID_FOR, iss: self.app_id };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .map(SecretString::from)
            .map_err(|error| GitHubError::Setup(format!("the private key cannot sign: {error}")))
    }
}

/// The installations' tokens.
#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<BTreeMap<InstallationId, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<InstallationToken>>>;

struct InstallationToken {
    token: SecretString,
    expires_at: Timestamp,
}

/// As GitHub sends it; no `Debug`, and gone as soon as the token has its type that cannot be printed.
#[derive(Deserialize)]
struct MintedToken {
    token: String,
    expires_at: Timestamp,
}

impl Tokens {
    fn slot(&self, id: InstallationId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id).or_default())
    }

    /// A token with at least five minutes to live. `refused` is one that GitHub did not take: it is not given again.
    pub(super) async fn token(
        shared: &Shared,
        id: InstallationId,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, GitHubError> {
        let slot = shared.tokens.slot(id);
        let mut held = slot.lock().await;
        if let Some(current) = held.as_ref() {
            let is_refused = refused.is_some_and(|token| token.expose_secret() == current.token.expose_secret());
            if !is_refused && shared.clock.now() < current.expires_at - REFRESH_BEFORE {
                return Ok(current.token.clone());
            }
        }
        *held = None;
        let fresh = mint(shared, id).await?;
        let token = fresh.token.clone();
        *held = Some(fresh);
        Ok(token)
    }
}

async fn mint(shared: &Shared, id: InstallationId) -> Result<InstallationToken, GitHubError> {
    let url = shared.transport.url(&["app", "installations", &id.to_string(), "access_tokens"])?;
    let call = Call { method: Method::POST, url, body: None, etag: None, raw: false, archive: false };
    match shared.send_as_app(&call, Urgency::People).await {
        Ok(answer) => {
            let MintedToken { token, expires_at } = answer.json()?;
            Ok(InstallationToken { token: SecretString::from(token), expires_at })
        }
        Err(GitHubError::NotFound { request }) => Err(GitHubError::Uninstalled { request }),
        Err(error) => Err(error),
    }
}

/// The App as GitHub knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Its name in URLs; its comments come from `SLUG[bot]`.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it may do: `checks` → `write` and so on.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The webhooks that it gets.
    #[serde(default)]
    pub events: Vec<String>,
}

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// Who installed it; absent for an enterprise.
    pub account: Option<InstallationAccount>,
    /// Since when it is suspended.
    pub suspended_at: Option<Timestamp>,
    /// What was granted; may lag behind what the App asks for.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The webhooks that it gets.
    #[serde(default)]
    pub events: Vec<String>,
}

/// The account that an installation belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InstallationAccount {
    /// The account's id, which outlives its name.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// A person or an organisation.
    #[serde(rename = "type")]
    pub kind: UserKind,
}

/// One webhook that GitHub sent or tried to send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// The attempt's id, by which it is redelivered.
    pub id: u64,
    /// The delivery's id (`X-GitHub-Delivery`), the same for every attempt.
    pub guid: String,
    /// When it was sent.
    pub delivered_at: Timestamp,
    /// Whether somebody asked for this attempt.
    pub redelivery: bool,
    /// What happened, in words, such as `OK`.
    pub status: String,
    /// What our server answered; 0 or an error status when it did not.
    pub status_code: u16,
    /// The event's name.
    pub event: String,
    /// The event's action.
    pub action: Option<String>,
    /// Whom it concerns.
    pub installation_id: Option<InstallationId>,
    /// Which repository it concerns.
    pub repository_id: Option<u64>,
}

impl Delivery {
    /// Whether our server took it.
    #[must_use]
    pub fn arrived(&self) -> bool {
        StatusCode::from_u16(self.status_code).is_ok_and(|status| status.is_success())
    }
}

/// Deliveries as GitHub lists them, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// Those that were read.
    pub shown: Vec<Delivery>,
    /// Where the list goes on; nothing where it was read as far back as was asked.
    pub older: Option<OlderDeliveries>,
}

/// A place in the list of deliveries: the page that GitHub says is next, by its `cursor`
/// (<https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderDeliveries(Url);

impl OlderDeliveries {
    #[cfg(test)]
    pub(in crate::github) fn at(url: &str) -> Option<Self> {
        url.parse().ok().map(Self)
    }
}

impl AppClient {
    pub(super) async fn request(&self, call: &Call) -> Result<Answer, GitHubError> {
        self.shared.send_as_app(call, Urgency::People).await
    }

    /// The same about deliveries: those that were lost leave the App enough for the tokens of its installations.
    async fn request_of_deliveries(&self, call: &Call) -> Result<Answer, GitHubError> {
        self.shared.send_as_app(call, Urgency::Reconciliation).await
    }

    /// The App's numeric id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.identity.app_id
    }

    /// What GitHub knows of the App.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Unauthorized`] when id, key or clock are wrong.
    pub async fn get_app(&self) -> Result<App, GitHubError> {
        self.request(&Call::get(self.shared.transport.url(&["app"])?)).await?.json()
    }

    /// Every installation.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn installations(&self) -> Result<Vec<Installation>, GitHubError> {
        let mut url = self.shared.transport.url(&["app", "installations"])?;
        url.query_pairs_mut().append_pair("per_page", "100");
        let mut installations: Vec<Installation> = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next {
            let answer = self.request(&Call::get(url)).await?;
            installations.extend(answer.json::<Vec<Installation>>()?);
            next = answer.next_page();
        }
        Ok(installations)
    }

    /// One installation.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when it was removed.
    pub async fn installation(&self, id: InstallationId) -> Result<Installation, GitHubError> {
        let url = self.shared.transport.url(&["app", "installations", &id.to_string()])?;
        self.request(&Call::get(url)).await?.json()
    }

    /// The installation that sees this repository.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when the App is not installed on it.
    pub async fn repository_installation(&self, repository: &RepositoryName) -> Result<Installation, GitHubError> {
        let url = self.shared.transport.url(&["repos", repository.owner(), repository.name(), "installation"])?;
        self.request(&Call::get(url)).await?.json()
    }

    /// The deliveries since `since`, newest first: up to 10,000 from the newest one, or from where an earlier answer ended.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn deliveries(&self, since: Timestamp, from: Option<OlderDeliveries>) -> Result<Deliveries, GitHubError> {
        let mut url = self.shared.transport.url(&["app", "hook", "deliveries"])?;
        url.query_pairs_mut().append_pair("per_page", "100");
        let mut shown: Vec<Delivery> = Vec::new();
        let mut next = Some(from.map_or(url, |older| older.0));
        for _ in 0..MOST_DELIVERY_PAGES {
            let Some(url) = next else { break };
            let answer = self.request_of_deliveries(&Call::get(url)).await?;
            let page: Vec<Delivery> = answer.json()?;
            let has_older = page.iter().any(|delivery| delivery.delivered_at < since);
            shown.extend(page.into_iter().filter(|delivery| delivery.delivered_at >= since));
            next = if has_older { None } else { answer.next_page() };
        }
        Ok(Deliveries { shown, older: next.map(OlderDeliveries) })
    }

    /// Asks GitHub to send a delivery again.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn redeliver(&self, delivery: u64) -> Result<(), GitHubError> {
        let url = self.shared.transport.url(&["app", "hook", "deliveries", &delivery.to_string(), "attempts"])?;
        let call = Call { method: Method::POST, url, body: None, etag: None, raw: false, archive: false };
        self.request_of_deliveries(&call).await.map(drop)
    }
}
