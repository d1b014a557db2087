//! Carries one request to GitHub and brings its answer: octocrab's service over our own reqwest client, with our
//! headers, time limits and redirects. Nothing is repeated here, and credentials never leave the API's own host.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, LINK, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use metrics::{counter, gauge};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::error::{GitHubError, Refusal, RequestLine};
use super::pace::Passage;
use crate::clock::Clock;
use crate::telemetry::names;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Far above what a page of a hundred items takes; an answer beyond it is no answer of GitHub's.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// GitHub redirects once, when a repository was renamed or moved.
const MOST_REDIRECTS: usize = 3;
/// Who asks.
const NAME: &str = concat!("flowctl/", env!("CARGO_PKG_VERSION"));
/// How much of an error's words is kept.
const LONGEST_MESSAGE: usize = 500;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    pub(super) etag: Option<HeaderValue>,
    /// Whether a file is wanted as it is rather than described as JSON.
    pub(super) raw: bool,
    /// Whether GitHub redirects to somebody else's store, where our token is not shown.
    pub(super) archive: bool,
}

impl Call {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, etag: None, raw: false, archive: false }
    }

    /// A request with a JSON body.
    pub(super) fn with_body(method: Method, url: Url, body: &impl serde::Serialize) -> Result<Self, GitHubError> {
        let body = serde_json::to_vec(body).map_err(|error| GitHubError::Argument(error.to_string()))?;
        Ok(Self { method, url, body: Some(Bytes::from(body)), etag: None, raw: false, archive: false })
    }

    pub(super) fn line(&self) -> RequestLine {
        RequestLine { method: self.method.clone(), path: self.url.path().to_owned() }
    }
}

/// A success, or "not modified" where an ETag was sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) request: RequestLine,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, GitHubError> {
        serde_json::from_slice(&self.body).map_err(|error| GitHubError::Unreadable {
            request: self.request.clone(),
            message: error.to_string(),
            is_json: error.is_data(),
        })
    }

    /// The address of the next page (<https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api>).
    pub(super) fn next_page(&self) -> Option<Url> {
        let links = self.headers.get(LINK)?.to_str().ok()?;
        links.split(',').find_map(|link| {
            let (target, parameters) = link.split_once(';')?;
            let is_next =
                parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
            let target = target.trim().strip_prefix('<')?.strip_suffix('>')?;
            is_next.then(|| Url::parse(target).ok()).flatten()
        })
    }
}

/// The way to one GitHub.
pub(super) struct Transport {
    octocrab: Octocrab,
    client: reqwest::Client,
    base: Url,
    clock: Arc<dyn Clock>,
}

impl Transport {
    /// Must be called inside a tokio runtime: octocrab starts its buffer there.
    pub(super) fn new(base: &Url, clock: Arc<dyn Clock>) -> Result<Self, GitHubError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| GitHubError::Setup(told(error)))?;
        // octocrab's own client repeats requests, follows redirects and cannot take a total time limit; with a
        // service of ours in its place it does none of that. The token is put on each request here, not by octocrab.
        let Ok(octocrab) = OctocrabBuilder::new_empty()
            .with_service(Carrier { client: client.clone() })
            .with_auth(AuthState::None)
            .build();
        Ok(Self { octocrab, client, base: base.clone(), clock })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The address below the base, with each segment escaped. A segment that would change the path's shape is refused.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, GitHubError> {
        let mut url = self.base.clone();
        if let Some(segment) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(GitHubError::Argument((*segment).to_owned()));
        }
        let refused = || GitHubError::Setup(format!("{} cannot be the base of a URL", self.base));
        url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().extend(segments);
        Ok(url)
    }

    /// Sends one request once; whoever let it pass hears what the answer says of limits.
    pub(super) async fn send(
        &self,
        call: &Call,
        token: &SecretString,
        passage: &Passage,
    ) -> Result<Answer, GitHubError> {
        if call.archive {
            return self.archive(call, token, passage).await;
        }
        let answered = self.once(call, token, passage).await;
        passage.obey(&answered);
        answered
    }

    async fn once(&self, call: &Call, token: &SecretString, passage: &Passage) -> Result<Answer, GitHubError> {
        if call.url.origin() != self.base.origin() {
            return Err(GitHubError::Argument(call.url.to_string()));
        }
        let request = call.line();
        let response = match self.octocrab.execute(http_request(call, token)?).await {
            Ok(response) => response,
            Err(error) => {
                count(&call.method, None);
                return Err(unanswered(request, error));
            }
        };
        count(&call.method, Some((response.status(), response.headers())));
        passage.heard(response.status(), response.headers());
        let (parts, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(unanswered(request, error)),
        };
        tracing::debug!(%request, status = parts.status.as_u16(), "GitHub answered");
        let not_modified = call.etag.is_some() && parts.status == StatusCode::NOT_MODIFIED;
        if parts.status.is_success() || not_modified {
            return Ok(Answer { request, status: parts.status, headers: parts.headers, body });
        }
        let refusal = refusal(parts.status, parts.headers, &body);
        Err(GitHubError::of_answer(request, refusal, self.clock.now()))
    }
}

