//! What every REST request passes: User-Agent, faults, authentication, rate limits, ETag, headers, log.
//! Sources: "Getting started with the REST API", "Best practices for using the REST API".

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::auth::{self, Caller};
use crate::connection::Connection;
use crate::error::SandboxError;
use crate::faults::{self, Fault};
use crate::hub::Hub;
use crate::pace::Weight;
use crate::requests::{ReadBody, RequestRecord};
use crate::rest::{self, ApiError};

/// GitHub's answer to a request without User-Agent. Source: "User agent required".
const NO_AGENT: &str = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header \
                        (https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent-required). \
                        Check https://developer.github.com for other possible causes.\n";

/// Answers at most this large get an ETag.
const ETAG_BYTES: usize = 32 * 1024 * 1024;

/// One request on its way through.
struct Passage {
    at: Timestamp,
    method: Method,
    path: String,
    shown: String,
    headers: HeaderMap,
    faults: Vec<Fault>,
    connection: Connection,
    body: ReadBody,
}

/// The middleware around all REST endpoints.
pub(crate) async fn rest(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let passage = Passage::new(&hub, connection, &request);
    let (caller, response) = passage.answer(&hub, request, next).await;
    let response = passage.with_headers(&hub, &caller, response);
    passage.leave(&hub, &caller, response)
}

/// The middleware around git: only faults, agent and log.
pub(crate) async fn git(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let passage = Passage::new(&hub, connection, &request);
    tokio::time::sleep(faults::latency(&passage.faults)).await;
    let caller = hub.read(|view| auth::identify(view.world, &passage.headers, passage.at)).unwrap_or(Caller::Anonymous);
    let response = match passage.fault_before() {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    passage.leave(&hub, &caller, response)
}

impl Passage {
    fn new(hub: &Hub, connection: Connection, request: &Request) -> Self {
        let below = |text: &str| text.strip_prefix(rest::PREFIX).unwrap_or(text).to_owned();
        let path = below(request.uri().path());
        let shown = request.uri().path_and_query().map_or_else(|| path.clone(), |whole| below(whole.as_str()));
        let method = request.method().clone();
        Self {
            at: hub.clock.now(),
            faults: hub.faults.for_request(method.as_str(), &path),
            headers: request.headers().clone(),
            method,
            path,
            shown,
            connection,
            body: ReadBody::default(),
        }
    }

    fn is_write(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    fn weight(&self) -> Weight {
        let creates = self.method == Method::POST;
        let notifies = ["/comments", "/reviews", "/issues", "/pulls"].iter().any(|end| self.path.ends_with(end));
        Weight { write: self.is_write(), content: creates && notifies }
    }

    async fn answer(&self, hub: &Arc<Hub>, mut request: Request, next: Next) -> (Caller, Response) {
        if self.headers.get(header::USER_AGENT).is_none_or(|agent| agent.is_empty()) {
            return (Caller::Anonymous, (StatusCode::FORBIDDEN, NO_AGENT).into_response());
        }
        self.fault_on_credentials(hub);
        let identified = hub.read(|view| auth::identify(view.world, &self.headers, self.at));
        let caller = match identified {
            Ok(caller) => caller,
            Err(unknown) => return (Caller::Anonymous, ApiError::from(unknown).into_response()),
        };
        let counts = self.path != "/rate_limit";
        let _in_flight = match counts.then(|| hub.pace.admit(&caller.name(), self.weight(), self.at)) {
            Some(Err(too_fast)) => return (caller, ApiError::from(too_fast).into_response()),
            admitted => admitted,
        };
        tokio::time::sleep(faults::latency(&self.faults)).await;
        if let Some(refusal) = self.fault_before() {
            return (caller, refusal);
        }
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(self.body.clone());
        let response = next.run(request).await;
        let response = if self.method == Method::GET { self.with_etag(hub, &caller, response).await } else { response };
        (caller, response)
    }

    /// Revokes or suspends what the request comes with, before it is looked at.
    fn fault_on_credentials(&self, hub: &Hub) {
        let revoke = self.faults.contains(&Fault::RevokeToken);
        let suspend = self.faults.contains(&Fault::SuspendInstallation);
        if !revoke && !suspend {
            return;
        }
        let changed = hub.change(|change| {
            if let Ok(Caller::Installation { id, token }) = auth::identify(change.world, &self.headers, self.at) {
                if revoke {
                    change.world.tokens.remove(&token);
                }
                if suspend {
                    change.suspend_installation(id, change.world.app.owner)?;
                }
            }
            Ok::<(), SandboxError>(())
        });
        if let Err(error) = changed {
            tracing::warn!(%error, "a fault could not be applied");
        }
    }

    fn fault_before(&self) -> Option<Response> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::ErrorBefore { status } => Some(failure(*status)),
            Fault::RateLimited { status, retry_after } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
                Some(ApiError::secondary_limit(status, *retry_after).into_response())
            }
            Fault::ResetBefore => Some(StatusCode::NO_CONTENT.into_response()),
            _ => None,
        })
    }

    /// Conditional requests. Source: "Use conditional requests if appropriate".
    async fn with_etag(&self, hub: &Hub, caller: &Caller, response: Response) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, ETAG_BYTES).await else { return failure(500) };
        let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(&bytes)));
        let known = self.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let unchanged = known
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().trim_start_matches("W/") == tag.trim_start_matches("W/"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            parts.headers.insert(header::ETAG, tag);
        }
        parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60, s-maxage=60"));
        if unchanged {
            hub.pace.forgive(&caller.name());
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.remove(header::CONTENT_LENGTH);
            return Response::from_parts(parts, Body::empty());
        }
        Response::from_parts(parts, Body::from(bytes))
    }

    fn with_headers(&self, hub: &Hub, caller: &Caller, mut response: Response) -> Response {
        let standing = hub.pace.standing(&caller.name(), self.at);
        let id = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        let request_id = [&id[..4], &id[4..10], &id[10..17], &id[17..24], &id[24..]].join(":");
        let headers = response.headers_mut();
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-github-request-id", request_id);
        put("x-github-media-type", "github.v3; format=json".to_owned());
        put("x-github-api-version-selected", "2022-11-28".to_owned());
        put("x-ratelimit-limit", standing.limit.to_string());
        put("x-ratelimit-used", standing.used.to_string());
        put("x-ratelimit-remaining", standing.limit.saturating_sub(standing.used).to_string());
        put("x-ratelimit-reset", standing.reset.to_string());
        put("x-ratelimit-resource", "core".to_owned());
        let json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if json {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        response
    }

    /// Loses the answer when a fault says so, and writes the log.
    fn leave(&self, hub: &Hub, caller: &Caller, response: Response) -> Response {
        let after = self.faults.iter().find_map(|fault| match fault {
            Fault::ErrorAfter { status } => Some(failure(*status)),
            _ => None,
        });
        let response = after.unwrap_or(response);
        let reset = self.faults.iter().any(|fault| matches!(fault, Fault::ResetAfter | Fault::ResetBefore));
        if reset {
            self.connection.reset();
        }
        hub.requests.add(RequestRecord {
            at: self.at,
            method: self.method.to_string(),
            path: self.shown.clone(),
            status: if reset { 0 } else { response.status().as_u16() },
            caller: caller.name(),
            body: self.body.take(),
        });
        response
    }
}

fn failure(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ApiError::new(status, status.canonical_reason().unwrap_or("Server Error")).into_response()
}
