//! Refusals in GitHub's shape: `message`, `documentation_url`, `status`, sometimes `errors`.
//! Source: "Troubleshooting the REST API".

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::auth::Unknown;
use crate::error::SandboxError;
use crate::pace::TooFast;

const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// An answer that says no.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub message: String,
    errors: Vec<Value>,
    documentation: &'static str,
    pub retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), documentation: DOCUMENTATION, retry_after: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// The App lacks a permission.
    pub(crate) fn not_accessible() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Resource not accessible by integration")
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Requires authentication")
    }

    pub(crate) fn suspended() -> Self {
        Self::new(StatusCode::FORBIDDEN, "This installation has been suspended")
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// The secondary rate limit. Source: "Rate limits for the REST API", "Exceeding the rate limit".
    pub(crate) fn secondary_limit(status: StatusCode, retry_after: Option<u64>) -> Self {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. \
                       If you reach out to GitHub Support for help, please include the request ID.";
        Self {
            retry_after,
            documentation: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
            ..Self::new(status, message)
        }
    }
}

impl From<TooFast> for ApiError {
    fn from(too_fast: TooFast) -> Self {
        match too_fast {
            TooFast::Primary => Self::new(StatusCode::FORBIDDEN, "API rate limit exceeded for installation."),
            TooFast::Secondary { retry_after } => Self::secondary_limit(StatusCode::FORBIDDEN, Some(retry_after)),
        }
    }
}

impl From<Unknown> for ApiError {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::BadCredentials => Self::new(StatusCode::UNAUTHORIZED, "Bad credentials"),
            Unknown::Jwt(message) => Self::new(StatusCode::UNAUTHORIZED, message),
            Unknown::NoSuchApp => Self::new(StatusCode::NOT_FOUND, "Integration not found"),
        }
    }
}

impl From<SandboxError> for ApiError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::NotFound(_) => Self::not_found(),
            SandboxError::Forbidden(message) => Self::new(StatusCode::FORBIDDEN, message),
            SandboxError::Conflict(message) => Self::new(StatusCode::METHOD_NOT_ALLOWED, message),
            SandboxError::Unprocessable(reason) => {
                Self { errors: vec![Value::from(reason)], ..Self::unprocessable("Unprocessable Entity") }
            }
            SandboxError::Invalid { message, errors } => {
                let errors = errors.into_iter().map(|fault| {
                    let mut entry = Map::new();
                    entry.insert("resource".to_owned(), json!(fault.resource));
                    entry.insert("field".to_owned(), json!(fault.field));
                    entry.insert("code".to_owned(), json!(fault.code));
                    if let Some(message) = fault.message {
                        entry.insert("message".to_owned(), json!(message));
                    }
                    Value::Object(entry)
                });
                Self { errors: errors.collect(), ..Self::unprocessable(message) }
            }
            other => {
                tracing::error!(error = %other, "the sandbox itself failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("Server Error: {other}"))
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = Map::new();
        body.insert("message".to_owned(), json!(self.message));
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), Value::Array(self.errors));
        }
        body.insert("documentation_url".to_owned(), json!(self.documentation));
        body.insert("status".to_owned(), json!(self.status.as_str()));
        let mut response = (self.status, axum::Json(Value::Object(body))).into_response();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
