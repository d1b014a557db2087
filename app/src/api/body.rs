//! Bodies of requests: JSON that is held against the very schema that the OpenAPI document shows, so that every fault is
//! told at once and by field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use flowctl_core::definition::field::faults;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::Unambiguous;
use super::problem::Problem;

/// A body that a request has.
pub trait Body: DeserializeOwned {
    /// Its JSON Schema, without references.
    fn described() -> &'static Value;

    /// What an empty body stands for; nothing where there must be one.
    fn when_empty() -> Option<Self> {
        None
    }
}

/// Makes a type that derives `ToSchema` a [`Body`].
macro_rules! body {
    ($name:ty $(, $empty:expr)?) => {
        impl $crate::api::body::Body for $name {
            fn described() -> &'static serde_json::Value {
                static SCHEMA: std::sync::OnceLock<serde_json::Value> = std::sync::OnceLock::new();
                SCHEMA.get_or_init(|| serde_json::json!(<$name as utoipa::PartialSchema>::schema()))
            }

            $(
                fn when_empty() -> Option<Self> {
                    Some($empty)
                }
            )?
        }
    };
}
pub(super) use body;

/// The body of a request, sound by its schema.
pub struct Given<T>(pub T);

impl<S: Send + Sync, T: Body> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = media_type(&request);
        let bytes = bytes(request, state).await?;
        if bytes.is_empty()
            && let Some(empty) = T::when_empty()
        {
            return Ok(Self(empty));
        }
        if !media_type.as_deref().is_some_and(is_json) {
            let found = media_type.unwrap_or_else(|| "none".to_owned());
            let detail = format!("Content-Type is {found}; send application/json");
            return Err(Problem::new("unsupported-media-type", detail));
        }
        // `null` is a body too, and as empty as none.
        if bytes.trim_ascii() == b"null"
            && let Some(empty) = T::when_empty()
        {
            return Ok(Self(empty));
        }
        read(&bytes).map(Self)
    }
}

/// All bytes of a body.
pub(super) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new("too-large", format!("at most {} bytes are taken", super::MAX_BODY))
        }
        _ => Problem::new("malformed", rejection.body_text()),
    })
}

/// The media type of a request's body, without parameters, in lower case.
pub(super) fn media_type(request: &Request) -> Option<String> {
    let text = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Reads a body.
pub(super) fn read<T: Body>(bytes: &[u8]) -> Result<T, Problem> {
    let Unambiguous(value) = serde_json::from_slice(bytes).map_err(|error| {
        let detail = format!("the body is not JSON: {error}");
        let small = |number: usize| u32::try_from(number).ok();
        Problem { line: small(error.line()), column: small(error.column()), ..Problem::new("malformed", detail) }
    })?;
    let found = faults(T::described(), &value);
    if !found.is_empty() {
        let told: Vec<String> = found.iter().map(|(field, fault)| told(field, fault)).collect();
        return Err(Problem::fields("wrong-fields", told.join("; "), found));
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| Problem::field(&error.path().to_string(), format!("cannot be read: {}", error.inner())))
}

fn told(field: &str, fault: &str) -> String {
    if field.is_empty() { format!("the body {fault}") } else { format!("`{field}` {fault}") }
}
