//! GitHub's published OpenAPI description, read once: finds the operation that a path belongs to, and what is said
//! of its parameters, bodies, statuses and of webhooks. It judges values; what is done about a fault is not its matter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

use super::fault::{Fault, faults};
use super::schema;

/// A description. Schemas are translated when they are first needed.
#[derive(Debug)]
pub struct Description {
    document: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    /// `/repos/{owner}/{repo}` …
    pub template: &'a str,
    /// The description's `paths/…/get` and so on.
    pub told: &'a Value,
    /// Path, method: for naming its schemas.
    method: &'a str,
}

/// What the description says of a status.
pub(super) enum Told<'a> {
    /// No body.
    Nothing,
    /// A JSON body; the schema, and a name for it.
    Json(&'a Value, String),
    /// Something else than JSON, and described.
    Other,
    /// A media type that is not described.
    Unexpected,
}

impl Description {
    /// Takes an OpenAPI 3.0 document.
    #[must_use]
    pub fn new(document: Value) -> Self {
        Self { document, validators: Mutex::default() }
    }

    /// The operation and the values of its path's parameters, as they stand in the path.
    pub(super) fn operation<'a>(
        &'a self,
        method: &'a str,
        path: &str,
    ) -> Option<(Operation<'a>, Vec<(&'a str, String)>)> {
        let asked: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let lower = METHODS.iter().find(|known| known.eq_ignore_ascii_case(method))?;
        let paths = self.document["paths"].as_object()?.iter();
        let found = paths.filter_map(|(template, methods)| {
            let told = methods.get(*lower)?;
            let values = self.fits(told, template, &asked)?;
            Some((Operation { template, told, method: lower }, values))
        });
        // More words of the path spelled out: `/user/repos` before `/user/{id}`.
        found.max_by_key(|(operation, _)| operation.template.split('/').filter(|part| !part.starts_with('{')).count())
    }

    /// The parameters' values where the path fits. Some parameters may hold slashes (`x-multi-segment`).
    fn fits<'a>(&self, told: &'a Value, template: &'a str, asked: &[&str]) -> Option<Vec<(&'a str, String)>> {
        let parts: Vec<&str> = template.trim_start_matches('/').split('/').collect();
        if parts.len() > asked.len() {
            return None;
        }
        let spare = asked.len() - parts.len();
        let mut values = Vec::new();
        let mut at = 0;
        let mut spent = 0;
        for part in parts {
            // `{base}...{head}` is another way to write what `{basehead}` is also described as.
            let Some(name) =
                part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).filter(|name| !name.contains('{'))
            else {
                if asked[at] != part {
                    return None;
                }
                at += 1;
                continue;
            };
            let takes = 1 + if spare > spent && self.takes_slashes(told, name) { spare } else { 0 };
            spent += takes - 1;
            values.push((name, asked[at..at + takes].join("/")));
            at += takes;
        }
        (at == asked.len()).then_some(values)
    }

    fn takes_slashes(&self, told: &Value, name: &str) -> bool {
        self.parameters(told, "path").any(|parameter| parameter["name"] == name && parameter["x-multi-segment"] == true)
    }

    /// The parameters of one place: `path` or `query`.
    pub(super) fn parameters<'a>(&'a self, told: &'a Value, place: &'static str) -> impl Iterator<Item = &'a Value> {
        let all = told["parameters"].as_array().into_iter().flatten().map(|parameter| self.resolved(parameter));
        all.filter(move |parameter| parameter["in"] == place)
    }

    /// What a `$ref` to a parameter or response stands for.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    /// What is said of a status and a media type, when anything is.
    pub(super) fn status<'a>(&'a self, operation: Operation<'a>, status: u16, content_type: &str) -> Option<Told<'a>> {
        let told = self.resolved(operation.told["responses"].get(status.to_string())?);
        let Value::Object(content) = &told["content"] else { return Some(Told::Nothing) };
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        Some(match content.get(kind) {
            None => Told::Unexpected,
            Some(_) if kind != "application/json" => Told::Other,
            Some(content) => {
                Told::Json(&content["schema"], format!("{} {} {status}", operation.method, operation.template))
            }
        })
    }

    /// The schema of a request's body and whether there must be one.
    pub(super) fn request_body<'a>(&'a self, operation: Operation<'a>) -> Option<(&'a Value, String, bool)> {
        let told = self.resolved(operation.told.get("requestBody")?);
        let schema = told["content"]["application/json"].get("schema")?;
        Some((schema, format!("{} {} request", operation.method, operation.template), told["required"] == true))
    }

    /// The schema of a webhook's payload: `check-run-completed`, `push` …
    pub(super) fn webhook(&self, name: &str) -> Option<&Value> {
        let told = self.document["x-webhooks"].get(name).or_else(|| self.document["webhooks"].get(name))?;
        told["post"]["requestBody"]["content"]["application/json"].get("schema")
    }

    /// A schema by its name.
    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.document["components"]["schemas"].get(name)
    }

    /// What is wrong with a value. `called` must be the same for the same schema, and only then.
    pub(super) fn judge(&self, schema: &Value, called: &str, value: &Value) -> Vec<Fault> {
        match self.validator(schema, called) {
            Ok(validator) => faults(validator.iter_errors(value)),
            Err(reason) => vec![(String::new(), format!("the description itself cannot be read: {reason}"))],
        }
    }

    fn validator(&self, schema: &Value, called: &str) -> Result<Arc<Validator>, String> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = known.get(called) {
            return Ok(Arc::clone(validator));
        }
        let translated = schema::translate(&self.document, schema)?;
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = Arc::new(options.build(&translated).map_err(|error| error.to_string())?);
        known.insert(called.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
