//! Webhooks from anywhere: whoever signs a call with the secret that a `webhook` trigger names starts its process. The
//! signature over the body as it came is the authority; no token is needed. Each message starts a process once.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, middleware};
use flowctl_core::definition::Trigger;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::execution::{Subject, TriggerInfo};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::catalogue::{Found, Unfound};
use super::problem::{self, Problem};
use super::{Api, no_such_method};
use crate::engine::StartRequest;
use crate::github::signature;
use crate::notify::webhook;

/// Where every address begins; behind it comes `owner/repo:name`.
pub const BASE: &str = "/hooks";
/// Bytes of a body at most: it is kept with the execution.
pub const MAX_BODY: usize = 256 * 1024;
/// How far the time of a message may be from ours, which is what the Standard Webhooks libraries take
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Characters of an id at most.
const MAX_ID: usize = 200;

pub(super) fn router(api: &Api) -> Router {
    Router::new()
        .route(&format!("{BASE}/{{*process}}"), post(receive))
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::map_response(problem::as_problem))
        .with_state(api.clone())
}

async fn receive(
    State(api): State<Api>,
    Path(process): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let found = match api.catalogue.find(&process).await {
        // A name alone may come to mean another process.
        Ok(found) if process.contains(':') => found,
        Err(Unfound::Problem(problem)) => return Err(problem),
        // Who cannot sign is not told what there is.
        _ => return Err(refused()),
    };
    let message = api.signed(&found, &headers, &body).ok_or_else(refused)?;
    let name = found.process.header.name.as_str();
    let request = StartRequest {
        tenant: found.tenant.clone(),
        repository: found.repository.clone(),
        repository_id: None,
        revision: found.definitions.revision.clone(),
        process: name.to_owned(),
        trigger: TriggerInfo { kind: "webhook".to_owned(), actor: None, payload: payload(&body), pull_request: None },
        subject: Some(Subject {
            number: None,
            is_pull_request: false,
            head_sha: found.definitions.revision.clone(),
            author: None,
        }),
        inputs: Map::new(),
        start_key: Some(format!("hook:{}:{message}", found.id())),
        url: None,
    };
    let started = api.engine.start(request).await?;
    let (execution, repeated) = (started.execution.id, !started.is_new);
    tracing::info!(%execution, process = name, repository = found.repository, repeated, "started by a webhook");
    let status = if repeated { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(json!({"execution": execution, "repeated": repeated}))).into_response())
}

fn refused() -> Problem {
    Problem::new(
        "signature-refused",
        "No process at this address takes a webhook that is signed like this. Sign the body as it is sent, with the secret \
         of its trigger; the time of the message may be five minutes off.",
    )
}

impl Api {
    /// What tells a message apart, where it is signed with a secret that a trigger of the process names.
    fn signed(&self, found: &Found, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let header = &found.process.header;
        let triggers = header.triggers.iter().flatten().filter(|_| header.status == ProcessStatus::Published);
        let names = triggers.filter_map(|trigger| match &trigger.value {
            Trigger::Webhook(webhook) => webhook.secret_name(),
            _ => None,
        });
        names
            .filter_map(|name| {
                let secret = self.secrets.get(name);
                if secret.is_none() {
                    tracing::warn!(process = found.id(), "a webhook came, and FLOWCTL_SECRET_{name} is not set");
                }
                secret
            })
            .find_map(|secret| identified(headers, body, secret, self.now()))
    }
}

/// What tells a message apart that is signed with this secret: after Standard Webhooks its id, which is signed with it, and
/// its time must be now; or the whole body, where it is all that is signed, as GitHub and others do.
fn identified(headers: &HeaderMap, body: &[u8], secret: &SecretString, now: Timestamp) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(signatures) = text("webhook-signature") {
        let (id, at) = (text("webhook-id")?, text("webhook-timestamp")?);
        let sent = Timestamp::from_second(at.parse().ok()?).ok()?;
        let fits = !id.is_empty() && id.len() <= MAX_ID && now.duration_since(sent).abs() <= SKEW;
        let signed = fits && webhook::is_signed((id, at), body, secret, signatures);
        return signed.then(|| format!("id:{}", hex::encode(Sha256::digest(id))));
    }
    signature::verify(secret, body, text(signature::SIGNATURE_HEADER)).ok()?;
    Some(format!("body:{}", hex::encode(Sha256::digest(body))))
}

