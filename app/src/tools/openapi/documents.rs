//! OpenAPI documents that were fetched: kept for a day, then asked for again with what the server said they are (ETag), so that
//! an unchanged one costs no more than a question. A document that cannot be had anew serves on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::execution::StepError;
use flowctl_core::source::{parse, to_json};
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::document::Document;
use crate::clock::Clock;
use crate::steps::api_call::{carries_credentials, failed, unexpected};
use crate::steps::outgoing::Call;
use crate::tools::http::Caller;
use crate::tools::{fingerprint_of, refused};

/// How long a document is taken for what it was.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// How long one is used on that cannot be had anew, before it is asked for again.
const PAUSE: Duration = Duration::from_secs(60);
/// The largest document, in bytes.
pub(super) const MAX_DOCUMENT: usize = 8 * 1024 * 1024;
/// Documents that are kept at most; the oldest is forgotten first.
const KEPT: usize = 64;
/// What they come to at most, in bytes of text.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// The documents by what they were asked for with.
#[derive(Clone)]
pub(in crate::tools) struct Documents {
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Kept {
    document: Arc<Document>,
    etag: Option<HeaderValue>,
    fresh_until: Timestamp,
}

impl Documents {
    pub(in crate::tools) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { kept: Arc::default(), clock }
    }

    /// The document at this address, asked for with these headers.
    pub(super) async fn fetch(
        &self,
        caller: &Caller,
        address: Url,
        headers: HeaderMap,
        allowed: Option<&[String]>,
    ) -> Result<Arc<Document>, StepError> {
        let key = key(&address, &headers, allowed);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.fresh_until > self.clock.now()) {
            return Ok(kept.document.clone());
        }
        match ask(caller, &address, headers, kept.as_ref(), allowed).await {
            Ok(fetched) => Ok(self.keep(key, fetched, FRESH)),
            Err(error) => match kept {
                Some(kept) => {
                    tracing::warn!(%address, error = error.message, "a tool's document cannot be had anew; the old one serves on");
                    Ok(self.keep(key, (kept.document, kept.etag), PAUSE))
                }
                None => Err(error),
            },
        }
    }

    fn keep(
        &self,
        key: String,
        (document, etag): (Arc<Document>, Option<HeaderValue>),
        fresh: Duration,
    ) -> Arc<Document> {
        let fresh_until = self.clock.now().checked_add(fresh).unwrap_or(Timestamp::MAX);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&key);
        let size = |kept: &BTreeMap<String, Kept>| kept.values().map(|kept| kept.document.size).sum::<usize>();
        while kept.len() >= KEPT || size(&kept) + document.size > KEPT_BYTES {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.fresh_until).map(|(key, _)| key.clone());
            if oldest.and_then(|oldest| kept.remove(&oldest)).is_none() {
                break;
            }
        }
        kept.insert(key, Kept { document: document.clone(), etag, fresh_until });
        document
    }
}

async fn ask(
    caller: &Caller,
    address: &Url,
    mut headers: HeaderMap,
    kept: Option<&Kept>,
    allowed: Option<&[String]>,
) -> Result<(Arc<Document>, Option<HeaderValue>), StepError> {
    let name = format!("GET {}{}", address.origin().ascii_serialization(), address.path());
    if let Some(etag) = kept.and_then(|kept| kept.etag.as_ref()) {
        headers.insert(IF_NONE_MATCH, etag.clone());
    }
    let carries_credentials = carries_credentials(address, &headers, !caller.redaction.is_empty());
    let call = Call {
        method: Method::GET,
        url: address.clone(),
        headers,
        own_headers: HeaderMap::new(),
        body: None,
        carries_credentials,
        follows_redirects: true,
    };
    let answer = caller.outgoing.call_up_to(call, MAX_DOCUMENT).await.map_err(|error| failed(&name, &error))?;
    let etag = answer.headers.get(ETAG).cloned();
    if let (StatusCode::NOT_MODIFIED, Some(kept)) = (answer.status, kept) {
        return Ok((kept.document.clone(), etag.or_else(|| kept.etag.clone())));
    }
    if !answer.status.is_success() {
        return Err(unexpected(&name, &answer, caller.clock.now(), &caller.redaction));
    }
    let (body, address, allowed) = (answer.body, address.clone(), allowed.map(<[String]>::to_vec));
    // Megabytes of text: others are served meanwhile.
    let reading = tokio::task::spawn_blocking(move || {
        let value = value_of(&body).ok_or_else(|| "it is neither JSON nor YAML".to_owned())?;
        Document::read(&value, Some(address), allowed.as_deref()).map_err(|fault| fault.to_string())
    });
    let read = reading.await.unwrap_or_else(|_| Err("it could not be read".to_owned()));
    Ok((Arc::new(read.map_err(|fault| refused(format!("{name}: {fault}")))?), etag))
}

/// JSON, or YAML.
fn value_of(body: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Some(value);
    }
    let parsed = parse(std::str::from_utf8(body).ok()?);
    if parsed.faults.iter().any(|fault| fault.kind.ends_parsing()) {
        return None;
    }
    Some(to_json(&parsed.document, parsed.document.root()?))
}

/// Whoever asks with other headers may be given another document, and of it only what is allowed is read. The headers may
/// hold secrets, so a digest stands for them.
fn key(address: &Url, headers: &HeaderMap, allowed: Option<&[String]>) -> String {
    let mut all: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    all.sort();
    all.push(address.to_string());
    all.push(serde_json::json!(allowed).to_string());
    fingerprint_of(&all)
}
