//! Collects mismatches from many exchanges and tells them all at the end, each once.

use std::collections::BTreeSet;
use std::fmt;

use flowctl_sandbox::{RequestRecord, state::Delivery};
use serde_json::{Value, json};

use super::description::{Description, Operation, Told};

/// Statuses that any operation may answer though its own list does not say so, and the schema of their body.
/// Source: REST documentation, "Troubleshooting the REST API", "Best practices for using the REST API".
const ANYWHERE: [(u16, &str); 9] = [
    (400, "basic-error"),
    (401, "basic-error"),
    (403, "basic-error"),
    (404, "basic-error"),
    (413, "basic-error"),
    (422, "validation-error"),
    (429, "basic-error"),
    (500, "basic-error"),
    (502, "basic-error"),
];

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `GET`, `POST` …
    pub method: String,
    /// The path below the API's base, with its query.
    pub path: String,
    /// What was sent.
    pub request: Option<Value>,
    /// The answer's status.
    pub status: u16,
    /// The answer's `Content-Type`, empty without one.
    pub content_type: String,
    /// The answer's body.
    pub answer: Vec<u8>,
}

/// Something that is not as GitHub describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// `METHOD path status`, `METHOD path request`, `webhook NAME`.
    pub subject: String,
    /// Where in the body, as a JSON pointer; `?name` for a parameter.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} {}", self.subject, if self.pointer.is_empty() { "/" } else { &self.pointer }, self.message)
    }
}

/// What was checked so far, and what did not fit.
#[derive(Debug)]
pub struct Report<'a> {
    description: &'a Description,
    mismatches: BTreeSet<Mismatch>,
    checked: BTreeSet<String>,
}

impl<'a> Report<'a> {
    /// An empty report.
    #[must_use]
    pub fn new(description: &'a Description) -> Self {
        Self { description, mismatches: BTreeSet::new(), checked: BTreeSet::new() }
    }

    /// Checks an answer, and the request as well unless it was wrong on purpose (an answer of 400 or more).
    pub fn exchange(&mut self, exchange: &Exchange) {
        if exchange.status < 400 {
            self.request(&exchange.method, &exchange.path, exchange.request.as_ref());
        }
        let (path, _) = exchange.path.split_once('?').unwrap_or((&exchange.path, ""));
        let Some((operation, _)) = self.description.operation(&exchange.method, path) else {
            self.add(&format!("{} {path}", exchange.method), "", "is no documented operation");
            return;
        };
        let subject = format!("{} {} {}", exchange.method, operation.template, exchange.status);
        self.checked.insert(subject.clone());
        self.answer(&subject, operation, exchange);
    }

    fn answer(&mut self, subject: &str, operation: Operation<'_>, exchange: &Exchange) {
        let told = self.description.status(operation, exchange.status, &exchange.content_type);
        let general = || {
            let (_, name) = ANYWHERE.iter().find(|(status, _)| *status == exchange.status)?;
            let kind = exchange.content_type.split(';').next();
            if kind != Some("application/json") {
                return Some(Told::Unexpected);
            }
            Some(Told::Json(self.description.named(name)?, (*name).to_owned()))
        };
        let told = match told.or_else(general) {
            Some(told) => told,
            // "Use conditional requests if appropriate": of every GET.
            None if exchange.status == 304 && exchange.method == "GET" => Told::Nothing,
            None => return self.add(subject, "", "is no documented status"),
        };
        match told {
            Told::Nothing if exchange.answer.is_empty() => {}
            Told::Nothing => self.add(subject, "", "has a body where none is described"),
            Told::Other => {}
            Told::Unexpected => {
                self.add(subject, "", &format!("is {:?}, which is not described", exchange.content_type))
            }
            Told::Json(schema, called) => match serde_json::from_slice(&exchange.answer) {
                Ok(body) => self.value(subject, schema, &called, &body),
                Err(error) => self.add(subject, "", &format!("cannot be read: {error}")),
            },
        }
    }

