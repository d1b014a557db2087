//! Streamable HTTP (MCP 2025-11-25, "Transports"), fetched through the same door as every other call of definitions: public
//! addresses only, no redirects, answers of limited size. The protocol is `rmcp`'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Response;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::http_header::{HEADER_LAST_EVENT_ID, HEADER_SESSION_ID};
use rmcp::transport::streamable_http_client::{
    HttpStatusError, SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse,
};
use rmcp::transport::{StreamableHttpClientTransport, WorkerTransport};
use sse_stream::{Sse, SseStream};
use url::Url;

use crate::clock::Clock;
use crate::steps::api_call;
use crate::steps::outgoing::{Call, Outgoing, OutgoingError};

/// The largest answer, in bytes: all events of one stream together.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// The largest answer that says no.
const MAX_REFUSAL: usize = 64 * 1024;
const ACCEPTED: &str = "application/json, text/event-stream";

type Failure = StreamableHttpError<OutgoingError>;

/// What went wrong last, as a step takes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures(Arc<Mutex<Option<StepError>>>);

impl Failures {
    pub(super) fn take(&self) -> Option<StepError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, error: StepError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Talks to one server.
#[derive(Clone)]
pub(super) struct HttpClient {
    url: Url,
    headers: HeaderMap,
    outgoing: Outgoing,
    clock: Arc<dyn Clock>,
    failures: Failures,
}

/// What talks MCP to this address, with these headers on every request.
pub(super) fn transport(
    url: &Url,
    headers: &HeaderMap,
    (outgoing, clock): (Outgoing, Arc<dyn Clock>),
    failures: Failures,
) -> WorkerTransport<rmcp::transport::streamable_http_client::StreamableHttpClientWorker<HttpClient>> {
    let client = HttpClient { url: url.clone(), headers: headers.clone(), outgoing, clock, failures };
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
        .max_sse_event_size(MAX_ANSWER)
        // A call that a lost session swallowed may have been made: nobody repeats it but who knows whether it may be.
        .reinit_on_expired_session(false);
    StreamableHttpClientTransport::with_client(client, config)
}

impl HttpClient {
    async fn send(
        &self,
        method: Method,
        session: Option<Arc<str>>,
        extra: HashMap<HeaderName, HeaderValue>,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Failure> {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        headers.extend(extra);
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(session) = session {
            let session = HeaderValue::from_str(&session)
                .map_err(|_| StreamableHttpError::UnexpectedServerResponse("the session's id is no header".into()))?;
            headers.insert(HeaderName::from_static("mcp-session-id"), session);
        }
        let call = Call {
            method,
            url: self.url.clone(),
            headers,
            own_headers: HeaderMap::new(),
            body: body.map(Into::into),
            carries_credentials: true,
            follows_redirects: false,
        };
        self.outgoing.send(&call).await.map_err(|error| {
            self.failures.keep(api_call::failed("it", &error));
            StreamableHttpError::Client(error)
        })
    }

    /// An answer that is no good, as the protocol wants to have it.
    fn refused(&self, response: &Response) -> Failure {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let class = match status.as_u16() {
            429 => ErrorClass::RateLimited,
            408 => ErrorClass::Timeout,
            500..=599 => ErrorClass::ServerError,
            _ => ErrorClass::Refused,
        };
        let pause = api_call::retry_after(response.headers(), self.clock.now());
        let retry_after_ms = pause.and_then(|pause| u64::try_from(pause.as_millis()).ok());
        self.failures.keep(StepError { retry_after_ms, ..StepError::new(class, format!("it answered {status}")) });
        HttpStatusError::new(status.as_u16(), retry_after).into()
    }

    async fn posted(
        &self,
        message: &ClientJsonRpcMessage,
        response: Response,
        had_session: bool,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let status = response.status();
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status == StatusCode::NOT_FOUND && had_session {
            self.failures.keep(StepError::new(ErrorClass::Network, "it forgot the session"));
            return Err(StreamableHttpError::SessionExpired);
        }
        let session = response.headers().get(HEADER_SESSION_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let kind = content_type(&response);
        let wants_answer = matches!(message, ClientJsonRpcMessage::Request(_));
        if !status.is_success() {
            return self.refusal(response, &kind, session).await;
        }
        match kind.as_str() {
            "text/event-stream" => Ok(StreamableHttpPostResponse::Sse(events(response), session)),
            "application/json" => {
                let body = bounded(response, MAX_ANSWER).await?;
                match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
                    Ok(message) => Ok(StreamableHttpPostResponse::Json(message, session)),
                    Err(_) if !wants_answer => Ok(StreamableHttpPostResponse::Accepted),
                    Err(error) => Err(error.into()),
                }
            }
            // Some answer a notification with an empty 200.
            _ if !wants_answer => Ok(StreamableHttpPostResponse::Accepted),
            _ => Err(StreamableHttpError::UnexpectedContentType(Some(kind))),
        }
    }

    /// A bad status, which may still carry an error of the protocol.
    async fn refusal(
        &self,
        response: Response,
        kind: &str,
        session: Option<String>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let failure = self.refused(&response);
        let is_plain = matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if kind != "application/json" || is_plain {
            return Err(failure);
        }
        let body = bounded(response, MAX_REFUSAL).await?;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
            Ok(message @ JsonRpcMessage::Error(_)) => Ok(StreamableHttpPostResponse::Json(message, session)),
            _ => Err(failure),
        }
    }
}

impl StreamableHttpClient for HttpClient {
    type Error = OutgoingError;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let body = serde_json::to_vec(&message)?;
        let had_session = session_id.is_some();
        let response = self.send(Method::POST, session_id, custom_headers, Some(body)).await?;
        self.posted(&message, response, had_session).await
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        self.send(Method::DELETE, Some(session_id), custom_headers, None).await.map(drop)
    }

    /// Only a stream that broke off is gone on with. What a server would say unasked, nobody here listens to.
    async fn get_stream(
        &self,
        _uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        mut custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let Some(last) = last_event_id else { return Err(StreamableHttpError::ServerDoesNotSupportSse) };
        let last = HeaderValue::from_str(&last)
            .map_err(|_| StreamableHttpError::UnexpectedServerResponse("an event's id is no header".into()))?;
        let name = HeaderName::from_bytes(HEADER_LAST_EVENT_ID.as_bytes());
        custom_headers.extend(name.ok().map(|name| (name, last)));
        let response = self.send(Method::GET, session_id, custom_headers, None).await?;
        match (response.status(), content_type(&response).as_str()) {
            (StatusCode::METHOD_NOT_ALLOWED, _) => Err(StreamableHttpError::ServerDoesNotSupportSse),
            (status, "text/event-stream") if status.is_success() => Ok(events(response)),
            _ => Err(self.refused(&response)),
        }
    }
}

fn content_type(response: &Response) -> String {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The events of an answer, up to so many bytes in all.
fn events(response: Response) -> BoxStream<'static, Result<Sse, SseError>> {
    let mut read = 0_usize;
    let bytes = response.bytes_stream().map_err(std::io::Error::other).and_then(move |chunk| {
        read = read.saturating_add(chunk.len());
        let fits = read <= MAX_ANSWER;
        async move { if fits { Ok(chunk) } else { Err(std::io::Error::other("the answer is too large")) } }
    });
    SseStream::from_bytes_stream(bytes).boxed()
}

async fn bounded(mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| StreamableHttpError::Io(std::io::Error::other(error.without_url())))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > limit {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: limit });
        }
        body.extend_from_slice(&chunk);
    }
}
