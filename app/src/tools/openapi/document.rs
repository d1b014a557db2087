//! What an OpenAPI 3 document means to a caller: operations with their parameters and bodies, and the server. What cannot be
//! called is left out, and nothing outside of the document is ever read.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use url::Url;

use super::BODY;
use super::schemas::{Definitions, SchemaFault};
use crate::tools::{MAX_OPERATIONS, Operation};

/// Longest name of an operation, in characters: what models take for a function's name.
const MAX_NAME: usize = 64;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    /// Where it came from; nothing: the repository.
    pub(super) address: Option<Url>,
    pub(super) server: Option<Url>,
    operations: IndexMap<String, ApiOperation>,
    pub(super) described: Arc<Vec<Operation>>,
}

/// An operation.
#[derive(Debug)]
pub(super) struct ApiOperation {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) server: Option<Url>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<BodyForm>,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    /// The argument that gives it.
    pub(super) argument: String,
    /// Its own name.
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) explodes: bool,
    pub(super) is_deep: bool,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyForm {
    Json,
    Form,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentFault {
    #[error("it is no OpenAPI 3 document: `openapi` is {0}, and 3.0 and 3.1 can be read")]
    Version(String),
    #[error("it has no operation that can be called{0}")]
    NoOperation(String),
    #[error("it has more than {MAX_OPERATIONS} operations; name those that are needed in `operations`")]
    TooMany,
}

impl BodyForm {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

impl Document {
    /// Reads a document that came from `address`; without one, from the repository.
    pub(super) fn read(document: &Value, address: Option<Url>) -> Result<Self, DocumentFault> {
        let version = document.get("openapi").and_then(Value::as_str).unwrap_or("not given");
        if !version.starts_with("3.") {
            return Err(DocumentFault::Version(version.to_owned()));
        }
        let mut operations = IndexMap::new();
        let mut described = Vec::new();
        let mut left_out = String::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, written) in item.as_object().into_iter().flatten() {
                let Some(method) = method_of(method) else { continue };
                if operations.len() >= MAX_OPERATIONS {
                    return Err(DocumentFault::TooMany);
                }
                let name = name_of(written, &method, path);
                let reading = Reading { document, address: address.as_ref() };
                match reading.operation(&name, method, path, item, written) {
                    Ok((operation, description)) if !operations.contains_key(&name) => {
                        operations.insert(name, operation);
                        described.push(description);
                    }
                    Ok(_) => {}
                    Err(fault) => {
                        tracing::debug!(operation = name, %fault, "an operation of a tool's document cannot be called");
                        left_out = format!("; `{name}`: {fault}");
                    }
                }
            }
        }
        if operations.is_empty() {
            return Err(DocumentFault::NoOperation(left_out));
        }
        let server = server_of(document, address.as_ref());
        Ok(Self { address, server, operations, described: Arc::new(described) })
    }

    pub(super) fn operation(&self, name: &str) -> Option<&ApiOperation> {
        self.operations.get(name)
    }
}

struct Reading<'d> {
    document: &'d Value,
    address: Option<&'d Url>,
}