/// The body as JSON; one that is none as text.
fn payload(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    const BODY: &[u8] = br#"{"order": 7}"#;

    fn now() -> Timestamp {
        "2026-03-01T09:00:00Z".parse().unwrap()
    }

    fn secret() -> SecretString {
        SecretString::from("a-secret-of-some-length".to_owned())
    }

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn standard(id: &str, at: Timestamp, body: &[u8]) -> HeaderMap {
        let text = std::str::from_utf8(body).unwrap();
        webhook::headers(id, at, text, Some("a-secret-of-some-length"))
    }

    #[test]
    fn a_message_is_told_apart_by_its_id_and_must_be_of_now() {
        let identify = |headers: &HeaderMap, body: &[u8]| identified(headers, body, &secret(), now());
        let first = identify(&standard("msg_1", now(), BODY), BODY).unwrap();
        assert_eq!(identify(&standard("msg_1", now(), b"other"), b"other").unwrap(), first, "the id counts");
        assert_ne!(identify(&standard("msg_2", now(), BODY), BODY).unwrap(), first);
        for minutes in [-4, 4] {
            let at = now().checked_add(SignedDuration::from_mins(minutes)).unwrap();
            assert_eq!(identify(&standard("msg_1", at, BODY), BODY), Some(first.clone()));
        }
        for minutes in [-6, 6] {
            let at = now().checked_add(SignedDuration::from_mins(minutes)).unwrap();
            assert_eq!(identify(&standard("msg_1", at, BODY), BODY), None, "replayed, or of a wrong clock");
        }
        assert_eq!(identify(&standard("msg_1", now(), BODY), b"forged"), None);
        for changed in ["webhook-id", "webhook-timestamp"] {
            let mut headers = standard("msg_1", now(), BODY);
            headers.insert(changed, "1".parse().unwrap());
            assert_eq!(identify(&headers, BODY), None, "{changed} is signed too");
            headers.remove(changed);
            assert_eq!(identify(&headers, BODY), None, "{changed} is needed");
        }
        let several = {
            let mut headers = standard("msg_1", now(), BODY);
            let signed = headers["webhook-signature"].to_str().unwrap().to_owned();
            headers.insert("webhook-signature", format!("v1,AAAA v2,x {signed}").parse().unwrap());
            headers
        };
        assert_eq!(identify(&several, BODY), Some(first), "a secret that is being replaced signs beside the new one");
    }

    #[test]
    fn a_body_that_alone_is_signed_counts_once_whatever_id_comes_with_it() {
        let signed = |body: &[u8]| {
            use hmac::{Hmac, KeyInit, Mac};
            let mut mac = Hmac::<Sha256>::new_from_slice(b"a-secret-of-some-length").unwrap();
            mac.update(body);
            format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
        };
        let identify = |id: &str, body: &[u8], signature: String| {
            let given = headers(&[("x-hub-signature-256", signature), ("x-github-delivery", id.to_owned())]);
            identified(&given, body, &secret(), now())
        };
        let first = identify("1", BODY, signed(BODY)).unwrap();
        assert_eq!(identify("2", BODY, signed(BODY)), Some(first.clone()), "the id is not signed");
        assert_ne!(identify("1", b"{}", signed(b"{}")), Some(first));
        assert_eq!(identify("1", b"{}", signed(BODY)), None);
        assert_eq!(identified(&HeaderMap::new(), BODY, &secret(), now()), None);
    }

    #[test]
    fn a_body_that_is_no_json_is_a_text() {
        assert_eq!(payload(BODY), json!({"order": 7}));
        assert_eq!(payload(b"a=1&b=2"), json!("a=1&b=2"));
        assert_eq!(payload(b""), json!(""));
    }
}
