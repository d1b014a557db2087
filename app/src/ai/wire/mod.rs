//! What the interfaces of all providers have in common: a call over HTTP, whose answer is a stream of server-sent events, and
//! how failures are told. A file beside this for each interface. Keys are never part of a message.

pub mod anthropic;
pub mod google;
pub mod openai;
mod schemas;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::definition::ErrorClass;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use self::stream::Events;
use super::{ProviderError, RequestField};
use crate::clock::Clock;
use crate::steps::api_call::retry_after;

/// How long setting up a connection may take. How long an answer may take is limited by the step.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of a provider's own words that are shown.
const SHOWN: usize = 500;
/// The status with which Anthropic says that it is overloaded (its documentation, "Errors").
const OVERLOADED: u16 = 529;

/// Where a provider is reached.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
    base: Url,
    key: Option<SecretString>,
    /// The setting with the key, for people.
    key_setting: String,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A provider below this address, which the operator set: it may lie anywhere, also in a private network.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(
        base: Url,
        key: Option<SecretString>,
        key_setting: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("flowctl/", env!("CARGO_PKG_VERSION")))
            // A redirect would take the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()?;
        Ok(Self { client, base, key, key_setting: key_setting.into(), clock })
    }

    /// The header with the key, if there is one: `prefix` comes before it.
    fn key_header(&self, name: &'static str, prefix: &str) -> Result<HeaderMap, ProviderError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &self.key {
            let value = HeaderValue::from_str(&format!("{prefix}{}", key.expose_secret().trim()));
            let mut value = value.map_err(|_| {
                let message = format!("the key in {} has characters that no key has", self.key_setting);
                ProviderError::new(ErrorClass::Refused, message)
            })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    /// Sends a question; the events of the answer.
    async fn ask(&self, path: &str, headers: HeaderMap, body: &Value) -> Result<Events, ProviderError> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let request = self.client.post(url).headers(headers).header(CONTENT_TYPE, "application/json");
        let response = request.body(body.to_string()).send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(Events::new(response));
        }
        Err(self.refused(response).await)
    }

    fn unreachable(&self, error: reqwest::Error) -> ProviderError {
        let host = self.base.host_str().unwrap_or("the provider");
        let error = error.without_url();
        let class = if error.is_timeout() { ErrorClass::Timeout } else { ErrorClass::Network };
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        ProviderError::new(class, self.masked(&format!("{host} cannot be reached: {cause}")))
    }

    async fn refused(&self, response: Response) -> ProviderError {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = stream::limited(response).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = self.masked(said(&body).unwrap_or("it does not say why"));
        let class = match status {
            StatusCode::TOO_MANY_REQUESTS => ErrorClass::RateLimited,
            StatusCode::REQUEST_TIMEOUT => ErrorClass::Timeout,
            status if status.is_server_error() || status.as_u16() == OVERLOADED => ErrorClass::ServerError,
            _ => ErrorClass::Refused,
        };
        let message = match status {
            // Providers repeat parts of a key that they do not know.
            StatusCode::UNAUTHORIZED => format!("the provider does not accept the key in {}", self.key_setting),
            status => format!("the provider answered {}: {said}", status.as_u16()),
        };
        let pause = retry_after(&headers, self.clock.now()).or_else(|| retry_delay(&body));
        let retry_after_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        let refused = (status == StatusCode::BAD_REQUEST).then(|| refused_field(&body)).flatten();
        ProviderError { retry_after_ms, refused, ..ProviderError::new(class, message) }
    }

    /// What goes wrong once an answer has begun: without the key, and with what it used up. `told`: tokens read and
    /// written, where the provider told them.
    fn broken(&self, error: ProviderError, told: Option<(u64, u64)>) -> ProviderError {
        ProviderError { message: self.masked(&error.message), ..error }.after_use_of(told)
    }

    /// A provider's own words, shortened and without the key.
    fn masked(&self, words: &str) -> String {
        let words = match &self.key {
            Some(key) if !key.expose_secret().trim().is_empty() => words.replace(key.expose_secret().trim(), "***"),
            _ => words.to_owned(),
        };
        shortened(&words, SHOWN)
    }
}