impl Reading<'_> {
    fn operation(
        &self,
        name: &str,
        method: Method,
        path: &str,
        item: &Value,
        written: &Value,
    ) -> Result<(ApiOperation, Operation), SchemaFault> {
        let mut definitions = Definitions::new(self.document);
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut parameters = Vec::new();
        for (parameter, schema, is_required) in self.parameters(item, written, &mut definitions)? {
            if properties.contains_key(&parameter.argument) {
                continue;
            }
            if is_required {
                required.push(Value::String(parameter.argument.clone()));
            }
            properties.insert(parameter.argument.clone(), schema);
            parameters.push(parameter);
        }
        let mut body = None;
        if let Some(request_body) = written.get("requestBody") {
            let request_body = definitions.resolve(request_body)?;
            let (form, schema) = body_of(request_body)?;
            if request_body.get("required").and_then(Value::as_bool).unwrap_or(false) {
                required.push(json!(BODY));
            }
            properties.insert(BODY.to_owned(), definitions.schema(schema)?);
            body = Some(form);
        }
        let mut input_schema = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        });
        let definitions = definitions.finish()?;
        if !definitions.is_empty() {
            input_schema["$defs"] = Value::Object(definitions);
        }
        let texts = ["summary", "description"].iter().filter_map(|key| written.get(key).and_then(Value::as_str));
        let mut texts: Vec<&str> = texts.map(str::trim).filter(|text| !text.is_empty()).collect();
        texts.dedup();
        // RFC 9110, sections 9.2.1 and 9.2.2: which methods are safe, and which may be repeated.
        let reads = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        let described = Operation {
            name: name.to_owned(),
            description: (!texts.is_empty()).then(|| texts.join("\n\n")),
            input_schema,
            writes: !reads,
            idempotent: reads || matches!(method, Method::PUT | Method::DELETE),
        };
        let server = [written, item].into_iter().find_map(|place| server_of(place, self.address));
        Ok((ApiOperation { method, path: path.to_owned(), server, parameters, body }, described))
    }

    /// The parameters with their schemas, and whether they are required; those of the operation before those of its path.
    fn parameters(
        &self,
        item: &Value,
        written: &Value,
        definitions: &mut Definitions<'_>,
    ) -> Result<Vec<(Parameter, Value, bool)>, SchemaFault> {
        let lists = [written, item].into_iter().filter_map(|place| place.get("parameters").and_then(Value::as_array));
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for parameter in lists.flatten() {
            let parameter = definitions.resolve(parameter)?;
            let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
            let name = text("name").to_owned();
            let place = match text("in") {
                "path" => Place::Path,
                "query" => Place::Query,
                // Those three are not parameters (OpenAPI 3.1, "Parameter Object").
                "header" if ["accept", "content-type", "authorization"].contains(&&*name.to_ascii_lowercase()) => {
                    continue;
                }
                "header" => Place::Header,
                "cookie" => Place::Cookie,
                _ => continue,
            };
            if !seen.insert((name.clone(), text("in").to_owned())) {
                continue;
            }
            let content = || parameter.get("content")?.as_object()?.values().next()?.get("schema");
            let schema = parameter.get("schema").or_else(content).unwrap_or(&Value::Bool(true));
            let mut schema = definitions.schema(schema)?;
            if let (Some(schema), Some(description)) = (schema.as_object_mut(), parameter.get("description")) {
                schema.entry("description").or_insert_with(|| description.clone());
            }
            let is_deep = text("style") == "deepObject";
            let usual = place == Place::Query && matches!(text("style"), "" | "form");
            let explodes = parameter.get("explode").and_then(Value::as_bool).unwrap_or(usual);
            let required = place == Place::Path || parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
            // The body has a name of its own, and two places may have parameters of one name.
            let taken = |argument: &str| {
                argument == BODY
                    || found.iter().any(|(known, _, _): &(Parameter, Value, bool)| known.argument == argument)
            };
            let argument = if taken(&name) { format!("{}_{name}", text("in")) } else { name.clone() };
            found.push((Parameter { argument, name, place, explodes, is_deep }, schema, required));
        }
        Ok(found)
    }
}

fn method_of(word: &str) -> Option<Method> {
    match word {
        "get" => Some(Method::GET),
        "put" => Some(Method::PUT),
        "post" => Some(Method::POST),
        "delete" => Some(Method::DELETE),
        "patch" => Some(Method::PATCH),
        "head" => Some(Method::HEAD),
        "options" => Some(Method::OPTIONS),
        _ => None,
    }
}

/// The operation's id, or one that is made of its method and path.
fn name_of(written: &Value, method: &Method, path: &str) -> String {
    if let Some(id) = written.get("operationId").and_then(Value::as_str) {
        return id.to_owned();
    }
    let mut name = method.as_str().to_ascii_lowercase();
    for part in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        name.push('_');
        name.push_str(part);
    }
    name.truncate(MAX_NAME);
    name
}

/// The first server of a document, a path or an operation, its variables at their defaults. Relative to the document.
fn server_of(place: &Value, address: Option<&Url>) -> Option<Url> {
    let server = place.get("servers")?.as_array()?.first()?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    let url = match address {
        Some(address) => address.join(&url).ok()?,
        None => Url::parse(&url).ok()?,
    };
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// How a body is written, and its schema: JSON where there is a choice.
fn body_of(request_body: &Value) -> Result<(BodyForm, &Value), SchemaFault> {
    let contents = request_body.get("content").and_then(Value::as_object);
    let find = |wanted: &dyn Fn(&str) -> bool| {
        contents.into_iter().flatten().find(|(kind, _)| wanted(essence(kind))).map(|(_, content)| content)
    };
    let found = find(&|kind| kind == "application/json" || kind.ends_with("+json") || kind == "*/*")
        .map(|content| (BodyForm::Json, content))
        .or_else(|| find(&|kind| kind == BodyForm::Form.content_type()).map(|content| (BodyForm::Form, content)));
    let (form, content) = found.ok_or(SchemaFault::Body)?;
    Ok((form, content.get("schema").unwrap_or(&Value::Bool(true))))
}

fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}