    /// Checks a request: a documented operation, with documented parameters and a documented body.
    pub fn request(&mut self, method: &str, path: &str, body: Option<&Value>) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some((operation, values)) = self.description.operation(method, path) else {
            return self.add(&format!("{method} {path}"), "", "is no documented operation");
        };
        let subject = format!("{method} {} request", operation.template);
        self.checked.insert(subject.clone());
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), decoded(value)));
        self.parameters(&subject, operation, "path", &values.collect::<Vec<_>>());
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
        self.parameters(&subject, operation, "query", &pairs);
        match (self.description.request_body(operation), body) {
            (Some((schema, called, _)), Some(body)) => self.value(&subject, schema, &called, body),
            (Some((_, _, true)), None) => self.add(&subject, "", "has no body"),
            (None, Some(_)) => self.add(&subject, "", "has a body where none is described"),
            (_, None) => {}
        }
    }

    fn parameters(&mut self, subject: &str, operation: Operation<'_>, place: &'static str, given: &[(String, String)]) {
        let description = self.description;
        let told: Vec<_> = description.parameters(operation.told, place).collect();
        for (name, value) in given {
            let Some(parameter) = told.iter().find(|parameter| parameter["name"] == name.as_str()) else {
                self.add(subject, &format!("?{name}"), "is no documented parameter");
                continue;
            };
            let called = format!("{subject} {place} {name}");
            let readings = readings(value);
            let faults = readings.iter().map(|reading| description.judge(&parameter["schema"], &called, reading));
            let fewest = faults.min_by_key(Vec::len).unwrap_or_default();
            fewest.iter().for_each(|(_, message)| self.add(subject, &format!("?{name}"), message));
        }
        // A path that fits its template has all of the template's parameters.
        let required = told.iter().filter(|parameter| parameter["required"] == true && place != "path");
        let required = required.filter_map(|parameter| parameter["name"].as_str());
        for name in required.filter(|name| given.iter().all(|(given, _)| given != name)) {
            self.add(subject, &format!("?{name}"), "is missing");
        }
    }

    /// Checks what a server was asked, git aside. Requests that it refused are checked too: they were meant.
    pub fn requests(&mut self, records: &[RequestRecord]) {
        for record in records.iter().filter(|record| !record.is_git()) {
            let body = record.body.as_deref().filter(|body| !body.is_empty());
            match body.map(serde_json::from_slice).transpose() {
                Ok(body) => self.request(&record.method, &record.path, body.as_ref()),
                Err(error) => self.add(
                    &format!("{} {}", record.method, record.path),
                    "",
                    &format!("has an unreadable body: {error}"),
                ),
            }
        }
    }

    /// Checks webhooks that were sent.
    pub fn deliveries(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            match serde_json::from_str(&delivery.payload) {
                Ok(payload) => self.event(&delivery.event, &payload),
                Err(error) => self.add(&format!("webhook {}", delivery.event), "", &format!("cannot be read: {error}")),
            }
        }
    }

    /// Checks one webhook's payload.
    pub fn event(&mut self, event: &str, payload: &Value) {
        let name = match payload["action"].as_str() {
            Some(action) => format!("{event}-{action}").replace('_', "-"),
            None => event.replace('_', "-"),
        };
        let subject = format!("webhook {name}");
        match self.description.webhook(&name) {
            Some(schema) => {
                self.checked.insert(subject.clone());
                self.value(&subject, schema, &subject, payload);
            }
            None => self.add(&subject, "", "is no documented event"),
        }
    }

    fn value(&mut self, subject: &str, schema: &Value, called: &str, value: &Value) {
        for (pointer, message) in self.description.judge(schema, called, value) {
            self.add(subject, &pointer, &message);
        }
    }

    fn add(&mut self, subject: &str, pointer: &str, message: &str) {
        self.mismatches.insert(Mismatch {
            subject: subject.to_owned(),
            pointer: pointer.to_owned(),
            message: message.to_owned(),
        });
    }

    /// What was checked: subjects as in [`Mismatch`].
    #[must_use]
    pub fn checked(&self) -> &BTreeSet<String> {
        &self.checked
    }

    /// Everything that did not fit.
    #[must_use]
    pub fn mismatches(&self) -> &BTreeSet<Mismatch> {
        &self.mismatches
    }

    /// Ends the report.
    ///
    /// # Errors
    /// All mismatches, a line each; or that nothing was checked.
    pub fn finish(&self) -> Result<(), String> {
        if self.checked.is_empty() {
            return Err("nothing was checked".to_owned());
        }
        if self.mismatches.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = self.mismatches.iter().map(Mismatch::to_string).collect();
        Err(format!("{} mismatches with GitHub's description:\n{}", lines.len(), lines.join("\n")))
    }
}

/// What a parameter's text may stand for: OpenAPI gives it a type, the URL does not.
fn readings(text: &str) -> Vec<Value> {
    let mut readings = vec![json!(text)];
    readings.extend(text.parse::<i64>().ok().map(Value::from));
    readings.extend(text.parse::<bool>().ok().map(Value::from));
    readings.push(text.split(',').map(Value::from).collect());
    readings
}

/// Takes the escapes out of a part of a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
            }
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
