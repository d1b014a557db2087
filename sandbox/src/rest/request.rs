//! How requests are read: JSON bodies and pages, with GitHub's answers to what cannot be read.
//! Sources: "Using pagination in the REST API", "Troubleshooting the REST API".

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;
use crate::limits;
use crate::requests::ReadBody;

/// A JSON body. An empty one reads as `{}`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let log = request.extensions().get::<ReadBody>().cloned().unwrap_or_default();
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
        log.put(bytes.clone());
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let unreadable = || ApiError::new(StatusCode::BAD_REQUEST, "Problems parsing JSON");
        let value: Value = serde_json::from_slice(text).map_err(|_| unreadable())?;
        if !value.is_object() && !value.is_array() {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "Body should be a JSON object"));
        }
        let body = serde_json::from_value(value);
        body.map(Body).map_err(|error| ApiError::unprocessable(format!("Invalid request.\n\n{error}.")))
    }
}

/// Which page of a list is wanted, and the address that the links continue.
#[derive(Debug)]
pub(crate) struct Paging {
    page: usize,
    per_page: usize,
    address: String,
    query: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let OriginalUri(uri) =
            OriginalUri::from_request_parts(parts, state).await.unwrap_or_else(|never| match never {});
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        let address = format!("http://{host}{}", uri.path());
        let query: Vec<(String, String)> = query_pairs(uri.query().unwrap_or_default());
        let number =
            |name: &str| query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<usize>().ok());
        let per_page = number("per_page").unwrap_or(30).clamp(1, limits::PER_PAGE);
        let page = number("page").unwrap_or(1).max(1);
        Ok(Self { page, per_page, address, query })
    }
}

/// Splits `a=b&c=d` and takes the escapes out.
pub(crate) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let uri = format!("http://x/?{query}");
    let pairs = uri
        .parse::<http::Uri>()
        .ok()
        .and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    pairs.map(|pairs| pairs.0).unwrap_or_default()
}

impl Paging {
    /// A query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the request says anything about pages.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.parameter("page").is_some() || self.parameter("per_page").is_some()
    }

    /// Whether it is the first page.
    pub(crate) fn is_first(&self) -> bool {
        self.page == 1
    }

    /// A plain list.
    pub(crate) fn list(&self, items: Vec<Value>) -> Response {
        self.wrapped(items, |_, items| Value::Array(items))
    }

    /// A list inside an object that also tells how many there are.
    pub(crate) fn wrapped(&self, items: Vec<Value>, wrap: impl FnOnce(usize, Vec<Value>) -> Value) -> Response {
        let total = items.len();
        let from = (self.page - 1).saturating_mul(self.per_page);
        let page: Vec<Value> = items.into_iter().skip(from).take(self.per_page).collect();
        let mut response = axum::Json(wrap(total, page)).into_response();
        if let Ok(links) = HeaderValue::from_str(&self.links(total))
            && !links.is_empty()
        {
            response.headers_mut().insert(header::LINK, links);
        }
        response
    }

    /// A list that continues after an id: newest first, as deliveries are.
    pub(crate) fn after_cursor(&self, items: Vec<(u64, Value)>) -> Response {
        let cursor = self.parameter("cursor").and_then(|cursor| cursor.parse::<u64>().ok());
        let mut items = items.into_iter().filter(|(id, _)| cursor.is_none_or(|cursor| *id < cursor));
        let page: Vec<(u64, Value)> = items.by_ref().take(self.per_page).collect();
        let more = items.next().is_some();
        let last = page.last().map(|(id, _)| *id);
        let body: Vec<Value> = page.into_iter().map(|(_, item)| item).collect();
        let mut response = axum::Json(Value::Array(body)).into_response();
        if let Some(last) = last.filter(|_| more) {
            let link = format!("<{}>; rel=\"next\"", self.address_with("cursor", &last.to_string()));
            if let Ok(link) = HeaderValue::from_str(&link) {
                response.headers_mut().insert(header::LINK, link);
            }
        }
        response
    }

    fn links(&self, total: usize) -> String {
        let last = total.div_ceil(self.per_page).max(1);
        let link = |page: usize, relation: &str| {
            format!("<{}>; rel=\"{relation}\"", self.address_with("page", &page.to_string()))
        };
        let mut links = Vec::new();
        if self.page > 1 {
            links.push(link((self.page - 1).min(last), "prev"));
        }
        if self.page < last {
            links.push(link(self.page + 1, "next"));
            links.push(link(last, "last"));
        }
        if self.page > 1 {
            links.push(link(1, "first"));
        }
        links.join(", ")
    }

    fn address_with(&self, name: &str, value: &str) -> String {
        let escape = |text: &str| -> String {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            text.bytes()
                .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
                .collect()
        };
        let others = self.query.iter().filter(|(key, _)| key != name);
        let mut pairs: Vec<String> = others.map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
        pairs.push(format!("{name}={}", escape(value)));
        format!("{}?{}", self.address, pairs.join("&"))
    }
}
