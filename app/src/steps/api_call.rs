//! `api_call`: one HTTP call. Turns an attempt's input into a request and the answer into an output; which addresses may
//! be reached is `outgoing`'s, what must not come back `secrets`'.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::StepError;
use flowctl_core::expression::MASK;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Map, Value, json};
use url::Url;

use super::outgoing::{Answer, Call, Outgoing, OutgoingError};
use super::secrets::{self, Redaction, Secrets};
use super::{Attempt, Performed, Performer, time_left};
use crate::clock::Clock;

/// How long a call may take where its attempt has no deadline: LANGUAGE's default.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that an answer can have us wait before the next attempt.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How much of an unexpected answer an error shows, in characters.
const SHOWN_OF_ANSWER: usize = 300;
/// Headers that belong to the transport: setting them would only break a request.
const TRANSPORT_HEADERS: [&str; 5] = ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

/// Performs `api_call`.
pub struct ApiCallPerformer {
    outgoing: Outgoing,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

impl ApiCallPerformer {
    /// A performer that calls through `outgoing`.
    #[must_use]
    pub fn new(outgoing: Outgoing, secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>) -> Self {
        Self { outgoing, secrets, clock }
    }
}

#[async_trait]
impl Performer for ApiCallPerformer {
    async fn perform(&self, attempt: Attempt) -> Performed {
        let Attempt { tenant, mut input, secret_texts, deadline, idempotency_key, .. } = attempt;
        let redaction = match secrets::fill(&mut input, &secret_texts, |name| self.secrets.get(&tenant, name)) {
            Ok(redaction) => redaction,
            Err(error) => return Err(error).into(),
        };
        let limit = deadline.map_or(USUAL_TIMEOUT, |deadline| time_left(deadline, self.clock.now()));
        let calling = self.call(input, !secret_texts.is_empty(), &idempotency_key, &redaction);
        let result = match tokio::time::timeout(limit, calling).await {
            Ok(result) => result,
            Err(_) => Err(StepError::new(ErrorClass::Timeout, "the call took longer than the step's `timeout`")),
        };
        redacted(result, &redaction).into()
    }
}

fn redacted(result: Result<Value, StepError>, redaction: &Redaction) -> Result<Value, StepError> {
    result.map(|output| redaction.value(output)).map_err(|error| redaction.error(error))
}

impl ApiCallPerformer {
    async fn call(
        &self,
        input: Value,
        has_secrets: bool,
        idempotency_key: &str,
        redaction: &Redaction,
    ) -> Result<Value, StepError> {
        let Value::Object(input) = input else { return Err(wrong("the input is no mapping")) };
        let expected = Expected::of(&input)?;
        let call = request(&input, has_secrets, idempotency_key, &expected)?;
        let name = format!("{} {}", call.method, shown(&call.url));
        let is_head = call.method == Method::HEAD;
        let answer = self.outgoing.call(call).await.map_err(|error| failed(&name, &error))?;
        if !expected.includes(answer.status) {
            return Err(unexpected(&name, &answer, self.clock.now(), redaction));
        }
        let body = if is_head { Value::Null } else { body_of(&name, &answer)? };
        if let Some(schema) = input.get("expect_schema") {
            check(&name, schema, &body)?;
        }
        Ok(json!({"status": answer.status.as_u16(), "headers": headers_of(&answer.headers), "body": body}))
    }
}

fn wrong(message: impl Into<String>) -> StepError {
    StepError::new(ErrorClass::Refused, message)
}

/// The address as people are shown it: without its query and credentials.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn request(
    input: &Map<String, Value>,
    has_secrets: bool,
    idempotency_key: &str,
    expected: &Expected,
) -> Result<Call, StepError> {
    let method = input.get("method").and_then(Value::as_str).unwrap_or("GET");
    let method = method.parse::<Method>().map_err(|_| wrong(format!("`method`: `{method}` is no HTTP method")))?;
    let url = url_of(input)?;
    let mut headers = headers_to_send(input)?;
    let body = body_to_send(input, &mut headers)?;
    let mut own_headers = HeaderMap::new();
    let key_header = HeaderName::from_static("idempotency-key");
    if let (Ok(key), false) = (HeaderValue::from_str(idempotency_key), headers.contains_key(&key_header)) {
        headers.insert(key_header.clone(), key.clone());
        own_headers.insert(key_header, key);
    }
    let carries_credentials = carries_credentials(&url, &headers, has_secrets);
    let follows_redirects = !expected.includes_redirects();
    Ok(Call { method, url, headers, own_headers, body, carries_credentials, follows_redirects })
}

