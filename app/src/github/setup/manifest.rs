//! The App's manifest, and what GitHub gives for it
//! (<https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>).

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::credentials::Credentials;
use super::needs::{EVENTS, PERMISSIONS};

/// How long GitHub may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// GitHub's codes are of 40 characters; nothing longer is passed on.
const LONGEST_CODE: usize = 128;

/// Why GitHub gave nothing for a code.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// The code is none of GitHub's.
    #[error("the code is none of GitHub's")]
    Code,
    /// GitHub does not know the code, or no longer: it holds for an hour, and once.
    #[error("GitHub does not know this code; it holds for an hour, and once")]
    Unknown,
    /// No answer, or none that can be read.
    #[error("GitHub does not answer as documented: {0}")]
    Answer(String),
}

/// The new App.
#[derive(Debug)]
pub struct Converted {
    /// Its name in URLs.
    pub slug: String,
    /// What is kept.
    pub credentials: Credentials,
}

#[derive(Deserialize)]
struct Answered {
    id: u64,
    slug: Option<String>,
    pem: String,
    webhook_secret: Option<String>,
}

/// The manifest of an App with this name whose server is at `public_url`: with exactly what the table of needs says.
pub fn manifest(name: &str, public_url: &Url) -> Value {
    let at = |path: &str| format!("{}{path}", public_url.as_str().trim_end_matches('/'));
    let permissions: Map<String, Value> =
        PERMISSIONS.iter().map(|one| (one.name.to_owned(), json!(one.level))).collect();
    json!({
        "name": name,
        "url": at("/"),
        "description": "Runs the processes of .flow/processes on pull requests, with approvals.",
        "hook_attributes": {"url": at("/webhooks/github"), "active": true},
        "redirect_url": at("/setup/callback"),
        "setup_url": at("/setup/app"),
        "public": false,
        "default_permissions": permissions,
        "default_events": EVENTS.map(|one| one.name),
    })
}

/// Has GitHub turn the code into an App, once.
///
/// # Errors
/// Any [`ConversionError`].
pub async fn convert(api_url: &Url, code: &str) -> Result<Converted, ConversionError> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if code.is_empty() || code.len() > LONGEST_CODE || !code.chars().all(fits) {
        return Err(ConversionError::Code);
    }
    let mut url = api_url.clone();
    match url.path_segments_mut() {
        Ok(mut path) => drop(path.pop_if_empty().extend(["app-manifests", code, "conversions"])),
        Err(()) => return Err(ConversionError::Answer(format!("{api_url} cannot be the base of a URL"))),
    }
    let told = |error: reqwest::Error| ConversionError::Answer(error.without_url().to_string());
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    let request = client
        .build()
        .map_err(told)?
        .post(url)
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28")
        .header("user-agent", concat!("flowctl/", env!("CARGO_PKG_VERSION")));
    let answer = request.send().await.map_err(told)?;
    match answer.status().as_u16() {
        201 => {}
        404 | 422 => return Err(ConversionError::Unknown),
        status => return Err(ConversionError::Answer(format!("status {status}"))),
    }
    let Answered { id, slug, pem, webhook_secret } = answer.json().await.map_err(told)?;
    let without = || ConversionError::Answer("the App has no webhook secret".to_owned());
    let webhook_secret = webhook_secret.filter(|secret| !secret.is_empty()).ok_or_else(without)?;
    let credentials = Credentials {
        app_id: id,
        private_key: SecretString::from(pem),
        webhook_secret: SecretString::from(webhook_secret),
    };
    Ok(Converted { slug: slug.unwrap_or_else(|| id.to_string()), credentials })
}