/// The beginning of a text, at most so many characters long.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What the body of a failure says: `{"error": {"message"}}` with all three, Google's sometimes in a list.
fn said(body: &Value) -> Option<&str> {
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error")?;
    error.as_str().or_else(|| error.get("message")?.as_str())
}

/// The field that a request is refused for, where it can do without: models come that do not take what those before them took.
/// OpenAI names it in `param`, the others in words.
fn refused_field(body: &Value) -> Option<RequestField> {
    let named = body["error"]["param"].as_str().unwrap_or_default();
    let text = format!("{named} {}", said(body).unwrap_or_default()).to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if names(&["temperature"]) {
        return Some(RequestField::Temperature);
    }
    names(&["response_format", "output_config", "output_format", "tool_choice", "schema", "structured output"])
        .then_some(RequestField::Schema)
}

/// The pause of Google's `google.rpc.RetryInfo`: `{"retryDelay": "12.5s"}` among the details of an error.
fn retry_delay(body: &Value) -> Option<Duration> {
    let body = body.get(0).unwrap_or(body);
    let details = body.get("error")?.get("details")?.as_array()?;
    let seconds = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?.strip_suffix('s')?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

/// An answer that is not what the provider's interface describes.
fn malformed(what: impl fmt::Display) -> ProviderError {
    ProviderError::new(
        ErrorClass::ServerError,
        format!("the provider's answer is not what its interface describes: {what}"),
    )
}

/// An answer that the provider kept back, for the reason that it gives.
fn withheld(reason: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Refused, format!("the provider withheld the answer: {reason}"))
}

/// An answer that ended before its end.
fn cut_off() -> ProviderError {
    ProviderError::new(ErrorClass::Network, "the provider's answer was cut off before its end")
}

/// A schema as providers take it for a whole answer: with an object at its root.
struct RootObject {
    schema: Value,
    wrapped: bool,
}

/// The member that holds the value where a schema had to be wrapped.
const VALUE: &str = "value";

impl RootObject {
    /// Nothing where the schema refers to its own root and cannot be moved.
    fn of(schema: &Value) -> Option<Self> {
        let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
        if is_object {
            return Some(Self { schema: schema.clone(), wrapped: false });
        }
        if schema.to_string().contains("\"#\"") || !schema.is_object() {
            return None;
        }
        let mut inner = schema.clone();
        let mut whole = Map::new();
        for definitions in ["$defs", "definitions"] {
            let moved = inner.as_object_mut().and_then(|members| members.shift_remove(definitions));
            whole.extend(moved.map(|moved| (definitions.to_owned(), moved)));
        }
        whole.insert("type".to_owned(), json!("object"));
        whole.insert("properties".to_owned(), json!({VALUE: inner}));
        whole.insert("required".to_owned(), json!([VALUE]));
        whole.insert("additionalProperties".to_owned(), json!(false));
        Some(Self { schema: Value::Object(whole), wrapped: true })
    }

    /// The value as it was asked for. What does not have the form is given as it is, to be found wrong by who asked.
    fn unwrapped(&self, text: String) -> String {
        if !self.wrapped {
            return text;
        }
        let value: Option<Value> = serde_json::from_str(&text).ok();
        match value.as_ref().and_then(|value| value.get(VALUE)) {
            Some(inner) => inner.to_string(),
            None => text,
        }
    }
}

/// How a model is told what to answer that is not held to a schema by its provider.
fn in_words(schema: &Value) -> String {
    format!("Answer with one JSON value that satisfies this JSON Schema, and with nothing else:\n{schema}")
}

/// The same for a model that is held to a part of the schema.
fn in_words_beside(schema: &Value) -> String {
    format!("The answer also satisfies the whole of this JSON Schema:\n{schema}")
}
