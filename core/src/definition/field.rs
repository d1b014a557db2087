//! A field: an input of a process, a question of a form, a variable of a prompt. One JSON Schema is made from it and
//! used wherever a value for it comes in.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::source::{Spanned, closest};

/// Fields by name, in the order written.
pub type Fields = IndexMap<Spanned<String>, Field>;

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: Spanned<FieldType>,
    /// A short label for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether a value must be given (false).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The value where none is given; it must satisfy the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Spanned<Value>>,
    /// The only values allowed.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub choices: Option<Vec<Value>>,
    /// A regular expression for a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Spanned<String>>,
    /// A well-known form of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Spanned<FieldFormat>>,
    /// The smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Spanned<serde_json::Number>>,
    /// The largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Spanned<serde_json::Number>>,
    /// The shortest text, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<Spanned<u64>>,
    /// The longest text, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<Spanned<u64>>,
    /// What a list holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Field>>,
    /// The fewest items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<Spanned<u64>>,
    /// The most items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<Spanned<u64>>,
}

/// The kind of value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A day, `2026-03-01`.
    Date,
    /// A list.
    List,
    /// A mapping.
    Object,
}

/// A well-known form of text, as JSON Schema names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldFormat {
    /// An e-mail address.
    Email,
    /// An absolute URI.
    Uri,
    /// A moment, RFC 3339.
    DateTime,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A UUID.
    Uuid,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A host name.
    Hostname,
}

impl Field {
    /// The field as a JSON Schema (2020-12). `required` and `default` belong to the mapping around it.
    pub fn to_schema(&self) -> Value {
        let mut schema = Map::new();
        let kind = match self.kind.value {
            FieldType::String => "string",
            FieldType::Integer => "integer",
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
            FieldType::Date => {
                schema.insert("format".to_owned(), json!("date"));
                "string"
            }
            FieldType::List => "array",
            FieldType::Object => "object",
        };
        schema.insert("type".to_owned(), json!(kind));
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema.insert(key.to_owned(), value);
            }
        };
        put("title", self.title.as_ref().map(|v| json!(v)));
        put("description", self.description.as_ref().map(|v| json!(v)));
        put("enum", self.choices.as_ref().map(|v| json!(v)));
        put("pattern", self.pattern.as_ref().map(|v| json!(v.value)));
        put("format", self.format.as_ref().map(|v| json!(v.value)));
        put("minimum", self.minimum.as_ref().map(|v| json!(v.value)));
        put("maximum", self.maximum.as_ref().map(|v| json!(v.value)));
        put("minLength", self.min_length.as_ref().map(|v| json!(v.value)));
        put("maxLength", self.max_length.as_ref().map(|v| json!(v.value)));
        put("minItems", self.min_items.as_ref().map(|v| json!(v.value)));
        put("maxItems", self.max_items.as_ref().map(|v| json!(v.value)));
        put("items", self.items.as_ref().map(|v| v.to_schema()));
        Value::Object(schema)
    }

    /// Whether a value certainly fits, told without a schema: its type, its choices and whole limits are looked at.
    /// Where this says no, [`Field::to_schema`] knows.
    pub fn plainly_accepts(&self, value: &Value) -> bool {
        if self.pattern.is_some() || self.format.is_some() {
            return false;
        }
        let fits = match self.kind.value {
            FieldType::String => value.as_str().is_some_and(|text| self.takes_length(text)),
            FieldType::Boolean => value.is_boolean(),
            FieldType::Integer | FieldType::Number => value.as_i64().is_some_and(|number| self.takes_number(number)),
            FieldType::List => value.as_array().is_some_and(Vec::is_empty) && self.min_items.is_none(),
            FieldType::Date | FieldType::Object => false,
        };
        fits && self.choices.as_ref().is_none_or(|choices| choices.contains(value))
    }

    fn takes_length(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        let least = self.min_length.as_ref().is_none_or(|least| length >= least.value);
        least && self.max_length.as_ref().is_none_or(|most| length <= most.value)
    }

    fn takes_number(&self, number: i64) -> bool {
        let least = self.minimum.as_ref().is_none_or(|least| least.value.as_i64().is_some_and(|it| number >= it));
        least && self.maximum.as_ref().is_none_or(|most| most.value.as_i64().is_some_and(|it| number <= it))
    }
}

/// The values of fields where nothing is given.
pub fn defaults(fields: &Fields) -> Map<String, Value> {
    let given = fields.iter().filter_map(|(name, field)| Some((name, field.default.as_ref()?)));
    given.map(|(name, default)| (name.value.clone(), default.value.clone())).collect()
}

/// The JSON Schema of a mapping with these fields and no others.
pub fn schema_of_fields(fields: &Fields) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, field)| (name.value.clone(), field.to_schema())).collect();
    let required: Vec<&str> =
        fields.iter().filter(|(_, f)| f.required && f.default.is_none()).map(|(name, _)| name.as_str()).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Unknown names that are compared with the known ones: who has more of them has not misspelt one.
const MAX_COMPARED: usize = 20;

/// What is wrong with a value by a schema made of fields: each fault with the field's name and words for people
/// ("is required", "must be at least 1"). Empty: the value fits.
pub fn faults(schema: &Value, value: &Value) -> Vec<(String, String)> {
    faults_of_filled(schema, value, value)
}

