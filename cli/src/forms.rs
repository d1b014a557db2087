//! Forms that people fill in from a terminal: words as values of their fields, and questions for what is not given. Whether
//! answers are taken is for the engine to say.

use flowctl_app::api::view::StepView;
use flowctl_core::command::values::of_words;
use flowctl_core::definition::field::faults;
use flowctl_core::value::visible::visible;
use serde_json::{Map, Value, json};

use crate::questions;
use crate::terminal::{BOLD, DIM};

/// What a step asks for.
#[derive(Debug, Clone, Copy)]
pub struct Form<'f> {
    /// The step.
    pub step: &'f str,
    /// The headline.
    pub title: &'f str,
    /// What is asked and why, in Markdown.
    pub description: &'f str,
    /// The JSON Schema of the answers.
    pub schema: &'f Value,
    /// Values where none is given.
    pub defaults: Option<&'f Map<String, Value>>,
}

impl<'f> Form<'f> {
    /// The form that a step waits for, as a server tells it.
    pub fn of(step: &'f StepView) -> Option<Self> {
        let waiting = step.waiting_for.as_ref().filter(|waiting| waiting.kind == "form")?;
        Some(Self {
            step: &step.id,
            title: waiting.title.as_deref().unwrap_or(&step.id),
            description: waiting.description.as_deref().unwrap_or_default(),
            schema: waiting.schema.as_ref()?,
            defaults: waiting.defaults.as_ref(),
        })
    }

    /// The fields that must be given.
    pub fn required(self) -> impl Iterator<Item = &'f str> {
        self.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Words as values, by the types of the fields. What does not fit stays as it was written.
    pub fn typed(self, words: &[(String, String)]) -> Map<String, Value> {
        of_words(self.schema, words)
    }

    /// Asks for every field, where the person at the terminal wants to answer now.
    pub fn ask_now(self) -> anyhow::Result<Option<Map<String, Value>>> {
        self.tell();
        if !questions::confirm("Answer now?")? {
            return Ok(None);
        }
        self.ask(self.fields().map(|(name, _)| name.as_str())).map(Some)
    }

    /// Asks for what is missing among the values that are given: the required fields, or every field where nothing is.
    pub fn complete(self, given: Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
        let names: Vec<&str> = match given.is_empty() {
            true => self.fields().map(|(name, _)| name.as_str()).collect(),
            false => self.required().filter(|name| !given.contains_key(*name)).collect(),
        };
        if names.is_empty() {
            return Ok(given);
        }
        self.tell();
        let mut values = given;
        values.extend(self.ask(names.into_iter())?);
        Ok(values)
    }

    fn fields(self) -> impl Iterator<Item = (&'f String, &'f Value)> {
        self.schema["properties"].as_object().into_iter().flatten()
    }

    fn tell(self) {
        let (title, description) = (visible(self.title), visible(self.description.trim_end()));
        anstream::eprintln!("\n{BOLD}{title}{BOLD:#} {DIM}({}){DIM:#}\n{description}", self.step);
    }

    fn ask<'n>(self, names: impl Iterator<Item = &'n str>) -> anyhow::Result<Map<String, Value>> {
        let mut words = Vec::new();
        for name in names {
            if let Some(description) = self.schema["properties"][name]["description"].as_str() {
                anstream::eprintln!("{DIM}{}{DIM:#}", visible(description.trim_end()));
            }
            let default = self.default(name).map(word).unwrap_or_default();
            let text = questions::line(&self.prompt(name), &default, |text| self.fault(name, text))?;
            words.extend((!text.is_empty()).then(|| (name.to_owned(), text)));
        }
        Ok(self.typed(&words))
    }

    fn default(self, name: &str) -> Option<&'f Value> {
        self.defaults?.get(name)
    }

    fn is_required(self, name: &str) -> bool {
        self.required().any(|required| required == name)
    }

    /// A field's title with what it takes, and whether it must be given.
    fn prompt(self, name: &str) -> String {
        let field = &self.schema["properties"][name];
        let title = field["title"].as_str().unwrap_or(name);
        let must = self.is_required(name) && self.default(name).is_none();
        let hints: Vec<String> = taken(field).into_iter().chain(must.then(|| "required".to_owned())).collect();
        let prompt = if hints.is_empty() { title.to_owned() } else { format!("{title} ({})", hints.join("; ")) };
        visible(&prompt).into_owned()
    }

    /// Why a field does not take a text; one that is empty is not given.
    fn fault(self, name: &str, text: &str) -> Option<String> {
        let given = if text.is_empty() { Vec::new() } else { vec![(name.to_owned(), text.to_owned())] };
        let required: Vec<&str> = self.is_required(name).then_some(name).into_iter().collect();
        let schema = json!({"properties": {name: self.schema["properties"][name]}, "required": required});
        let found = faults(&schema, &Value::Object(self.typed(&given)));
        found.into_iter().next().map(|(_, fault)| format!("`{name}` {fault}"))
    }
}

/// What a field takes, where that is not any text.
fn taken(field: &Value) -> Option<String> {
    if let Some(choices) = field["enum"].as_array() {
        return Some(choices.iter().map(word).collect::<Vec<_>>().join(", "));
    }
    let kind = match (field["type"].as_str()?, field["format"].as_str()) {
        ("string", Some("date")) => "a day, as 2026-03-01",
        ("integer", _) => "a whole number",
        ("number", _) => "a number",
        ("boolean", _) => "true or false",
        ("array", _) => "a list, as a, b",
        _ => return None,
    };
    Some(kind.to_owned())
}

/// A value as somebody would type it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_what_it_does_not_take() {
        let schema = json!({"type": "object", "required": ["days"], "additionalProperties": false, "properties": {
            "days": {"type": "integer", "maximum": 30}, "systems": {"type": "array", "items": {"type": "string"}}
        }});
        let form = Form { step: "request", title: "", description: "", schema: &schema, defaults: None };
        for (name, text, fault) in [
            ("days", "7", None),
            ("days", "", Some("`days` is required")),
            ("days", "31", Some("`days` must be at most 30")),
            ("days", "soon", Some("`days` must be a whole number")),
            ("systems", "", None),
            ("systems", "shop, billing", None),
        ] {
            assert_eq!(form.fault(name, text).as_deref(), fault, "{name}={text}");
        }
        assert_eq!(form.prompt("days"), "days (a whole number; required)");
        assert_eq!(form.prompt("systems"), "systems (a list, as a, b)");
        let words = [("days".to_owned(), "7".to_owned()), ("systems".to_owned(), "shop, billing".to_owned())];
        assert_eq!(Value::Object(form.typed(&words)), json!({"days": 7, "systems": ["shop", "billing"]}));
    }
}