/// Whether something in a call must not reach another host than it was meant for: a secret, or what is a credential by its
/// name.
pub(crate) fn carries_credentials(url: &Url, headers: &HeaderMap, has_secrets: bool) -> bool {
    let named = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HeaderName::from_static("x-api-key")];
    has_secrets || !url.username().is_empty() || named.iter().any(|name| headers.contains_key(name))
}

fn url_of(input: &Map<String, Value>) -> Result<Url, StepError> {
    let text = input.get("url").and_then(Value::as_str).unwrap_or_default();
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(format!("`url`: `{text}` is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("`url`: {}", OutgoingError::Scheme { scheme: url.scheme().to_owned() })));
    }
    let Some(Value::Object(query)) = input.get("query") else { return Ok(url) };
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for (name, value) in query {
        match value {
            Value::Array(items) => {
                for item in items {
                    pairs.extend(text_of(item, "query", name)?.map(|text| (name.as_str(), text)));
                }
            }
            other => pairs.extend(text_of(other, "query", name)?.map(|text| (name.as_str(), text))),
        }
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

/// A value as a text in a query or header; nothing for a null.
fn text_of(value: &Value, field: &str, name: &str) -> Result<Option<String>, StepError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => {
            Err(StepError::new(ErrorClass::Expression, format!("`{field}.{name}` must be a text, a number or a truth")))
        }
    }
}

fn headers_to_send(input: &Map<String, Value>) -> Result<HeaderMap, StepError> {
    let mut headers = HeaderMap::new();
    let Some(Value::Object(given)) = input.get("headers") else { return Ok(headers) };
    for (name, value) in given {
        let Some(text) = text_of(value, "headers", name)? else { continue };
        if TRANSPORT_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(wrong(format!("`headers.{name}` is set by flowctl itself; leave it out")));
        }
        let header: HeaderName =
            name.parse().map_err(|_| wrong(format!("`headers`: `{name}` is no name of a header")))?;
        let mut value = HeaderValue::from_str(text.trim())
            .map_err(|_| wrong(format!("`headers.{name}` has characters that no header can carry")))?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

fn body_to_send(input: &Map<String, Value>, headers: &mut HeaderMap) -> Result<Option<Bytes>, StepError> {
    let (body, content_type) = match (input.get("body"), input.get("body_text")) {
        (Some(_), Some(_)) => return Err(wrong("`body` and `body_text` cannot both be sent")),
        (Some(body), None) => (body.to_string(), "application/json"),
        (None, Some(Value::String(text))) => (text.clone(), "text/plain; charset=utf-8"),
        (None, Some(other)) => (other.to_string(), "text/plain; charset=utf-8"),
        (None, None) => return Ok(None),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    Ok(Some(body.into()))
}

/// The statuses that the definition expects.
struct Expected(Vec<std::ops::RangeInclusive<u16>>);

impl Expected {
    fn of(input: &Map<String, Value>) -> Result<Self, StepError> {
        let usual = || vec![200..=299];
        let Some(Value::Array(items)) = input.get("expect_status") else { return Ok(Self(usual())) };
        let ranges: Result<Vec<_>, _> = items.iter().map(range).collect();
        Ok(Self(ranges?))
    }

    fn includes(&self, status: StatusCode) -> bool {
        self.0.iter().any(|range| range.contains(&status.as_u16()))
    }

    /// Whether a redirect is what the definition wants to see.
    fn includes_redirects(&self) -> bool {
        self.0.iter().any(|range| *range.start() <= 399 && *range.end() >= 300)
    }
}

fn range(item: &Value) -> Result<std::ops::RangeInclusive<u16>, StepError> {
    let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    let class = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
    match (class, text.parse::<u16>()) {
        (Some(class @ 1..=5), _) => Ok(class * 100..=class * 100 + 99),
        (None, Ok(status)) => Ok(status..=status),
        _ => Err(wrong(format!("`expect.status`: `{text}` is no status and no class such as `2xx`"))),
    }
}

pub(crate) fn failed(name: &str, error: &OutgoingError) -> StepError {
    let class = match error {
        OutgoingError::Timeout { .. } => ErrorClass::Timeout,
        OutgoingError::Network { .. } => ErrorClass::Network,
        OutgoingError::Private { .. }
        | OutgoingError::Scheme { .. }
        | OutgoingError::CredentialsElsewhere { .. }
        | OutgoingError::WrongRedirect { .. }
        | OutgoingError::TooManyRedirects
        | OutgoingError::TooLarge { .. }
        | OutgoingError::Request { .. } => ErrorClass::Refused,
    };
    StepError::new(class, format!("{name}: {error}"))
}

/// An answer that the definition does not expect.
pub(crate) fn unexpected(name: &str, answer: &Answer, now: Timestamp, redaction: &Redaction) -> StepError {
    let status = answer.status;
    let retry_after = retry_after(&answer.headers, now);
    let class = match status.as_u16() {
        408 => ErrorClass::Timeout,
        425 | 429 => ErrorClass::RateLimited,
        // Some say so of a limit that passes (GitHub's secondary rate limits among them).
        403 if retry_after.is_some() => ErrorClass::RateLimited,
        500..=599 => ErrorClass::ServerError,
        _ => ErrorClass::Refused,
    };
    let mut message = format!("{name} answered {status}");
    let body = String::from_utf8_lossy(&answer.body);
    // Before it is cut: the part of a secret that a cut leaves is no longer known for one.
    let body = redaction.text(body.trim());
    if !body.is_empty() {
        let start: String = body.chars().take(SHOWN_OF_ANSWER).collect();
        let rest = if start.len() < body.len() { " …" } else { "" };
        message.push_str(&format!(": {start}{rest}"));
    }
    let retry_after_ms = retry_after.and_then(|pause| u64::try_from(pause.as_millis()).ok());
    StepError { retry_after_ms, ..StepError::new(class, message) }
}

/// How long the other side asks to be left alone: seconds or a date (RFC 9110, section 10.2.3), a day at most.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

/// The parsed value where the answer says that it is JSON, otherwise its text.
pub(crate) fn body_of(name: &str, answer: &Answer) -> Result<Value, StepError> {
    if !is_json(&answer.headers) {
        return Ok(Value::String(String::from_utf8_lossy(&answer.body).into_owned()));
    }
    if answer.body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        let message = format!("{name} answered with something that it calls JSON and that is none: {error}");
        StepError::new(ErrorClass::Schema, message)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn check(name: &str, schema: &Value, body: &Value) -> Result<(), StepError> {
    let faults = field::faults(schema, body);
    if faults.is_empty() {
        return Ok(());
    }
    let message = format!("the answer of {name} does not have the expected form: {}", super::listed(&faults));
    Err(StepError::new(ErrorClass::Schema, message))
}

/// Headers by lower-case name, several of one name joined (RFC 9110, section 5.3). Cookies are credentials and masked.
fn headers_of(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let text = if name == SET_COOKIE { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&text);
            })
            .or_insert_with(|| text.into_owned());
    }
    shown
}
