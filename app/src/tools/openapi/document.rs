//! What an OpenAPI 3 document means to a caller: operations with their parameters and bodies, and the server. What cannot be
//! called is left out, and nothing outside of the document is ever read.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowctl_core::definition::tool::operation_name;
use flowctl_core::source::closest;
use http::Method;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use url::Url;

use super::BODY;
use super::schemas::{Definitions, SchemaFault};
use crate::tools::{MAX_OPERATIONS, Operation};

/// What the operations of a document may come to at most, each with all that it refers to, in bytes of text: a part that a
/// thousand operations refer to is there a thousand times.
const MAX_SCHEMAS: usize = 8 * 1024 * 1024;

/// A document.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Where it came from; nothing: the repository.
    pub(super) address: Option<Url>,
    pub(super) server: Option<Url>,
    operations: IndexMap<String, ApiOperation>,
    pub(super) described: Arc<Vec<Operation>>,
    /// What its operations come to, in bytes of text.
    pub(super) size: usize,
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
    #[error("it has none of the operations that are allowed{0}")]
    NoneAllowed(String),
    #[error(
        "its operations with all that they refer to are larger than {} MiB; name those that are needed in `operations`",
        MAX_SCHEMAS / (1024 * 1024)
    )]
    TooLarge,
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
    /// Reads a document that came from `address`; without one, from the repository. Only the operations that are allowed
    /// are looked at; nothing named: all.
    pub(super) fn read(
        document: &Value,
        address: Option<Url>,
        allowed: Option<&[String]>,
    ) -> Result<Self, DocumentFault> {
        let version = document.get("openapi").and_then(Value::as_str).unwrap_or("not given");
        if !version.starts_with("3.") {
            return Err(DocumentFault::Version(version.to_owned()));
        }
        let mut read = Self { server: server_of(document, address.as_ref()), ..Self::default() };
        let (mut left, mut described) = (MAX_SCHEMAS, Vec::new());
        let mut not_allowed = BTreeSet::new();
        let mut left_out = String::new();
        for (path, method, item, written) in written_operations(document) {
            let name = operation_name(written, method, path);
            if allowed.is_some_and(|allowed| !allowed.contains(&name)) {
                not_allowed.insert(name);
                continue;
            }
            if read.operations.len() >= MAX_OPERATIONS {
                return Err(DocumentFault::TooMany);
            }
            let Some(method) = method_of(method).filter(|_| !read.operations.contains_key(&name)) else { continue };
            let reading = Reading { document, address: address.as_ref() };
            match reading.operation(&name, method, path, item, written, &mut left) {
                Ok((operation, description)) => {
                    read.operations.insert(name, operation);
                    described.push(description);
                }
                Err(SchemaFault::TooMuch) => return Err(DocumentFault::TooLarge),
                Err(fault) => {
                    tracing::debug!(operation = name, %fault, "an operation of a tool's document cannot be called");
                    left_out = format!("; `{name}`: {fault}");
                }
            }
        }
        if read.operations.is_empty() && left_out.is_empty() && !not_allowed.is_empty() {
            return Err(DocumentFault::NoneAllowed(meant(allowed.unwrap_or_default(), &not_allowed)));
        }
        if read.operations.is_empty() {
            return Err(DocumentFault::NoOperation(left_out));
        }
        Ok(Self { address, described: Arc::new(described), size: MAX_SCHEMAS - left, ..read })
    }

    pub(super) fn operation(&self, name: &str) -> Option<&ApiOperation> {
        self.operations.get(name)
    }
}

/// Every operation as it is written: its path, its method, and what its path says of all methods.
fn written_operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value, &Value)> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        let methods = methods.filter(|(method, _)| method_of(method).is_some());
        methods.map(move |(method, written)| (path.as_str(), method.as_str(), item, written))
    })
}

/// What was probably meant by an allowed name that a document does not have.
fn meant(allowed: &[String], names: &BTreeSet<String>) -> String {
    let close = allowed.iter().find_map(|wanted| closest(wanted, names.iter().map(String::as_str)));
    close.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
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
        left: &mut usize,
    ) -> Result<(ApiOperation, Operation), SchemaFault> {
        let mut definitions = Definitions::new(self.document, left);
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
        definitions: &mut Definitions<'_, '_>,
    ) -> Result<Vec<(Parameter, Value, bool)>, SchemaFault> {
        let lists = [written, item].into_iter().filter_map(|place| place.get("parameters").and_then(Value::as_array));
        let (mut seen, mut arguments) = (BTreeSet::new(), BTreeSet::from([BODY.to_owned()]));
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
            let argument = if arguments.contains(&name) { format!("{}_{name}", text("in")) } else { name.clone() };
            arguments.insert(argument.clone());
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