impl Transport {
    /// Fetches what GitHub redirects to: an archive in somebody else's store, which is asked without our token
    /// (<https://docs.github.com/en/rest/actions/artifacts#download-an-artifact>: `Location`, good for a minute). Only
    /// what GitHub itself answers is obeyed: how busy that store is says nothing of the installation.
    async fn archive(&self, call: &Call, token: &SecretString, passage: &Passage) -> Result<Answer, GitHubError> {
        let request = call.line();
        let gone = |error: NoAnswer| {
            let NoAnswer { message, maybe_done } = error;
            GitHubError::Unreachable { request: request.clone(), message, maybe_done }
        };
        let (head, _) = http_request(call, token)?.into_parts();
        let response = send(&self.client, &call.method, &call.url, &head.headers, &Bytes::new()).await.map_err(gone)?;
        count(&call.method, Some((response.status(), response.headers())));
        passage.heard(response.status(), response.headers());
        let Some(target) = elsewhere(&call.url, &response) else {
            let answered = self.whole(request, response).await;
            passage.obey(&answered);
            return answered;
        };
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(NAME))]);
        let stored = send(&self.client, &Method::GET, &target, &headers, &Bytes::new()).await.map_err(gone)?;
        self.whole(request, stored).await
    }

    /// The answer with all of its body.
    async fn whole(&self, request: RequestLine, response: reqwest::Response) -> Result<Answer, GitHubError> {
        let (parts, body) = match read(response).await {
            Ok(response) => response.into_parts(),
            Err(NoAnswer { message, maybe_done }) => {
                return Err(GitHubError::Unreachable { request, message, maybe_done });
            }
        };
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        if parts.status.is_success() {
            return Ok(Answer { request, status: parts.status, headers: parts.headers, body });
        }
        let refusal = refusal(parts.status, parts.headers, &body);
        Err(GitHubError::of_answer(request, refusal, self.clock.now()))
    }
}

/// Where an archive lies: never at an address that is less protected than GitHub's own.
fn elsewhere(from: &Url, response: &reqwest::Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let target = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    (target.scheme() == "https" || target.scheme() == from.scheme()).then_some(target)
}

fn count(method: &Method, answer: Option<(StatusCode, &HeaderMap)>) {
    let status = answer.map_or_else(|| "none".to_owned(), |(status, _)| status.as_u16().to_string());
    counter!(names::GITHUB_REQUESTS, "method" => method.to_string(), "status" => status).increment(1);
    let left = answer.and_then(|(_, headers)| headers.get("x-ratelimit-remaining")?.to_str().ok()?.parse::<u32>().ok());
    if let Some(left) = left {
        gauge!(names::GITHUB_LEFT).set(left);
    }
}

fn http_request(call: &Call, token: &SecretString) -> Result<Request<OctoBody>, GitHubError> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| GitHubError::Setup("GitHub gave a token that cannot stand in a header".to_owned()))?;
    authorization.set_sensitive(true);
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(call.url.as_str())
        .header(ACCEPT, if call.raw { "application/vnd.github.raw+json" } else { "application/vnd.github+json" })
        .header("x-github-api-version", "2022-11-28")
        .header(USER_AGENT, NAME)
        .header(AUTHORIZATION, authorization);
    if let Some(etag) = &call.etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let body = match &call.body {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            OctoBody::from(body.clone())
        }
        None => OctoBody::empty(),
    };
    request.body(body).map_err(|error| GitHubError::Argument(error.to_string()))
}