/// The same of a value into which defaults were filled: of a name that nobody knows, one that only a default gave may be meant.
pub fn faults_of_filled(schema: &Value, value: &Value, given: &Value) -> Vec<(String, String)> {
    let options = jsonschema::options().should_validate_formats(true);
    let validator = match options.build(schema) {
        Ok(validator) => validator,
        Err(error) => return vec![(String::new(), format!("has a schema that cannot be used: {error}"))],
    };
    validator.iter_errors(value).flat_map(|error| describe(&error, schema, given)).collect()
}

fn describe(error: &jsonschema::ValidationError<'_>, schema: &Value, given: &Value) -> Vec<(String, String)> {
    use jsonschema::error::ValidationErrorKind as Kind;
    let path = error.instance_path().to_string();
    let field = path.trim_start_matches('/').replace('/', ".");
    let one = |words: String| vec![(field.clone(), words)];
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let known = schema["properties"].as_object().filter(|_| field.is_empty());
            let near = |(place, name): (usize, &String)| {
                let known = known.filter(|_| place < MAX_COMPARED).into_iter().flat_map(Map::keys);
                let known = known.filter(|known| given.get(known.as_str()).is_none());
                let meant = closest(name, known.map(String::as_str));
                let hint = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                (name.clone(), format!("is not a field here{hint}"))
            };
            unexpected.iter().enumerate().map(near).collect()
        }
        Kind::Required { property } => {
            vec![(property.as_str().unwrap_or_default().to_owned(), "is required".to_owned())]
        }
        Kind::Enum { options } => one(format!("must be one of {}", listed(options))),
        Kind::Pattern { pattern } => one(format!("must match `{pattern}`")),
        Kind::Format { format } => one(format!("must be {}", format_in_words(format))),
        Kind::Minimum { limit } => one(format!("must be at least {limit}")),
        Kind::Maximum { limit } => one(format!("must be at most {limit}")),
        Kind::MinLength { limit } => one(format!("must have at least {limit} characters")),
        Kind::MaxLength { limit } => one(format!("must have at most {limit} characters")),
        Kind::MinItems { limit } => one(format!("must have at least {limit} items")),
        Kind::MaxItems { limit } => one(format!("must have at most {limit} items")),
        Kind::Type { kind } => one(format!("must be {}", type_in_words(kind))),
        _ => one("does not have the right form".to_owned()),
    }
}

fn listed(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    options.iter().map(|o| o.as_str().map_or_else(|| o.to_string(), str::to_owned)).collect::<Vec<_>>().join(", ")
}

fn format_in_words(format: &str) -> &str {
    match format {
        "date" => "a day such as 2026-03-01",
        "date-time" => "a moment such as 2026-03-01T09:00:00Z",
        "time" => "a time of day such as 09:00:00Z",
        "email" => "an e-mail address",
        "uri" => "an address such as https://example.com/page",
        "uuid" => "a UUID",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "hostname" => "a host name",
        other => other,
    }
}

fn type_in_words(kind: &jsonschema::error::TypeKind) -> String {
    use jsonschema::error::TypeKind;
    let word = |name: &str| match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "empty",
        _ => "another kind of value",
    };
    match kind {
        TypeKind::Single(one) => word(&one.to_string()).to_owned(),
        TypeKind::Multiple(many) => {
            many.iter().map(|one| word(&one.to_string()).to_owned()).collect::<Vec<_>>().join(" or ")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::definition::repository::{Definition, Repository};
    use crate::source::Schema;

    #[test]
    fn what_fits_at_a_glance_fits_by_its_schema() {
        let fields = [
            "{type: string}",
            "{type: string, min_length: 2, max_length: 3}",
            "{type: string, pattern: '^a'}",
            "{type: string, enum: [ab, c]}",
            "{type: integer}",
            "{type: integer, minimum: -1, maximum: 3}",
            "{type: number, minimum: 0.5}",
            "{type: number, maximum: 2}",
            "{type: boolean}",
            "{type: date}",
            "{type: list, items: {type: string}}",
            "{type: list, items: {type: string}, min_items: 1}",
        ];
        let values = [
            json!("ab"),
            json!("é"),
            json!("abcd"),
            json!(""),
            json!(-2),
            json!(0),
            json!(3),
            json!(4),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["a"]),
            json!({}),
            Value::Null,
            json!("2026-11-21"),
        ];
        let mut plain = 0;
        for field in fields {
            let text = format!(
                "name: p\nversion: 1\ninputs: {{f: {field}}}\nsteps: [{{id: a, type: set, values: {{x: 1}}}}]\n"
            );
            let repository = Repository::read([(".flow/processes/p.yaml".to_owned(), text)]);
            let definition = &repository.files.values().next().unwrap().definition;
            let Some(Definition::Process(process)) = definition else { panic!("{field}") };
            let field = process.header.inputs.values().next().unwrap();
            let schema = Schema::compile(&field.to_schema()).unwrap();
            for value in &values {
                let accepted = field.plainly_accepts(value);
                plain += usize::from(accepted);
                assert!(!accepted || schema.accepts(value), "{value} is no {}", field.to_schema());
            }
        }
        assert_eq!(plain, 17, "what is common is told at a glance");
    }
}
