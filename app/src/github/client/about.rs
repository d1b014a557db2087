//! What the App and its installations may find out about themselves: where webhooks go, what GitHub's clock says, how
//! many requests are left.

use http::header::DATE;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;
use url::Url;

use super::error::GitHubError;
use super::identity::App;
use super::installation::InstallationClient;
use super::transport::Call;
use super::{AppClient, GitHub};

/// Where the App's webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// The address.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
}

/// How many requests may be made within the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Rate {
    /// In the whole hour.
    pub limit: u64,
    /// From now to its end.
    pub remaining: u64,
}

#[derive(Deserialize)]
struct Rates {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Rate,
}

impl GitHub {
    /// The base of the REST API.
    #[must_use]
    pub fn base(&self) -> &Url {
        self.shared.transport.base()
    }
}

impl AppClient {
    /// What GitHub knows of the App, and what time it is there (header `Date`, to the second).
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Unauthorized`] when id, key or clock are wrong.
    pub async fn get_app_at(&self) -> Result<(App, Option<Timestamp>), GitHubError> {
        let answer = self.request(&Call::get(self.shared.transport.url(&["app"])?)).await?;
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
        let there = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        Ok((answer.json()?, there))
    }

    /// Where the App's webhooks go
    /// (<https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn hook(&self) -> Result<Hook, GitHubError> {
        self.request(&Call::get(self.shared.transport.url(&["app", "hook", "config"])?)).await?.json()
    }
}

impl InstallationClient {
    /// How many requests are left. Asking counts for nothing.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn rate_limit(&self) -> Result<Rate, GitHubError> {
        let rates: Rates = self.get(self.url(&["rate_limit"])?).await?;
        Ok(rates.resources.core)
    }
}