/// GitHub's words. `errors` is a list of objects or texts, at times one text, and absent from what a proxy says.
fn refusal(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Refusal {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = match said["message"].as_str() {
        Some(message) => message.to_owned(),
        None => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    let errors = match &said["errors"] {
        serde_json::Value::Array(errors) => errors.iter().map(field_error).collect(),
        serde_json::Value::Null => Vec::new(),
        single => vec![field_error(single)],
    };
    Refusal { status, headers, message: shortened(&message), errors }
}

fn field_error(error: &serde_json::Value) -> String {
    let part = |name: &str| error[name].as_str();
    let told = match (error.as_str(), part("message"), part("field"), part("code")) {
        (Some(text), ..) | (None, Some(text), None, _) => text.to_owned(),
        (None, Some(text), Some(field), _) => format!("{field}: {text}"),
        (None, None, Some(field), Some(code)) => format!("{field}: {code}"),
        _ => error.to_string(),
    };
    shortened(&told)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn unanswered(request: RequestLine, error: octocrab::Error) -> GitHubError {
    if let octocrab::Error::Service { source, .. } = &error
        && let Some(none) = source.downcast_ref::<NoAnswer>()
    {
        let NoAnswer { message, maybe_done } = none;
        return GitHubError::Unreachable { request, message: message.clone(), maybe_done: *maybe_done };
    }
    // octocrab does not say where it failed, so it may have been after the request was sent.
    let message = shortened(&told(error));
    GitHubError::Unreachable { request, message, maybe_done: true }
}

/// An error with all its causes, on one line.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct NoAnswer {
    message: String,
    maybe_done: bool,
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        // Only a connection that never stood is proof that nothing arrived.
        let maybe_done = !error.is_connect() && !error.is_builder();
        Self { message: told(error.without_url()), maybe_done }
    }
}

/// The innermost service of octocrab: reqwest, with redirects inside one host followed as GitHub asks, repeating
/// method and body (<https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects>).
#[derive(Clone)]
struct Carrier {
    client: reqwest::Client,
}

impl tower::Service<Request<OctoBody>> for Carrier {
    type Response = Response<Full<Bytes>>;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAnswer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAnswer>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move { carry(&client, request).await })
    }
}

async fn carry(client: &reqwest::Client, request: Request<OctoBody>) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let not_sent = |message: String| NoAnswer { message, maybe_done: false };
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| not_sent(told(error)))?.to_bytes();
    let mut url = Url::parse(&parts.uri.to_string()).map_err(|error| not_sent(error.to_string()))?;
    for _ in 0..MOST_REDIRECTS {
        let response = send(client, &parts.method, &url, &parts.headers, &body).await?;
        match redirected(&url, &response) {
            Some(target) => url = target,
            None => return read(response).await,
        }
    }
    read(send(client, &parts.method, &url, &parts.headers, &body).await?).await
}

async fn send(
    client: &reqwest::Client,
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<reqwest::Response, NoAnswer> {
    let request = client.request(method.clone(), url.clone()).headers(headers.clone());
    let request = if body.is_empty() { request } else { request.body(body.clone()) };
    Ok(request.send().await?)
}

/// Where to go instead; `None` when the answer is final or points to another host, which must not see our token.
fn redirected(from: &Url, response: &reqwest::Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 307 | 308) {
        return None;
    }
    let target = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    (target.origin() == from.origin()).then_some(target)
}

async fn read(mut response: reqwest::Response) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            let message = format!("the answer is larger than {LARGEST_ANSWER} bytes");
            return Err(NoAnswer { message, maybe_done: true });
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(Full::new(body.freeze()));
    *answer.status_mut() = response.status();
    std::mem::swap(answer.headers_mut(), response.headers_mut());
    Ok(answer)
}
