//! Errors as RFC 9457 has them, `application/problem+json`: the one place where they are made. `type` names are stable;
//! what cannot be mended by the caller goes into the log, and the caller is given its id.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What begins every `type`.
pub const TYPE: &str = "urn:flowctl:problem:";
/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem; stable. `urn:flowctl:problem:` and a name.
    #[serde(rename = "type")]
    #[schema(examples("urn:flowctl:problem:wrong-inputs"))]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// The kind in words.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    /// Every fault, by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
    /// The execution that stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub execution: Option<Box<Uuid>>,
    /// Where the body cannot be read: the line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Where the body cannot be read: the column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What to name to the operator, whose log says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub incident: Option<Box<Uuid>>,
    /// After how many seconds it is worth while to try again, where that is known. Told as `Retry-After`.
    #[serde(skip)]
    pub retry_after_s: Option<u16>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldFault {
    /// The field; parts of it behind dots.
    pub field: String,
    /// What is wrong, to be read after the field's name: `is required`.
    pub message: String,
}

/// The kinds of problems: name, status and title of each. Names are never used again for something else.
pub const KINDS: [(&str, StatusCode, &str); 33] = [
    ("malformed", StatusCode::BAD_REQUEST, "The request cannot be read"),
    ("api-closed", StatusCode::UNAUTHORIZED, "The API is closed"),
    ("token-missing", StatusCode::UNAUTHORIZED, "A bearer token is needed"),
    ("token-wrong", StatusCode::UNAUTHORIZED, "The bearer token is not the right one"),
    ("signature-refused", StatusCode::UNAUTHORIZED, "The signature is not the right one"),
    ("budget-used-up", StatusCode::PAYMENT_REQUIRED, "The budget does not allow it"),
    ("person-needed", StatusCode::FORBIDDEN, "A person must be named"),
    ("acting-forbidden", StatusCode::FORBIDDEN, "The token may not act in a person's name here"),
    ("ineligible", StatusCode::FORBIDDEN, "The person's word does not count"),
    ("resume-token-refused", StatusCode::FORBIDDEN, "The resume token is not the right one"),
    ("not-found", StatusCode::NOT_FOUND, "There is no such thing"),
    ("unknown-route", StatusCode::NOT_FOUND, "There is no such address"),
    ("no-output", StatusCode::NOT_FOUND, "The step has no output"),
    ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The address does not take this method"),
    ("ended", StatusCode::CONFLICT, "It has ended"),
    ("not-waiting", StatusCode::CONFLICT, "Nothing waits for this"),
    ("nothing-to-retry", StatusCode::CONFLICT, "There is nothing to retry"),
    ("other-commit", StatusCode::CONFLICT, "It was said about another commit"),
    ("other-call", StatusCode::CONFLICT, "It was said about another call of a tool"),
    ("group-busy", StatusCode::CONFLICT, "The concurrency group is busy"),
    ("not-by-hand", StatusCode::CONFLICT, "The process is not started by hand"),
    ("paused", StatusCode::CONFLICT, "The process is paused"),
    ("definition-unsound", StatusCode::CONFLICT, "The definition cannot run"),
    ("resume-token-used", StatusCode::CONFLICT, "The resume token has been used"),
    ("refused", StatusCode::CONFLICT, "It was refused"),
    ("resume-token-ended", StatusCode::GONE, "The resume token has ended"),
    ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
    ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body has another type than is taken"),
    ("wrong-fields", StatusCode::UNPROCESSABLE_ENTITY, "Fields do not fit"),
    ("wrong-inputs", StatusCode::UNPROCESSABLE_ENTITY, "The inputs do not fit the process"),
    ("key-used-otherwise", StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key belongs to another request"),
    ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something broke"),
    ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "It cannot be done now"),
];

impl Problem {
    /// A problem of one of [`KINDS`].
    pub fn new(name: &'static str, detail: impl Into<String>) -> Self {
        let found = KINDS.iter().find(|(known, ..)| *known == name);
        debug_assert!(found.is_some(), "{name} is in the table");
        let (status, title) =
            found.map_or((StatusCode::INTERNAL_SERVER_ERROR, name), |(_, status, title)| (*status, title));
        Self {
            kind: format!("{TYPE}{name}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into().into(),
            errors: Vec::new(),
            execution: None,
            line: None,
            column: None,
            incident: None,
            retry_after_s: None,
        }
    }

    /// Fields that do not fit.
    pub fn fields(name: &'static str, detail: impl Into<String>, faults: Vec<(String, String)>) -> Self {
        let errors = faults.into_iter().map(|(field, message)| FieldFault { field, message }).collect();
        Self { errors, ..Self::new(name, detail) }
    }

    /// One field that does not fit.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("`{field}` {message}");
        Self::fields("wrong-fields", detail, vec![(field.to_owned(), message)])
    }

    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new("not-found", what)
    }

    /// Something that the caller cannot mend: the log says what, under an id that the caller is given.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        let incident = Uuid::now_v7();
        tracing::error!(%incident, %error, "a request could not be answered");
        let detail = format!("It is no fault of the request. The server's log says more under {incident}.");
        Self { incident: Some(Box::new(incident)), ..Self::new("internal", detail) }
    }

    /// Something that may pass.
    pub fn unavailable(error: &dyn std::fmt::Display) -> Self {
        tracing::warn!(%error, "a request cannot be answered now");
        Self::new("unavailable", format!("{error}; try again later"))
    }

    /// The same, to be tried again after this many seconds.
    #[must_use]
    pub fn after_s(self, seconds: u16) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// With the execution that stands in the way.
    #[must_use]
    pub fn with_execution(self, execution: Uuid) -> Self {
        Self { execution: Some(Box::new(execution)), ..self }
    }

    /// The kind's name without what begins every `type`.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix(TYPE).unwrap_or(&self.kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s.unwrap_or(1)));
        }
        response
    }
}

/// Whatever else went wrong on the way (a panic, a time limit, a part of the framework) leaves as a problem too.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if !is_error || is_problem {
        return response;
    }
    let mut problem = match status {
        StatusCode::NOT_FOUND => {
            Problem::new("unknown-route", "There is nothing at this address; /docs lists what there is.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new("method-not-allowed", "The header `Allow` says which methods this address takes.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new("too-large", "The body is larger than is taken."),
        StatusCode::SERVICE_UNAVAILABLE => Problem::new("unavailable", "It took too long; try again later."),
        status if status.is_client_error() => Problem::new("malformed", status.canonical_reason().unwrap_or_default()),
        status => Problem::internal(&format!("an answer of {status} without a reason")),
    };
    problem.status = status.as_u16();
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut answer = problem.into_response();
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}
