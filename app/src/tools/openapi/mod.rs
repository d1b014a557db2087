//! A tool that is an OpenAPI document: its operations, each one HTTP call. The document says what may be called; where it is
//! called and with which headers the tool's definition says.

mod document;
mod documents;
mod schemas;

use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::execution::{EquippedTool, StepError};
use flowctl_core::expression::Context;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

pub(super) use documents::Documents;

use self::document::{ApiOperation, BodyForm, Document, Parameter, Place};
use super::http::{Caller, Request, add_to_query, address_of, component, text_of};
use super::texts::Texts;
use super::{Operation, OperationCall, Tool, refused};

/// The argument that holds a request's body.
const BODY: &str = "body";

/// The operations of a document.
pub(super) struct OpenApiTool {
    name: String,
    source: Source,
    allowed: Option<Vec<String>>,
    base: Option<String>,
    headers: IndexMap<String, String>,
    /// Whether anything that is sent is a secret.
    has_secrets: bool,
    texts: Texts,
    caller: Caller,
    documents: Documents,
}

/// Where the document is.
enum Source {
    Given(Arc<Document>),
    Address(String),
}

impl OpenApiTool {
    pub(super) fn new(
        definition: &EquippedTool,
        texts: Texts,
        caller: Caller,
        documents: Documents,
    ) -> Result<Self, StepError> {
        let name = definition.name.clone();
        let source = match (&definition.document_content, &definition.document) {
            (Some(content), _) => {
                let document = Document::read(content, None, definition.operations.as_deref());
                Source::Given(Arc::new(
                    document.map_err(|fault| refused(format!("the document of tool `{name}`: {fault}")))?,
                ))
            }
            (None, Some(address)) => Source::Address(address.clone()),
            (None, None) => return Err(refused(format!("the tool `{name}` has no `document`"))),
        };
        Ok(Self {
            name,
            source,
            allowed: definition.operations.clone(),
            base: definition.url.clone(),
            headers: definition.headers.clone(),
            has_secrets: !caller.redaction.is_empty(),
            texts,
            caller,
            documents,
        })
    }

    async fn document(&self) -> Result<Arc<Document>, StepError> {
        match &self.source {
            Source::Given(document) => Ok(document.clone()),
            Source::Address(address) => {
                let address = address_of(&self.texts.render("document", address, &Context::new())?)?;
                // What a server asks of its callers it may ask of who reads its description.
                let headers = match &self.base {
                    Some(base) if address_of(base).is_ok_and(|base| base.origin() != address.origin()) => {
                        HeaderMap::new()
                    }
                    _ => self.texts.headers(&self.headers, &Context::new())?,
                };
                self.documents.fetch(&self.caller, address, headers, self.allowed.as_deref()).await
            }
        }
    }

    /// Where an operation is called: `url` of the definition, else a server of the document. A document that comes from
    /// elsewhere cannot have secrets sent to another host than its own.
    fn base(&self, document: &Document, operation: &ApiOperation) -> Result<Url, StepError> {
        if let Some(base) = &self.base {
            return address_of(&self.texts.render("url", base, &Context::new())?);
        }
        let server = operation.server.clone().or_else(|| document.server.clone());
        let Some(server) = server else {
            let message = format!("the document of tool `{}` names no server; say where it is with `url`", self.name);
            return Err(refused(message));
        };
        if let Some(address) = &document.address
            && self.has_secrets
            && address.origin() != server.origin()
        {
            let message = format!(
                "the document of tool `{}` would have its secrets sent to {}; if that is meant, say so with `url`",
                self.name,
                server.origin().ascii_serialization()
            );
            return Err(refused(message));
        }
        Ok(server)
    }
}

#[async_trait]
impl Tool for OpenApiTool {
    async fn operations(&self) -> Result<Arc<Vec<Operation>>, StepError> {
        Ok(self.document().await?.described.clone())
    }

    async fn call(&self, call: OperationCall<'_>) -> Result<Value, StepError> {
        let document = self.document().await?;
        let operation = document
            .operation(call.operation)
            .ok_or_else(|| refused(format!("tool `{}` has no operation `{}`", self.name, call.operation)))?;
        let base = self.base(&document, operation)?;
        let own = self.texts.headers(&self.headers, &Context::new())?;
        let request = request(operation, base, own, call.arguments)?;
        self.caller.send(request, call.idempotency_key).await
    }
}

/// The request of an operation with these arguments. What the definition says goes before what the arguments say.
fn request(
    operation: &ApiOperation,
    base: Url,
    own: HeaderMap,
    arguments: &serde_json::Map<String, Value>,
) -> Result<Request, StepError> {
    let mut path = operation.path.clone();
    let mut url = base;
    let mut headers = HeaderMap::new();
    let mut cookies = Vec::new();
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        let Some(value) = arguments.get(&parameter.argument).filter(|value| !value.is_null()) else { continue };
        match parameter.place {
            Place::Path => {
                let text = component(&parameter.argument, &joined(value))?;
                path = path.replace(&format!("{{{}}}", parameter.name), &text);
            }
            Place::Query => query.push((parameter, value)),
            Place::Header => {
                headers.insert(header_name(&parameter.name)?, header_value(&parameter.name, &joined(value))?);
            }
            Place::Cookie => {
                cookies.push(format!("{}={}", parameter.name, component(&parameter.argument, &joined(value))?))
            }
        }
    }
    if !cookies.is_empty() {
        headers.insert(COOKIE, header_value("cookie", &cookies.join("; "))?);
    }
    let begin = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{begin}/{}", path.trim_start_matches('/')));
    query.into_iter().for_each(|(parameter, value)| parameter_to_query(&mut url, parameter, value));
    let mut body = None;
    if let (Some(form), Some(value)) = (operation.body, arguments.get(BODY)) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        body = Some(match form {
            BodyForm::Json => value.to_string().into(),
            BodyForm::Form => form_of(value).into(),
        });
    }
    headers.extend(own);
    Ok(Request { method: operation.method.clone(), url, headers, body })
}

/// How a parameter of the query is written (OpenAPI 3.1, "Style Values"): `form` and `deepObject`.
fn parameter_to_query(url: &mut Url, parameter: &Parameter, value: &Value) {
    let name = &parameter.name;
    match value {
        Value::Object(fields) if parameter.is_deep => {
            fields.iter().for_each(|(field, value)| add_to_query(url, &format!("{name}[{field}]"), value));
        }
        Value::Object(fields) if parameter.explodes => {
            fields.iter().for_each(|(field, value)| add_to_query(url, field, value));
        }
        Value::Array(_) if parameter.explodes => add_to_query(url, name, value),
        other => add_to_query(url, name, &Value::String(joined(other))),
    }
}

/// A value in one text (style `simple`): items with commas between them, fields as `name,value`.
fn joined(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name},{}", text_of(value)));
            fields.collect::<Vec<_>>().join(",")
        }
        other => text_of(other),
    }
}

fn form_of(value: &Value) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| {
                form.append_pair(name, &text_of(item));
            }),
            other => {
                form.append_pair(name, &text_of(other));
            }
        }
    }
    form.finish()
}

fn header_name(name: &str) -> Result<HeaderName, StepError> {
    name.parse().map_err(|_| refused(format!("the document names a header `{name}`, which is none")))
}

fn header_value(name: &str, text: &str) -> Result<HeaderValue, StepError> {
    HeaderValue::from_str(text)
        .map_err(|_| refused(format!("the argument `{name}` has characters that no header can carry")))
}
