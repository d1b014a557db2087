//! A tool that is one HTTP call: arguments go into the address where it names them, the others into the query or the body.
//! Which addresses may be reached is `steps/outgoing`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::step::api_call::Method as Written;
use flowctl_core::execution::{EquippedTool, StepError};
use flowctl_core::expression::{Context, Key, Template};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use url::Url;

use super::texts::Texts;
use super::{HTTP_OPERATION, Operation, OperationCall, Tool, refused};
use crate::clock::Clock;
use crate::steps::api_call::{body_of, carries_credentials, failed, unexpected};
use crate::steps::outgoing::{Call, Outgoing};
use crate::steps::secrets::Redaction;

/// One HTTP call.
pub(super) struct HttpTool {
    url: String,
    headers: IndexMap<String, String>,
    method: Method,
    /// The arguments that the address names.
    in_address: BTreeSet<String>,
    operations: Arc<Vec<Operation>>,
    texts: Texts,
    caller: Caller,
}

impl HttpTool {
    pub(super) fn new(definition: &EquippedTool, texts: Texts, caller: Caller) -> Result<Self, StepError> {
        let name = &definition.name;
        let url = definition.url.clone().ok_or_else(|| refused(format!("the tool `{name}` has no `url`")))?;
        let method = method(definition.method.unwrap_or_default());
        let reads = method == Method::GET || method == Method::HEAD;
        let operation = Operation {
            name: HTTP_OPERATION.to_owned(),
            description: definition.description.clone(),
            input_schema: definition.input_schema.clone().unwrap_or_else(|| json!({"type": "object"})),
            writes: !reads,
            // RFC 9110, section 9.2.2.
            idempotent: reads || method == Method::PUT || method == Method::DELETE,
        };
        Ok(Self {
            in_address: arguments_of(&url)?,
            url,
            headers: definition.headers.clone(),
            method,
            operations: Arc::new(vec![operation]),
            texts,
            caller,
        })
    }
}

/// The arguments that a text reads.
fn arguments_of(text: &str) -> Result<BTreeSet<String>, StepError> {
    let template = Template::parse(text)
        .map_err(|error| StepError::new(ErrorClass::Expression, format!("`url` of the tool: {error}")))?;
    let read = template.references().iter().filter(|reference| reference.root() == "arguments");
    Ok(read
        .filter_map(|reference| match &reference.path.get(1)?.key {
            Key::Name(name) => Some(name.clone()),
            _ => None,
        })
        .collect())
}

fn method(written: Written) -> Method {
    match written {
        Written::Get => Method::GET,
        Written::Post => Method::POST,
        Written::Put => Method::PUT,
        Written::Patch => Method::PATCH,
        Written::Delete => Method::DELETE,
        Written::Head => Method::HEAD,
    }
}

#[async_trait]
impl Tool for HttpTool {
    async fn operations(&self) -> Result<Arc<Vec<Operation>>, StepError> {
        Ok(self.operations.clone())
    }

    async fn call(&self, call: OperationCall<'_>) -> Result<Value, StepError> {
        let address = self.texts.render("url", &self.url, &context(encoded(call.arguments)?))?;
        let mut url = address_of(&address)?;
        let rest = call.arguments.iter().filter(|(name, _)| !self.in_address.contains(*name));
        let mut headers = self.texts.headers(&self.headers, &context(call.arguments.clone()))?;
        let mut body = None;
        if matches!(self.method, Method::GET | Method::HEAD | Method::DELETE) {
            for (name, value) in rest {
                add_to_query(&mut url, name, value);
            }
        } else {
            let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            body = Some(Value::Object(rest).to_string().into());
        }
        let request = Request { method: self.method.clone(), url, headers, body };
        self.caller.send(request, call.idempotency_key).await
    }
}

/// A request of a tool.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<bytes::Bytes>,
}

/// Who makes the requests of a tool.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) outgoing: Outgoing,
    pub(super) clock: Arc<dyn Clock>,
    /// What is kept out of what a bad answer says, before that is cut.
    pub(super) redaction: Arc<Redaction>,
}

impl Caller {
    /// Sends a request; the body of a good answer. Its headers were meant for this address alone: none goes along with a
    /// redirect to another host, which is an error where anything in the request is a credential.
    pub(super) async fn send(&self, request: Request, idempotency_key: &str) -> Result<Value, StepError> {
        let Request { method, url, mut headers, body } = request;
        let name = format!("{method} {}{}", url.origin().ascii_serialization(), url.path());
        let is_head = method == Method::HEAD;
        let key = HeaderName::from_static("idempotency-key");
        if let (Ok(value), false) = (HeaderValue::from_str(idempotency_key), headers.contains_key(&key)) {
            headers.insert(key, value);
        }
        let carries_credentials = carries_credentials(&url, &headers, !self.redaction.is_empty());
        let own_headers = HeaderMap::new();
        let call = Call { method, url, headers, own_headers, body, carries_credentials, follows_redirects: true };
        let answer = self.outgoing.call(call).await.map_err(|error| failed(&name, &error))?;
        if !answer.status.is_success() {
            return Err(unexpected(&name, &answer, self.clock.now(), &self.redaction));
        }
        if is_head { Ok(Value::Null) } else { body_of(&name, &answer) }
    }
}

fn context(arguments: Map<String, Value>) -> Context {
    let mut context = Context::new();
    context.set("arguments", Value::Object(arguments));
    context
}

pub(super) fn address_of(text: &str) -> Result<Url, StepError> {
    let url = Url::parse(text.trim()).map_err(|error| refused(format!("`url` of the tool is no address: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(refused(format!("`url` of the tool: `{other}:` is no scheme that can be called"))),
    }
}

/// Arguments as they may stand in a part of an address: a text cannot leave its part, whatever is in it.
fn encoded(arguments: &Map<String, Value>) -> Result<Map<String, Value>, StepError> {
    let entries = arguments.iter();
    entries.map(|(name, value)| Ok((name.clone(), Value::String(component(name, &text_of(value))?)))).collect()
}

/// A text with everything escaped that means something in an address (RFC 3986, section 2.3).
///
/// # Errors
/// Of dots alone: escaped or not, they are a way through folders (URL Standard, "double-dot URL path segment").
pub(super) fn component(name: &str, text: &str) -> Result<String, StepError> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'.') {
        return Err(refused(format!("the argument `{name}` is `{text}`, which cannot stand in an address")));
    }
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    Ok(escaped.collect())
}

/// A value as a text in an address or a header.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A value in a query: a list once per item, nothing for a null.
pub(super) fn add_to_query(url: &mut Url, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| {
            url.query_pairs_mut().append_pair(name, &text_of(item));
        }),
        other => {
            url.query_pairs_mut().append_pair(name, &text_of(other));
        }
    }
}
